"""Hinge loss (Lim and Ye 2017, https://arxiv.org/abs/1705.02894; Miyato et al. 2018)."""

from torch import Tensor
from torch.nn import functional as F

from fairseq_genext.gan.losses.loss import Loss
from fairseq_genext.gan.scores import Scores


class HingeLoss(Loss):
    """With D the logit:

    L_D = max(0, 1 - D(x)) + max(0, 1 + D(G(z))),   L_G = -D(G(z))
    """

    def discriminator(self, real: Scores, fake: Scores) -> Tensor:
        """L_D, ``(batch,)``."""
        return real.mean(F.relu(1 - real.logits)) + fake.mean(F.relu(1 + fake.logits))

    def generator(self, fake: Scores, real: Scores | None = None) -> Tensor:
        """L_G, ``(batch,)``."""
        return -fake.mean()

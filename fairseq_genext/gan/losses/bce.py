"""Binary cross entropy, with the non-saturating generator loss (Goodfellow et al. 2014)."""

from torch import Tensor
from torch.nn import functional as F

from fairseq_genext.gan.losses.loss import Loss
from fairseq_genext.gan.scores import Scores


class BCELoss(Loss):
    """With D(x) = sigmoid(logit):

    L_D = 1/2 [-log D(x)] + 1/2 [-log(1 - D(G(z)))],   L_G = -log D(G(z))
    """

    def discriminator(self, real: Scores, fake: Scores) -> Tensor:
        """L_D in nats, ``(batch,)``."""
        # -log sigmoid(x) = softplus(-x), and -log(1 - sigmoid(x)) = softplus(x).
        real_term = real.mean(F.softplus(-real.logits))
        return 0.5 * (real_term + fake.mean(F.softplus(fake.logits)))

    def generator(self, fake: Scores, real: Scores | None = None) -> Tensor:
        """L_G in nats, ``(batch,)``."""
        return fake.mean(F.softplus(-fake.logits))

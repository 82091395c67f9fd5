"""Relativistic standard GAN (Jolicoeur-Martineau 2018, https://arxiv.org/abs/1807.00734)."""

import math

from torch import Tensor
from torch.nn import functional as F

from fairseq_genext.gan.losses.loss import Loss
from fairseq_genext.gan.scores import Scores


class RSGANLoss(Loss):
    """With D the logit and real and generated sequences paired as they stand in their batches:

    L_D = -log sigmoid(D(x) - D(G(z))),   L_G = -log sigmoid(D(G(z)) - D(x))

    Several logits a sequence are compared one by one (RelGAN), scores of tokens by their means, as
    the two sequences of a pair need not be equally long.
    """

    relative = True

    def discriminator(self, real: Scores, fake: Scores) -> Tensor:
        """L_D in nats, ``(batch,)``."""
        return self._behind(fake, real)

    def generator(self, fake: Scores, real: Scores | None = None) -> Tensor:
        """L_G in nats, ``(batch,)``."""
        return self._behind(real, fake)

    def lead(self, accuracy: float, loss: float) -> float:
        """How likely it holds a real sequence above a generated one; its logits have no zero."""
        return math.exp(-loss)

    @staticmethod
    def _behind(loser: Scores, winner: Scores) -> Tensor:
        """-log of how likely the winner is above the loser, ``(batch,)``."""
        if winner.per_token:
            return F.softplus(loser.mean() - winner.mean())
        return winner.mean(F.softplus(loser.logits - winner.logits))

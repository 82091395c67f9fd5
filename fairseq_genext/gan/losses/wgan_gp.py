"""Wasserstein loss with gradient penalty (Gulrajani et al. 2017, https://arxiv.org/abs/1704.00028)."""

from torch import Tensor

from fairseq_genext.gan.losses.loss import Loss
from fairseq_genext.gan.losses.penalties import Lipschitz, Penalty
from fairseq_genext.gan.scores import Scores


class WGANGPLoss(Loss):
    """With D the logit and ^x a point between a real and a generated sequence (equation 3):

    L_D = D(G(z)) - D(x) + lambda (|grad D(^x)| - 1)^2,   L_G = -D(G(z))

    Args:
        penalty_weight: lambda.
        penalties: others, besides its own.

    Raises:
        ValueError: ``penalty_weight`` is negative.
    """

    def __init__(self, penalty_weight: float = 10.0, *penalties: Penalty) -> None:
        super().__init__(Lipschitz(penalty_weight), *penalties)

    def discriminator(self, real: Scores, fake: Scores) -> Tensor:
        """L_D without its penalty, ``(batch,)``."""
        return fake.mean() - real.mean()

    def generator(self, fake: Scores, real: Scores | None = None) -> Tensor:
        """L_G, ``(batch,)``."""
        return -fake.mean()

    def lead(self, accuracy: float, loss: float) -> float:
        """0: a critic measures a distance and is the better for being ahead."""
        return 0.0

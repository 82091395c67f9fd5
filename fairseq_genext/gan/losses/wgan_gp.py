"""Wasserstein loss with gradient penalty (Gulrajani et al. 2017, https://arxiv.org/abs/1704.00028)."""

import torch
from torch import Tensor
from torch.nn import functional as F

from fairseq_genext.gan.losses.loss import Loss
from fairseq_genext.gan.scores import Scores
from fairseq_genext.modules.samplers import Samples


class WGANGPLoss(Loss):
    """With D the logit and ^x a point between a real and a generated sequence (equation 3):

    L_D = D(G(z)) - D(x) + lambda (|grad D(^x)| - 1)^2,   L_G = -D(G(z))

    Args:
        penalty_weight: lambda.

    Raises:
        ValueError: ``penalty_weight`` is negative.
    """

    penalised = True

    def __init__(self, penalty_weight: float = 10.0) -> None:
        if penalty_weight < 0:
            raise ValueError("the weight of the gradient penalty cannot be negative")
        self.penalty_weight = penalty_weight

    def discriminator(self, real: Scores, fake: Scores) -> Tensor:
        """L_D without its penalty, ``(batch,)``."""
        return fake.mean() - real.mean()

    def generator(self, fake: Scores, real: Scores | None = None) -> Tensor:
        """L_G, ``(batch,)``."""
        return -fake.mean()

    def lead(self, accuracy: float, loss: float) -> float:
        """0: a critic measures a distance and is the better for being ahead."""
        return 0.0

    def penalty(self, discriminator, real: Samples, fake: Samples, vocabulary: int) -> Tensor:
        """The term of L_D that keeps D near 1-Lipschitz, ``(batch,)``.

        ^x = epsilon * x + (1 - epsilon) * G(z) with epsilon ~ U(0, 1) for each pair, between
        one-hot vectors or relaxed ones; the shorter sequence is 0 where it has ended.
        """
        width = max(real.tokens.size(1), fake.tokens.size(1))
        real_weights, real_mask = one_hot(real, vocabulary, width)
        fake_weights, fake_mask = one_hot(fake, vocabulary, width)
        share = torch.rand(real.tokens.size(0), 1, 1, device=real.tokens.device)
        between = share * real_weights + (1 - share) * fake_weights
        between.requires_grad_()
        # cuDNN's recurrent layers have no second derivative.
        with torch.backends.cudnn.flags(enabled=False):
            score = discriminator(between, real_mask | fake_mask).mean()
            (slope,) = torch.autograd.grad(score.sum(), between, create_graph=True)
        # The root's own slope is infinite at 0.
        norm = (slope.float().square().sum(dim=(1, 2)) + 1e-12).sqrt()
        return self.penalty_weight * (norm - 1).square()


def one_hot(samples: Samples, vocabulary: int, width: int) -> tuple[Tensor, Tensor]:
    """Weights ``(batch, width, vocabulary)``, 0 in the padding, and the mask ``(batch, width)``."""
    weights = samples.weights
    if weights is None:
        weights = F.one_hot(samples.tokens, vocabulary).float() * samples.mask.unsqueeze(2)
    missing = width - weights.size(1)
    return F.pad(weights, (0, 0, 0, missing)), F.pad(samples.mask, (0, missing))

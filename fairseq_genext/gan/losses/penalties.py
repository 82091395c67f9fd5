"""Penalties on the slope of a discriminator at some points, by any loss."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from fairseq_genext.gan.scores import Scores
from fairseq_genext.modules.samplers import Samples

Discriminator = Callable[[Tensor, Tensor], Scores]


@dataclass(frozen=True)
class Points:
    """What a discriminator reads, as numbers that have a slope.

    Attributes:
        values: ``(batch, …)``: images, or weights of texts, ``(batch, time, vocabulary)``.
        mask: ``(batch, time)``, where texts have not ended; images are there as a whole.
    """

    values: Tensor
    mask: Tensor

    @classmethod
    def of_images(cls, images: Tensor) -> "Points":
        """Images ``(batch, height, width)``."""
        return cls(images, images.new_ones(len(images), 1, dtype=torch.bool))

    @classmethod
    def of_texts(cls, texts: Samples, vocabulary: int, time: int) -> "Points":
        """Texts as one-hot vectors or the relaxed ones that they have, 0 where they have ended.

        Args:
            texts: sampled or real.
            vocabulary: number of dictionary entries.
            time: to which they are padded.
        """
        weights = texts.weights
        if weights is None:
            weights = F.one_hot(texts.tokens, vocabulary).float() * texts.mask.unsqueeze(2)
        missing = time - weights.size(1)
        return cls(F.pad(weights, (0, 0, 0, missing)), F.pad(texts.mask, (0, missing)))


class Penalty(ABC):
    """A term of the discriminator's loss.

    Args:
        weight: what it is multiplied by.

    Attributes:
        flag: of its weight.

    Raises:
        ValueError: the weight is negative or no finite number.
    """

    flag: str

    def __init__(self, weight: float) -> None:
        if not 0 <= weight < math.inf:
            raise ValueError(f"{self.flag} is {weight}; it cannot be negative or infinite")
        self.weight = weight

    @abstractmethod
    def __call__(self, discriminator: Discriminator, real: Points, fake: Points) -> Tensor:
        """The term for each of ``batch`` pairs, ``(batch,)``.

        Args:
            discriminator: maps values and mask to scores.
            real, fake: equally many.
        """


class R1(Penalty):
    """γ/2 |grad D(x)|² at real x (Mescheder et al. 2018, https://arxiv.org/abs/1801.04406, eq. 9).

    A discriminator without slope at the data lets the generator rest there.
    """

    flag = "--r1-weight"

    def __call__(self, discriminator: Discriminator, real: Points, fake: Points) -> Tensor:
        """As ``Penalty.__call__``."""
        return self.weight / 2 * squared_slope(discriminator, real)


class R2(Penalty):
    """γ/2 |grad D(G(z))|² at generated points (same, equation 10)."""

    flag = "--r2-weight"

    def __call__(self, discriminator: Discriminator, real: Points, fake: Points) -> Tensor:
        """As ``Penalty.__call__``."""
        return self.weight / 2 * squared_slope(discriminator, fake)


class Lipschitz(Penalty):
    """λ (|grad D(^x)| - 1)², which keeps D near 1-Lipschitz.

    ^x = ε x + (1 - ε) G(z) with ε ~ U(0, 1) for each pair (Gulrajani et al. 2017,
    https://arxiv.org/abs/1704.00028, equation 3).
    """

    flag = "--penalty-weight"

    def __call__(self, discriminator: Discriminator, real: Points, fake: Points) -> Tensor:
        """As ``Penalty.__call__``."""
        shape = (len(real.values), *[1] * (real.values.dim() - 1))
        share = torch.rand(*shape, device=real.values.device).to(real.values)
        between = share * real.values + (1 - share) * fake.values
        slope = squared_slope(discriminator, Points(between, real.mask | fake.mask))
        # The root's own slope is infinite at 0.
        return self.weight * ((slope + 1e-12).sqrt() - 1).square()


def squared_slope(discriminator: Discriminator, points: Points) -> Tensor:
    """|grad D|², of the mean of its scores, at each point: ``(batch,)``, itself with a gradient."""
    values = points.values.detach().requires_grad_()
    # cuDNN's recurrent layers have no second derivative.
    with torch.backends.cudnn.flags(enabled=False):
        score = discriminator(values, points.mask).mean()
        (slope,) = torch.autograd.grad(score.sum(), values, create_graph=True)
    return slope.float().flatten(1).square().sum(dim=1)

"""What the losses have in common."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from fairseq_genext.gan.losses.penalties import Discriminator, Penalty, Points
from fairseq_genext.gan.scores import Scores


class Loss(ABC):
    """What each player minimises, given the discriminator's scores of equally large batches.

    Attributes:
        relative: whether the generator's loss needs scores of real sequences too.

    Args:
        penalties: terms of the discriminator's loss on its slope.
    """

    relative = False

    def __init__(self, *penalties: Penalty) -> None:
        self.penalties = penalties

    def penalty(self, discriminator: Discriminator, real: Points, fake: Points) -> Tensor:
        """The sum of the penalties for each pair, ``(batch,)``; there must be one."""
        terms = [penalty(discriminator, real, fake) for penalty in self.penalties]
        return torch.stack(terms).sum(dim=0)

    @abstractmethod
    def discriminator(self, real: Scores, fake: Scores) -> Tensor:
        """The discriminator's loss, ``(batch,)``."""

    @abstractmethod
    def generator(self, fake: Scores, real: Scores | None = None) -> Tensor:
        """The generator's loss, ``(batch,)``; ``real`` is given where the loss is relative."""

    def lead(self, accuracy: float, loss: float) -> float:
        """How far the discriminator is ahead, 1 where it wins outright.

        Args:
            accuracy: share of sequences, real and generated, on whose side of 0 its logit is.
            loss: its loss.
        """
        return accuracy

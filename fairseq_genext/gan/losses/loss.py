"""What the losses have in common."""

from abc import ABC, abstractmethod

from torch import Tensor

from fairseq_genext.gan.scores import Scores


class Loss(ABC):
    """What each player minimises, given the discriminator's scores of equally large batches.

    Attributes:
        relative: whether the generator's loss needs scores of real sequences too.
        penalised: whether the discriminator's loss has a term of its own, ``penalty``.
    """

    relative = False
    penalised = False

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

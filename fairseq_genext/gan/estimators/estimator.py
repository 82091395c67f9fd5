"""What the gradient estimators have in common."""

from abc import ABC, abstractmethod

from torch import Tensor

from fairseq_genext.gan.losses.loss import Loss
from fairseq_genext.gan.step import Step
from fairseq_genext.modules.samplers import Samples, ancestral, plain_sampling, unroll


class Estimator(ABC):
    """How the discriminator's scores become a gradient of the generator."""

    def sample(self, step: Step) -> Samples:
        """Generated sequences for the discriminator to learn from, without gradient."""
        with plain_sampling(step.generator):
            return unroll(step.generator, len(step.real), step.length, ancestral, step.condition)

    @abstractmethod
    def generator_loss(self, step: Step, loss: Loss) -> tuple[Tensor, dict[str, Tensor | float]]:
        """The generator's loss on fresh samples, ``(batch,)``, and the means of figures."""

    def state_dict(self) -> dict:
        """Numbers that a resumed run must know besides that of updates, alike in all processes."""
        return {}

    def load_state_dict(self, state: dict) -> None:  # noqa: B027 - most have no state
        """Takes back what ``state_dict`` gave."""

    def buffer_state(self) -> dict:
        """Texts that later updates will read, as tensors and numbers, of this process."""
        return {}

    def load_buffer_state(self, state: dict) -> None:  # noqa: B027 - most have none
        """Takes back what ``buffer_state`` gave."""

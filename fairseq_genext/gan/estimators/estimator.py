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
        """What a resumed run must know besides the number of updates."""
        return {}

    def load_state_dict(self, state: dict) -> None:  # noqa: B027 - most have no state
        """Takes back what ``state_dict`` gave."""

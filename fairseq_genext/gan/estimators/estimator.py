"""What the gradient estimators have in common."""

from abc import ABC, abstractmethod

from torch import Tensor

from fairseq_genext.gan.game import Game
from fairseq_genext.gan.losses.loss import Loss
from fairseq_genext.modules.samplers import Samples, ancestral, plain_sampling, unroll


class Estimator(ABC):
    """How the discriminator's opinion becomes a gradient of the generator."""

    def sample(self, game: Game) -> Samples:
        """Generated sequences, without gradient, as the discriminator is to learn from them."""
        with plain_sampling(game.generator):
            return unroll(game.generator, len(game.real), game.length, ancestral, game.condition)

    @abstractmethod
    def generator_loss(self, game: Game, loss: Loss) -> tuple[Tensor, dict[str, Tensor | float]]:
        """The generator's loss on fresh samples, ``(batch,)``, and the means of figures."""

    def state_dict(self) -> dict:
        """What a resumed run must know besides the number of updates."""
        return {}

    def load_state_dict(self, state: dict) -> None:  # noqa: B027 - most have no state
        """Takes back what ``state_dict`` gave."""

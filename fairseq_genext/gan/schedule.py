"""Which network is updated when: generator alone, discriminator warm-up, then in turns.

The turn is a function of the number of updates done and of where pretraining ended early, so a
resumed run goes on exactly where it stopped.
"""

import math
from dataclasses import dataclass, fields
from enum import IntEnum

from fairseq_genext.errors import flag
from fairseq_genext.gan.progress import Progress


class Phase(IntEnum):
    """The three parts of a training run; the log shows the number."""

    GENERATOR_PRETRAINING = 0
    DISCRIMINATOR_WARMUP = 1
    TURNS = 2


@dataclass(frozen=True)
class Turn:
    """One update: its phase, and the player that is updated.

    Attributes:
        phase: the part of the run.
        player: ``generator`` or ``discriminator``.
        updates_in_turns: updates in turns done before.
    """

    phase: Phase
    player: str
    updates_in_turns: int = 0


@dataclass(frozen=True)
class Schedule:
    """Lengths of the phases, in updates.

    Attributes:
        generator_pretrain_updates, discriminator_warmup_updates: lengths at most.
        discriminator_steps, generator_steps: updates of each in a round of turns.
        pretrain_patience: validations without a lower loss that end pretraining, or the warm-up,
            early; 0 for never.

    Raises:
        ValueError: a length is negative, or a round of turns would leave out a player.
    """

    generator_pretrain_updates: int
    discriminator_warmup_updates: int
    discriminator_steps: int = 1
    generator_steps: int = 1
    pretrain_patience: int = 0

    def __post_init__(self) -> None:
        for field in fields(self):
            number = getattr(self, field.name)
            least = 1 if field.name.endswith("_steps") else 0  # a round has turns of both players
            if number < least:
                raise ValueError(f"{flag(field.name)} is {number}; it must be at least {least}")

    def turn(self, update: int, progress: Progress | None = None) -> Turn:
        """The turn of the update that follows ``update`` updates done, counted from 0.

        Args:
            update: number of updates done.
            progress: where pretraining and warm-up ended early, if they can.
        """
        lengths = [self.generator_pretrain_updates, self.discriminator_warmup_updates]
        if progress is not None:
            for index, name in enumerate(("generator_pretraining", "discriminator_warmup")):
                lengths[index] = min(lengths[index], progress.get(name, math.inf))
        if update < lengths[0]:
            return Turn(Phase.GENERATOR_PRETRAINING, "generator")
        update -= lengths[0]
        if update < lengths[1]:
            return Turn(Phase.DISCRIMINATOR_WARMUP, "discriminator")
        update = int(update - lengths[1])
        position = update % (self.discriminator_steps + self.generator_steps)
        player = "discriminator" if position < self.discriminator_steps else "generator"
        return Turn(Phase.TURNS, player, update)

    def apply_patience(self, update: int, progress: Progress) -> None:
        """Ends pretraining, or the warm-up, after too many validations without a lower loss.

        Reads the validation's loss from ``progress`` and writes there what follows.

        Args:
            update: number of updates done.
            progress: sums of the validation since the last update, if there was one.
        """
        if self.pretrain_patience == 0 or update == 0:
            return
        phase = self.turn(update - 1, progress).phase  # of the update that may have been validated
        if phase is Phase.TURNS or self.turn(update, progress).phase is not phase:
            progress.set(best=math.nan, validations_since_best=0, valid_sum=0.0, valid_weight=0.0)
            return
        weight = progress.get("valid_weight", 0.0)
        if weight == 0:
            return
        loss = progress.get("valid_sum", 0.0) / weight
        progress.set(valid_sum=0.0, valid_weight=0.0)
        if loss < progress.get("best", math.inf):
            progress.set(best=loss, validations_since_best=0)
            return
        waited = progress.get("validations_since_best", 0) + 1
        progress.set(validations_since_best=waited)
        if waited >= self.pretrain_patience:
            progress.set(best=math.nan, validations_since_best=0)
            if phase is Phase.GENERATOR_PRETRAINING:
                progress.set(generator_pretraining=update)
            else:
                begun = min(
                    self.generator_pretrain_updates,
                    progress.get("generator_pretraining", math.inf),
                )
                progress.set(discriminator_warmup=update - begun)

"""Who plays when: generator alone, discriminator alone, then in turns.

The turn is a function of the number of updates done, so a resumed run needs no state to go on
exactly where it stopped.
"""

from dataclasses import dataclass
from enum import IntEnum


class Phase(IntEnum):
    """The three parts of a training run; the log shows the number."""

    GENERATOR_PRETRAINING = 0
    DISCRIMINATOR_PRETRAINING = 1
    TURNS = 2


@dataclass(frozen=True)
class Turn:
    """One update: its phase, and the one player that moves."""

    phase: Phase
    player: str  # "generator" or "discriminator"


@dataclass(frozen=True)
class Schedule:
    """Lengths of the phases, in updates.

    Raises:
        ValueError: a length is negative, or a round of turns would leave out a player.
    """

    generator_pretrain_updates: int
    discriminator_pretrain_updates: int
    discriminator_steps: int = 1
    generator_steps: int = 1

    def __post_init__(self) -> None:
        if min(self.generator_pretrain_updates, self.discriminator_pretrain_updates) < 0:
            raise ValueError("pretraining lengths must be 0 or greater")
        if min(self.discriminator_steps, self.generator_steps) < 1:
            raise ValueError("a round needs at least one step of each player")

    def turn(self, update: int) -> Turn:
        """The turn of the update that follows ``update`` updates done, counted from 0."""
        if update < self.generator_pretrain_updates:
            return Turn(Phase.GENERATOR_PRETRAINING, "generator")
        update -= self.generator_pretrain_updates
        if update < self.discriminator_pretrain_updates:
            return Turn(Phase.DISCRIMINATOR_PRETRAINING, "discriminator")
        update -= self.discriminator_pretrain_updates
        position = update % (self.discriminator_steps + self.generator_steps)
        player = "discriminator" if position < self.discriminator_steps else "generator"
        return Turn(Phase.TURNS, player)

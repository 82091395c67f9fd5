"""State of a training run that is not a function of the number of updates."""

import math

import torch
from torch import Tensor

FIELDS = (
    "generator_pretraining",  # its length in updates, where it ended early
    "discriminator_warmup",
    "best",  # lowest loss of the pretraining at hand
    "validations_since_best",
    "valid_sum",  # of a validation that the schedule has not seen yet
    "valid_weight",
    "baseline",  # exponential moving average of the reward
)


class Progress:
    """Named numbers in a tensor that travels with the model's parameters.

    fairseq does not restore a task's state when training goes on, but it does restore buffers.

    Args:
        buffer: ``(len(FIELDS),)``, what ``empty`` made.
    """

    def __init__(self, buffer: Tensor) -> None:
        self.buffer = buffer

    @staticmethod
    def empty() -> Tensor:
        """A buffer without any number yet.

        The bits of float64 numbers in an integer type, which ``model.half()`` leaves alone.
        """
        return torch.full((len(FIELDS),), math.nan, dtype=torch.float64).view(torch.int64)

    def get(self, name: str, default: float = math.nan) -> float:
        """The number ``name``, ``default`` where there is none yet."""
        value = self.buffer.view(torch.float64)[FIELDS.index(name)].item()
        return default if math.isnan(value) else value

    def clear(self) -> None:
        """Forgets all numbers."""
        self.buffer.copy_(self.empty())

    def set(self, **values: float) -> None:
        """Writes numbers."""
        numbers = self.buffer.view(torch.float64)
        for name, value in values.items():
            numbers[FIELDS.index(name)] = value

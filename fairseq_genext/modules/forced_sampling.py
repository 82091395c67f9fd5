"""fairseq's sampling search, which also bears words that the model finds all but impossible.

In a prompt fairseq leaves only the prompt's word at each step, whatever its probability. Where that
is too small for a float, as at a low temperature, nothing is left to draw from.
"""

import torch
from fairseq import search
from torch import Tensor

LOWEST = -80.0  # nats; e^-80 is 2e-35, which no draw meets and float32 still holds


class ForcedSampling(search.Sampling):
    """As ``fairseq.search.Sampling``; arguments as there."""

    def step(self, step: int, lprobs: Tensor, *args, **kwargs) -> tuple[Tensor, Tensor, Tensor]:
        """Draws a word for each row of ``(batch, beam, vocabulary)`` log-probabilities."""
        admitted = lprobs.clamp(min=LOWEST).masked_fill(lprobs.eq(-torch.inf), -torch.inf)
        return super().step(step, admitted, *args, **kwargs)

"""The output layer of a model whose dictionary has more entries than it was trained with."""

import torch
from torch import Tensor, nn


class WordsOnly(nn.Linear):
    """A projection to logits by which ``<s>``, ``<pad>`` and ``<unk>`` have the probability 0.

    Every fairseq dictionary has the three; GPT-2 knows none of them, and shares its probability
    out among the other words alone.

    Args:
        projection: whose weights it takes.
        dictionary: whose entries they are.
    """

    def __init__(self, projection: nn.Linear, dictionary) -> None:
        width, entries = projection.in_features, projection.out_features
        super().__init__(width, entries, bias=False, device="meta")
        self.weight = projection.weight
        self.absent = [dictionary.bos(), dictionary.pad(), dictionary.unk()]

    def forward(self, features: Tensor) -> Tensor:
        """``(…, width)`` to logits ``(…, vocabulary)``."""
        logits = super().forward(features)
        logits[..., self.absent] = -torch.inf
        return logits

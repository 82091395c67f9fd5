"""Which entries of a dictionary are no words, and an output layer that has words alone."""

import itertools

import torch
from torch import Tensor, nn


def made_up_words(dictionary) -> list[int]:
    """Ids of the entries with which fairseq rounds up a dictionary's size (``--padding-factor``).

    They are called ``madeupword0000``, ``madeupword0001``, …, and stand in no text.
    """
    names = map("madeupword{:04d}".format, itertools.count())
    found = map(dictionary.index, itertools.takewhile(dictionary.__contains__, names))
    return [index for index in found if index < len(dictionary)]


def never_written(dictionary) -> list[int]:
    """Ids of entries that no text may have: ``<s>``, padding and made-up words."""
    never = {dictionary.pad(), *made_up_words(dictionary)}
    if hasattr(dictionary, "bos_index"):  # one without special symbols has none
        never.add(dictionary.bos())
    return sorted(never - {dictionary.eos(), dictionary.unk()})


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

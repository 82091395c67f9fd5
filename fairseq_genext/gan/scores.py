"""A discriminator's scores of sequences: all that losses and estimators read of it."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass
class Scores:
    """A discriminator's scores of a batch of sequences.

    Attributes:
        logits: ``(batch, n)``; positive says real. n is 1 (a score a sequence), the number of
            representations, or time (a score a token).
        mask: ``(batch, n)``, True where there is a logit to count; at least one a row.
        per_token: whether column t is the score of token t.
    """

    logits: Tensor
    mask: Tensor
    per_token: bool = False

    @classmethod
    def of_sequences(cls, logits: Tensor) -> "Scores":
        """Scores of whole sequences, ``(batch,)`` or ``(batch, n)``, all of which count."""
        logits = logits.unsqueeze(1) if logits.dim() == 1 else logits
        return cls(logits, torch.ones_like(logits, dtype=torch.bool))

    def select(self, rows: Tensor) -> "Scores":
        """The scores of the sequences ``rows``, ``(new batch,)``, of this batch."""
        return Scores(self.logits[rows], self.mask[rows], self.per_token)

    def split(self, first: int) -> tuple["Scores", "Scores"]:
        """The scores of the first sequences and of the others."""
        return (
            Scores(self.logits[:first], self.mask[:first], self.per_token),
            Scores(self.logits[first:], self.mask[first:], self.per_token),
        )

    def mean(self, values: Tensor | None = None) -> Tensor:
        """The mean of each row over the columns that count.

        Args:
            values: ``(batch, n)``, a figure for each logit, such as a loss; the logits if None.
                What stands in columns that do not count is not read.

        Returns:
            ``(batch,)``.
        """
        values = self.logits if values is None else values
        return values.masked_fill(~self.mask, 0.0).sum(dim=1) / self.mask.sum(dim=1)

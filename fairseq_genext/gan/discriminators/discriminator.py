"""What the discriminators have in common."""

from abc import abstractmethod

from torch import Tensor, nn

from fairseq_genext.gan.scores import Scores


class Discriminator(nn.Module):
    """Tells real sequences from generated ones.

    Attributes:
        per_token: whether it scores tokens and not sequences.
        rows_at_once: how many rollouts it reads at a time, such that they fit in memory.
        start_positions: positions that it needs besides those of the text.
    """

    per_token = False
    rows_at_once = 256
    start_positions = 0

    @classmethod
    @abstractmethod
    def from_config(cls, cfg, dictionary) -> "Discriminator":
        """Builds it from the flags it knows.

        Raises:
            UsageError: a flag's value does not exist or does not fit another's.
        """

    @abstractmethod
    def forward(self, sequence: Tensor, mask: Tensor) -> Scores:
        """
        Args:
            sequence: token ids ``(batch, time)``, or weights over the vocabulary
                ``(batch, time, vocabulary)``, through which a gradient flows back.
            mask: ``(batch, time)``, True at real tokens, which stand on the left; at least one in
                every sequence.

        Returns:
            Scores, positive for real, which do not depend on how far the batch is padded.
        """

    def max_positions(self) -> int:
        """Longest sequence; a CNN and an RNN have none."""
        return int(1e5)

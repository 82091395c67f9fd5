"""A discriminator's own word embeddings, read from ids or from weights over the vocabulary."""

from torch import Tensor, nn
from torch.nn import functional as F


class SequenceEmbedding(nn.Embedding):
    """An embedding table that a gradient can pass through to the sequence."""

    def forward(self, sequence: Tensor, mask: Tensor) -> Tensor:
        """
        Args:
            sequence: ids ``(batch, time)``, or weights ``(batch, time, vocabulary)``, whose
                weighted mean of embeddings is taken.
            mask: ``(batch, time)``, True at real tokens.

        Returns:
            ``(batch, time, embedding_dim)``, zero at padding.
        """
        if sequence.is_floating_point():
            embedded = sequence.to(self.weight.dtype) @ self.weight
        else:
            embedded = F.embedding(sequence, self.weight, self.padding_idx)
        return embedded * mask.unsqueeze(-1)

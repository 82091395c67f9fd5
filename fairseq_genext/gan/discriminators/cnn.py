"""CNN over n-grams of several widths, max over time, one highway layer.

Kim 2014 (https://arxiv.org/abs/1408.5882); the highway layer as in SeqGAN (Yu et al. 2017):

    h = max_t relu(conv(x))_t,   y = g * relu(W h) + (1 - g) * h,   g = sigmoid(W_g h)
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class CNNDiscriminator(nn.Module):
    """One logit a sequence: positive says real.

    Args:
        vocabulary: number of dictionary entries.
        padding_idx: index of padding.
        embed_dim: width of the embeddings, which are the discriminator's own.
        widths: n-gram widths.
        filters: number of filters for each width.
        dropout: dropout before the output layer.
    """

    def __init__(
        self,
        vocabulary: int,
        padding_idx: int,
        embed_dim: int,
        widths: list[int],
        filters: list[int],
        dropout: float,
    ) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(vocabulary, embed_dim, padding_idx)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(embed_dim, channels, width)
            for width, channels in zip(widths, filters, strict=True)
        )
        features = sum(filters)
        self.transform = nn.Linear(features, features)
        self.gate = nn.Linear(features, features)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(features, 1)

    def forward(self, sequence: Tensor, mask: Tensor) -> Tensor:
        """
        Args:
            sequence: token ids ``(batch, time)``, or weights over the vocabulary
                ``(batch, time, vocabulary)``, through which a gradient flows back.
            mask: ``(batch, time)``, True at real tokens; at least one in every sequence.

        Returns:
            Logits ``(batch,)``, which do not depend on how far the batch is padded.
        """
        if sequence.is_floating_point():
            embedded = sequence @ self.embed_tokens.weight
        else:
            embedded = self.embed_tokens(sequence)
        embedded = (embedded * mask.unsqueeze(-1)).transpose(1, 2)  # (batch, embed_dim, time)

        pooled = []
        for convolution in self.convolutions:
            # Padded so that an n-gram may start at every token; one that starts in the padding
            # would let the bias speak for nothing, so those are masked.
            ngrams = convolution(F.pad(embedded, (0, convolution.kernel_size[0] - 1)))
            ngrams = F.relu(ngrams).masked_fill(~mask.unsqueeze(1), 0.0)
            pooled.append(ngrams.amax(dim=2))
        h = torch.cat(pooled, dim=1)
        gate = torch.sigmoid(self.gate(h))
        h = gate * F.relu(self.transform(h)) + (1 - gate) * h
        return self.output(self.dropout(h)).squeeze(-1)

"""N-gram features of several widths, max over time, one highway layer, one logit.

Kim 2014 (https://arxiv.org/abs/1408.5882); the highway layer as in SeqGAN (Yu et al. 2017):

    h = max_t relu(conv(x))_t,   y = g * relu(W h) + (1 - g) * h,   g = sigmoid(W_g h)
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fairseq_genext.errors import UsageError
from fairseq_genext.gan.discriminators.embedding import SequenceEmbedding
from fairseq_genext.gan.discriminators.narrow_ngrams import narrow_ngram_maxima
from fairseq_genext.gan.discriminators.ngram_tables import fixed_ngram_maxima
from fairseq_genext.gan.discriminators.ngram_windows import ngram_maxima
from fairseq_genext.precision import bfloat16_products

JUDGED_ROWS = 4096  # sequences that the highway layer reads at a time
NARROW = 4  # numbers a token up to which looking through n-grams is faster than convolving


class NgramClassifier(nn.Module):
    """One logit a sequence of vectors.

    Args:
        input_dim: width of the vectors.
        widths: n-gram widths.
        filters: number of filters for each width.
        dropout: dropout before the output layer.
    """

    def __init__(
        self, input_dim: int, widths: list[int], filters: list[int], dropout: float
    ) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(
            nn.Conv1d(input_dim, channels, width)
            for width, channels in zip(widths, filters, strict=True)
        )
        features = sum(filters)
        self.transform = nn.Linear(features, features)
        self.gate = nn.Linear(features, features)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(features, 1)

    def forward(self, embedded: Tensor, mask: Tensor) -> Tensor:
        """
        Args:
            embedded: ``(batch, time, input_dim)``, zero at padding.
            mask: ``(batch, time)``, True at real tokens; at least one in every sequence.

        Returns:
            Logits ``(batch,)``.
        """
        embedded = embedded.transpose(1, 2)
        padding = ~mask.unsqueeze(1)
        maxima = []
        for convolution in self.convolutions:
            # Padded so that an n-gram may start at every token; one that starts in the padding
            # would let the bias speak for nothing, so those are masked.
            padded = F.pad(embedded, (0, convolution.kernel_size[0] - 1))
            ngrams = F.conv1d(padded, convolution.weight).masked_fill(padding, -torch.inf)
            maxima.append(ngrams.amax(dim=2))
        return self.judge(torch.cat(maxima, dim=1))

    def forward_ids(self, tokens: Tensor, mask: Tensor, embed_tokens: SequenceEmbedding) -> Tensor:
        """As ``forward``, faster, of word ids ``(batch, time)``.

        Args:
            tokens: ids.
            mask: as for ``forward``.
            embed_tokens: their embeddings, ``input_dim`` wide.
        """
        if torch.is_grad_enabled():
            return self.judge(ngram_maxima(embed_tokens(tokens, mask), mask, self.convolutions))
        pieces = fixed_ngram_maxima(
            tokens, mask, embed_tokens.weight, self.convolutions, rows=JUDGED_ROWS
        )
        return torch.cat([self.judge(maxima) for maxima in pieces])

    def forward_narrow(self, embedded: Tensor, mask: Tensor) -> Tensor:
        """As ``forward``, faster on a CPU, of many sequences of vectors of very few numbers."""
        if embedded.is_cuda or embedded.size(2) > NARROW:
            return self(embedded, mask)
        return self.judge(narrow_ngram_maxima(embedded, mask, self.convolutions))

    def judge(self, maxima: Tensor) -> Tensor:
        """Logits ``(batch,)`` of the filters' largest responses ``(batch, filters)``.

        The maximum comes before bias and ReLU, which keep the order: they then touch one value a
        filter, not one a filter and token.
        """
        h = F.relu(maxima + torch.cat([convolution.bias for convolution in self.convolutions]))
        with bfloat16_products(h):
            gate, transformed = self.gate(h).to(h.dtype), self.transform(h).to(h.dtype)
        h = torch.lerp(h, F.relu(transformed), torch.sigmoid(gate))
        return self.output(self.dropout(h)).squeeze(-1)


def widths_and_filters(cfg) -> dict[str, list[int]]:
    """The classifier's arguments from ``--discriminator-widths`` and ``-filters``.

    Raises:
        UsageError: they are not as many positive numbers.
    """
    widths, filters = list(cfg.discriminator_widths), list(cfg.discriminator_filters)
    if len(widths) != len(filters) or min([*widths, *filters], default=0) <= 0:
        raise UsageError(
            "--discriminator-widths and --discriminator-filters must be as many positive numbers, "
            f"not {widths} and {filters}"
        )
    return {"widths": widths, "filters": filters}

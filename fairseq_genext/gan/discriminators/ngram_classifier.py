"""N-gram features of several widths, max over time, one highway layer, one logit.

Kim 2014 (https://arxiv.org/abs/1408.5882); the highway layer as in SeqGAN (Yu et al. 2017):

    h = max_t relu(conv(x))_t,   y = g * relu(W h) + (1 - g) * h,   g = sigmoid(W_g h)
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fairseq_genext.errors import UsageError
from fairseq_genext.gan.discriminators.embedding import SequenceEmbedding
from fairseq_genext.gan.discriminators.ngram_tables import fixed_ngram_maxima

CONVOLVED_ROWS = 128  # sequences at a time, such that their responses stay near a CPU's cores
HIGHWAY_ROWS = 4096  # sequences that the highway layer reads at a time


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
        return self.classify(ngram_maxima(embedded, mask, self.convolutions))

    def forward_ids(self, tokens: Tensor, mask: Tensor, embed_tokens: SequenceEmbedding) -> Tensor:
        """As ``forward``, of word ids ``(batch, time)``; faster where no gradient is wanted.

        Args:
            tokens: ids.
            mask: as for ``forward``.
            embed_tokens: their embeddings, ``input_dim`` wide.
        """
        if torch.is_grad_enabled():
            return self(embed_tokens(tokens, mask), mask)
        pieces = fixed_ngram_maxima(
            tokens, mask, embed_tokens.weight, self.convolutions, rows=HIGHWAY_ROWS
        )
        return torch.cat([self.classify(maxima) for maxima in pieces])

    def classify(self, maxima: Tensor) -> Tensor:
        """Logits ``(batch,)`` of the filters' largest responses ``(batch, filters)``.

        The maximum comes before bias and ReLU, which keep the order: they then touch one value a
        filter, not one a filter and token.
        """
        h = F.relu(maxima + torch.cat([convolution.bias for convolution in self.convolutions]))
        h = torch.lerp(h, F.relu(self.transform(h)), torch.sigmoid(self.gate(h)))
        return self.output(self.dropout(h)).squeeze(-1)


def ngram_maxima(embedded: Tensor, mask: Tensor, convolutions: nn.ModuleList) -> Tensor:
    """The largest response over time of each filter, without bias.

    The convolution is written as a product with the unfolded n-grams, which takes less time on a
    CPU than ``conv1d``, most of all where vectors are short (RelGAN's have one number).

    Args:
        embedded: ``(batch, time, dim)``, zero at padding.
        mask: ``(batch, time)``, True at real tokens; at least one in every sequence. An n-gram
            starts at each of them, and what sticks out is zero.
        convolutions: ``nn.Conv1d`` over ``dim`` channels, one for each width.

    Returns:
        ``(batch, filters of all widths)``.
    """
    at_once = len(mask) if mask.is_cuda else CONVOLVED_ROWS
    # An n-gram that starts in the padding would let the bias speak for nothing.
    padding = ~mask.unsqueeze(2)
    maxima = []
    for convolution in convolutions:
        width = convolution.kernel_size[0]
        ngrams = F.pad(embedded, (0, 0, 0, width - 1)).unfold(1, width, 1).flatten(2)
        weight = convolution.weight.flatten(1).t()
        pieces = zip(ngrams.split(at_once), padding.split(at_once), strict=True)
        # max with indices takes less time than amax, most of all backward.
        maxima.append(
            torch.cat(
                [
                    (some @ weight).masked_fill_(nothing, -torch.inf).max(dim=1).values
                    for some, nothing in pieces
                ]
            )
        )
    return torch.cat(maxima, dim=1)


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

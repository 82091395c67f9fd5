"""N-gram features of word ids by table look-up, several times as fast as a convolution.

The response of a filter of width k to the words v_1 … v_k is a sum of k numbers that each depend on
one word and its place: sum_j w_j · e(v_j). They stand in a table with a row for each word that
occurs and each place, and a column for each filter. An n-gram is then a sum of k rows, where a
convolution multiplies and adds k times the embedding's width; and as the maximum over time lets one
n-gram a filter through, its gradient is k numbers a filter and sequence.
"""

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

ROWS = 64  # sequences at a time, such that their n-grams stay near the processor


def ngram_maxima(
    tokens: Tensor, mask: Tensor, embeddings: Tensor, convolutions: nn.ModuleList
) -> Tensor:
    """The largest response over time of each filter, without bias.

    Args:
        tokens: ids ``(batch, time)``.
        mask: ``(batch, time)``, True at real tokens, which stand on the left; at least one in
            every sequence. An n-gram starts at each of them, and what sticks out is zero.
        embeddings: ``(vocabulary, dim)``.
        convolutions: ``nn.Conv1d`` over ``dim`` channels, one for each width.

    Returns:
        ``(batch, filters of all widths)``, with a first but no second gradient.
    """
    words, tokens = tokens.unique(return_inverse=True)
    # The word behind the last one is nothing: zeros.
    tokens = tokens.int().masked_fill(~mask, len(words))
    embedded = F.pad(F.embedding(words, embeddings), (0, 0, 0, 1))
    maxima = []
    for convolution in convolutions:
        width = convolution.kernel_size[0]
        ngrams = F.pad(tokens, (0, width - 1), value=len(words)).unfold(1, width, 1)
        maxima.append(LargestResponse.apply(embedded, convolution.weight, ngrams, mask))
    return torch.cat(maxima, dim=1)


class LargestResponse(torch.autograd.Function):
    """max_t sum_j w_j · e(ngrams[:, t, j]), over the t that ``mask`` admits."""

    @staticmethod
    def forward(ctx, embedded: Tensor, weight: Tensor, ngrams: Tensor, mask: Tensor) -> Tensor:
        """
        Args:
            embedded: e, ``(words, dim)``.
            weight: w, ``(filters, dim, width)``.
            ngrams: word numbers ``(batch, time, width)``.
            mask: ``(batch, time)``.

        Returns:
            ``(batch, filters)``.
        """
        filters, dim, width = weight.shape
        # A word's places stand one after the other.
        table = (embedded @ weight.permute(1, 2, 0).reshape(dim, -1)).view(-1, filters)
        places = torch.arange(width, dtype=ngrams.dtype, device=ngrams.device)
        learning = any(ctx.needs_input_grad)
        padding = not mask.all()
        largest, times = [], []
        for some, real in zip(ngrams.split(ROWS), mask.split(ROWS), strict=True):
            rows = (some * width + places).flatten(0, 1)
            sums = F.embedding_bag(rows, table, mode="sum").unflatten(0, real.shape)
            if padding:
                sums.masked_fill_(~real.unsqueeze(2), -torch.inf)
            if learning:
                values, time = sums.max(dim=1)
                times.append(time)
            else:
                values = sums.amax(dim=1)
            largest.append(values)
        if learning:
            ctx.save_for_backward(embedded, weight, ngrams, torch.cat(times))
        return torch.cat(largest)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> tuple[Tensor, Tensor, None, None]:
        """Gradients of ``embedded`` and ``weight``, from the n-grams that were the largest."""
        embedded, weight, ngrams, times = ctx.saved_tensors
        batch, filters = times.shape
        dim, width = weight.shape[1:]
        words = ngrams.gather(1, times.unsqueeze(2).expand(-1, -1, width))
        slopes = grad.unsqueeze(2).expand_as(words)  # (batch, filters, width)

        # Of each filter and place: the sum over sequences of the word that stood there.
        of_weight = F.embedding_bag(
            words.permute(1, 2, 0).reshape(-1, batch),
            embedded,
            mode="sum",
            per_sample_weights=slopes.permute(1, 2, 0).reshape(-1, batch),
        )
        # Of each word: the sum of the filters' places that it stood at.
        words, order = words.flatten().sort()
        counts = words.bincount(minlength=len(embedded))
        of_embedded = F.embedding_bag(
            order % (filters * width),
            weight.transpose(1, 2).reshape(-1, dim),
            counts.cumsum(0) - counts,
            mode="sum",
            per_sample_weights=grad.flatten()[order // width],
        )
        return of_embedded, of_weight.view(filters, width, dim).transpose(1, 2), None, None

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
        filters, dim, width = convolution.weight.shape
        factors = convolution.weight.permute(1, 2, 0).reshape(dim, width * filters)
        table = (embedded @ factors).view(-1, filters)  # a word's places stand one after the other
        padded = F.pad(tokens, (0, width - 1), value=len(words))
        places = torch.arange(width, dtype=torch.int, device=tokens.device)
        ngrams = padded.unfold(1, width, 1) * width + places
        maxima.append(LargestSum.apply(table, ngrams, mask))
    return torch.cat(maxima, dim=1)


class LargestSum(torch.autograd.Function):
    """max_t sum_j table[ngrams[:, t, j]], over the t that ``mask`` admits."""

    @staticmethod
    def forward(ctx, table: Tensor, ngrams: Tensor, mask: Tensor) -> Tensor:
        """
        Args:
            table: ``(rows, filters)``.
            ngrams: row numbers ``(batch, time, width)``.
            mask: ``(batch, time)``.

        Returns:
            ``(batch, filters)``.
        """
        learning = ctx.needs_input_grad[0]
        padding = not mask.all()
        largest, places = [], []
        for some, real in zip(ngrams.split(ROWS), mask.split(ROWS), strict=True):
            sums = F.embedding_bag(some.flatten(0, 1), table, mode="sum").unflatten(0, real.shape)
            if padding:
                sums.masked_fill_(~real.unsqueeze(2), -torch.inf)
            if learning:
                values, place = sums.max(dim=1)
                places.append(place)
            else:
                values = sums.amax(dim=1)
            largest.append(values)
        if learning:
            ctx.save_for_backward(ngrams, torch.cat(places))
            ctx.rows = len(table)
        return torch.cat(largest)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None, None]:
        """The gradient of the table: each largest sum's goes to the rows that it is made of."""
        ngrams, places = ctx.saved_tensors
        width = ngrams.size(2)
        grad_table = grad.new_zeros(ctx.rows, grad.size(1))
        for place in range(width):
            rows = ngrams[:, :, place].long().gather(1, places)
            grad_table.scatter_add_(0, rows, grad)
        return grad_table, None, None

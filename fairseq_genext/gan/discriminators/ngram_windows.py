"""N-gram features with a gradient of the n-gram alone that each filter responds most to.

The maximum over time lets one n-gram a filter and sequence through. A convolution's gradient
multiplies zeros for all others; here it is a sum of the windows that were the largest.
"""

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from fairseq_genext.precision import product_type


def ngram_maxima(embedded: Tensor, mask: Tensor, convolutions: nn.ModuleList) -> Tensor:
    """The largest response over time of each filter, without bias.

    Args:
        embedded: ``(batch, time, dim)``, zero at padding.
        mask: ``(batch, time)``, True at real tokens; at least one in every sequence. An n-gram
            starts at each of them, and what sticks out is zero.
        convolutions: ``nn.Conv1d`` over ``dim`` channels, one for each width.

    Returns:
        ``(batch, filters of all widths)``, with a first but no second gradient.
    """
    maxima = [LargestResponse.apply(embedded, conv.weight, mask) for conv in convolutions]
    return torch.cat(maxima, dim=1)


class LargestResponse(torch.autograd.Function):
    """max_t w · (e_t … e_{t + width - 1}) over the t that ``mask`` admits."""

    @staticmethod
    def forward(ctx, embedded: Tensor, weight: Tensor, mask: Tensor) -> Tensor:
        """
        Args:
            embedded: e, ``(batch, time, dim)``, zero at padding.
            weight: w, ``(filters, dim, width)``.
            mask: as for ``ngram_maxima``.

        Returns:
            ``(batch, filters)``.
        """
        factors = product_type(embedded)
        ngrams = windows(embedded.to(factors), weight.size(2), mask)
        matrix = as_matrix(weight.to(factors))
        responses = beside_padding(ngrams @ matrix.t(), mask, -torch.inf)
        largest, times = responses.max(dim=1)  # its indices come several times as fast as argmax
        ctx.save_for_backward(ngrams, matrix, mask, times)
        ctx.shape = weight.shape
        return largest.to(embedded.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        """Gradients of ``embedded`` and ``weight``."""
        ngrams, matrix, mask, times = ctx.saved_tensors
        batch, time = mask.shape
        filters, dim, width = ctx.shape
        factor = grad.to(matrix.dtype)
        number = (mask.flatten().cumsum(0) - 1).view_as(mask)  # of each window
        largest = number.gather(1, times)

        # Of each filter: the sum over sequences of its largest window.
        of_matrix = F.embedding_bag(
            largest.t().contiguous(), ngrams, mode="sum", per_sample_weights=factor.t().contiguous()
        )
        # Of each window: the sum of the filters whose largest it was.
        order = times.argsort(dim=1)
        counts = largest.flatten().bincount(minlength=len(ngrams))
        of_windows = F.embedding_bag(
            order.flatten(),
            matrix,
            counts.cumsum(0) - counts,
            mode="sum",
            per_sample_weights=factor.gather(1, order).flatten(),
        )
        of_windows = beside_padding(of_windows, mask, 0.0).unflatten(2, (width, dim))
        of_embedded = grad.new_zeros(batch, time + width - 1, dim)
        for place, of_place in enumerate(of_windows.unbind(2)):
            of_embedded[:, place : place + time] += of_place
        of_weight = of_matrix.to(grad.dtype).view(filters, width, dim).transpose(1, 2)
        return of_embedded[:, :time], of_weight, None


def windows(embedded: Tensor, width: int, mask: Tensor) -> Tensor:
    """The n-grams that start where ``mask`` is True, one after the other, each as one vector.

    Returns:
        ``(n-grams, width * dim)``.
    """
    ngrams = F.pad(embedded, (0, 0, 0, width - 1)).unfold(1, width, 1).transpose(2, 3)
    ngrams = ngrams.contiguous().flatten(0, 1) if mask.all() else ngrams[mask]
    return ngrams.flatten(1)


def beside_padding(rows: Tensor, mask: Tensor, filling: float) -> Tensor:
    """Rows for where ``mask`` is True, ``(n, dim)``, in their places: ``(batch, time, dim)``."""
    if len(rows) == mask.numel():
        return rows.unflatten(0, mask.shape)
    placed = rows.new_full((*mask.shape, rows.size(1)), filling)
    placed[mask] = rows
    return placed


def as_matrix(weight: Tensor) -> Tensor:
    """A convolution's weight ``(filters, dim, width)`` as ``(filters, width * dim)``."""
    return weight.transpose(1, 2).flatten(1)

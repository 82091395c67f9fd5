"""N-gram features of vectors of very few numbers, without keeping every response.

RelGAN's 64 slices of 64 numbers make 8,192 sequences of one number a token out of 128 sentences. A
filter's response is then a handful of products, and a convolution spends its time on writing all of
them down, for the maximum and again for its gradient. Here they are looked through while they are
near the processor, only the places are kept, and the largest one of each filter is computed again
by itself, with a gradient of any order.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

ROWS = 64  # sequences at a time, such that their responses stay near the processor


def narrow_ngram_maxima(embedded: Tensor, mask: Tensor, convolutions: nn.ModuleList) -> Tensor:
    """The largest response over time of each filter, without bias.

    Args:
        embedded: ``(batch, time, dim)``, zero at padding, ``dim`` small.
        mask: ``(batch, time)``, True at real tokens; at least one in every sequence. An n-gram
            starts at each of them.
        convolutions: ``nn.Conv1d`` over ``dim`` channels, one for each width.

    Returns:
        ``(batch, filters of all widths)``.
    """
    maxima = []
    for convolution in convolutions:
        padded = F.pad(embedded, (0, 0, 0, convolution.kernel_size[0] - 1))
        starts = largest_ngrams(padded, mask, convolution.weight)
        response = torch.zeros(())
        for channel, numbers in enumerate(padded.float().unbind(2)):
            for place, weight in enumerate(convolution.weight[:, channel].float().unbind(1)):
                response = response + numbers.gather(1, starts + place) * weight
        maxima.append(response.to(embedded.dtype))
    return torch.cat(maxima, dim=1)


@torch.no_grad()
def largest_ngrams(padded: Tensor, mask: Tensor, weight: Tensor) -> Tensor:
    """Where the n-gram starts that each filter responds most to.

    Args:
        padded: ``(batch, time + width - 1, dim)``.
        mask: ``(batch, time)``.
        weight: ``(filters, dim, width)``.

    Returns:
        ``(batch, filters)``, of 0 … time - 1.
    """
    ngrams = padded.unfold(1, weight.size(2), 1).flatten(2)  # (batch, time, dim * width)
    weight = weight.flatten(1).t()
    padding = not mask.all()
    starts = []
    for some, real in zip(ngrams.split(ROWS), mask.split(ROWS), strict=True):
        responses = some @ weight
        if padding:
            responses.masked_fill_(~real.unsqueeze(2), -torch.inf)
        starts.append(responses.max(dim=1).indices)  # several times as fast as argmax
    return torch.cat(starts)

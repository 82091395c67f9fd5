"""N-gram features of word ids by table look-up, many times as fast as a convolution.

The response of a filter of width k to the words v_1 … v_k is a sum of k numbers that each depend on
one word and its place: sum_j w_j · e(v_j). They stand in a table with a row for each word and place
and a column for each filter; an n-gram is then a sum of k rows, where a convolution multiplies and
adds k times the embedding's width.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

ROWS = 64  # sequences at a time, such that their n-grams stay near the processor


def ngram_maxima(
    tokens: Tensor, mask: Tensor, embeddings: Tensor, convolutions: nn.ModuleList
) -> Tensor:
    """The largest response over time of each filter, without bias and without a gradient.

    Args:
        tokens: ids ``(batch, time)``.
        mask: ``(batch, time)``, True at real tokens, which stand on the left; at least one in
            every sequence. An n-gram starts at each of them, and what sticks out is zero.
        embeddings: ``(vocabulary, dim)``.
        convolutions: ``nn.Conv1d`` over ``dim`` channels, one for each width.

    Returns:
        ``(batch, filters of all widths)``.
    """
    words, tokens = tokens.unique(return_inverse=True)
    embedded = embeddings[words]
    # The word behind the last one is nothing: a row of zeros.
    tokens = tokens.int().masked_fill(~mask, len(words))
    padding = not mask.all()
    maxima = []
    for convolution in convolutions:
        width = convolution.kernel_size[0]
        table = F.pad(embedded @ convolution.weight.permute(2, 1, 0), (0, 0, 0, 1)).flatten(0, 1)
        places = torch.arange(0, len(table), len(words) + 1, dtype=torch.int, device=tokens.device)
        padded = F.pad(tokens, (0, width - 1), value=len(words))
        pooled = []
        for rows, real in zip(padded.split(ROWS), mask.split(ROWS), strict=True):
            ngrams = (rows.unfold(1, width, 1) + places).flatten(0, 1)
            responses = F.embedding_bag(ngrams, table, mode="sum").unflatten(0, real.shape)
            if padding:
                responses.masked_fill_(~real.unsqueeze(2), -torch.inf)
            pooled.append(responses.amax(dim=1))
        maxima.append(torch.cat(pooled))
    return torch.cat(maxima, dim=1)

"""N-gram features of thousands of sequences by table look-up, without a gradient.

The response of a filter of width k to the words v_1 … v_k is a sum of k numbers that each depend on
one word and its place: sum_j w_j · e(v_j). They stand in a table with a row for each word that
occurs and each place, and a column for each filter. An n-gram is then a sum of k rows, where a
convolution multiplies and adds k times the embedding's width.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

ROWS = 64  # sequences at a time, such that their n-grams stay near a CPU's cores


@torch.no_grad()
def fixed_ngram_maxima(
    tokens: Tensor, mask: Tensor, embeddings: Tensor, convolutions: nn.ModuleList, rows: int
) -> Iterator[Tensor]:
    """The largest response over time of each filter, without bias.

    Args:
        tokens: ids ``(batch, time)``.
        mask: as for ``ngram_classifier.ngram_maxima``, True on the left.
        embeddings: ``(vocabulary, dim)``.
        convolutions: ``nn.Conv1d`` over ``dim`` channels, one for each width.
        rows: sequences at a time from the same tables: thousands of rollouts then need no more
            memory than the tokens and a few rows.

    Yields:
        ``(rows, filters of all widths)``.
    """
    tokens, embedded = number_words(tokens, mask, embeddings)
    tables = [response_table(embedded, convolution.weight) for convolution in convolutions]
    for some, real in zip(tokens.split(rows), mask.split(rows), strict=True):
        maxima = []
        for convolution, table in zip(convolutions, tables, strict=True):
            ngrams = ngrams_of(some, convolution.kernel_size[0], len(embedded) - 1)
            maxima.append(largest_responses(table, ngrams, real))
        yield torch.cat(maxima, dim=1)


def number_words(tokens: Tensor, mask: Tensor, embeddings: Tensor) -> tuple[Tensor, Tensor]:
    """The words that occur, numbered, and their embeddings ``(words + 1, dim)``.

    The one behind the last word is nothing: zeros, in place of padding.
    """
    words, tokens = tokens.unique(return_inverse=True)
    tokens = tokens.int().masked_fill(~mask, len(words))
    return tokens, F.pad(F.embedding(words, embeddings), (0, 0, 0, 1))


def ngrams_of(tokens: Tensor, width: int, nothing: int) -> Tensor:
    """The n-grams ``(batch, time, width)`` that start at each of the numbers ``(batch, time)``."""
    return F.pad(tokens, (0, width - 1), value=nothing).unfold(1, width, 1)


def response_table(embedded: Tensor, weight: Tensor) -> Tensor:
    """w_j · e(v) of each word v and place j, one place of a word after the other.

    Args:
        embedded: e, ``(words, dim)``.
        weight: w, ``(filters, dim, width)``.

    Returns:
        ``(words * width, filters)``.
    """
    filters, dim, _ = weight.shape
    return (embedded @ weight.permute(1, 2, 0).reshape(dim, -1)).view(-1, filters)


def largest_responses(table: Tensor, ngrams: Tensor, mask: Tensor) -> Tensor:
    """The largest sum over an n-gram's rows of each filter, ``(batch, filters)``.

    Args:
        table: of ``response_table``.
        ngrams: word numbers ``(batch, time, width)``.
        mask: ``(batch, time)``, True where an n-gram counts.
    """
    width = ngrams.size(2)
    places = torch.arange(width, dtype=ngrams.dtype, device=ngrams.device)
    padding = not mask.all()
    at_once = len(mask) if mask.is_cuda else ROWS
    maxima = []
    for some, real in zip(ngrams.split(at_once), mask.split(at_once), strict=True):
        rows = (some * width + places).flatten(0, 1)
        sums = F.embedding_bag(rows, table, mode="sum").unflatten(0, real.shape)
        if padding:
            sums.masked_fill_(~real.unsqueeze(2), -torch.inf)
        maxima.append(sums.amax(dim=1))
    return torch.cat(maxima)

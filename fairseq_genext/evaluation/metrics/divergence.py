"""How far the distributions of lengths and of n-grams in samples lie from those in real text.

Both are Jensen-Shannon divergences (Lin 1991, https://doi.org/10.1109/18.61115) in bits:

    JSD(P, Q) = 1/2 sum_x P(x) log2(P(x) / M(x)) + 1/2 sum_x Q(x) log2(Q(x) / M(x))
    M = (P + Q) / 2

Lower is better, from 0 (the same distribution) to 1 (nothing in common). Two finite texts of one
source do not reach 0: n-grams that stand in one of them alone add to it, the more the shorter the
texts and the longer the n-grams. So compare equally many samples, against another piece of real
text as the floor.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from scipy.spatial.distance import jensenshannon

from fairseq_genext.evaluation.metrics.ngram_bleu import ngrams


def jensen_shannon(first: Counter, second: Counter) -> float:
    """Jensen-Shannon divergence of two counted distributions, 0 to 1 bit.

    Nothing counted on one side alone gives 1, and on both sides 0.
    """
    if not first or not second:
        return float(bool(first) != bool(second))
    support = list(first.keys() | second.keys())
    distance = jensenshannon(
        np.array([first[x] for x in support], dtype=float),
        np.array([second[x] for x in support], dtype=float),
        base=2,
    )
    # scipy gives the square root, which rounding can make NaN where the two are equal.
    return float(np.nan_to_num(distance) ** 2)


def length_divergence(
    samples: Sequence[Sequence[str]], references: Sequence[Sequence[str]]
) -> float:
    """Divergence of the numbers of tokens per sentence; it does not see the tokens themselves."""
    return jensen_shannon(Counter(map(len, samples)), Counter(map(len, references)))


def ngram_divergence(
    samples: Sequence[Sequence[str]], references: Sequence[Sequence[str]], order: int
) -> float:
    """Divergence of the frequencies of n-grams of one order.

    It sees missing and overused words, as dropped modes are, but nothing longer than the n-gram:
    at order 1, shuffled words score as well as text.
    """
    counts = (
        Counter(gram for sentence in text for gram in ngrams(sentence, order).elements())
        for text in (samples, references)
    )
    return jensen_shannon(*counts)

"""Jensen-Shannon divergences by hand."""

import math
from collections import Counter

import pytest

from fairseq_genext.evaluation.metrics.divergence import (
    jensen_shannon,
    length_divergence,
    ngram_divergence,
)


def test_by_hand():
    # P = (1/2, 1/2, 0), Q = (0, 1/2, 1/2), M = (1/4, 1/2, 1/4): each side 1/2 log2 2.
    assert jensen_shannon(Counter("ab"), Counter("bc")) == pytest.approx(0.5)
    # P = (1, 0), Q = (1/2, 1/2), M = (3/4, 1/4).
    expected = (math.log2(4 / 3) + 0.5 * math.log2(2 / 3) + 0.5 * math.log2(2)) / 2
    assert jensen_shannon(Counter("a"), Counter("ab")) == pytest.approx(expected)


def test_ends_of_the_range():
    one, two = Counter("aab"), Counter("aaaabb")  # the same shares
    assert jensen_shannon(one, two) == pytest.approx(0, abs=1e-12)
    assert jensen_shannon(one, Counter("xy")) == pytest.approx(1)
    assert jensen_shannon(one, Counter()) == jensen_shannon(Counter(), one) == 1
    assert jensen_shannon(Counter(), Counter()) == 0


def test_equal_distributions_are_no_nan():
    assert jensen_shannon(Counter(range(1000)), Counter(range(1000))) == pytest.approx(0, abs=1e-12)


def test_lengths_and_ngrams_of_text():
    text, reverse = [["a", "b", "c"], ["a"]], [["c", "b", "a"], ["a"]]
    assert length_divergence(text, reverse) == pytest.approx(0, abs=1e-12)
    expected = jensen_shannon(Counter([1, 3]), Counter([1]))
    assert 0 < length_divergence(text, [["x"]]) == pytest.approx(expected)
    assert ngram_divergence(text, reverse, 1) == pytest.approx(0, abs=1e-12)
    assert ngram_divergence(text, reverse, 2) == pytest.approx(1)
    assert ngram_divergence(text, [["a"]], 2) == 1

"""The nearest training sentence."""

import pytest

from fairseq_genext.evaluation.metrics.nearest import NearestSentences


def test_nearest_sentence():
    search = NearestSentences(["a man made bread", "the king saw the land", "a star"])
    found = search.find(["the king saw a land", "a star", "unheard of"])
    assert [sentence for _, sentence in found[:2]] == ["the king saw the land", "a star"]
    assert 0.3 < found[0][0] < 1 and found[1][0] == pytest.approx(1) and found[2][0] == 0

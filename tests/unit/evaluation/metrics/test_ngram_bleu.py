"""Counted BLEU against NLTK's, pair by pair."""

import random
from pathlib import Path

import pytest
from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

from fairseq_genext.evaluation.metrics.ngram_bleu import (
    ReferenceIndex,
    bleu_scores,
    self_bleu_scores,
)

REAL = [line.split() for line in Path(__file__).read_text().splitlines()]


def nltk_bleu(hypothesis, references, order):
    if not hypothesis:
        return 0.0  # NLTK divides by its length of zero in some versions
    weights = [1 / order] * order
    return sentence_bleu(references, hypothesis, weights, SmoothingFunction().method1)


def ragged(seed, number, words=12, longest=9):
    draw = random.Random(seed)
    return [[draw.randrange(words) for _ in range(draw.randint(0, longest))] for _ in range(number)]


CORPORA = {
    "random": (ragged(1, 40), ragged(2, 60)),
    "one reference": (ragged(3, 40), [[1, 2, 3, 4, 5, 6]]),
    "longer than every reference": (ragged(4, 20, longest=30), [[1], *ragged(5, 20, longest=3)]),
    "repeated references": (ragged(6, 20), ragged(7, 5) * 4),
    "one word over and over": ([[1] * n for n in range(1, 8)], [[1, 1, 2], [1] * 5]),
    "empty samples": ([[], [1], [], [1, 2]], [[1, 2, 3], []]),
    "one empty reference": (ragged(10, 10), [[]]),
    "no word in common": ([[7, 8, 9], [7]], ragged(11, 10, words=5)),
    "repeated samples": (ragged(12, 8) * 3, ragged(13, 20)),
    "real text": (REAL[::2], REAL[1::2]),
}


@pytest.mark.parametrize("name", CORPORA)
def test_bleu_equals_nltk(name):
    samples, references = CORPORA[name]
    scores = bleu_scores(samples, references)
    for sample, mine in zip(samples, scores, strict=True):
        for order in (1, 2, 3, 4, 5):
            assert mine[order - 1] == pytest.approx(nltk_bleu(sample, references, order), abs=1e-9)


LENGTHS_OF_THEIR_OWN = [[1, 2, 3, 4, 5], [1, 2, 3, 4, 5, 6, 7, 8], list(range(1, 13))]


@pytest.mark.parametrize(
    "samples",
    [
        ragged(8, 30),
        ragged(9, 10) * 2,
        REAL,
        [[1, 2], [1, 2]],
        LENGTHS_OF_THEIR_OWN,
        [[], [1, 2], [], [1, 2, 3]],
        [[1, 2, 3], [4, 5]],
    ],
)
def test_self_bleu_equals_nltk(samples):
    for index, mine in enumerate(self_bleu_scores(samples)):
        others = samples[:index] + samples[index + 1 :]
        for order in (2, 3, 4, 5):
            expected = nltk_bleu(samples[index], others, order)
            assert mine[order - 1] == pytest.approx(expected, abs=1e-9)


def test_a_sample_among_the_references_scores_one():
    index = ReferenceIndex([[1, 2, 3, 4, 5], [6, 7]], 5)
    assert index.bleu([1, 2, 3, 4, 5], 5) == pytest.approx(1.0)
    assert index.bleu([8, 9], 2) == 0.0
    assert index.bleu([], 2) == 0.0


def test_too_little_to_compare_with():
    with pytest.raises(ValueError, match="at least one reference"):
        ReferenceIndex([], 3)
    with pytest.raises(ValueError, match="at least two samples"):
        self_bleu_scores([[1, 2]])

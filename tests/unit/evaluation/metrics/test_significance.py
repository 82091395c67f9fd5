"""Paired tests against what sacrebleu computes itself."""

import random

import pytest
import sacrebleu

from fairseq_genext.evaluation.metrics.significance import compare

WORDS = tuple("abcdefghijklmnop")


def spoilt(lines: list[str], share: float, seed: int) -> list[str]:
    """The lines with a share of their words replaced."""
    draw = random.Random(seed)
    return [
        " ".join(draw.choice(WORDS) if draw.random() < share else word for word in line.split())
        for line in lines
    ]


def test_intervals_and_p_are_sacrebleus_command_lines():
    """Against `sacrebleu -i … --paired-bs`, with its own seed."""
    draw = random.Random(0)
    references = [" ".join(draw.choices(WORDS, k=9)) for _ in range(150)]
    poor, good = spoilt(references, 0.5, seed=4), spoilt(references, 0.1, seed=2)
    compared, signatures = compare({"poor": poor, "good": good}, references, resamples=200)
    alone = sacrebleu.metrics.BLEU().corpus_score(poor, [references], n_bootstrap=200)
    assert compared["poor"]["bleu"] == pytest.approx(alone.score)
    assert compared["poor"]["bleu_ci"] == pytest.approx(alone._ci, rel=0.3)
    assert compared["poor"]["bleu_p"] is None
    assert compared["good"]["bleu_p"] == pytest.approx(1 / 201)
    assert any("tok:13a" in signature for signature in signatures)

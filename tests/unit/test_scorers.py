"""The scorers of fairseq-generate against the functions and sacrebleu itself."""

import pytest
import sacrebleu
from fairseq.scoring import SCORER_REGISTRY

from fairseq_genext.errors import UsageError
from fairseq_genext.evaluation.metrics.ngram_bleu import bleu_scores, self_bleu_scores
from fairseq_genext.scorers import MeanBleuConfig, SampleBleuScorer, SelfBleuScorer

TARGETS = ["the king saw the land", "a man made his house", "the star", "his son saw bread"]
HYPOTHESES = ["the king made the land", "a man saw his son", "the king", "the star made bread"]


def scorer(name, pairs, **settings):
    built = SCORER_REGISTRY[name](MeanBleuConfig(**settings))
    for target, hypothesis in pairs:
        built.add_string(target, hypothesis)
    return built


PAIRS = list(zip(TARGETS, HYPOTHESES, strict=True))


def test_sample_bleu_takes_all_targets_as_references_of_each():
    made, texts = [line.split() for line in HYPOTHESES], [line.split() for line in TARGETS]
    expected = [sum(column) / 4 for column in zip(*bleu_scores(made, texts, 3), strict=True)]
    built = scorer("sample_bleu", PAIRS, scoring_order=3)
    assert built.score() == expected[2]
    assert built.result_string().startswith(f"BLEU-1 = {expected[0]:.4f}, BLEU-2 = ")
    # The order of the targets does not matter: they are one set.
    mixed = zip(reversed(TARGETS), HYPOTHESES, strict=True)
    assert scorer("sample_bleu", mixed, scoring_order=3).score() == built.score()


def test_self_bleu_reads_no_target():
    expected = [scores[4] for scores in self_bleu_scores([line.split() for line in HYPOTHESES])]
    built = scorer("self_bleu", [("", text) for text in HYPOTHESES])
    assert built.score() == pytest.approx(sum(expected) / 4)
    assert built.result_string().count("Self-BLEU-") == 5


def test_bleu_chrf_is_sacrebleu_with_signatures():
    built = scorer("bleu_chrf", PAIRS)
    assert built.score() == sacrebleu.corpus_bleu(HYPOTHESES, [TARGETS]).score
    said = built.result_string()
    assert f"chrF = {sacrebleu.corpus_chrf(HYPOTHESES, [TARGETS]).score:.2f} (nrefs:1|" in said
    assert "tok:13a|smooth:exp|version:" in said


def test_what_cannot_be_scored():
    with pytest.raises(UsageError, match="at least two samples"):
        scorer("self_bleu", PAIRS[:1]).result_string()
    for kind in (SampleBleuScorer, SelfBleuScorer):
        with pytest.raises(UsageError, match="--scoring-order is 0; it must be greater than 0"):
            kind(MeanBleuConfig(scoring_order=0))

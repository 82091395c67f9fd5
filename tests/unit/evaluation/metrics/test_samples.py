"""Figures of samples by hand, and the direction in which bad samples move them."""

import random

import pytest

from fairseq_genext.evaluation.metrics import mauve_score, samples
from fairseq_genext.evaluation.metrics.bootstrap import half_width
from fairseq_genext.evaluation.metrics.diversity import copies, distinct, duplicate_share
from fairseq_genext.evaluation.metrics.encoders import fit_lsa
from fairseq_genext.evaluation.metrics.text_metrics import TextMetrics
from fairseq_genext.evaluation.tables import TEXT_FIGURES
from fairseq_genext.files import read_lines


def language(seed, number):
    """Sentences of five places; which words can follow depends on the word before."""
    draw = random.Random(seed)
    sentences = []
    for _ in range(number):
        word, sentence = draw.randrange(12), []
        for place in range(5):
            sentence.append(f"{'adjno'[place]}{word}")
            word = (5 * word + draw.randrange(4)) % 12
        sentences.append(sentence)
    return sentences


def cut_short(seed, text):
    draw = random.Random(seed)
    return [line[: draw.randint(2, 5)] for line in text]


REFERENCES, GOOD = cut_short(7, language(1, 200)), cut_short(8, language(2, 200))
METRICS = TextMetrics(REFERENCES, REFERENCES)
METRICS.encoder = fit_lsa([" ".join(line) for line in REFERENCES], dim=20)
METRICS.embedded = METRICS.embed(REFERENCES)


def shuffled(text):
    """The words of a text dealt out to lines of the same lengths."""
    words = [word for line in text for word in line]
    random.Random(3).shuffle(words)
    dealt = iter(words)
    return [[next(dealt) for _ in line] for line in text]


def salad(text):
    """Words drawn alike, whatever their frequency, in lines all of one length."""
    draw = random.Random(4)
    words = sorted({word for line in text for word in line})
    return [draw.choices(words, k=9) for _ in text]


def measured(made):
    return METRICS.measure(made, mauve=True)


@pytest.fixture(scope="module")
def good():
    return measured(GOOD)


def test_diversity_by_hand():
    made = [["a", "b", "a"], ["a", "b", "a"], ["c"]]
    assert distinct(made, 1) == 3 / 7
    assert distinct(made, 2) == 2 / 4
    assert distinct([["a"]], 2) == 0.0
    assert duplicate_share(made) == pytest.approx(1 / 3)
    assert copies(made, [["c"], ["d"]]) == [False, False, True]


def test_a_shuffled_corpus_loses_quality_and_no_word(good):
    figures = measured(shuffled(GOOD))
    for order in (2, 3, 4, 5):
        assert figures[f"bleu_{order}"] < good[f"bleu_{order}"] - 0.1
        assert figures[f"self_bleu_{order}"] < good[f"self_bleu_{order}"]
    assert figures["distinct_1"] == good["distinct_1"]
    assert figures["distinct_2"] > good["distinct_2"]
    assert figures["unigram_divergence"] == pytest.approx(good["unigram_divergence"])
    assert figures["length_divergence"] == good["length_divergence"]
    assert figures["bigram_divergence"] > good["bigram_divergence"] + 0.1
    assert figures["frechet"] > 2 * good["frechet"]
    assert figures["copied"] < good["copied"]


def test_duplicates_lose_diversity_and_no_quality(good):
    figures = measured(GOOD[:20] * 10)
    for order in (2, 3, 4, 5):
        assert figures[f"self_bleu_{order}"] > good[f"self_bleu_{order}"]
        interval = good[f"bleu_{order}_ci"] * 10**0.5  # of a tenth of the samples
        assert abs(figures[f"bleu_{order}"] - good[f"bleu_{order}"]) < 1.5 * interval
    assert figures["duplicates"] >= 0.9 > good["duplicates"]
    for order in (1, 2):
        assert figures[f"distinct_{order}"] < good[f"distinct_{order}"]
    for name in ("length", "unigram", "bigram"):
        assert figures[f"{name}_divergence"] > good[f"{name}_divergence"]
    assert figures["frechet"] > 2 * good["frechet"]


def test_word_salad_loses_everything_but_diversity(good):
    figures = measured(salad(GOOD))
    for order in (2, 3, 4, 5):
        assert figures[f"bleu_{order}"] < good[f"bleu_{order}"] - 0.1
        assert figures[f"self_bleu_{order}"] < good[f"self_bleu_{order}"]
    assert figures["distinct_2"] > good["distinct_2"] / 2
    for name in ("length", "unigram", "bigram"):
        assert figures[f"{name}_divergence"] > 1.5 * good[f"{name}_divergence"]
    assert figures["length_divergence"] == pytest.approx(1.0)  # no reference has nine words
    assert figures["frechet"] > 2 * good["frechet"]
    assert figures["copied"] == 0.0 and figures["duplicates"] == 0.0


@pytest.mark.skipif(not mauve_score.is_installed(), reason="mauve-text is optional")
@pytest.mark.parametrize("spoil", [shuffled, salad, lambda text: text[:20] * 10])
def test_mauve_falls(good, spoil):
    assert measured(spoil(GOOD))["mauve"] < good["mauve"] - 0.03


def test_without_a_training_text_no_copies_are_counted():
    assert "copied" not in samples.measure(GOOD, REFERENCES)


def test_every_figure_has_a_heading(good):
    assert {name for name in good if not name.endswith("_ci")} <= set(TEXT_FIGURES)
    assert good["mean_length"] == sum(map(len, GOOD)) / len(GOOD)


def test_samples_may_be_empty():
    figures = samples.measure([[], ["a1"], []], REFERENCES)
    assert 0 < figures["bleu_2"] < 0.1
    assert figures["distinct_1"] == 1.0 and figures["distinct_2"] == 0.0
    assert figures["bigram_divergence"] == 1.0


def test_interval_shrinks_with_the_square_root_of_the_number():
    draw = random.Random(4)
    values = [draw.random() for _ in range(1600)]
    few, many = half_width(values[:100]), half_width(values)
    assert few == pytest.approx(1.96 * 0.289 / 10, rel=0.2)
    assert few / many == pytest.approx(4, rel=0.25)


def test_interval_of_a_weighted_mean():
    draw = random.Random(5)
    weights = [draw.randint(1, 9) for _ in range(400)]
    assert half_width([3.0 * weight for weight in weights], weights) == pytest.approx(0, abs=1e-12)
    # By the delta method: the deviations of the sums, divided by the mean weight.
    values = [weight * draw.gauss(0, 1) for weight in weights]
    mean = sum(values) / sum(weights)
    deviations = [v - mean * w for v, w in zip(values, weights, strict=True)]
    error = (sum(d * d for d in deviations) / 400) ** 0.5 / 20 / (sum(weights) / 400)
    assert half_width(values, weights) == pytest.approx(1.96 * error, rel=0.1)


def test_lines_are_those_that_fairseq_counts(tmp_path):
    (tmp_path / "text").write_text("one\u2028still one\x85\ntwo\n\n", encoding="utf-8")
    assert read_lines(tmp_path / "text") == ["one\u2028still one\x85", "two", ""]

"""Figures of samples by hand, and the direction in which bad samples move them."""

import random

import pytest

from fairseq_genext.errors import UsageError
from fairseq_genext.evaluation import samples
from fairseq_genext.evaluation.bootstrap import half_width
from fairseq_genext.evaluation.diversity import copied_share, distinct, duplicate_share


def language(seed, number):
    draw = random.Random(seed)
    parts = (
        ["the", "a"],
        ["king", "man", "ox", "star"],
        ["saw", "made"],
        ["his", "that"],
        ["house", "son", "bread", "land"],
    )
    return [[draw.choice(part) for part in parts] for _ in range(number)]


REFERENCES, GOOD = language(1, 200), language(2, 100)


def test_diversity_by_hand():
    made = [["a", "b", "a"], ["a", "b", "a"], ["c"]]
    assert distinct(made, 1) == 3 / 7
    assert distinct(made, 2) == 2 / 4
    assert distinct([["a"]], 2) == 0.0
    assert duplicate_share(made) == pytest.approx(1 / 3)
    assert copied_share(made, [["c"], ["d"]]) == pytest.approx(1 / 3)


def test_word_salad_lowers_bleu_and_duplicates_raise_self_bleu():
    draw = random.Random(3)
    good = samples.measure(GOOD, REFERENCES, REFERENCES)
    salad = samples.measure([draw.sample(line, len(line)) for line in GOOD], REFERENCES)
    copies = samples.measure(GOOD[:10] * 10, REFERENCES)
    for order in (2, 3, 4, 5):
        assert salad[f"bleu_{order}"] < good[f"bleu_{order}"] - 0.1
        assert copies[f"self_bleu_{order}"] == pytest.approx(1.0)
    assert copies["self_bleu_5"] > good["self_bleu_5"] + 0.005
    assert copies["duplicates"] >= 0.9 > good["duplicates"]
    assert copies["distinct_2"] < good["distinct_2"]
    assert "copied" not in salad and 0 < good["copied"] < 1
    assert good["mean_length"] == 5


def test_interval_shrinks_with_the_square_root_of_the_number():
    draw = random.Random(4)
    values = [draw.random() for _ in range(1600)]
    few, many = half_width(values[:100]), half_width(values)
    assert few == pytest.approx(1.96 * 0.289 / 10, rel=0.2)
    assert few / many == pytest.approx(4, rel=0.25)


@pytest.mark.parametrize(
    ("text", "says"),
    [(None, "does not exist"), ("one\n", "has 1 lines; at least 2"), ("\n\n", "empty lines only")],
)
def test_bad_sample_files(text, says, tmp_path, monkeypatch):
    path = tmp_path / "samples.txt"
    if text is not None:
        path.write_text(text)
    (tmp_path / "references.txt").write_text("a b\n")
    references = str(tmp_path / "references.txt")
    monkeypatch.setattr("sys.argv", ["samples", str(path), "--references", references])
    with pytest.raises(UsageError, match=says):
        samples.main()

"""Figures of samples by hand, and the direction in which bad samples move them."""

import json
import random
import subprocess
import sys

import pytest

from fairseq_genext.errors import UsageError
from fairseq_genext.evaluation import samples
from fairseq_genext.evaluation.bootstrap import half_width
from fairseq_genext.evaluation.diversity import copied_share, distinct, duplicate_share
from fairseq_genext.evaluation.files import read_lines


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
    [
        (None, "does not exist"),
        ("one\n", "has 1 lines; at least 2"),
        ("\n\n", "empty lines only"),
        (b"caf\xe9\nb\n", "is not UTF-8"),
    ],
)
def test_bad_sample_files(text, says, tmp_path, monkeypatch):
    path = tmp_path / "samples.txt"
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    (tmp_path / "references.txt").write_text("a b\n")
    references = str(tmp_path / "references.txt")
    monkeypatch.setattr("sys.argv", ["samples", str(path), "--references", references])
    with pytest.raises(UsageError, match=says):
        samples.main()


def test_command_prints_json_or_a_table_beside_it(tmp_path, monkeypatch, capsys):
    for name, lines in (("samples", GOOD), ("references", REFERENCES)):
        text = "".join(" ".join(line) + "\n" for line in lines)
        (tmp_path / name).write_text(text)
    argv = ["samples", str(tmp_path / "samples"), "--references", str(tmp_path / "references")]
    monkeypatch.setattr("sys.argv", argv)
    samples.main()
    figures = json.loads(capsys.readouterr().out)
    assert figures == samples.measure(GOOD, REFERENCES)
    monkeypatch.setattr("sys.argv", [*argv, "--json", str(tmp_path / "figures.json")])
    samples.main()
    table = capsys.readouterr().out
    assert json.loads((tmp_path / "figures.json").read_text()) == figures
    assert f"| bleu_3 | {figures['bleu_3']:.3f} ± {figures['bleu_3_ci']:.3f} |" in table
    assert "| num_samples | 100 |" in table and "_ci" not in table


def test_lines_are_those_that_fairseq_counts(tmp_path):
    (tmp_path / "text").write_text("one\u2028still one\x85\ntwo\n\n", encoding="utf-8")
    assert read_lines(tmp_path / "text") == ["one\u2028still one\x85", "two", ""]


def test_a_failure_is_one_line_and_exit_status_1(tmp_path):
    command = [sys.executable, "-m", "fairseq_genext.evaluation.samples", "nowhere.txt"]
    command += ["--references", "nowhere.txt"]
    made = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert made.returncode == 1 and made.stdout == "" and "Traceback" not in made.stderr
    assert made.stderr.splitlines()[-1] == "error: nowhere.txt does not exist"

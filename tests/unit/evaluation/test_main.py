"""genext-evaluate: its table, its JSON, and one line for what is wrong."""

import json
import random
import subprocess
import sys

import pytest

from fairseq_genext.errors import UsageError
from fairseq_genext.evaluation import __main__ as command
from fairseq_genext.evaluation.metrics import mauve_score
from fairseq_genext.evaluation.metrics.samples import measure
from fairseq_genext.files import read_tokens


@pytest.fixture
def texts(tmp_path, monkeypatch):
    """Folder of samples, more samples, references and a training text, as working directory."""
    draw = random.Random(1)
    words = ["king", "man", "ox", "star", "saw", "made", "house", "son"]
    for name, number in (("one", 30), ("two", 20), ("references", 40), ("train", 60)):
        lines = (" ".join(draw.choices(words, k=draw.randint(1, 5))) for _ in range(number))
        (tmp_path / f"{name}.txt").write_text("".join(f"{line}\n" for line in lines))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def evaluate(monkeypatch, *argv):
    monkeypatch.setattr("sys.argv", ["genext-evaluate", *map(str, argv)])
    command.main()


FILES = ("one.txt", "--references", "references.txt")


def rows(table):
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]
    return {row[0]: row[1:] for row in cells if row}


def test_a_column_each_and_json_beside_it(texts, monkeypatch, capsys):
    evaluate(monkeypatch, "two.txt", *FILES, "--train", "train.txt", "--json", "out/figures.json")
    written = json.loads((texts / "out/figures.json").read_text())
    figures = written["figures"]
    assert list(figures) == ["two", "one"]
    expected = measure(*(read_tokens(f"{name}.txt") for name in ("one", "references", "train")))
    assert figures["one"].items() >= expected.items()
    assert figures["one"]["frechet"] > 0
    assert written["settings"]["encoder"].startswith("LSA, ")
    output = capsys.readouterr().out
    table = rows(output)
    assert table["figure"] == ["two", "one"] and table["samples"] == ["20", "30"]
    shown = f"{expected['bleu_3']:.3f} ± {expected['bleu_3_ci']:.3f}"
    assert table["BLEU-3 ↑"][1] == shown
    assert table["Self-BLEU-3 ↓"][1] == f"{expected['self_bleu_3']:.3f}"
    assert "Encoder: LSA, " in output and "differ in their number of samples" in output
    assert "_ci" not in output


def test_without_mauve_the_table_says_so(texts, monkeypatch, capsys):
    monkeypatch.setattr(mauve_score, "is_installed", lambda: False)
    evaluate(monkeypatch, *FILES)
    output = capsys.readouterr().out
    assert rows(output)["MAUVE ↑"] == ["–"]
    assert "MAUVE is not measured: the package mauve-text is not installed." in output


def test_equally_many_samples_and_no_encoder(texts, monkeypatch, capsys):
    evaluate(monkeypatch, "two.txt", *FILES, "--limit", 10, "--encoder", "none")
    output = capsys.readouterr().out
    table = rows(output)
    assert table["samples"] == ["10", "10"]
    assert "differ" not in output and "Encoder" not in output
    assert not {"MAUVE ↑", "Fréchet distance ↓", "copied from training"} & set(table)


def test_files_of_one_name_go_by_their_paths(texts, monkeypatch, capsys):
    (texts / "other").mkdir()
    (texts / "other/one.txt").write_text("king saw\nman made\n")
    evaluate(monkeypatch, "other/one.txt", *FILES, "--encoder", "none")
    assert rows(capsys.readouterr().out)["figure"] == ["other/one.txt", "one.txt"]


def test_a_file_given_twice(texts, monkeypatch):
    with pytest.raises(UsageError, match="one.txt is given twice"):
        evaluate(monkeypatch, "./one.txt", *FILES)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "bad.txt does not exist"),
        ("", "has 0 lines; at least 2"),
        ("one\n", "has 1 lines; at least 2"),
        ("\n\n", "empty lines only"),
        (b"caf\xe9\nb\n", "is not UTF-8"),
        ("ein Mann\nein Haus\n", "bad.txt has no word in common with the references"),
    ],
)
def test_bad_sample_files(text, says, texts, monkeypatch):
    if text is not None:
        (texts / "bad.txt").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UsageError, match=says):
        evaluate(monkeypatch, "bad.txt", *FILES)


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["--limit", 1], "--limit is 1; it must be 2 or greater"),
        (["--scorer", "lm.pt"], "scorers need --scorer-data"),
        (["--reverse-judges", "a.pt", "b.pt"], "names 2 checkpoints for 1 files of samples"),
        (["--judge", "lm.pt", "--judge-data", "."], "lm.pt does not exist"),
        (["--train", "nowhere.txt"], "nowhere.txt does not exist"),
    ],
)
def test_flags_that_cannot_be_followed(argv, says, texts, monkeypatch):
    with pytest.raises(UsageError, match=says):
        evaluate(monkeypatch, *FILES, *argv)


def test_a_failure_is_one_line_and_exit_status_1(tmp_path):
    argv = [sys.executable, "-m", "fairseq_genext.evaluation", "nowhere.txt"]
    argv += ["--references", "missing.txt"]
    made = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert made.returncode == 1 and made.stdout == "" and "Traceback" not in made.stderr
    assert made.stderr.splitlines()[-1] == "error: missing.txt does not exist"

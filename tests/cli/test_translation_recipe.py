"""The translation recipes from a folder of pairs to the report, with a handful of updates."""

import gzip
import json

import pytest
from commands import run_recipe
from conftest import SIZES


@pytest.fixture(scope="module")
def pairs(corpus, tmp_path_factory):
    """Multi30k's layout, some of it packed."""
    folder = tmp_path_factory.mktemp("pairs of text")
    for split, name in (("train", "train"), ("valid", "val"), ("test", "test_2016_flickr")):
        (folder / f"{name}.en").write_text((corpus / f"{split}.en").read_text())
        with gzip.open(folder / f"{name}.up.gz", "wt") as file:
            file.write((corpus / f"{split}.up").read_text())
    return folder


@pytest.fixture(scope="module")
def made(pairs):
    done = run_recipe(
        "translation.sh", pairs, "--source", "en", "--target", "up", "--vocabulary", 60,
        "--budget", 3, "--seeds", "5", "--systems", "lstm dbam", "--output", pairs / "out",
        cwd=pairs,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return pairs / "out", done


def test_report(made):
    output, done = made
    figures = json.loads((output / "report" / "translation_report.json").read_text())
    (table,) = figures["tables"]
    rows = {(row["name"], row["seed"], row["decoding"]): row for row in table["runs"]}
    assert set(rows) == {
        (name, 5, decoding) for name in ("lstm", "dbam") for decoding in ("greedy", "beam 5")
    }
    for row in rows.values():
        assert row["updates"] == 3 and row["sentences_per_second"] > 0
        lines = (output / row["hypotheses"]).read_text().splitlines()
        assert len(lines) == SIZES["test"]
    assert table["baseline"] == "lstm" and rows["dbam", 5, "greedy"]["difference"] is not None
    assert "tok:13a" in done.stdout
    assert '--systems "lstm dbam"' in (output / "report" / "translation_report.md").read_text()


def test_conditional_gan_report(pairs):
    """Before, after, and the control, each against the before of its own generator."""
    done = run_recipe(
        "conditional_gan.sh", pairs, "--source", "en", "--target", "up", "--vocabulary", 60,
        "--likelihood-updates", 3, "--gan-updates", 2, "--generators", "dbam",
        "--output", pairs / "gan", cwd=pairs,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    figures = json.loads((pairs / "gan" / "report" / "translation_report.json").read_text())
    (table,) = figures["tables"]
    rows = {row["name"]: row for row in table["runs"]}
    assert list(rows) == ["dbam_likelihood", "dbam_gan", "dbam_constant"]
    assert table["baseline"] == "dbam_likelihood"
    assert [row["updates"] for row in rows.values()] == [3, 4, 4]
    assert rows["dbam_gan"]["parameters"] > rows["dbam_likelihood"]["parameters"]
    assert "tok:13a" in done.stdout and "the control" in done.stdout


def test_conditional_gan_generators(tmp_path):
    done = run_recipe("conditional_gan.sh", "--generators", "lstm", "--output", "out", cwd=tmp_path)
    assert done.returncode == 1 and not list(tmp_path.iterdir())
    assert done.stderr == (
        "error: there is no generator lstm; choose among lstm_seq2seq_doc dbam\n"
    )


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["nowhere"], "nowhere is not a folder"),
        (["."], "has no train.de or train.de.gz"),
        (["--budget", "some"], "some is not a positive whole number"),
        (["--systems", "lstm rnn"], "there is no system rnn; choose among lstm dbam"),
        (["--seeds"], "--seeds needs a value"),
    ],
)
def test_bad_arguments(argv, says, tmp_path):
    done = run_recipe("translation.sh", *argv, "--output", "out", cwd=tmp_path)
    if argv[-1] == "--seeds":
        done = run_recipe("translation.sh", *argv, cwd=tmp_path)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1 and says in done.stderr
    assert not list(tmp_path.iterdir())

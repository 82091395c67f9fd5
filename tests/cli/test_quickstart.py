"""The quickstart recipe from data to report, at a hundredth of its training."""

import json

import pytest
from commands import run_recipe

SMALL = ("--budget", 1, "--samples", 30, "--verses", 15000)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The first run, told to work in a folder whose name has a blank."""
    folder = tmp_path_factory.mktemp("quick start")
    done = run_recipe("quickstart.sh", "--output", "out", *SMALL, cwd=folder)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return folder / "out", done


def test_report(made):
    output, done = made
    figures = json.loads((output / "report" / "report.json").read_text())
    rows = {row["name"]: row for row in figures["systems"]}
    assert list(rows) == [
        "held-out text", "unigram", "gpt_doc, untrained", "gpt_doc", "gan_doc, untrained",
        "gan_doc, likelihood only", "gan_doc",
    ]  # fmt: skip
    assert {row["num_samples"] for row in rows.values()} == {30}
    assert rows["gpt_doc"]["updates"] == 8 and rows["gan_doc"]["updates"] == 6
    # Eight updates are enough to leave the untrained model behind, not to beat word frequencies.
    for system in ("gpt_doc", "gan_doc"):
        assert rows[system]["perplexity"] < 0.7 * rows[f"{system}, untrained"]["perplexity"]
    assert 150 < rows["unigram"]["perplexity"] < 300
    copied, *translated = figures["translation"]
    assert 20 < copied["bleu"] < 30
    assert [row["name"] for row in translated] == ["lstm_seq2seq_doc", "dbam"]
    assert all(row["bleu"] < 5 for row in translated)  # eight or ten updates
    assert sum("NOT above" in line for line in figures["findings"]) == 2
    assert "BLEU-3" in done.stdout and "report.html" in done.stdout.splitlines()[-1]


def test_run_again_it_skips_what_is_done(made):
    output, _ = made
    before = (output / "models" / "gan_doc" / "checkpoint_last.pt").stat().st_mtime_ns
    (output / ".done" / "report").unlink()
    done = run_recipe("quickstart.sh", "--output", output, *SMALL, cwd=output)
    assert done.returncode == 0
    steps = [line for line in done.stdout.splitlines() if line.startswith(("==", "--"))]
    assert [line for line in steps if not line.endswith("done before")] == [steps[-1]]
    assert steps[-1].startswith("== report")
    assert (output / "models" / "gan_doc" / "checkpoint_last.pt").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["--seed", "none"], "none is not a positive whole number"),
        (["--samples"], "--samples needs a value"),
        (["--fast"], "unknown argument --fast"),
    ],
)
def test_bad_arguments(argv, says, tmp_path):
    done = run_recipe("quickstart.sh", *argv, cwd=tmp_path)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1 and says in done.stderr
    assert not list(tmp_path.iterdir())


def test_help(tmp_path):
    done = run_recipe("quickstart.sh", "--help", cwd=tmp_path)
    assert done.returncode == 0 and "--output FOLDER" in done.stdout

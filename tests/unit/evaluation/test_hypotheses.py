"""What fairseq-generate prints, back in the order of the inputs."""

import pytest

from fairseq_genext.errors import UsageError
from fairseq_genext.evaluation.hypotheses import hypotheses, main

PRINTED = [
    "2026 | INFO | fairseq_cli.generate | …",
    "H-1\t-0.5\t▁b",
    "D-1\t-0.5\tb",
    "D-0\t-0.7\ta tab\tinside",
    "D-0\t-0.9\tsecond best",
    "D-2\t-0.1\t",
]


def test_best_hypothesis_of_each_input_in_order(caplog):
    assert hypotheses(PRINTED) == ["a tab\tinside", "b", ""]
    assert "up to 2 hypotheses an input: the most probable of each is kept" in caplog.text
    caplog.clear()
    assert hypotheses(PRINTED, expect=3) == ["a tab\tinside", "b", ""]


@pytest.mark.parametrize("lines", [PRINTED[2:3], PRINTED[:-1], []])
def test_a_missing_hypothesis_is_an_error(lines):
    with pytest.raises(UsageError, match="cut off or its batches dropped"):
        hypotheses(lines, expect=3)


def test_nbest_keeps_all_and_pieces_stand_in_for_missing_text(caplog):
    assert hypotheses(PRINTED, nbest=True) == ["a tab\tinside", "second best", "b", ""]
    assert hypotheses(["H-1\t-0.5\t▁b", "H-0\t-0.1\t▁a"]) == ["▁a", "▁b"]
    assert not caplog.text


@pytest.fixture
def command(tmp_path, monkeypatch):
    def run(*argv, name="gen.out"):
        (tmp_path / name).write_text("\n".join(PRINTED) + "\n")
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr("sys.argv", ["hypotheses", name, *argv])
        main()

    return run


def test_command_writes_beside_the_output(command, tmp_path, capsys):
    command("--expect", "3")
    assert (tmp_path / "gen.txt").read_text() == "a tab\tinside\nb\n\n"
    assert "gen.txt: 3 hypotheses" in capsys.readouterr().out


def test_command_never_overwrites_its_input(command, tmp_path):
    with pytest.raises(UsageError, match="would be overwritten"):
        command(name="gen.txt")
    assert (tmp_path / "gen.txt").read_text().splitlines() == PRINTED
    command("--output", "text", name="gen.txt")
    assert (tmp_path / "text").read_text().startswith("a tab")


@pytest.mark.parametrize(
    ("argv", "says"),
    [(["other.out", "--output", "x"], "there are 2"), (["--expect", "4"], "error: gen.out: 3 hyp")],
)
def test_command_errors(command, argv, says):
    with pytest.raises(UsageError, match=says):
        command(*argv)

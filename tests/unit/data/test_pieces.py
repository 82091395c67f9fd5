"""The sentencepiece command."""

import sys

import pytest
import sentencepiece

from fairseq_genext.data import pieces
from fairseq_genext.errors import UsageError

TEXT = ["the king saw the land", "a man made bread", "", "his son took the star away"] * 5


def command(monkeypatch, *argv):
    monkeypatch.setattr(sys, "argv", ["pieces", *map(str, argv)])
    pieces.main()


def test_encoded_text_comes_back(tmp_path, monkeypatch):
    raw, cut = tmp_path / "raw.txt", tmp_path / "raw.pieces"
    raw.write_text("\n".join(TEXT) + "\n")
    command(monkeypatch, tmp_path / "m", "--train", raw, "--vocabulary", 26, "--encode", raw, cut)
    model = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "m.model"))
    assert model.vocab_size() == 26
    lines = cut.read_text().splitlines()
    assert [model.decode(line.split()) for line in lines] == TEXT
    assert {path.name for path in tmp_path.iterdir()} == {
        "raw.txt", "raw.pieces", "m.model", "m.vocab"
    }  # fmt: skip


def test_symbols_stay_whole(tmp_path, monkeypatch):
    raw = tmp_path / "raw.txt"
    raw.write_text("\n".join(f"{line} <sep> bread" for line in TEXT) + "\n")
    flags = ("--vocabulary", 28, "--symbols", "<sep>")
    command(monkeypatch, tmp_path / "m", "--train", raw, *flags)
    cut = pieces.load(tmp_path / "m.model").encode("a man <sep> bread", out_type=str)
    assert cut.count("<sep>") == 1


def test_missing_text(tmp_path, monkeypatch):
    with pytest.raises(UsageError, match="none.txt does not exist"):
        command(monkeypatch, tmp_path / "m", "--train", tmp_path / "none.txt")


def test_too_many_pieces_for_the_text(tmp_path, monkeypatch):
    raw = tmp_path / "raw.txt"
    raw.write_text("a b c\n")
    with pytest.raises(UsageError, match="sentencepiece: Vocabulary size too high"):
        command(monkeypatch, tmp_path / "m", "--train", raw, "--vocabulary", 5000)
    assert not (tmp_path / "m.model").exists()


def test_lines_are_those_that_fairseq_counts(tmp_path, monkeypatch):
    """A form feed or a line separator of Unicode is no end of line: the other side has none."""
    raw, cut = tmp_path / "raw.txt", tmp_path / "raw.pieces"
    raw.write_text("".join(f"{line}\n" for line in [*TEXT, "the king\u2028saw \x0c bread\x85now"]))
    command(monkeypatch, tmp_path / "m", "--train", raw, "--vocabulary", 28, "--encode", raw, cut)
    with cut.open() as file:
        assert len(list(file)) == len(TEXT) + 1


def test_file_that_is_no_model(tmp_path, monkeypatch):
    raw = tmp_path / "raw.txt"
    raw.write_text("a b c\n")
    (tmp_path / "m.model").write_text("nothing")
    with pytest.raises(UsageError, match="m.model is no sentencepiece model"):
        command(monkeypatch, tmp_path / "m", "--encode", raw, tmp_path / "cut")


def test_what_is_lost_or_left_out_is_said(tmp_path, monkeypatch, caplog):
    raw, cut = tmp_path / "raw.txt", tmp_path / "raw.pieces"
    lines = [*TEXT, "the king " * 600, "a \u2585 star", "a\rman\u2028made bread"]
    raw.write_bytes("".join(f"{line}\n" for line in lines).encode())
    command(monkeypatch, tmp_path / "m", "--train", raw, "--vocabulary", 26)
    assert "sentencepiece leaves out 2 of 23 lines" in caplog.text
    assert "raw.txt: 2 carriage returns, form feeds or the like within lines" in caplog.text
    assert "raw.txt is one giant line of 5,400 characters" in caplog.text
    caplog.clear()
    raw.write_bytes(b"the king saw\r" * 900)
    with pytest.raises(UsageError, match="sentencepiece can learn from none of the lines"):
        command(monkeypatch, tmp_path / "n", "--train", raw, "--vocabulary", 26)
    assert "is one giant line of 11,699 characters" in caplog.text
    assert "its 899 carriage returns are no line ends here" in caplog.text
    caplog.clear()
    raw.write_text("\n".join(TEXT * 90))
    command(monkeypatch, tmp_path / "m", "--encode", raw, cut)
    assert not caplog.messages

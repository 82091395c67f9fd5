"""Lines are those that ``wc -l`` counts, in every reader of the package and of fairseq."""

import argparse
import gzip
import io
import os
import subprocess
import sys
import threading

import pytest
from fairseq import options
from fairseq.data import Dictionary, encoders
from fairseq.data.indexed_dataset import IndexedRawTextDataset, make_dataset
from fairseq_cli import preprocess

import fairseq_genext.plugin  # noqa: F401  as --user-dir does
from fairseq_genext.errors import UsageError
from fairseq_genext.files import read_lines, write_lines
from fairseq_genext.patches import text as patches

# What some program or other takes for a line's end, and a mark at the head.
ODD = ["\r", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"]
LINES = ["the king", *(f"a{odd}b" for odd in ODD), "", "ünd ende"] * 4
RAW = "\ufeff" + "\n".join(LINES[:-1]) + "\r\n" + LINES[-1]


@pytest.fixture
def raw(tmp_path):
    path = tmp_path / "train.txt"
    path.write_bytes(RAW.encode())
    return path


def test_what_is_no_plain_file(tmp_path):
    """A pipe, as of a shell's <(command), is read; a folder is called one."""
    os.mkfifo(tmp_path / "pipe")
    write = (tmp_path / "pipe").write_text
    writer = threading.Thread(target=write, args=("a b\nc\n",), daemon=True)
    writer.start()
    assert read_lines(tmp_path / "pipe") == ["a b", "c"]
    writer.join()
    with pytest.raises(UsageError, match="is a folder; name a file"):
        read_lines(tmp_path)


def test_lines_are_those_of_wc(raw, tmp_path):
    counted = int(subprocess.check_output(["wc", "-l", raw]).split()[0])
    assert len(LINES) == counted + 1  # the last has no end here
    assert read_lines(raw) == LINES
    packed = tmp_path / "train.gz"
    packed.write_bytes(gzip.compress(RAW.encode()))
    assert read_lines(packed) == LINES
    write_lines(tmp_path / "written", [*LINES, "two\nlines"])
    assert read_lines(tmp_path / "written") == [*LINES, "two lines"]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"caf\xe9\n", "is not UTF-8 text"),
        (gzip.compress(b"\0" * (1 << 28)), "is refused: its .* bytes claim to hold"),
        (gzip.compress(b"a line\n" * 99)[:-9], "cannot be read"),
        (b"no gzip", "cannot be read"),
    ],
    ids=["another encoding", "a bomb", "truncated", "not packed"],
)
def test_files_that_are_none(tmp_path, data, says):
    path = tmp_path / ("text" if data.startswith(b"caf") else "text.gz")
    path.write_bytes(data)
    with pytest.raises(UsageError, match=says) as error:
        read_lines(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("workers", [1, 3])
def test_preprocess_counts_lines_alike(raw, tmp_path, workers):
    parser = options.get_preprocessing_parser()
    preprocess.main(
        parser.parse_args(
            ["--only-source", "--trainpref", str(raw), "--destdir", str(tmp_path / "bin"),
             "--workers", str(workers)]
        )
    )  # fmt: skip
    words = Dictionary.load(str(tmp_path / "bin" / "dict.txt"))
    assert "the" in words and "ende" in words  # neither mark nor carriage return
    data = make_dataset(str(tmp_path / "bin" / "train"), "mmap")
    assert [words.string(tokens) for tokens in data] == [" ".join(line.split()) for line in LINES]
    read = IndexedRawTextDataset(str(raw), words)
    assert read.lines == LINES and len(read) == len(data)


def test_preprocess_says_that_a_text_is_not_utf8(tmp_path):
    (tmp_path / "train").write_bytes(b"one\ncaf\xe9\n")
    arguments = ["--only-source", "--trainpref", str(tmp_path / "train"), "--workers", "2"]
    parsed = options.get_preprocessing_parser().parse_args([*arguments, "--destdir", str(tmp_path)])
    with pytest.raises(UsageError, match="train is not UTF-8 text"):
        preprocess.main(parsed)


def test_dictionary_with_a_mark(tmp_path):
    (tmp_path / "dict.txt").write_bytes("\ufeffthe 3\r\nking 1\r\n".encode())
    assert Dictionary.load(str(tmp_path / "dict.txt")).symbols[4:] == ["the", "king"]


def test_lines_that_are_typed(raw, tmp_path, monkeypatch, caplog):
    expected = [line.strip() for line in LINES]
    batches = list(patches.buffered_read(None, str(raw), 5))
    assert [line for batch in batches for line in batch] == expected
    assert set(map(len, batches[:-1])) == {5}
    typed = io.TextIOWrapper(io.BytesIO(b"one\ntw\xff\nthree\r\n"))
    monkeypatch.setattr(sys, "stdin", typed)
    assert list(patches.buffered_read(None, "-", 9)) == [["one", "tw\ufffd", "three"]]
    assert ["line 2 of the input is not UTF-8" in line for line in caplog.messages] == [True]
    with pytest.raises(UsageError, match="--input .* cannot be read"):
        list(patches.buffered_read(None, str(tmp_path), 1))


def test_typed_text_is_cut_as_training_text(tmp_path, monkeypatch):
    from fairseq_genext.data import pieces

    (tmp_path / "text").write_text("the king\nsaw\ta star\n" * 9)
    pieces.train(str(tmp_path / "m"), [str(tmp_path / "text")], 16)
    pieces.encode(f"{tmp_path}/m.model", str(tmp_path / "text"), str(tmp_path / "cut"))
    flags = {"bpe": "sentencepiece", "sentencepiece_model": f"{tmp_path}/m.model"}
    bpe = encoders.build_bpe(
        argparse.Namespace(**flags, sentencepiece_enable_sampling=False, sentencepiece_alpha=None)
    )
    assert [bpe.encode("saw\ta\u3000star ")] == read_lines(tmp_path / "cut")[1:2]

"""Binarised data that lies ends in one line before anything is trained on it."""

import copy
import functools
import shutil
import struct

import pytest
from architectures import FAIRSEQ_LM as LM
from command_line import parsed
from commands import run
from fairseq import tasks

from fairseq_genext.errors import UsageError

MT = ("--task", "translation", "--arch", "lstm_seq2seq_doc_tiny", *LM[-9:])


@pytest.fixture(scope="module")
def folders(corpus):
    """The same text in the formats that fairseq-preprocess writes."""
    run(
        "fairseq-preprocess", "--only-source", "--trainpref", "train.en", "--validpref", "valid.en",
        "--srcdict", "lm/dict.txt", "--dataset-impl", "cached", "--destdir", "cached",
        folder=corpus,
    )  # fmt: skip
    return corpus


def cut(name, keep):
    """A file without its tail."""

    def change(folder):
        path = folder / name
        contents = path.read_bytes()
        path.write_bytes(contents[: int(keep * len(contents))])

    return change


def copied(source, name):
    return lambda folder: shutil.copy(folder / source, folder / name)


def removed(name):
    return lambda folder: (folder / name).unlink()


def lines(name, edit):
    """A dictionary with other lines."""

    def change(folder):
        path = folder / name
        path.write_bytes(b"\n".join(edit(path.read_bytes().splitlines())))

    return change


def patched(name, start, contents):
    """A file with other bytes in its midst."""

    def change(folder):
        path = folder / name
        whole = path.read_bytes()
        path.write_bytes(whole[:start] + contents + whole[start + len(contents) :])

    return change


def moved_ends(folder):
    """An index of as many tokens, whose first two sentences are cut elsewhere."""
    path = folder / "train.idx"
    whole = bytearray(path.read_bytes())
    first, second = struct.unpack_from("<ii", whole, 26)
    struct.pack_into("<ii", whole, 26, first + 1, second - 1)
    (start,) = struct.unpack_from("<q", whole, 26 + 4 * 300 + 8)
    struct.pack_into("<q", whole, 26 + 4 * 300 + 8, start + 2)  # ids of two bytes
    path.write_bytes(whole)


OTHER = "damaged or belongs to another .bin"
DICTIONARY = {
    "no dictionary": (removed("dict.txt"), "dict.txt does not exist"),
    "empty dictionary": (lines("dict.txt", lambda _: []), "dict.txt is empty"),
    "short dictionary": (lines("dict.txt", lambda all_: all_[:5]), "its dictionary only 9 entries"),
    "a word twice": (lines("dict.txt", lambda all_: [*all_, all_[3]]), "Duplicate word"),
    "no count": (lines("dict.txt", lambda all_: [*all_, b"cat"]), "no dictionary"),
    "count of text": (lines("dict.txt", lambda all_: [*all_, b"cat many"]), "no dictionary"),
    "no UTF-8": (lines("dict.txt", lambda all_: [*all_, b"\xff\xfe 1"]), "encoding"),
}
FILES = {
    "index of another split": (copied("valid.idx", "train.idx"), OTHER),
    "data of another split": (copied("valid.bin", "train.bin"), OTHER),
    "cut index": (cut("train.idx", 0.5), "damaged"),
    "no more than a head": (cut("train.idx", 0.005), "damaged"),
    "empty index": (cut("train.idx", 0), "damaged"),
    "cut data": (cut("train.bin", 0.5), OTHER),
    "odd cut": (cut("train.bin", 0.999), OTHER),
    "empty data": (cut("train.bin", 0), "damaged"),
    "no index": (removed("train.idx"), "train.idx does not exist"),
    "no data": (removed("train.bin"), "train.bin does not exist"),
    "text for an index": (copied("dict.txt", "train.idx"), "damaged"),
}
MMAP = {
    "sentences cut elsewhere": (moved_ends, "1 of 300 sentences do not end where it says"),
    "unknown type": (patched("train.idx", 17, b"\x63"), "damaged"),
    "another version": (patched("train.idx", 9, b"\x09"), "damaged"),
    "wrong starts": (patched("train.idx", 26 + 4 * 300, b"\x02"), "do not follow each other"),
    "negative size": (patched("train.idx", 26, b"\xff\xff\xff\xff"), OTHER),
    "countless sentences": (patched("train.idx", 18, b"\xff" * 7), "damaged"),
    "large ids": (patched("train.bin", 0, b"\xf0\xf0"), "has the id 61680"),
}
CASES = [
    *[(name, "lm", *case) for name, case in (DICTIONARY | FILES | MMAP).items()],
    *[(name, "cached", *case) for name, case in FILES.items()],
    ("short dictionary", "cached", *DICTIONARY["short dictionary"]),
]


@functools.cache
def configured(*flags):
    return parsed("data", *flags)


def load(data, flags):
    config = copy.deepcopy(configured(*flags))
    config.task.data = str(data)
    task = tasks.setup_task(config.task)
    task.load_dataset("train", combine=True)  # as fairseq-train does
    return task.dataset("train")


@pytest.mark.parametrize(
    ("kind", "change", "says"),
    [case[1:] for case in CASES],
    ids=[f"{name}-{kind}" for name, kind, *_ in CASES],
)
def test_a_split(kind, change, says, folders, tmp_path):
    data = shutil.copytree(folders / kind, tmp_path / "data")
    change(data)
    with pytest.raises(UsageError) as refused:
        load(data, LM)
    line = str(refused.value)
    assert says in line and str(data) in line and "\n" not in line, line


@pytest.mark.parametrize("kind", ["lm", "cached"])
def test_sound_data_is_taken(kind, folders):
    assert len(load(folders / kind, LM)) == 300


PAIRS = {
    "fewer targets": (
        lambda folder: [
            shutil.copy(folder / f"valid.en-up.up.{end}", folder / f"train.en-up.up.{end}")
            for end in ("bin", "idx")
        ],
        "there are 300 source and 37 target sentences",
    ),
    "no targets": (
        lambda folder: [(folder / f"train.en-up.up.{end}").unlink() for end in ("bin", "idx")],
        "has no targets for 'train'",
    ),
    "target without an index": (removed("train.en-up.up.idx"), "up.idx does not exist"),
    "no split": (
        lambda folder: [path.unlink() for path in folder.glob("train*")], "has no split 'train'"
    ),
    "no pair": (
        lambda folder: [path.unlink() for path in folder.glob("*.??-??.*")],
        "has no split of two languages",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PAIRS)
def test_a_pair(name, corpus, tmp_path):
    data = shutil.copytree(corpus / "mt", tmp_path / "data")
    change, says = PAIRS[name]
    change(data)
    with pytest.raises(UsageError) as refused:
        load(data, MT)
    assert says in str(refused.value)


@pytest.mark.parametrize("command", ["fairseq-train", "fairseq-generate", "fairseq-eval-lm"])
def test_commands(command, corpus):
    if not (corpus / "hostile-data").exists():
        run("fairseq-train", "lm", *LM, "--save-dir", "sound", folder=corpus)
        copied("valid.idx", "train.idx")(shutil.copytree(corpus / "lm", corpus / "hostile-data"))
        copied("valid.idx", "test.idx")(corpus / "hostile-data")
    path = ("--path", "sound/checkpoint_last.pt")
    flags = {
        "fairseq-train": (*LM, "--save-dir", "anew"),
        "fairseq-generate": ("--task", "language_modeling", *path),
        "fairseq-eval-lm": path,
    }[command]
    result = run(command, "hostile-data", *flags, folder=corpus, expect=1)
    errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and ".idx is damaged or belongs to another .bin" in errors[0]
    assert "Traceback" not in result.stderr and not list(corpus.glob("anew/*"))

"""Data that tests share: a tiny language, written once a session and binarised by fairseq."""

import os
import random
import shutil
from pathlib import Path

import pytest

# torch and fairseq are imported where they are used: xdist's controller, which runs no test, reads
# this file too.
os.environ.setdefault("OMP_NUM_THREADS", "1")

SIZES = {"train": 300, "valid": 37, "test": 21}  # none a multiple of 8: no sentence may be dropped


def write_corpus(folder: Path) -> None:
    """Sentences of a small grammar, and their word-for-word translation in reverse order."""
    draw = random.Random(7)
    subjects = ["the king", "a man", "his son", "the old priest", "she"]
    verbs = ["saw", "gave", "made", "took away", "kept"]
    objects = ["the bread", "a stone", "all the land", "them", "two great lights and a star"]
    for split, size in SIZES.items():
        sentences = [
            " ".join(draw.choice(part) for part in (subjects, verbs, objects)) for _ in range(size)
        ]
        reversed_upper = [" ".join(reversed(line.upper().split())) for line in sentences]
        (folder / f"{split}.en").write_text("\n".join(sentences) + "\n")
        (folder / f"{split}.up").write_text("\n".join(reversed_upper) + "\n")


@pytest.fixture(scope="session")
def clean_corpus(tmp_path_factory) -> Path:
    """What ``corpus`` is a copy of."""
    from architectures import write_images
    from commands import run

    folder = tmp_path_factory.mktemp("corpus")
    write_corpus(folder)
    write_images(folder / "images")
    splits = [f"--{split}pref" for split in SIZES]
    lm = [item for pref, split in zip(splits, SIZES, strict=True) for item in (pref, f"{split}.en")]
    mt = [item for pref, split in zip(splits, SIZES, strict=True) for item in (pref, split)]
    run("fairseq-preprocess", "--only-source", *lm, "--destdir", "lm", folder=folder)
    run("fairseq-preprocess", "-s", "en", "-t", "up", *mt, "--destdir", "mt", folder=folder)
    return folder


@pytest.fixture(scope="module")
def corpus(clean_corpus, tmp_path_factory) -> Path:
    """Folder with raw text {split}.en and {split}.up, binarised folders lm and mt, and images.

    Each file of tests has its own: a training of the same name elsewhere would be a finished one.
    """
    folder = tmp_path_factory.mktemp("corpus")
    shutil.copytree(clean_corpus, folder, dirs_exist_ok=True)
    return folder


@pytest.fixture
def dictionary():
    """A fairseq Dictionary: thirty words and its four special entries."""
    from fairseq.data import Dictionary

    words = Dictionary()
    for index in range(30):
        words.add_symbol(f"w{index}")
    return words

"""Binarised data is checked once, where it is loaded.

Without, an ``.idx`` of another run cuts the tokens at wrong places, and nobody says a word; what is
cut off or has ids beyond its dictionary ends in a traceback in the midst of training.
"""

import os

import numpy as np
from fairseq.data import Dictionary, LanguagePairDataset, data_utils, indexed_dataset
from fairseq.data.indexed_dataset import IndexedDataset, MMapIndexedDataset
from fairseq.tasks import language_modeling, translation

from fairseq_genext.errors import UsageError, reason
from fairseq_genext.patches.patch import patch

ANEW = "make the data folder anew with fairseq-preprocess"


@patch(indexed_dataset, "make_dataset")
def check_data(make, path: str, impl: str, fix_lua_indexing: bool = False, dictionary=None):
    """Opens a split, of whatever format.

    Raises:
        UsageError: a file of it is missing, damaged, or does not belong to the other or to the
            dictionary.
    """
    there = [end for end in ("idx", "bin") if os.path.exists(f"{path}.{end}")]
    if len(there) == 1:
        missing = "bin" if there == ["idx"] else "idx"
        raise UsageError(f"{path}.{missing} does not exist, but {path}.{there[0]} does; {ANEW}")
    try:
        dataset = make(path, impl, fix_lua_indexing, dictionary)
        told = problem(path, dataset, dictionary)
    except Exception as error:  # of struct, numpy and mmap, and fairseq's assertions
        raise UsageError(f"{path}: damaged, or no binarised data ({reason(error)}); {ANEW}") from (
            error
        )
    if told is not None:
        raise UsageError(f"{told}; {ANEW}")
    return dataset


def problem(path: str, dataset, dictionary: Dictionary | None) -> str | None:
    """What is wrong with the data of a split, None where nothing is."""
    if isinstance(dataset, MMapIndexedDataset):
        sizes, starts = dataset.sizes, dataset._index._pointers // dataset._index._dtype_size
        kind, first, header = np.dtype(dataset._index.dtype), 0, 26 + 12 * len(dataset)
    elif isinstance(dataset, IndexedDataset):
        sizes, starts = dataset.sizes, dataset.data_offsets[:-1]
        # Their numbers start at 1.
        kind, first, header = (
            np.dtype(dataset.dtype),
            1,
            48 + 8 * (2 * len(dataset) + len(sizes) + 2),
        )
    else:
        return None
    if len(sizes) != len(starts):  # features, which have several dimensions
        return None
    covered = header, sizes.sum(dtype=np.int64) * kind.itemsize
    found = os.path.getsize(f"{path}.idx"), os.path.getsize(f"{path}.bin")
    if len(sizes) == 0 or sizes.min() < 0 or covered != found:
        return f"{path}.idx is damaged or belongs to another .bin"
    if (starts != np.cumsum(sizes, dtype=np.int64) - sizes).any():
        return f"{path}.idx is damaged: its sentences do not follow each other"
    if dictionary is None or kind.kind not in "iu":
        return None
    tokens = np.memmap(f"{path}.bin", mode="r", dtype=kind)
    if tokens.min() < first:
        return f"{path}.bin is damaged: it has ids below 0"
    ends = tokens[(starts + sizes - 1)[sizes > 0]] == dictionary.eos() + first
    # fairseq-preprocess ends every sentence so; data of other makers may have no end of sentence.
    if 0 < ends.sum() < len(sizes):
        return (
            f"{path}.idx belongs to another .bin: {len(sizes) - ends.sum():,} of {len(sizes):,} "
            "sentences do not end where it says"
        )
    largest = int(tokens.max()) - first
    if largest >= len(dictionary):
        return (
            f"{path}.bin has the id {largest}, and its dictionary only {len(dictionary)} entries: "
            "dict.txt is that of another folder, or cut off"
        )
    return None


@patch(MMapIndexedDataset, "__del__")
def close_what_was_opened(close, self) -> None:
    """Of a file that could not be opened, Python would print a traceback as it is forgotten."""
    if hasattr(self, "_bin_buffer_mmap"):
        close(self)


@patch(LanguagePairDataset, "__init__")
def require_pairs(init, self, src, src_sizes, src_dict, tgt=None, *args, **kwargs) -> None:
    """Sources and targets are as many, which fairseq asserts.

    Raises:
        UsageError: they are not.
    """
    if tgt is not None and len(src) != len(tgt):
        raise UsageError(
            f"there are {len(src):,} source and {len(tgt):,} target sentences: they are of "
            f"different runs; {ANEW}"
        )
    init(self, src, src_sizes, src_dict, tgt, *args, **kwargs)


@patch(translation.TranslationTask, "load_dataset")
@patch(language_modeling.LanguageModelingTask, "load_dataset")
def require_split(load, self, split: str, *args, **kwargs):
    """A split that is not there ends in a traceback.

    Raises:
        UsageError: in its place.
    """
    data = (self.cfg or self.args).data  # fairseq keeps one or the other
    try:
        loaded = load(self, split, *args, **kwargs)
    except FileNotFoundError:
        raise UsageError(
            f"the data folder {data} has no split {split!r}: choose another, or make it with "
            "fairseq-preprocess"
        ) from None
    dataset, trained = self.datasets.get(split), kwargs.get("combine", False)
    if trained and isinstance(dataset, LanguagePairDataset) and not dataset.tgt:
        raise UsageError(f"the data folder {data} has no targets for {split!r}; {ANEW}")
    return loaded


@patch(data_utils, "infer_language_pair")
def require_language_pair(infer, path: str):
    """Neither ``--source-lang`` nor a pair of files tell the languages: a traceback.

    Raises:
        UsageError: in its place.
    """
    try:
        languages = infer(path)
    except OSError as error:
        raise UsageError(f"the data folder {path} cannot be read: {error.strerror}") from None
    if None in languages:
        raise UsageError(
            f"the data folder {path} has no split of two languages; {ANEW}, or give --source-lang "
            "and --target-lang"
        )
    return languages


@patch(Dictionary, "add_from_file")
def read_dictionary(add, self, file) -> None:
    """Reads a ``dict.txt``.

    Raises:
        UsageError: it is missing, empty, no UTF-8, or a line is not a new word and its count.
    """
    if not isinstance(file, str):
        add(self, file)
        return
    known = len(self)
    try:
        add(self, file)
    except UsageError:
        raise
    except OSError as error:
        told = "does not exist" if isinstance(error, FileNotFoundError) else error.strerror
        raise UsageError(f"{file} {told}; {ANEW}") from None
    except Exception as error:  # ValueError, RuntimeError, or what fairseq makes of UnicodeError
        raise UsageError(f"{file} is no dictionary ({reason(error)}); {ANEW}") from None
    if len(self) == known:
        raise UsageError(f"{file} is empty: it needs a word and its count a line; {ANEW}")

"""Lines of text are those that ``wc -l`` counts, wherever fairseq reads them.

Python ends a line at a lone carriage return too. One on one side of a parallel corpus shifts all
pairs behind it.
"""

import contextlib
import logging
import os
import re
import sys

from fairseq import binarizer
from fairseq.data import dictionary, indexed_dataset
from fairseq.data.encoders.sentencepiece_bpe import SentencepieceBPE

from fairseq_genext.errors import UsageError
from fairseq_genext.files import open_text, plain_blanks
from fairseq_genext.patches.patch import command_module, patch, patch_command

logger = logging.getLogger(__name__)


def find_offsets(_, filename: str, num_chunks: int) -> list[int]:
    """Where in a file the lines of each of ``num_chunks`` processes begin, and its end.

    Raises:
        UsageError: the file is not UTF-8 text, which a process of a pool could not say in one line.
    """
    try:
        with open_text(filename) as file:
            for _line in file:
                pass
    except UnicodeDecodeError as error:
        raise UsageError(f"{filename} is not UTF-8 text: {error}") from None
    offsets = [0]
    with open(filename, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        for chunk in range(1, num_chunks):
            file.seek(size * chunk // num_chunks)
            file.readline()
            offsets.append(file.tell())
    return [*offsets, size]


class Chunker:
    """The lines of a file from one offset to another; see ``find_offsets``."""

    def __init__(self, _, path: str, start_offset: int, end_offset: int) -> None:
        self.file = open(path, "rb")  # noqa: SIM115  closed in __exit__
        self.start, self.end = start_offset, end_offset

    def __enter__(self) -> "Chunker":
        return self

    def __exit__(self, *_) -> None:
        self.file.close()

    def __iter__(self):
        self.file.seek(self.start)
        while self.file.tell() < self.end:
            line = self.file.readline()
            head = self.file.tell() == len(line)
            yield line.decode("utf-8-sig" if head else "utf-8")


# Both have imported the names for themselves.
for _module in (binarizer, dictionary):
    patch(_module, "find_offsets")(find_offsets)
    patch(_module, "Chunker")(Chunker)

# dict.txt, and the texts of --dataset-impl raw.
dictionary.open = indexed_dataset.open = open_text


@patch(indexed_dataset.IndexedRawTextDataset, "read_data")
def drop_carriage_returns(read_data, self, *args) -> None:
    """``--dataset-impl raw`` keeps the lines themselves."""
    read_data(self, *args)
    self.lines = [line.removesuffix("\r") for line in self.lines]


@patch_command("preprocess", "_align_files")
def align_files(align, *args, **kwargs) -> None:
    """``--alignfile`` reads three texts line by line."""
    align.__globals__["open"] = open_text
    align(*args, **kwargs)


@patch(SentencepieceBPE, "encode")
def encode_plain_blanks(encode, self, text: str) -> str:
    """What is typed is cut as the training text was: fairseq would lose a tab within a piece."""
    return encode(self, plain_blanks(text))


@patch_command("interactive", "buffered_read")
def buffered_read(_, input: str, buffer_size: int):
    """Lists of ``buffer_size`` lines of a file, or of standard input for ``-``.

    Bytes that are no UTF-8 are replaced, with a warning; in fairseq one ends the session.

    Raises:
        UsageError: the file cannot be read.
    """
    try:
        # Standard input is not this function's to close.
        source = contextlib.nullcontext(sys.stdin.buffer) if input == "-" else open(input, "rb")  # noqa: SIM115
    except OSError as error:
        raise UsageError(f"--input {input} cannot be read: {error.strerror}") from None
    buffer: list[str] = []
    with source as lines:
        for number, line in enumerate(lines, start=1):
            encoding = "utf-8-sig" if number == 1 else "utf-8"
            try:
                text = line.decode(encoding)
            except UnicodeDecodeError as error:
                logger.warning(f"line {number} of the input is not UTF-8: {error}")
                text = line.decode(encoding, errors="replace")
            buffer.append(text.strip())
            if len(buffer) >= buffer_size:
                yield buffer
                buffer = []
    if buffer:
        yield buffer


def print_on_a_line(*texts, **kwargs) -> None:
    """As ``print``, with a blank for line ends within a text."""
    print(*(re.sub(r"[\r\n]+", " ", str(text)) for text in texts), **kwargs)


def _writes_lines(command: str, function: str) -> None:
    """Texts of a model whose pieces have line ends, as GPT-2's do, would be cut by their reader."""

    @patch_command(command, function)
    def write(main, *args, **kwargs):
        command_module(command).print = print_on_a_line
        return main(*args, **kwargs)


_writes_lines("generate", "_main")
_writes_lines("interactive", "main")

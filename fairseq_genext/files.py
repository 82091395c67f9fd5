"""Reads text, a sentence a line, and says in one line what is wrong with it."""

import gzip
import hashlib
import io
import json
import logging
import re
import sys
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path

from fairseq_genext.errors import UsageError

GIANT = 4192  # characters of a line; in bytes what sentencepiece leaves out by default
# A packed file may hold so many bytes whatever its size, and beyond them so many times its size.
# Text and images are packed to a half to a thirtieth, and deflate cannot do more than 1 in 1,032.
PACKED_FREELY, MOST_PACKED = 1 << 27, 200

POINT_KINDS = {
    "samples": str, "translations": str, "images": str, "shares": dict, "answers": str,
    "by_task": dict, "by_facts": dict,
}  # fmt: skip

logger = logging.getLogger(__name__)


def open_text(path: str | Path | int, mode: str = "r", **kwargs):
    """As ``open``, but a text that is read has the lines that ``wc -l`` counts.

    Python would end a line at a lone carriage return too, and keep the mark that some editors write
    at a file's head as a part of its first word.
    """
    if mode in ("r", "rt"):
        kwargs |= {"encoding": "utf-8-sig", "newline": "\n"}
    return open(path, mode, **kwargs)


def read_lines(path: str | Path, at_least: int = 1) -> list[str]:
    """Lines of a UTF-8 file, plain or with the ending ``.gz``, as ``wc -l`` counts them.

    ``-`` is standard input. Neither a carriage return at a line's end nor a byte-order mark at the
    file's head counts.

    Raises:
        UsageError: the file is missing, is not UTF-8 or no gzip file, or has fewer than
            ``at_least`` lines.
    """
    path = Path(path)
    typed = str(path) == "-"
    if not typed and not path.exists():
        raise UsageError(f"{path} does not exist")
    if path.is_dir():
        raise UsageError(f"{path} is a folder; name a file")
    try:
        if typed:
            opened = open_text(sys.stdin.fileno(), closefd=False)
        else:
            opened = _open_packed(path) if path.suffix == ".gz" else open_text(path)
        with opened as file:
            lines = [line.removesuffix("\n").removesuffix("\r") for line in file]
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error}") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text: {error}") from None
    if len(lines) < at_least:
        raise UsageError(f"{path} has {len(lines)} lines; at least {at_least} are needed")
    return lines


def _open_packed(path: Path) -> io.StringIO:
    return io.StringIO(inflate(path).decode("utf-8-sig"), newline="\n")


def write_lines(path: str | Path, texts: Iterable[str]) -> None:
    """Writes a file whole, a text a line; a line's end within a text becomes a blank."""
    write_whole(path, "".join(text.replace("\n", " ") + "\n" for text in texts))


def plain_blanks(line: str) -> str:
    """A line with a plain blank for every white space within, and none at its ends.

    fairseq cuts tokens at white space of any kind (tabs, no-break and ideographic spaces, …) and
    loses it; a plain blank becomes a part of a sentencepiece.
    """
    return re.sub(r"\s", " ", line.strip())


def warn_of_giant_line(path: str | Path, lines: list[str]) -> None:
    """Warns of a text that is one line, or nearly so: models read a sentence a line."""
    longest = max(lines, key=len, default="")
    if len(longest) > GIANT and 2 * len(longest) > sum(map(len, lines)):
        returns = longest.count("\r")
        logger.warning(
            f"{path} is one giant line of {len(longest):,} characters, and models read a sentence "
            "a line: cut it into lines"
            + (f"; its {returns:,} carriage returns are no line ends here" if returns else "")
        )


def require_honest_size(path: Path, size: int) -> None:
    """Raises UsageError if a packed file says that it holds more than such a file can."""
    if size > max(PACKED_FREELY, MOST_PACKED * path.stat().st_size):
        raise UsageError(
            f"{path} is refused: its {path.stat().st_size:,} bytes claim to hold {size:,}"
        )


def inflate(path: Path) -> bytes:
    """What a gzip file holds, read piece by piece.

    Raises:
        UsageError: it holds more than is honest, see ``require_honest_size``.
        OSError: it is no gzip file, or broken.
    """
    data = bytearray()
    try:
        with gzip.open(path) as file:
            while piece := file.read(1 << 20):
                data += piece
                require_honest_size(path, len(data))
    except (EOFError, zlib.error) as error:
        raise OSError(error) from None
    return bytes(data)


Cut = Callable[[str], list[str]]  # what makes tokens of a line


def read_tokens(path: str | Path, at_least: int = 1, cut: Cut = str.split) -> list[list[str]]:
    """Lines of a file, each cut into tokens, by default at blanks.

    Raises:
        UsageError: as ``read_lines``, or no line has a token.
    """
    sentences = list(map(cut, read_lines(path, at_least)))
    if not any(sentences):
        raise UsageError(f"{path} has empty lines only")
    return sentences


def read_json(path: str | Path, **needed: type) -> dict:
    """A JSON file that holds a mapping.

    Args:
        path: the file.
        needed: entries that it must have, and of which kind they are.

    Raises:
        UsageError: it is missing, no JSON, no mapping, or an entry is not as it must be.
    """
    try:
        entries = json.loads("\n".join(read_lines(path)))
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is not valid JSON: {error}") from None
    if not isinstance(entries, dict):
        raise UsageError(f"{path} holds no mapping")
    for name, kind in needed.items():
        if name not in entries:
            raise UsageError(f"{path} has no entry {name!r}")
        if not isinstance(entries[name], kind):
            raise UsageError(f"{path}: {name} must be a {kind.__name__}")
    return entries


def read_points(path: str | Path, *needed: str) -> list[dict]:
    """The measured or sampled points of a JSON file, at least one, each with the needed entries.

    Raises:
        UsageError: as ``read_json``, or a point is not as it must be.
    """
    points = read_json(path, points=list)["points"]
    if not points:
        raise UsageError(f"{path} has no points")
    for point in points:
        if not isinstance(point, dict):
            raise UsageError(f"{path} has a point that is no mapping")
        if missing := [name for name in needed if name not in point]:
            raise UsageError(f"{path} has a point without {missing[0]!r}")
        for name, kind in POINT_KINDS.items():
            if not isinstance(point.get(name, kind()), kind):
                raise UsageError(f"{path} has a point whose {name!r} is no {kind.__name__}")
    return points


def read_samples(path: str | Path, known: set[str], cut: Cut = str.split) -> list[list[str]]:
    """At least two samples, each cut into tokens.

    Args:
        path: the file, a sample a line.
        known: the words of the references.
        cut: what cut them.

    Raises:
        UsageError: as ``read_tokens``, or the samples have no word of the references.
    """
    samples = read_tokens(path, 2, cut)
    if not any(token in known for sample in samples for token in sample):
        raise UsageError(
            f"{path} has no word in common with the references: is it cut into tokens alike?"
        )
    return samples


def digest(path: str | Path) -> str:
    """SHA-256 of a file: what is made from it may be moved with it, and is told by its content."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_name(name: str) -> str:
    """A name in letters, digits and _ of any language."""
    return re.sub(r"\W+", "_", name)


def write_whole(path: str | Path, text: str) -> None:
    """Writes a file so that it appears only once it is complete.

    Raises:
        UsageError: it cannot be written.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None

"""Reads text, a sentence a line, and says in one line what is wrong with it."""

import hashlib
import re
from pathlib import Path

from fairseq_genext.errors import UsageError


def read_lines(path: str | Path, at_least: int = 1) -> list[str]:
    """Lines of a UTF-8 file.

    Raises:
        UsageError: the file is missing, is not UTF-8, or has fewer than ``at_least`` lines.
    """
    path = Path(path)
    if not path.is_file():
        raise UsageError(f"{path} does not exist")
    try:
        # Lines as fairseq counts them; str.splitlines() would cut at U+2028 and others as well.
        with path.open(encoding="utf-8") as file:
            lines = [line.rstrip("\n") for line in file]
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text: {error}") from None
    if len(lines) < at_least:
        raise UsageError(f"{path} has {len(lines)} lines; at least {at_least} are needed")
    return lines


def read_tokens(path: str | Path, at_least: int = 1) -> list[list[str]]:
    """Lines of a file, each split at blanks.

    Raises:
        UsageError: as ``read_lines``, or no line has a token.
    """
    sentences = [line.split() for line in read_lines(path, at_least)]
    if not any(sentences):
        raise UsageError(f"{path} has empty lines only")
    return sentences


def read_samples(path: str | Path, known: set[str]) -> list[list[str]]:
    """At least two samples, each split at blanks.

    Args:
        path: the file, a sample a line.
        known: the words of the references.

    Raises:
        UsageError: as ``read_tokens``, or the samples have no word of the references.
    """
    samples = read_tokens(path, at_least=2)
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
    """Writes a file so that it appears only once it is complete."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)

"""Reads the YAML manifest that says what a report compares, and the files it names."""

import re
from pathlib import Path

import yaml

from fairseq_genext.errors import UsageError
from fairseq_genext.files import read_lines, read_tokens

PERPLEXITY = re.compile(r'erplexity"?: ([0-9.]+(?:e[+-]?[0-9]+)?)')


class Manifest:
    """A manifest's entries, with paths found beside it.

    Args:
        path: the YAML file.
        needed: names of the entries it must have.

    Raises:
        UsageError: the manifest is missing, is no YAML mapping, or lacks a needed entry.
    """

    def __init__(self, path: Path, *needed: str) -> None:
        try:
            entries = yaml.safe_load("\n".join(read_lines(path)))
        except yaml.YAMLError as error:
            line = str(error).replace("\n", " ")
            raise UsageError(f"{path} is not valid YAML: {line}") from None
        require(entries, path, *needed)
        self.entries = entries
        self.path = path
        self.folder = path.parent

    def lines(self, name: str, at_least: int = 1) -> list[str]:
        """Lines of a file that the manifest names."""
        return read_lines(self.folder / name, at_least)

    def tokens(self, name: str, at_least: int = 1) -> list[list[str]]:
        """Lines of a file, split at blanks."""
        return read_tokens(self.folder / name, at_least)

    def perplexity(self, name: str | float) -> float:
        """The last perplexity in a file, fairseq-eval-lm's output or JSON; a number is itself.

        Raises:
            UsageError: the file has none.
        """
        if not isinstance(name, str):
            return float(name)
        found = PERPLEXITY.findall("\n".join(self.lines(name)))
        if not found:
            raise UsageError(f"{self.folder / name} names no perplexity")
        return float(found[-1])


def require(entry, where: str | Path, *names: str) -> None:
    """Raises UsageError unless ``entry`` is a mapping that has all the names."""
    if not isinstance(entry, dict):
        raise UsageError(f"{where} must be a YAML mapping; see --help")
    for name in names:
        if name not in entry:
            raise UsageError(f"{where} has no entry {name!r}; see --help")


def check_systems(systems, where: str, *names: str) -> None:
    """Raises UsageError unless all systems have their entries, and names of their own."""
    if not isinstance(systems, list) or not systems:
        raise UsageError(f"{where} must be a list of systems; see --help")
    for number, system in enumerate(systems, start=1):
        require(system, f"{where}, number {number}", *names)
    called = [system["name"] for system in systems]
    if repeated := {name for name in called if called.count(name) > 1}:
        raise UsageError(f"{where} has two systems called {repeated.pop()!r}")

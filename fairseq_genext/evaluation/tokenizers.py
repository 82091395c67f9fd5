"""How text is cut into the tokens that BLEU and the other metrics of n-grams count.

The names are sacrebleu's (``--tokenize``): ``none`` cuts at blanks alone, ``13a`` and ``intl`` at
punctuation too, ``zh`` around every Chinese character, ``ja-mecab`` and ``ko-mecab`` into words,
``char`` around every character.
"""

import argparse
import logging
import re
from collections.abc import Callable, Iterable

from sacrebleu.metrics import BLEU

from fairseq_genext.errors import UsageError

NAMES = tuple(BLEU.TOKENIZERS)
AT_BLANKS = ("none", "13a", "intl")
FEW_BLANKS = 0.04  # of the characters: English text has a sixth, Thai a thirtieth, Chinese none
PACKAGES = {"ja-mecab": "sacrebleu[ja]", "ko-mecab": "sacrebleu[ko]"}

logger = logging.getLogger(__name__)


def add_tokenize_flag(parser: argparse.ArgumentParser, default: str) -> None:
    """The flag ``--tokenize``; ``default`` says in words what is taken without it."""
    parser.add_argument(
        "--tokenize",
        metavar="NAME",
        help=f"how BLEU and n-grams cut text: {', '.join(NAMES)} (default: {default})",
    )


def choose(
    name: str | None, references: Iterable[str], language: str | None = "", default: str = "13a"
) -> str:
    """The tokenizer to take; warns if it leaves the references uncut.

    Args:
        name: of a tokenizer; None takes that of the language, or the default.
        references: their lines.
        language: the code of theirs, such as ``zh`` or ``zh_CN``.
        default: for languages that sacrebleu has none for.

    Raises:
        UsageError: there is no such tokenizer, or a package is missing.
    """
    chosen, code = name is None, re.split("[-_]", (language or "").lower())[0]
    if chosen:
        name = BLEU._TOKENIZER_MAP.get(code, default)
    elif name not in NAMES:
        raise UsageError(f"--tokenize {name} does not exist; choose one of {', '.join(NAMES)}")
    try:
        BLEU(tokenize=name)
    except Exception as error:  # each says in its own way what it misses
        reason = " ".join(str(error).split())
        if name in PACKAGES:
            reason = f"it needs pip install '{PACKAGES[name]}'"
        if not chosen:
            raise UsageError(f"--tokenize {name}: {reason}; or choose char") from None
        logger.warning(f"BLEU counts characters (char); for {code} take {name}: {reason}")
        return "char"
    warn_if_uncut(name, references)
    return name


def warn_if_uncut(name: str, lines: Iterable[str], flag: str = "--tokenize") -> None:
    """Warns if a tokenizer cuts at blanks and the lines have hardly any; ``flag`` names it."""
    text = "\n".join(lines)
    blanks = len(re.findall(r"[^\S\n]", text))
    if name in AT_BLANKS and blanks < FEW_BLANKS * len(text):
        logger.warning(
            f"the text has hardly any blanks, at which the tokenizer {name} cuts, so that whole "
            f"sentences count as words; choose another by {flag}: zh, ja-mecab, ko-mecab or char"
        )


def cutter(name: str) -> Callable[[str], list[str]]:
    """What makes tokens of a line."""
    tokenizer = BLEU(tokenize=name).tokenizer
    return lambda line: tokenizer(line).split()

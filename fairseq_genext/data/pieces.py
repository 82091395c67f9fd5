"""Trains a sentencepiece model and cuts files into its pieces, from the shell.

    python -m fairseq_genext.data.pieces PREFIX --train FILE … --vocabulary 3000 \\
        --encode TEXT PIECES --encode TEXT PIECES …

writes PREFIX.model, PREFIX.vocab and each PIECES, which fairseq-preprocess reads. fairseq-generate
and fairseq-interactive go back to plain text with ``--bpe sentencepiece --sentencepiece-model
PREFIX.model``. It comes back as it was, but for white space: within a line each becomes a plain
blank, whatever kind it is (so does the mark of blanks, U+2581), and at its ends it goes. A line
ends where ``wc -l`` says. With ``--normalization nfkc`` and the like the model rewrites what it
reads; what is measured against its output must then be rewritten alike (``normalizer``).
"""

import argparse
import logging
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import sentencepiece

from fairseq_genext.errors import UsageError
from fairseq_genext.files import plain_blanks, read_lines, warn_of_giant_line, write_lines

# What Python, but not `wc -l` and not fairseq-preprocess with the plugin, takes for a line's end.
OTHER_LINE_ENDS = re.compile("[\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
# sentencepiece's rules: none, NFKC of Unicode, and with cf in lower case; nmt also drops controls.
NORMALIZATIONS = ("identity", "nfkc", "nfkc_cf", "nmt_nfkc", "nmt_nfkc_cf")
LONGEST = 4192  # bytes of a line, sentencepiece's default; longer ones it leaves out
BLANK = "\u2581"  # a blank in a piece
RESERVED = "\u2585"  # with which sentencepiece marks the unknown; lines that have it are left out

logger = logging.getLogger(__name__)


def train(
    prefix: str,
    inputs: list[str],
    vocabulary: int,
    normalization: str = "identity",
    symbols: Sequence[str] = (),
) -> None:
    """Writes ``prefix.model`` and ``prefix.vocab``, a unigram model (Kudo 2018).

    Args:
        prefix: path without its ending.
        inputs: texts, a sentence a line.
        vocabulary: number of pieces.
        normalization: one of ``NORMALIZATIONS``.
        symbols: texts that are pieces of their own wherever they stand, such as a separator.

    Raises:
        UsageError: an input is missing, or too small for the vocabulary.
    """
    lines = [line for path in inputs for line in read_sentences(path)]
    left_out = sum(len(line.encode()) > LONGEST or RESERVED in line for line in lines)
    if left_out:
        logger.warning(
            f"sentencepiece leaves out {left_out:,} of {len(lines):,} lines: they are longer than "
            f"{LONGEST:,} bytes or have its mark {RESERVED}"
        )
    if left_out == len(lines):
        raise UsageError(f"{', '.join(inputs)}: sentencepiece can learn from none of the lines")
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(lines),
            model_prefix=f"{prefix}.part",
            vocab_size=vocabulary,
            character_coverage=1.0,
            normalization_rule_name=normalization,
            user_defined_symbols=list(symbols),
            remove_extra_whitespaces=normalization != "identity",
            minloglevel=2,
        )
    except RuntimeError as error:
        # The reason stands behind the failed condition: "INTERNAL: file(line) [condition] reason".
        raise UsageError(f"sentencepiece: {str(error).split('] ')[-1].strip()}") from None
    for suffix in ("model", "vocab"):
        os.replace(f"{prefix}.part.{suffix}", f"{prefix}.{suffix}")


def read_sentences(path: str) -> list[str]:
    """Lines of a text with plain blanks; says where that takes away what others read as line ends.

    Raises:
        UsageError: as ``read_lines``.
    """
    lines = read_lines(path)
    warn_of_giant_line(path, lines)
    if odd := sum(len(OTHER_LINE_ENDS.findall(line)) for line in lines):
        logger.warning(
            f"{path}: {odd:,} carriage returns, form feeds or the like within lines, which some "
            "programs take for line ends, become blanks"
        )
    return list(map(plain_blanks, lines))


def encode(model: str, source: str, target: str) -> None:
    """Writes ``target``: each line of ``source`` as pieces, separated by blanks.

    Raises:
        UsageError: the model or the source is missing, or is something else.
    """
    encoded = load(model).encode(read_sentences(source), out_type=str)
    write_lines(target, map(" ".join, encoded))


def load(model: str | Path) -> sentencepiece.SentencePieceProcessor:
    """A sentencepiece model.

    Raises:
        UsageError: there is no such file, or it is something else.
    """
    if not os.path.isfile(model):
        raise UsageError(f"{model} does not exist")
    try:
        return sentencepiece.SentencePieceProcessor(model_file=str(model))
    except (OSError, RuntimeError):  # which of them depends on its version
        raise UsageError(f"{model} is no sentencepiece model") from None


def normalizer(model: str | Path) -> Callable[[str], str]:
    """What a text becomes when a model cuts it into pieces and they are joined again.

    Raises:
        UsageError: as ``load``.
    """
    processor = load(model)
    return lambda line: processor.normalize(plain_blanks(line)).replace(BLANK, " ").strip()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m fairseq_genext.data.pieces", description=__doc__.splitlines()[0]
    )
    parser.add_argument("prefix", help="PREFIX.model is the model")
    parser.add_argument("--train", nargs="+", metavar="FILE", help="train the model on these files")
    parser.add_argument("--vocabulary", type=int, default=8000, help="number of pieces")
    parser.add_argument(
        "--normalization",
        choices=NORMALIZATIONS,
        default="identity",
        help="how the model rewrites text (default: not at all)",
    )
    parser.add_argument(
        "--symbols",
        nargs="+",
        default=[],
        help="texts that are pieces of their own wherever they stand, such as <sep> for --loss-on",
    )
    parser.add_argument(
        "--encode",
        nargs=2,
        action="append",
        default=[],
        metavar=("TEXT", "PIECES"),
        help="write PIECES, the lines of TEXT as pieces separated by blanks; any number of times",
    )
    args = parser.parse_args()
    if args.train:
        train(args.prefix, args.train, args.vocabulary, args.normalization, args.symbols)
    for text, pieces in args.encode:
        encode(f"{args.prefix}.model", text, pieces)


if __name__ == "__main__":
    main()

"""Trains a sentencepiece model and cuts files into its pieces, from the shell.

    python -m fairseq_genext.data.pieces PREFIX --train FILE … --vocabulary 3000 \\
        --encode TEXT PIECES --encode TEXT PIECES …

writes PREFIX.model, PREFIX.vocab and each PIECES, which fairseq-preprocess reads. fairseq-generate
and fairseq-interactive go back to plain text with ``--bpe sentencepiece --sentencepiece-model
PREFIX.model``.
"""

import argparse
import os
from pathlib import Path

import sentencepiece

from fairseq_genext.errors import UsageError


def train(prefix: str, inputs: list[str], vocabulary: int) -> None:
    """Writes ``prefix.model`` and ``prefix.vocab``, a unigram model (Kudo 2018).

    Raises:
        UsageError: an input is missing, or too small for the vocabulary.
    """
    require_files(inputs)
    try:
        sentencepiece.SentencePieceTrainer.train(
            input=inputs,
            model_prefix=f"{prefix}.part",
            vocab_size=vocabulary,
            character_coverage=1.0,
            minloglevel=2,
        )
    except RuntimeError as error:
        # The reason stands behind the failed condition: "INTERNAL: file(line) [condition] reason".
        raise UsageError(f"sentencepiece: {str(error).split('] ')[-1].strip()}") from None
    for suffix in ("model", "vocab"):
        os.replace(f"{prefix}.part.{suffix}", f"{prefix}.{suffix}")


def encode(model: str, source: str, target: str) -> None:
    """Writes ``target``: each line of ``source`` as pieces, separated by blanks.

    Raises:
        UsageError: the model or the source is missing, or is something else.
    """
    require_files([model, source])
    try:
        processor = sentencepiece.SentencePieceProcessor(model_file=model)
    except RuntimeError:
        raise UsageError(f"{model} is no sentencepiece model") from None
    with open(source, encoding="utf-8") as file:
        # As fairseq reads lines: str.splitlines would also cut at form feeds and the like, and so
        # shift one side of a parallel corpus.
        lines = [line.rstrip("\n") for line in file]
    encoded = (" ".join(pieces) for pieces in processor.encode(lines, out_type=str))
    part = Path(f"{target}.part")
    part.write_text("".join(f"{line}\n" for line in encoded), encoding="utf-8")
    part.replace(target)


def require_files(paths: list[str]) -> None:
    """Raises UsageError for the first path that is no file."""
    for path in paths:
        if not os.path.isfile(path):
            raise UsageError(f"{path} does not exist")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m fairseq_genext.data.pieces", description=__doc__.splitlines()[0]
    )
    parser.add_argument("prefix", help="PREFIX.model is the model")
    parser.add_argument("--train", nargs="+", metavar="FILE", help="train the model on these files")
    parser.add_argument("--vocabulary", type=int, default=8000, help="number of pieces")
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
        train(args.prefix, args.train, args.vocabulary)
    for text, pieces in args.encode:
        encode(f"{args.prefix}.model", text, pieces)


if __name__ == "__main__":
    main()

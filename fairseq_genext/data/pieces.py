"""Trains a sentencepiece model and encodes files with it, from the shell.

    python -m fairseq_genext.data.pieces train MODEL_PREFIX --input FILE … --vocabulary 3000
    python -m fairseq_genext.data.pieces encode MODEL.model FILE FILE.pieces …

The pieces are what fairseq-preprocess reads; fairseq-generate and fairseq-interactive go back to
plain text with ``--bpe sentencepiece --sentencepiece-model MODEL.model``.
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
        # Its message spans lines; the last sentence says what to change.
        raise UsageError(f"sentencepiece: {str(error).splitlines()[-1].strip()}") from None
    for suffix in ("model", "vocab"):
        os.replace(f"{prefix}.part.{suffix}", f"{prefix}.{suffix}")


def encode(model: str, source: str, target: str) -> None:
    """Writes ``target``: each line of ``source`` as pieces, separated by blanks.

    Raises:
        UsageError: the model or the source is missing.
    """
    require_files([model, source])
    processor = sentencepiece.SentencePieceProcessor(model_file=model)
    lines = Path(source).read_text(encoding="utf-8").splitlines()
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
    commands = parser.add_subparsers(dest="command", required=True)
    trainer = commands.add_parser("train", help="train a model on raw text")
    trainer.add_argument("prefix", help="writes PREFIX.model and PREFIX.vocab")
    trainer.add_argument("--input", nargs="+", required=True, help="raw text, a sentence a line")
    trainer.add_argument("--vocabulary", type=int, required=True, help="number of pieces")
    encoder = commands.add_parser("encode", help="cut raw text into pieces")
    encoder.add_argument("model", help="a sentencepiece model")
    encoder.add_argument("files", nargs="+", help="SOURCE TARGET, any number of pairs")
    args = parser.parse_args()
    if args.command == "train":
        train(args.prefix, args.input, args.vocabulary)
    elif len(args.files) % 2 != 0:
        raise UsageError("encode takes files in pairs: SOURCE TARGET [SOURCE TARGET …]")
    else:
        for source, target in zip(args.files[::2], args.files[1::2], strict=True):
            encode(args.model, source, target)


if __name__ == "__main__":
    main()

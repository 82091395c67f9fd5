"""Translates a split with one checkpoint in several ways, in one process.

    python -m fairseq_genext.evaluation.translate DATA --checkpoint PATH \\
        --decoding greedy="--beam 1" --decoding "beam 5"="--beam 5" \\
        --output translations/dbam --json dbam.json

writes translations/dbam/greedy.txt, …, a line a sentence, and to the JSON a point each with
``decoding``, ``translations`` and ``sentences_per_second``. What fairseq-generate would print.
"""

import shlex
from pathlib import Path

from fairseq_genext.errors import UsageError
from fairseq_genext.evaluation import command
from fairseq_genext.evaluation.checkpoints import require_checkpoint
from fairseq_genext.evaluation.generation import generate
from fairseq_genext.files import file_name, write_lines


def named_decodings(given: list[str]) -> dict[str, list[str]]:
    """NAME=FLAGS … as a mapping.

    Raises:
        UsageError: one has another form, or a name is given twice.
    """
    named: dict[str, list[str]] = {}
    for entry in given:
        name, found, flags = entry.partition("=")
        if not found or not name or file_name(name) in map(file_name, named):
            raise UsageError(f"--decoding {entry!r}: write NAME=FLAGS, each name once")
        named[name] = shlex.split(flags)
    return named


def main() -> None:
    """The command line."""
    parser = command.parser("translate", __doc__)
    parser.add_argument("data", help="binarised data folder")
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--split", default="test")
    parser.add_argument("--decoding", action="append", required=True, metavar="NAME=FLAGS")
    parser.add_argument("--flags", default="", help="of fairseq-generate, for all decodings")
    parser.add_argument("--sentencepiece-model", help="joins the model's pieces to words")
    parser.add_argument("--output", type=Path, required=True, help="folder of the translations")
    parser.add_argument("--json", required=True, help="file to write the points to")
    args = parser.parse_args()
    require_checkpoint(args.checkpoint)
    common = [
        args.data, "--task", "translation", "--path", args.checkpoint, "--gen-subset", args.split,
        *shlex.split(args.flags),
    ]  # fmt: skip
    if args.sentencepiece_model:
        common += ["--bpe", "sentencepiece", "--sentencepiece-model", args.sentencepiece_model]
    points = []
    for name, flags in named_decodings(args.decoding).items():
        made = generate([*common, *flags])
        path = args.output / f"{file_name(name)}.txt"
        write_lines(path, made.texts)
        speed = len(made.texts) / made.seconds
        points.append({"decoding": name, "translations": str(path), "sentences_per_second": speed})
        print(f"{path}: {len(made.texts)} sentences, {speed:.1f} a second", flush=True)
    command.write_json(args.json, settings={}, points=points)


if __name__ == "__main__":
    main()

"""Trains a language model that scores texts: a gpt_doc of about two million parameters.

    python recipes/lib/train_scorer.py TEXT --data DATA --updates N --output FOLDER

cuts TEXT with DATA/pieces.model, binarises it with the dictionary of DATA/bin, and trains on it
into FOLDER/checkpoint_last.pt. Writes FOLDER.json at the end.
"""

import argparse
import shutil
import sys
from pathlib import Path

from fairseq import options
from fairseq_cli import preprocess, train

import fairseq_genext
from fairseq_genext.data import pieces
from fairseq_genext.files import write_whole


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--updates", type=int, required=True, help="of 64 sentences")
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    shutil.rmtree(args.output, ignore_errors=True)
    args.output.mkdir(parents=True)
    cut = str(args.output / "text.pieces")
    pieces.encode(str(args.data / "pieces.model"), args.text, cut)
    binarised = args.output / "bin"
    dictionary = str(args.data / "bin" / "dict.txt")
    preprocess.main(
        options.get_preprocessing_parser().parse_args(
            [
                "--only-source",
                "--srcdict",
                dictionary,
                "--trainpref",
                cut,
                "--destdir",
                str(binarised),
            ]
        )
    )
    sys.argv = [
        "fairseq-train", str(binarised), "--user-dir", str(Path(fairseq_genext.__file__).parent),
        "--task", "unconditional_generation", "--arch", "gpt_doc_mini", "--decoder-layers", "2",
        "--decoder-embed-dim", "192", "--dropout", "0.1", "--criterion", "cross_entropy",
        "--optimizer", "fused_adamw", "--weight-decay", "0.1", "--clip-norm", "1.0",
        "--batch-size", "64", "--lr", "3e-3", "--lr-scheduler", "cosine", "--seed", "1",
        "--warmup-updates", str(args.updates // 10 + 1), "--max-update", str(args.updates),
        "--disable-validation", "--no-epoch-checkpoints", "--save-dir", str(args.output),
        "--log-format", "json", "--log-interval", "25",
    ]  # fmt: skip
    train.cli_main()
    write_whole(f"{args.output}.json", "{}\n")


if __name__ == "__main__":
    main()

"""Trains a language model that scores texts: a gpt_doc of about two million parameters.

    python recipes/lib/train_scorer.py TEXT DATA UPDATES FOLDER

cuts TEXT with DATA/pieces.model, binarises it with the dictionary of DATA/bin, and trains on it
into FOLDER/checkpoint_last.pt, for UPDATES of 64 sentences. Writes FOLDER.json at the end.
"""

import shutil
import sys
from pathlib import Path

from prepare_data import binarise
from train import fairseq_train

from fairseq_genext.data import pieces
from fairseq_genext.files import write_whole

FLAGS = (
    "--task unconditional_generation --arch gpt_doc_mini --decoder-layers 2 "
    "--decoder-embed-dim 192 --dropout 0.1 --criterion cross_entropy --optimizer fused_adamw "
    "--weight-decay 0.1 --clip-norm 1.0 --batch-size 64 --lr 3e-3 --lr-scheduler cosine --seed 1 "
    "--disable-validation"
)


def main() -> None:
    """The command line."""
    text, data, updates, folder = sys.argv[1:]
    shutil.rmtree(folder, ignore_errors=True)
    Path(folder).mkdir(parents=True)
    pieces.encode(f"{data}/pieces.model", text, f"{folder}/train.pieces")
    dictionary = ["--only-source", "--srcdict", f"{data}/bin/dict.txt"]
    binarise(Path(folder), *dictionary, splits=("train",))
    schedule = ["--warmup-updates", str(int(updates) // 10 + 1), "--max-update", updates]
    fairseq_train(f"{folder}/bin", [*FLAGS.split(), *schedule, "--save-dir", folder])
    write_whole(f"{folder}.json", "{}\n")


if __name__ == "__main__":
    main()

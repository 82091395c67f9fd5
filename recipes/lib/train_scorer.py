"""Trains language models that score texts: gpt_docs of about two million parameters.

    python recipes/lib/train_scorer.py DATA UPDATES FOLDER TEXT …

cuts each TEXT with DATA/pieces.model, binarises it with the dictionary of DATA/bin, and trains on
it for UPDATES of 64 sentences: NAME.txt into FOLDER/NAME/checkpoint_last.pt. Writes FOLDER.json at
the end.
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
    data, updates, folder, *texts = sys.argv[1:]
    shutil.rmtree(folder, ignore_errors=True)
    dictionary = ["--only-source", "--srcdict", f"{data}/bin/dict.txt"]
    schedule = ["--warmup-updates", str(int(updates) // 10 + 1), "--max-update", updates]
    for text in map(Path, texts):
        own = Path(folder) / text.stem
        own.mkdir(parents=True)
        pieces.encode(f"{data}/pieces.model", str(text), f"{own}/train.pieces")
        binarise(own, *dictionary, splits=("train",))
        fairseq_train(own / "bin", [*FLAGS.split(), *schedule, "--save-dir", str(own)])
    write_whole(f"{folder}.json", "{}\n")


if __name__ == "__main__":
    main()

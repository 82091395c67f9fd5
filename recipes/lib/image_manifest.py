"""Writes the report's manifest for what recipes/image_gan.sh has made."""

import argparse
import os
import re
import sys
from pathlib import Path

import yaml
from trained_model import trained

NAME = "gan_image_doc"


def checkpoints(folder: Path, updates: int) -> list[dict]:
    """The sample files of all checkpoints, the last of which stands after ``updates``."""
    by_update = {updates: "samples/checkpoint_last.npy"}
    for path in (folder / "samples").glob("checkpoint_*_*.npy"):
        number = int(re.search(r"_(\d+)$", path.stem)[1])
        by_update.setdefault(number, f"samples/{path.name}")
    return [{"updates": number, "samples": by_update[number]} for number in sorted(by_update)]


def main() -> None:
    """Prints the manifest."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--real", type=Path, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--command", required=True)
    args = parser.parse_args()
    training = trained(args.folder, NAME)
    manifest = {
        "title": "An image GAN over its training",
        "command": args.command,
        "notes": [
            "The generator is 100→256→512→pixels with batch norm and ReLU, the discriminator "
            "pixels→512→256→1 with LeakyReLU 0.2 and dropout 0.5; binary cross entropy, AdamW at "
            f"1e-4, batches of 32, in turns 1:1; {training['updates']:,} updates, half of them of "
            f"each player; seed {args.seed}."
        ],
        "real": os.path.relpath(args.real, args.folder),
        "checkpoints": checkpoints(args.folder, training["updates"]),
        **{name: training[name] for name in ("log", "parameters", "seconds")},
    }
    yaml.safe_dump(manifest, sys.stdout, sort_keys=False, allow_unicode=True)


if __name__ == "__main__":
    main()

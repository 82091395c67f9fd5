"""Checks a folder of images and prints the flags that tell `--task gan_image` their size."""

import argparse
from pathlib import Path

from fairseq_genext.data.images import read_split
from fairseq_genext.errors import UsageError


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    shapes = {split: read_split(folder, split).pixels.shape[1:] for split in ("train", "valid")}
    height, width = shapes["train"]
    if shapes["valid"] != (height, width):
        raise UsageError(f"{folder}: train and valid have images of different sizes, {shapes}")
    print(f"--image-height {height} --image-width {width}")


if __name__ == "__main__":
    main()

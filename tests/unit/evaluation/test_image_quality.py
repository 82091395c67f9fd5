"""Class shares, collapse in words, and what is refused."""

import json

import numpy as np
import pytest
from PIL import Image

from fairseq_genext.data.images import Images
from fairseq_genext.errors import UsageError
from fairseq_genext.evaluation import image_quality
from fairseq_genext.evaluation.image_grid import write_grid
from fairseq_genext.evaluation.image_quality import ImageMetrics, verdict

CLASSES = 4


def stripes(number: int, seed: int, classes=range(CLASSES)) -> Images:
    """Images of 4 x 4 with noise and one bright row, which is the class."""
    draw = np.random.default_rng(seed)
    labels = np.resize(list(classes), number)
    pixels = draw.integers(0, 100, (number, 4, 4), dtype=np.uint8)
    pixels[np.arange(number), labels] += 150
    return Images(pixels, labels.astype(np.int64), "stripes")


@pytest.fixture(scope="module")
def metrics():
    return ImageMetrics(stripes(400, seed=1), stripes(100, seed=2))


def test_good_samples(metrics):
    assert metrics.accuracy == 1.0
    row = metrics.measure(stripes(200, seed=3).pixels, "good")
    assert row["shares"] == {str(label): 0.25 for label in range(CLASSES)}
    assert row["smallest_share"] == 0.25 and row["sure"] > 0.9 and row["number"] == 200
    assert row["verdict"] == "all 4 classes reach 3 %"


def test_collapsed_samples_are_called_that(metrics):
    pixels = stripes(198, seed=3, classes=[0, 2]).pixels
    row = metrics.measure(np.concatenate([pixels, stripes(2, 4, [1]).pixels]), "collapsed")
    assert row["shares"] == {"0": 0.495, "1": 0.01, "2": 0.495, "3": 0.0}
    assert row["verdict"] == "collapsed: classes below 3 %: 1 (1.0 %), 3 (0.0 %)"
    assert row["frechet"] > 10 * metrics.held_out()["frechet"]


def test_3_per_cent_is_enough():
    assert verdict({"a": 0.03, "b": 0.97}) == "all 2 classes reach 3 %"
    assert verdict({"a": 0.029, "b": 0.971}).startswith("collapsed")


def test_without_labels_the_distance_is_on_pixels():
    one, other = (Images(stripes(200, seed).pixels) for seed in (1, 2))
    metrics = ImageMetrics(one, other)
    assert metrics.features == "pixels"
    row = metrics.measure(np.roll(other.pixels, 1, axis=1), "rolled")
    assert row.keys() == {"name", "number", "frechet"}
    # A constant shift of every pixel by 51/255: 16 times 0.2².
    dark = ImageMetrics(Images(one.pixels // 2), Images(one.pixels // 2))
    assert dark.measure(one.pixels // 2 + 51, "lighter")["frechet"] == pytest.approx(16 * 0.04)


@pytest.mark.parametrize(
    ("pixels", "says"),
    [
        (np.zeros((9, 4, 5), np.uint8), r"images of \(4, 5\) pixels, the real ones have \(4, 4\)"),
        (np.zeros((1, 4, 4), np.uint8), "at least two images"),
    ],
)
def test_samples_that_cannot_be_measured(metrics, pixels, says):
    with pytest.raises(UsageError, match=says):
        metrics.measure(pixels, "these")


def test_one_class_only():
    with pytest.raises(UsageError, match="all of one class"):
        ImageMetrics(stripes(10, 1, [0]), stripes(10, 2, [0]))


def save(folder, number: int, name: str) -> Images:
    images = stripes(number, seed=5)
    np.savez(folder / name, images=images.pixels, labels=images.labels, source="made up")
    return images


def test_command(tmp_path, monkeypatch, capsys):
    """From one file, a fifth of which is held out."""
    images = save(tmp_path, 300, "real.npz")
    np.save(tmp_path / "s.npy", images.pixels[images.labels != 1])
    argv = ["q", tmp_path / "real.npz", tmp_path / "s.npy", "--output", tmp_path / "out" / "q"]
    monkeypatch.setattr("sys.argv", list(map(str, argv)))
    image_quality.main()
    figures = json.loads((tmp_path / "out" / "q.json").read_text())
    held_out, row = figures["points"]
    assert held_out["number"] == 60 and row["number"] == 225
    assert row["verdict"] == "collapsed: classes below 3 %: 1 (0.0 %)"
    settings = figures["settings"]
    assert "classifier" in settings["features"] and settings["classifier_accuracy"] == 1.0
    # The same, listed as image_samples does, in a file each.
    listed = {"points": [{"updates": 1000, "images": str(tmp_path / "s.npy")}]}
    (tmp_path / "s.json").write_text(json.dumps(listed))
    argv = ["q", tmp_path / "real.npz", tmp_path / "s.json", "--points", tmp_path / "points.json"]
    monkeypatch.setattr("sys.argv", list(map(str, [*argv, "--held-out", tmp_path / "real.json"])))
    shown = capsys.readouterr().out
    image_quality.main()
    points, real = (json.loads((tmp_path / f"{n}.json").read_text()) for n in ("points", "real"))
    point = {"updates": 1000, "name": "1,000 updates"}
    assert points["points"] == [row | point] and real["points"] == [held_out]
    assert points["settings"] == real["settings"] == settings
    markdown = (tmp_path / "out" / "q.md").read_text()
    assert "collapsed: classes below 3 %" in markdown and markdown in shown


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (None, "does not exist"),
        (b"no array", "cannot be read as npy"),
        (np.zeros((2, 16), np.uint8), "holds no images"),
        (np.zeros((2, 4, 4)), "holds no images"),
    ],
)
def test_bad_samples(tmp_path, data, says):
    path = tmp_path / "s.npy"
    if isinstance(data, bytes):
        path.write_bytes(data)
    elif data is not None:
        np.save(path, data)
    with pytest.raises(UsageError, match=says):
        image_quality.read_samples(path)


def test_grid(tmp_path):
    pixels = np.arange(12, dtype=np.uint8)[:, None, None].repeat(3, 1).repeat(5, 2) * 20
    write_grid(pixels, tmp_path / "grid.png")
    with Image.open(tmp_path / "grid.png") as image:
        grid = np.asarray(image)
    assert grid.shape == (2 * (2 * 4 + 1), 2 * (10 * 6 + 1))
    # The middle of the twelfth image: second row, second column.
    assert grid[2 * (1 + 4 + 1), 2 * (1 + 6 + 2)] == 220

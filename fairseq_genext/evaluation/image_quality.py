"""Quality and diversity of generated images, against real ones.

    python -m fairseq_genext.evaluation.image_quality REAL SAMPLES … [--output PREFIX]

REAL is a folder of images with splits train and valid, or one file, of which a fifth is held out;
see fairseq_genext/data/images.py. SAMPLES are npy files, or the JSON that image_samples lists them
in. It prints a Markdown table, and with --output writes PREFIX.md and PREFIX.json. --points and
--held-out take the figures of the samples and those of held-out real images, a file each.

With labels, a classifier is trained on the real images. The Fréchet distance is then taken on its
last hidden layer, and the share of every class among the samples shows what the generator leaves
out. Without labels the distance is taken on pixels, and there are no shares. Held-out real images
are measured like samples: no generator is expected to do better. The distance grows as samples get
fewer, so compare it among equal numbers only.
"""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from fairseq_genext.data.images import Images, read_images, read_split
from fairseq_genext.data.npz import read_array
from fairseq_genext.errors import UsageError
from fairseq_genext.evaluation import command
from fairseq_genext.evaluation.metrics.frechet import frechet_distance
from fairseq_genext.evaluation.tables import columns, format_table, markdown
from fairseq_genext.files import read_points, write_whole

HIDDEN = (256, 64)
LEAST_SHARE = 0.03
SURE = 0.9
HELD_OUT = "held-out real images"


class ImageMetrics:
    """Measures samples against real images.

    Classes are told by a multilayer perceptron over pixels, with 256 and 64 ReLU units.

    Args:
        train: the real images that the generator was to learn from.
        valid: real images held out.
        seed: of the classifier's first weights and batches.

    Raises:
        UsageError: there are too few images, or labels of one class only.
    """

    def __init__(self, train: Images, valid: Images, seed: int = 1) -> None:
        self.classifier = self.accuracy = None
        self.features = "pixels"
        if train.labels is not None and valid.labels is not None:
            if len(np.unique(train.labels)) < 2:
                raise UsageError("the real images are all of one class: there is nothing to tell")
            # Stops when ten passes in a row lower the training loss by less than tol.
            self.classifier = MLPClassifier(HIDDEN, tol=1e-3, max_iter=100, random_state=seed)
            with warnings.catch_warnings(action="ignore", category=ConvergenceWarning):
                self.classifier.fit(scaled(train.pixels), train.labels)
            self.accuracy = float(self.classifier.score(scaled(valid.pixels), valid.labels))
            self.features = f"last hidden layer ({HIDDEN[-1]} units) of the classifier"
        self.shape = train.pixels.shape[1:]
        self.real = self.vectors(train.pixels, "the real images")
        self.valid = valid

    def vectors(self, pixels: np.ndarray, name: str) -> np.ndarray:
        """The images' features, ``(number, dim)``: the last hidden layer, without labels pixels."""
        if len(pixels) < 2:
            raise UsageError(f"{name}: a Fréchet distance needs at least two images")
        values = scaled(pixels)
        if self.classifier is not None:
            *hidden, _ = zip(self.classifier.coefs_, self.classifier.intercepts_, strict=True)
            for weight, bias in hidden:
                values = np.maximum(values @ weight + bias, 0)
        return values

    def measure(self, pixels: np.ndarray, name: str) -> dict:
        """Figures of one set of images.

        Args:
            pixels: ``(number, height, width)``, uint8.
            name: the set, in words.

        Returns:
            ``name``, ``number``, ``frechet``, and with labels ``shares`` (class to share),
            ``smallest_share``, ``sure`` (share that the classifier gives a class 90 % or more) and
            ``verdict`` on collapse.

        Raises:
            UsageError: the images are too few, or of another size than the real ones.
        """
        if pixels.shape[1:] != self.shape:
            raise UsageError(
                f"{name} has images of {pixels.shape[1:]} pixels, the real ones have {self.shape}"
            )
        distance = frechet_distance(self.vectors(pixels, name), self.real)
        row = {"name": name, "number": len(pixels), "frechet": distance}
        if self.classifier is not None:
            classes = self.classifier.classes_
            chances = self.classifier.predict_proba(scaled(pixels))
            counts = np.bincount(chances.argmax(axis=1), minlength=len(classes)) / len(pixels)
            row["shares"] = dict(zip(map(str, classes), counts.tolist(), strict=True))
            row["smallest_share"] = float(counts.min())
            row["sure"] = float(np.mean(chances.max(axis=1) >= SURE))
            row["verdict"] = verdict(row["shares"])
        return row

    def held_out(self) -> dict:
        """The figures of the held-out real images."""
        return self.measure(self.valid.pixels, HELD_OUT)

    def explanation(self) -> str:
        """What the figures rest on, in words."""
        if self.classifier is None:
            distance = "Fréchet distance to the training images, on pixels"
            return f"{distance}: the real images have no labels, so there are no class shares."
        return (
            "Classes as told by a multilayer perceptron trained on the real training images, "
            f"right on {self.accuracy:.1%} of {len(self.valid.pixels):,} held-out ones. Fréchet "
            f"distance to the training images on the {self.features}."
        )


def verdict(shares: dict[str, float]) -> str:
    """Whether a class is left out, in words."""
    lost = [f"{name} ({share:.1%})" for name, share in shares.items() if share < LEAST_SHARE]
    told = f"all {len(shares)} classes reach {LEAST_SHARE:.0%}"
    if lost:
        told = f"collapsed: classes below {LEAST_SHARE:.0%}: {', '.join(lost)}"
    return told.replace("%", " %")


def scaled(pixels: np.ndarray) -> np.ndarray:
    """``(number, height, width)``, uint8, to ``(number, height * width)`` in [0, 1]."""
    return pixels.reshape(len(pixels), -1) / 255.0


def read_real(path: Path) -> tuple[Images, Images]:
    """Real images to train the classifier on, and others held out.

    Raises:
        UsageError: as ``read_split`` and ``read_images``, or a file has too few to hold some out.
    """
    if path.is_dir():
        return read_split(path, "train"), read_split(path, "valid")
    images = read_images(path)
    arrays = [images.pixels] if images.labels is None else [images.pixels, images.labels]
    try:
        parts = train_test_split(*arrays, test_size=0.2, stratify=images.labels, random_state=1)
    except ValueError as error:
        raise UsageError(f"{path} cannot be split for testing: {error}") from None
    return Images(*parts[::2]), Images(*parts[1::2])


def read_samples(path: Path) -> np.ndarray:
    """Images that ``image_samples`` wrote, ``(number, height, width)``, uint8.

    Raises:
        UsageError: the file is missing, or holds something else.
    """
    if not path.is_file():
        raise UsageError(f"{path} does not exist")
    pixels = read_array(path)
    if pixels.ndim != 3 or pixels.dtype != np.uint8:
        raise UsageError(f"{path} holds no images: (number, height, width) of uint8 is needed")
    return pixels


def table(rows: list[dict]) -> pd.DataFrame:
    """The figures as text, a column a class."""
    rows = [row | row.get("shares", {}) for row in rows]
    classes = list(rows[0].get("shares", {}))
    for row in rows:
        for name in ("smallest_share", "sure", *classes):
            if name in row:
                row[name] = f"{row[name]:.1%}".replace("%", " %")
    headings = columns("name", "number", "frechet", "smallest_share", "sure", *classes, "verdict")
    return format_table(rows, headings | {"name": "images"}, number=0, frechet=2)


def read_all_points(paths: list[Path]) -> list[dict]:
    """What is to be measured, with ``images``, an npy file, and a ``name``."""
    points = []
    for path in paths:
        if path.suffix == ".json":
            for point in read_points(path, "updates", "images"):
                points.append(point | {"name": f"{point['updates']:,} updates"})
        else:
            points.append({"images": str(path), "name": str(path)})
    return points


def main() -> None:
    """The command line."""
    parser = command.parser("image_quality", __doc__)
    parser.add_argument("real", type=Path, metavar="REAL", help="folder, npz file or IDX file")
    parser.add_argument("samples", nargs="+", type=Path, metavar="SAMPLES")
    parser.add_argument("--output", help="also write OUTPUT.md and OUTPUT.json")
    parser.add_argument("--points", help="JSON for the samples alone")
    parser.add_argument("--held-out", help="JSON for the held-out real images alone")
    args = parser.parse_args()
    points = read_all_points(args.samples)
    pixels = [read_samples(Path(point["images"])) for point in points]
    train, valid = read_real(args.real)
    metrics = ImageMetrics(train, valid)
    held_out = metrics.held_out()
    for point, images in zip(points, pixels, strict=True):
        point |= metrics.measure(images, point["name"])
    text = f"{markdown(table([held_out, *points]))}\n\n{metrics.explanation()}\n"
    print(text)
    settings = {
        "real": str(args.real),
        "source": train.source,
        "number_real": len(train.pixels),
        "features": metrics.features,
        "classifier_accuracy": metrics.accuracy,
        "explanation": metrics.explanation(),
    }
    if args.output:
        write_whole(f"{args.output}.md", text)
    for path, rows in (
        (args.output and f"{args.output}.json", [held_out, *points]),
        (args.points, points),
        (args.held_out, [held_out]),
    ):
        if path:
            command.write_json(path, settings=settings, points=rows)


if __name__ == "__main__":
    main()

"""Measures the images of a training's checkpoints against real ones.

    python -m fairseq_genext.evaluation.measure_images REAL --samples images/gan.json \\
        --output measured/gan.json --held-out measured/held_out_images.json

REAL is as for ``evaluation.image_quality``, which tells what the figures are. The JSON lists the
points of ``evaluation.image_samples``: ``updates`` and ``images``, an npy file.
"""

import argparse
import json
from pathlib import Path

from fairseq_genext.evaluation.image_quality import ImageMetrics, read_real, read_samples
from fairseq_genext.files import write_whole


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m fairseq_genext.evaluation.measure_images",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("real", type=Path, metavar="REAL", help="folder, npz file or IDX file")
    parser.add_argument("--samples", type=Path, required=True, help="JSON of image_samples")
    parser.add_argument("--output", required=True, help="JSON to write")
    parser.add_argument("--held-out", required=True, help="JSON for held-out real images")
    args = parser.parse_args()
    train, valid = read_real(args.real)
    metrics = ImageMetrics(train, valid)
    settings = {
        "real": str(args.real),
        "source": train.source,
        "number_real": len(train.pixels),
        "features": metrics.features,
        "classifier_accuracy": metrics.accuracy,
        "explanation": metrics.explanation(),
    }
    points = json.loads(args.samples.read_text(encoding="utf-8"))["points"]
    for point in points:
        pixels = read_samples(Path(point["images"]))
        point |= metrics.measure(pixels, f"{point['updates']:,} updates")
    for path, measured in ((args.held_out, [metrics.held_out()]), (args.output, points)):
        written = {"settings": settings, "points": measured}
        write_whole(path, json.dumps(written, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""Shows how an image generator learned: grids, curves, quality at every checkpoint.

    python -m fairseq_genext.evaluation.image_report MANIFEST.yaml --output FOLDER

writes image_report.html (self-contained), .md, .json and *.png. The manifest, whose paths are
relative to itself, says what was made:

    title: …
    notes: [lines about data, budget, seed]
    command: the command that made it all
    real: folder of real images, see fairseq_genext/data/images.py
    log: models/gan/train.log           # left out where there is none
    parameters, seconds: numbers
    checkpoints:                        # in the order of training
      - {updates: 2500, samples: samples/checkpoint_40_2500.npy}
"""

import json
from pathlib import Path

from fairseq_genext.errors import UsageError
from fairseq_genext.evaluation.image_quality import (
    LEAST_SHARE,
    Yardstick,
    read_real,
    read_samples,
    table,
)
from fairseq_genext.evaluation.reporting import pages, plots
from fairseq_genext.evaluation.reporting.image_grid import write_grid
from fairseq_genext.evaluation.reporting.manifest import Manifest, require
from fairseq_genext.evaluation.reporting.training_log import read_curves

REAL_GRID = "grid_real.png"


def read_manifest(path: Path) -> Manifest:
    """The manifest.

    Raises:
        UsageError: it is missing, is no YAML mapping, or lacks a needed entry.
    """
    manifest = Manifest(path, "title", "real", "checkpoints")
    checkpoints = manifest.entries["checkpoints"]
    if not isinstance(checkpoints, list) or not checkpoints:
        raise UsageError(f"{path}: checkpoints must be a list of them; see --help")
    for number, checkpoint in enumerate(checkpoints, start=1):
        require(checkpoint, f"{path}: checkpoints, number {number}", "updates", "samples")
    return manifest


def findings(rows: list[dict], held_out: dict) -> list[str]:
    """What the figures say, in a few sentences, for a reader in a hurry."""
    last = rows[-1]
    best = min(rows, key=lambda row: row["frechet"])
    said = [
        f"After {last['updates']:,} updates: Fréchet distance {last['frechet']:.2f} "
        f"(held-out real images {held_out['frechet']:.2f})."
    ]
    if "verdict" in last:
        said.append(f"{last['verdict'][0].upper()}{last['verdict'][1:]}.")
    if best is not last:
        said.append(
            f"The best distance, {best['frechet']:.2f}, was reached after {best['updates']:,}."
        )
    return said


def draw(manifest: Manifest, rows: list[dict], held_out: dict, folder: Path) -> dict[str, str]:
    """Writes the plots; returns file name to caption."""
    captions = {"quality.png": "Quality over training"}
    if "shares" in held_out:
        captions["quality.png"] += f"; dotted: {LEAST_SHARE:.0%} of the samples"
    plots.image_quality_curves(rows, held_out, LEAST_SHARE, folder / "quality.png")
    if "log" in manifest.entries:
        curves = read_curves(manifest.folder / manifest.entries["log"])
        plots.training_curves("training", curves, folder / "training.png")
        captions["training.png"] = "Losses and accuracies while training"
    return captions


def write_report(manifest: Manifest, folder: Path) -> None:
    """Measures everything and writes every file of the report into ``folder``."""
    entries = manifest.entries
    train, valid = read_real(manifest.folder / entries["real"])
    yardstick = Yardstick(train, valid)
    held_out = yardstick.held_out()
    rows, grids = [], {}
    for checkpoint in entries["checkpoints"]:
        updates = checkpoint["updates"]
        pixels = read_samples(manifest.folder / checkpoint["samples"])
        rows.append({"updates": updates, **yardstick.measure(pixels, f"{updates:,} updates")})
        name = f"grid_{updates:06d}.png"
        write_grid(pixels, folder / name)
        grids[name] = f"after {updates:,} updates"
    write_grid(train.pixels, folder / REAL_GRID)
    grids[REAL_GRID] = "real images"
    captions = draw(manifest, rows, held_out, folder)
    said = findings(rows, held_out)
    context = {
        "manifest": entries,
        "findings": said,
        "explanation": yardstick.explanation(),
        "table": table([held_out, *rows]),
        "source": train.source,
        "number": len(train.pixels),
        "plots": pages.embed(folder, captions),
        "grids": pages.embed(folder, grids),
    }
    pages.render("image_report", context, folder)
    figures = {
        **{name: entries[name] for name in ("title", "parameters", "seconds") if name in entries},
        "source": train.source,
        "findings": said,
        "features": yardstick.features,
        "classifier_accuracy": yardstick.accuracy,
        "held_out": held_out,
        "checkpoints": rows,
    }
    (folder / "image_report.json").write_text(json.dumps(figures, indent=1), encoding="utf-8")


def main() -> None:
    """The command line."""
    pages.command(__doc__, read_manifest, write_report)


if __name__ == "__main__":
    main()

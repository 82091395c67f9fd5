"""The oracle benchmark as one page: every system in the plane of NLL_oracle and NLL_test.

    python -m fairseq_genext.evaluation.oracle_report MANIFEST.yaml --output FOLDER

writes oracle_report.html (self-contained), .md, .json and *.png. The manifest, whose paths are
relative to itself, says what was measured:

    title: …
    notes: [lines about oracle, data, budget]
    command: the command that made it all
    planes: {1: planes/1.json, 2: …}    # by seed, what evaluation.oracle_plane wrote
    systems:
      - name: gan_seqgan
        curve: [mle]                    # likelihood models whose temperatures it has to beat
        start: mle                      # what its turns began from; left out where there is none
        published: 8.736                # NLL_oracle of its paper
        log: models/gan_seqgan.1/train.log
        updates, seconds: numbers, means over seeds
        chosen: [444, …]                # after which update, a number a seed
        note: what to know when reading its row

A system's row is its point at temperature 1; further temperatures make a curve.
"""

import json
import statistics
from pathlib import Path

import numpy as np

from fairseq_genext.errors import UsageError
from fairseq_genext.evaluation.reporting import pages, plots
from fairseq_genext.evaluation.reporting.manifest import Manifest, check_systems
from fairseq_genext.evaluation.reporting.seeds import sign_of_mean, spread
from fairseq_genext.evaluation.reporting.tables import format_table
from fairseq_genext.evaluation.reporting.training_log import read_curves

COLUMNS = {
    "name": "system",
    "oracle_nll": "NLL_oracle ↓",
    "gain": "below its start",
    "published": "published",
    "test_nll": "NLL_test ↓",
    "below_curve": "below the likelihood curve",
    "self_bleu_2": "Self-BLEU-2",
    "duplicates": "duplicates",
    "updates": "updates",
    "chosen": "chosen at",
    "seconds": "training s",
}

MEASURED = ("oracle_nll", "test_nll", "self_bleu_2", "duplicates")
FIGURES = (*MEASURED, "gain", "below_curve")  # one value a seed

SIDES = {1: "Better than", 0: "Within error of", -1: "Worse than"}

Plane = dict[str, list[dict]]  # system to its points, one a temperature


def read_manifest(path: Path) -> Manifest:
    """The manifest.

    Raises:
        UsageError: it is missing, is no YAML mapping, or lacks a needed entry.
    """
    manifest = Manifest(path, "title", "planes", "systems")
    check_systems(manifest.entries["systems"], f"{path}: systems", "name")
    return manifest


def read_planes(manifest: Manifest) -> tuple[dict[int, Plane], list[dict]]:
    """The points of every seed, and the settings of every seed.

    Raises:
        UsageError: a file is missing or is no plane, or lacks a system of the manifest.
    """
    planes, settings = {}, []
    systems = manifest.entries["systems"]
    needed = {system["name"] for system in systems}
    needed |= {name for system in systems for name in system.get("curve", [])}
    needed |= {system["start"] for system in systems if "start" in system}
    for seed, name in manifest.entries["planes"].items():
        try:
            read = json.loads("\n".join(manifest.lines(name)))
            planes[seed] = read["systems"]
            settings.append(read["settings"])
        except (ValueError, KeyError, TypeError):
            raise UsageError(
                f"{manifest.folder / name} is no plane; make it with "
                "python -m fairseq_genext.evaluation.oracle_plane"
            ) from None
        for system in needed:
            if not any(point["temperature"] == 1 for point in planes[seed].get(system, [])):
                raise UsageError(
                    f"{manifest.folder / name} has no point of {system!r} at temperature 1"
                )
    shapes = {
        seed: {name: [point["temperature"] for point in points] for name, points in plane.items()}
        for seed, plane in planes.items()
    }
    first, *others = shapes
    for seed in others:
        if shapes[seed] != shapes[first]:
            raise UsageError(
                f"the planes of seeds {first} and {seed} have other systems or temperatures; "
                "measure both with the same command"
            )
    return planes, settings


def at_temperature_1(points: list[dict]) -> dict:
    """The point that stands for a system."""
    return next(point for point in points if point["temperature"] == 1)


def below_curve(point: dict, points: list[dict]) -> float | None:
    """By how much ``point`` has less NLL_oracle than a curve has at the same NLL_test, in nats.

    The curve goes straight from point to point of ``points``, those that no other one of them beats
    on both figures. None where it does not reach so far.
    """
    kept = [
        one
        for one in points
        if not any(
            other["test_nll"] < one["test_nll"] and other["oracle_nll"] < one["oracle_nll"]
            for other in points
        )
    ]
    kept.sort(key=lambda one: one["test_nll"])
    places = [one["test_nll"] for one in kept]
    if not places[0] <= point["test_nll"] <= places[-1]:
        return None
    heights = [one["oracle_nll"] for one in kept]
    return float(np.interp(point["test_nll"], places, heights)) - point["oracle_nll"]


def measure_systems(manifest: Manifest, planes: dict[int, Plane]) -> list[dict]:
    """A row a system; a figure is a list of its values, one a seed."""
    rows = []
    for system in manifest.entries["systems"]:
        points = [at_temperature_1(plane[system["name"]]) for plane in planes.values()]
        row = {**system, **{name: [point[name] for point in points] for name in MEASURED}}
        row |= {"gain": [], "below_curve": []}
        for point, plane in zip(points, planes.values(), strict=True):
            if "start" in system:
                start = at_temperature_1(plane[system["start"]])
                row["gain"].append(start["oracle_nll"] - point["oracle_nll"])
            if "curve" in system:
                curve = [one for name in system["curve"] for one in plane[name]]
                row["below_curve"].append(below_curve(point, curve))
        if None in row["below_curve"]:
            row["below_curve"] = []
        rows.append(row)
    return rows


def findings(rows: list[dict], own: float) -> list[str]:
    """What the figures say, in a few sentences, for a reader in a hurry."""
    seeds = len(rows[0]["oracle_nll"])
    said = [
        f"The oracle's own text scores {own:.2f}. Below that, samples are too likely to be good."
    ]
    for row in rows:
        if "curve" not in row:
            continue
        said.append(f"{row['name']}: NLL_oracle {spread(row['oracle_nll'], 2)}.")
        if row["gain"]:
            said[-1] += f" Lower than its start by {spread(row['gain'], 2, signed=True)}."
        if unmoved := row["gain"].count(0.0):
            said[-1] += f" In {unmoved} of {seeds} seeds what was chosen is the start itself."
        if row["below_curve"]:
            compared = SIDES[sign_of_mean(row["below_curve"])]
            gap = spread(row["below_curve"], 2, signed=True)
            said[-1] += f" {compared} the likelihood curve, lower by {gap} at the same NLL_test."
    said.append(
        f"{seeds} seeds, mean ± sample deviation." if seeds > 1 else "One seed: read it with care."
    )
    return said


def draw(manifest: Manifest, planes: dict[int, Plane], own: float, folder: Path) -> dict[str, str]:
    """Writes every plot; returns file name to caption."""
    plots.oracle_plane(planes, own, folder / "plane.png")
    captions = {
        "plane.png": "NLL_oracle against NLL_test: the nearer to the lower left corner the better. "
        "Lines join the temperatures of a likelihood-trained model, one line a seed"
    }
    for number, system in enumerate(manifest.entries["systems"]):
        if "log" in system:
            log, name = manifest.folder / system["log"], f"curves_{number}.png"
            try:
                plots.training_curves(system["name"], read_curves(log), folder / name)
            except ValueError as error:
                raise UsageError(f"{log}: {error}") from None
            captions[name] = f"Training of {system['name']}"
    return captions


def write_report(manifest: Manifest, folder: Path) -> None:
    """Measures everything and writes every file of the report into ``folder``."""
    planes, settings = read_planes(manifest)
    rows = measure_systems(manifest, planes)
    own = statistics.mean(one["own_nll"] for one in settings)
    captions = draw(manifest, planes, own, folder)
    said = findings(rows, own)
    shown = [
        row
        | {name: spread(row[name]) if row[name] else None for name in FIGURES}
        | {"chosen": ", ".join(map(str, row["chosen"])) if "chosen" in row else None}
        for row in rows
    ]
    temperatures = [
        {
            "name": name,
            "temperature": f"{points[0]['temperature']:g}",
            **{figure: spread([point[figure] for point in points]) for figure in MEASURED},
        }
        for name in planes[next(iter(planes))]
        for points in zip(*(plane[name] for plane in planes.values()), strict=True)
    ]
    context = {
        "manifest": manifest.entries,
        "findings": said,
        "table": format_table(shown, COLUMNS),
        "temperatures": format_table(temperatures, {"temperature": "temperature", **COLUMNS}),
        "row_notes": [row for row in rows if row.get("note")],
        "number": settings[0]["num_samples"],
        "images": pages.embed(folder, captions),
    }
    pages.render("oracle_report", context, folder)
    figures = {
        "title": manifest.entries["title"],
        "findings": said,
        "own_nll": own,
        "systems": rows,
        "planes": planes,
    }
    (folder / "oracle_report.json").write_text(json.dumps(figures, indent=1), encoding="utf-8")


def main() -> None:
    """The command line."""
    pages.command(__doc__, read_manifest, write_report)


if __name__ == "__main__":
    main()

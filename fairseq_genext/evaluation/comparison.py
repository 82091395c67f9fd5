"""Compares likelihood-trained models and GANs over seeds: one page, one table, one JSON, plots.

    python -m fairseq_genext.evaluation.comparison MANIFEST.yaml --output FOLDER

writes comparison.html (self-contained), .md, .json and *.png. The manifest, whose paths are
relative to itself, says what was compared:

    title: …
    command: the command that made it all
    notes: [lines to know when reading it]
    data: one line on the corpus and the budget
    references: test text             # what the sweeps were measured against
    anchor: other held-out text       # measured as if it were samples; may be left out
    train: training text
    sweeps: {1: sweeps/1/sweep.json}  # by seed, of genext-sweep; temperature 1 among its points
    scores: {1: scores/1.json}        # by seed, of genext-evaluate --json over the samples of
                                      # temperature 1; a column belongs to a system if it, or its
                                      # file's folder, has the system's name; may be left out
    systems:
      - name: gan_gpt                 # as in the sweeps
        family: gan                   # or likelihood or baseline
        start: gpt_doc                # the system whose weights it started from, if any
        note: what to know when reading its row
        runs:                         # one a seed; all but the seed may be left out
          - seed: 1
            log: models/gan_gpt.1/train.log
            perplexity: scores/gan_gpt.1.ppl    # fairseq-eval-lm's output, or a number
            parameters, generator_parameters, updates, seconds, tokens_seen: numbers
            peak_memory_mib: a number
    images: [{caption: …, file: grid.png}]      # may be left out

Figures are those of temperature 1, mean ± sample standard deviation over seeds.
"""

import json
import shutil
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from fairseq_genext.errors import UsageError
from fairseq_genext.evaluation.metrics.nearest import NearestSentences
from fairseq_genext.evaluation.metrics.text_metrics import TextMetrics
from fairseq_genext.evaluation.reporting import pages, plots
from fairseq_genext.evaluation.reporting.compared import (
    COSTS,
    System,
    encoder_name,
    read_manifest,
    read_scores,
    read_systems,
    scores_of,
)
from fairseq_genext.evaluation.reporting.comparison_findings import findings
from fairseq_genext.evaluation.reporting.manifest import Manifest
from fairseq_genext.evaluation.reporting.plane import quality_diversity_curves
from fairseq_genext.evaluation.reporting.seeds import deviation, spread
from fairseq_genext.evaluation.reporting.tables import DECIMALS, format_table
from fairseq_genext.evaluation.reporting.training_log import read_curves
from fairseq_genext.evaluation.reporting.verdicts import curve_gaps, gains
from fairseq_genext.files import read_lines

SHOWN = 8  # samples of each system
WITH_NEAREST = 4  # of them, with the nearest training sentence
ORDERS = (3, 4)
HELD_OUT = "held-out text"

COLUMNS = {
    "name": "system",
    "seeds": "seeds",
    "bleu_3": "BLEU-3 ↑",
    "bleu_4": "BLEU-4 ↑",
    "self_bleu_3": "Self-BLEU-3 ↓",
    "distinct_2": "distinct-2 ↑",
    "copied": "copied from training",
    "perplexity": "held-out perplexity ↓",
    "lm_score": "LM score ↓",
    "reverse_lm_score": "reverse LM score ↓",
    "frechet": "Fréchet distance ↓",
    "mauve": "MAUVE ↑",
}
COST_COLUMNS = {
    "name": "system",
    "parameters": "parameters",
    "generator_parameters": "of the generator",
    "updates": "updates",
    "seconds": "training s",
    "tokens_seen": "tokens seen",
    "tokens_per_second": "sampled tokens/s ↑",
    "peak_memory_mib": "peak memory, MiB",
}
FIGURES = [name for name in {**COLUMNS, **COST_COLUMNS} if name not in ("name", "seeds")]
GAIN_COLUMNS = {
    "name": "GAN",
    "start": "started from",
    "bleu_3 before": "BLEU-3 before",
    "bleu_3 after": "after",
    "bleu_3 difference": "difference",
    "self_bleu_3 before": "Self-BLEU-3 before",
    "self_bleu_3 after": "after",
    "self_bleu_3 difference": "difference",
    "verdict": "better BLEU-3 at no worse Self-BLEU-3",
}
GAP_COLUMNS = {
    "name": "GAN",
    "curve": "temperature curve of",
    "seeds": "seeds",
    "gap": "BLEU-3 less the curve's",
    "verdict": "verdict",
}


def measure_anchor(manifest: Manifest, systems: list[System]) -> dict[str, float] | None:
    """Figures of the held-out text of the manifest, cut to the samples' number of lines."""
    references = manifest.tokens(manifest.entries["references"], 2)
    if manifest.entries.get("anchor") is None:
        return None
    number = systems[0].first.figures["num_samples"]
    lines = manifest.tokens(manifest.entries["anchor"], 2)[:number]
    yardstick = TextMetrics(references, manifest.tokens(manifest.entries["train"]))
    figures = yardstick.measure(lines)
    if yardstick.encoder.name != encoder_name(manifest):
        del figures["frechet"]
    stem = Path(manifest.entries["anchor"]).stem
    for scored in read_scores(manifest).values():
        figures |= scores_of(scored, HELD_OUT, stem)
    return figures


def main_rows(systems: list[System], anchor: dict[str, float] | None) -> list[dict]:
    """A row of text a system with all its figures, and the held-out text's."""
    rows = []
    for system in systems:
        row = {"name": system.name, "seeds": str(len(system.runs))}
        for name in FIGURES:
            if values := system.values(name):
                row[name] = spread(values, DECIMALS.get(name, 3))
        rows.append(row)
    if anchor:
        rows.append({"name": HELD_OUT, **anchor})
    return rows


def gain_rows(found: list[dict]) -> list[dict]:
    """Start and end of adversarial training, as text."""
    return [
        {"name": row["name"], "start": row["start"], "verdict": row["verdict"]}
        | {
            f"{figure} {when}": spread(row[figure][when], signed=when == "difference")
            for figure in ("bleu_3", "self_bleu_3")
            for when in ("before", "after", "difference")
        }
        for row in found
    ]


def gap_rows(found: list[dict]) -> list[dict]:
    """Distances from the curves, as text."""
    return [
        row | {"gap": spread(row["gap"], signed=True), "seeds": str(len(row["gap"]))}
        for row in found
    ]


def mean_curves(systems: list[System]) -> pd.DataFrame:
    """A row a system and point of the sweep: means over seeds, and deviations (``…_sd``)."""
    names = [f"{kind}_{order}" for kind in ("bleu", "self_bleu") for order in ORDERS]
    rows = []
    for system in systems:
        points: dict[tuple, list[dict]] = {}
        for run in system.runs.values():
            for point in run.curve:
                points.setdefault((point["temperature"], point["top_p"]), []).append(point)
        for (temperature, top_p), group in sorted(points.items()):
            row = {
                "system": system.name, "family": system.family, "temperature": temperature,
                "top_p": top_p, "seeds": len(group),
            }  # fmt: skip
            for name in names:
                values = [point[name] for point in group]
                row |= {name: sum(values) / len(values), f"{name}_sd": deviation(values)}
            rows.append(row)
    return pd.DataFrame(rows)


def draw_training(systems: list[System], folder: Path) -> dict[str, str]:
    """Draws the first seed's training of every system that has a log; file name to caption."""
    captions = {}
    for number, system in enumerate(systems, start=1):
        if system.first.log is None:
            continue
        try:
            curves = read_curves(system.first.log)
            plots.training_curves(system.name, curves, folder / f"training_{number}.png")
        except ValueError as error:
            raise UsageError(f"{system.first.log}: {error}") from None
        captions[f"training_{number}.png"] = f"Training of {system.name}, first seed"
    return captions


def copy_images(manifest: Manifest, folder: Path) -> dict[str, str]:
    """Puts the manifest's pictures beside the report; file name to caption.

    Raises:
        UsageError: a file is missing or no PNG.
    """
    captions = {}
    for number, image in enumerate(manifest.entries.get("images") or [], start=1):
        path = manifest.folder / image["file"]
        if not path.is_file() or not path.read_bytes().startswith(b"\x89PNG"):
            raise UsageError(f"{path} does not exist or is no PNG")
        shutil.copyfile(path, folder / f"image_{number}.png")
        captions[f"image_{number}.png"] = image["caption"]
    return captions


def read_examples(manifest: Manifest, systems: list[System]) -> dict[str, dict]:
    """Samples of every system and of the held-out text, some with their nearest training sentence.

    They are the first in the file of the first seed at temperature 1: the model drew them at
    random, nobody chose among them.
    """
    search = NearestSentences(manifest.lines(manifest.entries["train"]))
    files = {system.name: system.first.samples for system in systems}
    if manifest.entries.get("anchor") is not None:
        files[HELD_OUT] = manifest.folder / manifest.entries["anchor"]
    examples = {}
    for name, path in files.items():
        lines = read_lines(path, at_least=2)[:SHOWN]
        nearest = search.find(lines[:WITH_NEAREST])
        examples[name] = {
            "samples": lines,
            "nearest": [
                {"sample": sample, "similarity": similarity, "training": sentence}
                for sample, (similarity, sentence) in zip(lines, nearest, strict=False)
            ],
        }
    return examples


def write_report(manifest: Manifest, folder: Path) -> None:
    """Measures what is left to measure and writes every file of the report into ``folder``."""
    systems = read_systems(manifest)
    anchor = measure_anchor(manifest, systems)
    gained, gaps = gains(systems), curve_gaps(systems)
    examples = read_examples(manifest, systems)
    images = copy_images(manifest, folder)
    curves = mean_curves(systems)
    planes = {}
    for order in ORDERS:
        name = f"quality_diversity_{order}.png"
        quality_diversity_curves(curves, order, folder / name, anchor)
        planes[name] = f"Quality against sameness, n-grams up to {order}, mean over seeds"
    training = draw_training(systems, folder)
    said = findings(systems, anchor, gained, gaps)
    rows = main_rows(systems, anchor)
    costly = [row for row in rows if set(row) & set(COSTS)]
    context = {
        "manifest": manifest.entries,
        "findings": said,
        "encoder": encoder_name(manifest),
        "number": systems[0].first.figures["num_samples"],
        "table": format_table(rows, COLUMNS),
        "costs": format_table(costly, COST_COLUMNS),
        "gains": format_table(gain_rows(gained), GAIN_COLUMNS),
        "gaps": format_table(gap_rows(gaps), GAP_COLUMNS),
        "row_notes": {system.name: system.note for system in systems if system.note},
        "planes": pages.embed(folder, planes),
        "training": pages.embed(folder, training),
        "grids": pages.embed(folder, images),
        "examples": examples,
    }
    pages.render("comparison", context, folder)
    figures = {
        "title": manifest.entries["title"],
        "findings": [f"{question}: {answer}" for question, answer in said],
        "held_out": anchor,
        "systems": [_as_json(system) for system in systems],
        "adversarial_training": gained,
        "curve_gaps": gaps,
        "curves": json.loads(curves.to_json(orient="records")),
        "examples": examples,
    }
    (folder / "comparison.json").write_text(json.dumps(figures, indent=1), encoding="utf-8")


def _as_json(system: System) -> dict:
    figures = {}
    for name in FIGURES:
        if values := system.values(name):
            figures[name] = {
                "mean": system.mean(name), "deviation": deviation(values), "values": values,
            }  # fmt: skip
    told = {name: value for name, value in asdict(system).items() if name != "runs"}
    return {**told, "seeds": list(system.runs), "figures": figures}


def main() -> None:
    """The command line."""
    pages.command(__doc__, read_manifest, write_report)


if __name__ == "__main__":
    main()

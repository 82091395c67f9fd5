"""Measures every system of a manifest and writes one page, one table, one JSON, and plots.

    python -m fairseq_genext.evaluation.report MANIFEST.yaml --output FOLDER

writes report.html (self-contained), report.md, report.json and *.png. The manifest, whose paths are
relative to itself, says what was compared:

    title: …
    notes: [lines about data, budget, seed]
    command: the command that made it all
    references: held-out text, the same for every system
    train: training text
    systems:
      - name: gpt_doc
        kind: trained              # untrained, baseline or reference (held-out text itself)
        samples: samples/gpt.txt
        perplexity: scores/gpt.ppl  # fairseq-eval-lm's output, or JSON with "perplexity"; or a
                                    # number; or left out
        log: models/gpt/train.log  # left out where there is none
        parameters, updates, seconds: numbers
        note: what to know when reading its row
    translation:
      source: …
      references: …
      systems:
        - {name: lstm_seq2seq_doc, hypotheses: …, log: …, parameters: …, seconds: …, note: …}
"""

import json
import math
from pathlib import Path

import pandas as pd

from fairseq_genext.errors import UsageError
from fairseq_genext.evaluation import translation
from fairseq_genext.evaluation.metrics import samples
from fairseq_genext.evaluation.reporting import pages, plots
from fairseq_genext.evaluation.reporting.manifest import Manifest, check_systems, require
from fairseq_genext.evaluation.reporting.tables import format_table
from fairseq_genext.evaluation.reporting.training_log import read_curves

SHOWN = 8  # samples of each system, in file order

COLUMNS = {
    "name": "system",
    "parameters": "parameters",
    "updates": "updates",
    "seconds": "training s",
    "perplexity": "held-out perplexity ↓",
    "bleu_2": "BLEU-2 ↑",
    "bleu_3": "BLEU-3 ↑",
    "bleu_3_ci": "± (95 %)",
    "bleu_4": "BLEU-4 ↑",
    "bleu_5": "BLEU-5 ↑",
    "self_bleu_3": "Self-BLEU-3 ↓",
    "self_bleu_4": "Self-BLEU-4 ↓",
    "distinct_2": "distinct-2 ↑",
    "duplicates": "duplicates",
    "copied": "copied from training",
    "mean_length": "words",
}
TRANSLATION_COLUMNS = {
    "name": "system",
    "parameters": "parameters",
    "updates": "updates",
    "seconds": "training s",
    "bleu": "BLEU ↑",
    "chrf": "chrF ↑",
}


def read_manifest(path: Path) -> Manifest:
    """The manifest.

    Raises:
        UsageError: it is missing, is no YAML mapping, or lacks a needed entry.
    """
    manifest = Manifest(path, "title", "references", "train", "systems")
    check_systems(manifest.entries["systems"], f"{path}: systems", "name", "kind", "samples")
    if (task := manifest.entries.get("translation")) is not None:
        require(task, f"{path}: translation", "source", "references", "systems")
        check_systems(task["systems"], f"{path}: translation", "name", "hypotheses")
    return manifest


def measure_systems(manifest: Manifest) -> list[dict]:
    """The manifest's free-text systems with all their figures."""
    references = manifest.tokens(manifest.entries["references"])
    train = manifest.tokens(manifest.entries["train"])
    measured = []
    for system in manifest.entries["systems"]:
        figures = dict(system)
        figures |= samples.measure(manifest.tokens(system["samples"], 2), references, train)
        if "perplexity" in system:
            figures["perplexity"] = manifest.perplexity(system["perplexity"])
        measured.append(figures)
    return measured


def measure_translation(manifest: Manifest) -> list[dict]:
    """The manifest's translation systems, after the row that copies the source."""
    task = manifest.entries.get("translation")
    if task is None:
        return []
    references = manifest.lines(task["references"])
    source = translation.read_aligned(manifest.folder / task["source"], references)
    rows = [{"name": "copy of the source", "kind": "baseline"}]
    rows[0] |= translation.measure(source, references)
    for system in task["systems"]:
        hypotheses = translation.read_aligned(manifest.folder / system["hypotheses"], references)
        rows.append({"kind": "trained", **system, **translation.measure(hypotheses, references)})
    return rows


def findings(systems: list[dict], translations: list[dict]) -> list[str]:
    """What the figures say, in a few sentences, for a reader in a hurry."""
    said = []
    trained = [row for row in systems if row.get("kind") == "trained"]
    anchor = next((row for row in systems if row.get("kind") == "reference"), None)
    if trained:
        best = max(trained, key=lambda row: row["bleu_3"])
        # Both means carry their own sampling error, so the error of the difference is larger.
        close = [
            row["name"]
            for row in trained
            if row is not best
            and best["bleu_3"] - row["bleu_3"] <= math.hypot(best["bleu_3_ci"], row["bleu_3_ci"])
        ]
        varied = min(trained, key=lambda row: row["self_bleu_3"])
        said.append(
            f"Best quality: {best['name']}, BLEU-3 {best['bleu_3']:.3f} ± {best['bleu_3_ci']:.3f}"
            + (f" (held-out text itself {anchor['bleu_3']:.3f})." if anchor else ".")
            + (f" Within sampling error of it: {', '.join(close)}." if close else "")
        )
        said.append(
            f"Most varied: {varied['name']}, Self-BLEU-3 {varied['self_bleu_3']:.3f}"
            + (f" (held-out text itself {anchor['self_bleu_3']:.3f})." if anchor else ".")
        )
        likely = [row for row in trained if "perplexity" in row]
        if likely:
            best = min(likely, key=lambda row: row["perplexity"])
            said.append(
                f"Best held-out likelihood: {best['name']}, perplexity {best['perplexity']:.1f}."
            )
    for row in translations[1:]:
        copy = translations[0]["bleu"]
        compared = "above" if row["bleu"] > copy else "NOT above"
        said.append(
            f"Translation: {row['name']} scores BLEU {row['bleu']:.1f}, {compared} the "
            f"{copy:.1f} of copying the source."
        )
    return said


def draw(manifest: Manifest, systems: list[dict], folder: Path) -> dict[str, str]:
    """Writes every plot; returns file name to caption."""
    captions = {}
    for order in (3, 4):
        name = f"quality_diversity_{order}.png"
        plots.quality_diversity(pd.DataFrame(systems), order, folder / name)
        captions[name] = f"Quality against sameness, n-grams up to {order}"
    plots.bleu_bars(pd.DataFrame(systems), samples.ORDERS, folder / "quality_bars.png")
    captions["quality_bars.png"] = "Quality by n-gram order, with 95 % intervals"
    task = manifest.entries.get("translation") or {"systems": []}
    for system in [*manifest.entries["systems"], *task["systems"]]:
        if "log" in system:
            stem = "curves_" + "".join(c if c.isalnum() else "_" for c in system["name"])
            while f"{stem}.png" in captions:
                stem += "_"
            name, log = f"{stem}.png", manifest.folder / system["log"]
            try:
                plots.training_curves(system["name"], read_curves(log), folder / name)
            except ValueError as error:
                raise UsageError(f"{log}: {error}") from None
            captions[name] = f"Training of {system['name']}"
    return captions


def write_report(manifest: Manifest, folder: Path) -> None:
    """Measures everything and writes every file of the report into ``folder``."""
    systems, translations = measure_systems(manifest), measure_translation(manifest)
    captions = draw(manifest, systems, folder)
    examples = {row["name"]: manifest.lines(row["samples"])[:SHOWN] for row in systems}
    triples = {}
    for row in translations[1:]:
        task = manifest.entries["translation"]
        columns = [
            manifest.lines(name) for name in (task["source"], row["hypotheses"], task["references"])
        ]
        triples[row["name"]] = list(zip(*columns, strict=True))[:SHOWN]
    context = {
        "manifest": manifest.entries,
        "findings": findings(systems, translations),
        "table": format_table(systems, COLUMNS),
        "translation_table": format_table(translations, TRANSLATION_COLUMNS, bleu=1, chrf=1),
        "row_notes": [row for row in [*systems, *translations] if row.get("note")],
        "signatures": [
            row[name] for row in translations[:1] for name in ("bleu_signature", "chrf_signature")
        ],
        "examples": examples,
        "triples": triples,
        "images": pages.embed(folder, captions),
    }
    pages.render("report", context, folder)
    figures = {
        "title": manifest.entries["title"],
        "findings": context["findings"],
        "systems": systems,
        "translation": translations,
    }
    (folder / "report.json").write_text(json.dumps(figures, indent=1), encoding="utf-8")


def main() -> None:
    """The command line."""
    pages.command(__doc__, read_manifest, write_report)


if __name__ == "__main__":
    main()

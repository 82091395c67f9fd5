"""Compares translation systems over seeds and writes one page, one table, one JSON, and plots.

    python -m fairseq_genext.evaluation.translation_report MANIFEST.yaml --output FOLDER

writes translation_report.html (self-contained), .md, .json and *.png. The manifest, whose paths are
relative to itself, says what was compared:

    title: …
    notes: [lines about data, budget, seeds]
    command: the command that made it all
    source: the sentences to translate
    references: their right translations
    tables:
      - title: Systems
        note: what to know when reading it
        baseline: lstm              # the system that the paired tests compare with
        systems:
          - name: dbam
            baseline: lstm            # where it has one of its own, else the table's
            note: what to know when reading its row
            parameters: 4470000
            runs:                   # one a seed
              - seed: 1
                log: models/dbam/train.log     # left out where there is none
                updates, seconds, tokens_per_second: numbers
                translations:
                  - {decoding: greedy, hypotheses: out/dbam.txt, sentences_per_second: 90}
"""

import json
import statistics
from pathlib import Path

from fairseq_genext.errors import UsageError
from fairseq_genext.evaluation import translation
from fairseq_genext.evaluation.metrics.significance import compare
from fairseq_genext.evaluation.reporting import pages, plots
from fairseq_genext.evaluation.reporting.manifest import Manifest, check_systems, require
from fairseq_genext.evaluation.reporting.tables import format_table
from fairseq_genext.evaluation.reporting.training_log import read_curves

SHOWN = 8  # sentences to read, in file order
LEVEL = 0.05  # of significance

COLUMNS = {
    "name": "system",
    "parameters": "parameters",
    "updates": "updates",
    "seconds": "training s",
    "tokens_per_second": "training tokens/s ↑",
    "decoding": "decoding",
    "sentences_per_second": "sentences/s ↑",
    "seeds": "seeds",
    "bleu": "BLEU ↑",
    "bleu_ci": "± (95 %)",
    "bleu_sd": "sd over seeds",
    "chrf": "chrF ↑",
    "chrf_ci": "± (95 %)",
    "difference": "BLEU − baseline",
    "worst_p": "largest p",
}
RUN_COLUMNS = {
    "name": "system",
    "decoding": "decoding",
    "seed": "seed",
    "bleu": "BLEU ↑",
    "bleu_ci": "± (95 %)",
    "difference": "BLEU − baseline",
    "bleu_p": "p",
    "chrf": "chrF ↑",
    "chrf_ci": "± (95 %)",
    "chrf_p": "p (chrF)",
}
DECIMALS = dict.fromkeys(
    ("bleu", "bleu_ci", "bleu_sd", "chrf", "chrf_ci", "difference", "sentences_per_second"), 1
) | {"seeds": 0}


def read_manifest(path: Path) -> Manifest:
    """The manifest.

    Raises:
        UsageError: it is missing, is no YAML mapping, or lacks a needed entry.
    """
    manifest = Manifest(path, "title", "source", "references", "tables")
    for number, table in enumerate(manifest.entries["tables"], start=1):
        where = f"{path}: tables, number {number}"
        require(table, where, "title", "baseline", "systems")
        check_systems(table["systems"], f"{where}: systems", "name", "runs")
        if table["baseline"] not in [system["name"] for system in table["systems"]]:
            raise UsageError(f"{where} has no system called {table['baseline']!r}, its baseline")
        baselines = own_baselines(table)
        for system, baseline in baselines.items():
            if baselines.get(baseline) != baseline:
                raise UsageError(
                    f"{where}: {baseline!r}, the baseline of {system}, must be a system of the "
                    "table and its own baseline"
                )
        for system in table["systems"]:
            for run in system["runs"]:
                require(run, f"{where}: {system['name']}: a run", "seed", "translations")
    return manifest


def own_baselines(table: dict) -> dict[str, str]:
    """The baseline of every system of a table, by the systems' names."""
    return {
        system["name"]: system.get("baseline", table["baseline"]) for system in table["systems"]
    }


def measure_runs(manifest: Manifest, table: dict) -> tuple[list[dict], list[str]]:
    """One row for every system, seed and decoding of a table, and sacrebleu's signatures.

    A system is tested against its baseline's run of the same seed, or, where the baseline has none,
    against its first.
    """
    references = manifest.lines(manifest.entries["references"])
    runs, hypotheses = {}, {}
    baselines = own_baselines(table)
    for system in table["systems"]:
        for run in system["runs"]:
            for made in run["translations"]:
                key = system["name"], made["decoding"], run["seed"]
                path = manifest.folder / made["hypotheses"]
                hypotheses[key] = translation.read_aligned(path, references)
                runs[key] = {**system, **run, **made, "baseline": baselines[system["name"]]}
    rows, signatures = [], []
    compared_with = dict.fromkeys((row["decoding"], row["baseline"]) for row in runs.values())
    for decoding, baseline in compared_with:
        keys = [key for key in runs if key[1] == decoding and baselines[key[0]] == baseline]
        bases = {seed: key for key in keys if key[0] == baseline for seed in key[2:]}
        if not bases:
            raise UsageError(f"{baseline}, a baseline, has no translations by {decoding}")
        first = next(iter(bases.values()))
        for base in bases.values():
            group = [base] + [
                key for key in keys if key[0] != baseline and bases.get(key[2], first) == base
            ]
            compared, signatures = compare({str(key): hypotheses[key] for key in group}, references)
            for key in group:
                row = {**runs[key], **compared[str(key)]}
                if key != base:
                    row["difference"] = row["bleu"] - compared[str(base)]["bleu"]
                rows.append(row)
    order = list(runs)
    rows.sort(key=lambda row: order.index((row["name"], row["decoding"], row["seed"])))
    return rows, signatures


def mean_over_seeds(rows: list[dict]) -> list[dict]:
    """One row for every system and decoding: means, and the largest p of its seeds."""
    groups: dict[tuple, list[dict]] = {}
    for row in rows:
        groups.setdefault((row["name"], row["decoding"]), []).append(row)
    means = []
    for group in groups.values():
        mean = {
            name: group[0].get(name)
            for name in ("name", "baseline", "decoding", "parameters", "note")
        }
        for name in (
            "updates", "seconds", "tokens_per_second", "sentences_per_second", "bleu", "bleu_ci",
            "chrf", "chrf_ci", "difference",
        ):  # fmt: skip
            values = [row[name] for row in group if row.get(name) is not None]
            mean[name] = statistics.fmean(values) if values else None
        mean["seeds"] = len(group)
        mean["bleu_sd"] = statistics.stdev(row["bleu"] for row in group) if len(group) > 1 else None
        mean["worst_p"] = max(
            (row["bleu_p"] for row in group if row["bleu_p"] is not None), default=None
        )
        means.append(mean)
    return means


def findings(means: list[dict], copied: dict) -> list[str]:
    """What the figures say, in a few sentences, for a reader in a hurry."""
    said = []
    for row in means:
        if row["name"] == row["baseline"]:
            continue
        sure = row["worst_p"] is not None and row["worst_p"] < LEVEL
        each = f" for each of {row['seeds']} seeds" if row["seeds"] > 1 else ""
        direction = "above" if row["difference"] > 0 else "below"
        said.append(
            f"{row['name']}, {row['decoding']}: BLEU {row['bleu']:.1f}, "
            f"{abs(row['difference']):.1f} {direction} {row['baseline']}"
            + (
                f" (p ≤ {max(row['worst_p'], 0.001):.3f}{each})."
                if sure
                else f", NOT significant (p up to {row['worst_p']:.3f})."
            )
        )
    lost = sorted({row["name"] for row in means if row["bleu"] <= copied["bleu"]})
    if lost:
        said.append(
            f"NOT above copying the source, which scores BLEU {copied['bleu']:.1f}: "
            + ", ".join(lost)
            + "."
        )
    return said


def draw(manifest: Manifest, tables: list[dict], folder: Path) -> dict[str, str]:
    """Writes every plot; returns file name to caption."""
    captions = {}
    for number, table in enumerate(tables, start=1):
        name = f"bleu_{number}.png"
        plots.bleu_by_system(table["means"], folder / name)
        captions[name] = f"{table['title']}: BLEU with 95 % intervals, mean over seeds"
        curves = {}
        for system in manifest.entries["tables"][number - 1]["systems"]:
            first = system["runs"][0]
            if "log" in first:
                curves[system["name"]] = read_curves(manifest.folder / first["log"])
        if curves:
            name = f"learning_{number}.png"
            plots.learning_curves(curves, folder / name)
            captions[name] = f"{table['title']}: held-out perplexity while training, first seed"
    return captions


def write_report(manifest: Manifest, folder: Path) -> None:
    """Measures everything and writes every file of the report into ``folder``."""
    references = manifest.lines(manifest.entries["references"])
    source = translation.read_aligned(manifest.folder / manifest.entries["source"], references)
    copied = translation.measure(source, references)
    tables, signatures = [], []
    for table in manifest.entries["tables"]:
        runs, signatures = measure_runs(manifest, table)
        means = mean_over_seeds(runs)
        tables.append(
            {
                "title": table["title"],
                "note": table.get("note"),
                "baseline": table["baseline"],
                "findings": findings(means, copied),
                "means": means,
                "runs": runs,
            }
        )
    captions = draw(manifest, tables, folder)
    first = tables[0]["runs"][0]
    shown = {
        row["name"]: manifest.lines(row["hypotheses"])[:SHOWN]
        for row in tables[0]["runs"]
        if (row["decoding"], row["seed"]) == (first["decoding"], first["seed"])
    }
    context = {
        "manifest": manifest.entries,
        "copied": copied,
        "tables": [
            table
            | {
                "shown": format_table(table["means"], COLUMNS, **DECIMALS),
                "shown_runs": format_table(table["runs"], RUN_COLUMNS, **DECIMALS, seed=0),
            }
            for table in tables
        ],
        "signatures": signatures,
        "examples": [
            {
                "source": source[number],
                "reference": references[number],
                "systems": {name: lines[number] for name, lines in shown.items()},
            }
            for number in range(min(SHOWN, len(source)))
        ],
        "images": pages.embed(folder, captions),
    }
    pages.render("translation_report", context, folder)
    figures = {
        "title": manifest.entries["title"],
        "copy_of_source": copied,
        "signatures": signatures,
        "tables": tables,
    }
    (folder / "translation_report.json").write_text(json.dumps(figures, indent=1), encoding="utf-8")


def main() -> None:
    """The command line."""
    pages.command(__doc__, read_manifest, write_report)


if __name__ == "__main__":
    main()

"""Translation: BLEU and chrF of every system, paired tests against a baseline, and copying."""

from pathlib import Path

import pandas as pd

from fairseq_genext.errors import UsageError
from fairseq_genext.evaluation import translation
from fairseq_genext.evaluation.metrics.significance import compare
from fairseq_genext.evaluation.plots import COLOURS, bars
from fairseq_genext.evaluation.results import Results, System
from fairseq_genext.evaluation.sections import page
from fairseq_genext.evaluation.sections.likelihood import learning_curves
from fairseq_genext.evaluation.tables import columns, format_table, known
from fairseq_genext.evaluation.tokenizers import choose
from fairseq_genext.evaluation.training_log import read_curves
from fairseq_genext.files import read_lines

SHOWN = 8  # sentences to read, in file order
LEVEL = 0.05  # of significance
COPY = "copy of the source"

COLUMNS = columns(
    "system", "parameters", "updates", "seconds", "training_tokens_per_second", "decoding",
    "sentences_per_second", "seeds", "bleu", "bleu_ci", "bleu_deviation", "chrf", "chrf_ci",
    "difference", "largest_p",
)  # fmt: skip
COSTS = ("parameters", "updates", "seconds", "training_tokens_per_second")
MEASURED = ("sentences_per_second", "bleu", "bleu_ci", "chrf", "chrf_ci", "difference")
RUN_COLUMNS = columns(
    "system", "decoding", "seed", "bleu", "bleu_ci", "difference", "bleu_p", "chrf", "chrf_ci",
    "chrf_p",
)  # fmt: skip
DECIMALS = dict.fromkeys((*MEASURED, "bleu_deviation"), 1) | {"seeds": 0, "seed": 0}
EXPLANATION = (
    "Means over seeds; differences and paired bootstrap tests are to the baseline that a finding "
    "names, of the same seed, where it has one, and p is the largest of all seeds. ± is half the "
    "95 % interval over sentences."
)


def baselines(results: Results, systems: list[System]) -> dict[str, str]:
    """The baseline of every system of a table; one without is its own.

    Raises:
        UsageError: a baseline stands in another table, or has itself another baseline.
    """
    found = {system.name: system.baseline or system.name for system in systems}
    for name, baseline in found.items():
        if found.get(baseline) != baseline:
            raise UsageError(
                f"{results.path}: system {name}: {baseline!r}, its baseline, must be a system of "
                "the same table and its own baseline"
            )
    return found


def measure_runs(
    results: Results, systems: list[System], references: list[str], tokenize: str
) -> tuple[list[dict], list[str]]:
    """One row for every system, seed and decoding of a table, and sacrebleu's signatures.

    A system is tested against its baseline's run of the same seed, or, where the baseline has none,
    against its first.
    """
    against, normalise = baselines(results, systems), results.normalizer(systems[0])
    runs = {
        (system.name, point["decoding"], seed): point
        for system in systems
        for seed, points in results.points[system.name].items()
        for point in points
    }
    groups: dict[tuple, list[tuple]] = {}
    for name, decoding, seed in runs:
        baseline = against[name]
        bases = [key for key in runs if key[:2] == (baseline, decoding)]
        if not bases:
            raise UsageError(f"{baseline}, a baseline, has no translations by {decoding}")
        own = (baseline, decoding, seed)
        groups.setdefault(own if own in runs else bases[0], []).append((name, decoding, seed))
    rows, signatures = {}, []
    for base, keys in groups.items():
        lines = {
            str(key): [
                normalise(line)
                for line in translation.read_aligned(runs[key]["translations"], references)
            ]
            for key in sorted(keys, key=lambda key: key != base)  # the baseline first
        }
        compared, signatures = compare(lines, references, tokenize=tokenize)
        for key in keys:
            rows[key] = dict(zip(("system", "decoding", "seed"), key, strict=True))
            rows[key]["baseline"] = base[0]
            rows[key]["sentences_per_second"] = runs[key].get("sentences_per_second")
            rows[key] |= compared[str(key)]
            if key != base:
                rows[key]["difference"] = rows[key]["bleu"] - compared[str(base)]["bleu"]
    return [rows[key] for key in runs], signatures


def mean_over_seeds(results: Results, rows: list[dict]) -> list[dict]:
    """One row for every system and decoding: means, and the largest p of its seeds."""
    means = []
    names = ["system", "baseline", "decoding"]
    for which, group in pd.DataFrame(rows).groupby(names, sort=False):
        mean = group.reindex(columns=MEASURED).astype(float).mean()
        mean["bleu_deviation"] = group["bleu"].std()
        mean["largest_p"] = group["bleu_p"].astype(float).max()
        costs = {cost: results.mean(which[0], cost) for cost in COSTS}
        row = dict(zip(names, which, strict=True)) | costs | known(mean)
        means.append(row | {"seeds": len(group)})
    return means


def findings(results: Results, means: list[dict], copied: dict) -> list[str]:
    """Each system against its baseline, and against copying the source."""
    said = []
    compared_with = {row["baseline"] for row in means if row["baseline"] != row["system"]}
    for row in means:
        told = f"{results.label(row['system'])}, {row['decoding']}: BLEU {row['bleu']:.1f}, "
        if row["baseline"] != row["system"]:
            each = f" for each of {row['seeds']} seeds" if row["seeds"] > 1 else ""
            told += f"{abs(row['difference']):.1f} {'above' if row['difference'] > 0 else 'below'} "
            told += results.label(row["baseline"])
            surely = f" (p ≤ {max(row['largest_p'], 0.001):.3f}{each})."
            unsure = f", NOT significant (p up to {row['largest_p']:.3f})."
            said.append(told + (surely if row["largest_p"] < LEVEL else unsure))
        elif row["system"] not in compared_with and row["bleu"] > copied["bleu"]:
            said.append(f"{told}above the {copied['bleu']:.1f} of copying the source.")
    lost = {row["system"]: None for row in means if row["bleu"] <= copied["bleu"]}
    if lost:
        told = f"NOT above copying the source, which scores BLEU {copied['bleu']:.1f}: "
        said.append(f"{told}{', '.join(map(results.label, lost))}.")
    return said


def draw(
    results: Results, systems: list[System], means: list[dict], number: int, folder: Path
) -> dict[str, str]:
    """The pictures of a table; file name to caption."""
    captions = {f"translation_{number}.png": "BLEU with 95 % intervals, mean over seeds"}
    table = pd.DataFrame(means)
    table["system"] = table["system"].map(results.label)
    bleu, errors = (
        table.pivot(index="system", columns="decoding", values=figure).reindex(
            index=table["system"].unique(), columns=table["decoding"].unique()
        )
        for figure in ("bleu", "bleu_ci")
    )
    colours = COLOURS[: len(bleu.columns)]
    bars(bleu, errors, "BLEU", 1, colours, folder / f"translation_{number}.png")
    logs = {system.label: results.logs[system.name].get(system.seeds[0]) for system in systems}
    curves = {label: read_curves(log) for label, log in logs.items() if log is not None}
    if curves:
        name = f"learning_{number}.png"
        learning_curves(curves, folder / name)
        captions[name] = "Held-out perplexity while training, first seed"
    return captions


def examples(results: Results, systems: list[System], texts: dict[str, list[str]]) -> page.Texts:
    """Source, reference and translations of the first sentences, first decoding and seed."""
    shown = dict(texts)
    decoding = results.points[systems[0].name][systems[0].seeds[0]][0]["decoding"]
    for system in systems:
        for point in results.points[system.name][system.seeds[0]]:
            if point["decoding"] == decoding:
                shown[system.label] = read_lines(point["translations"])
    sentences = list(zip(*shown.values(), strict=True))[:SHOWN]
    groups = [[list(row) for row in zip(shown, lines, strict=True)] for lines in sentences]
    return page.Texts(["system", "text"], groups)


def build(results: Results, folder: Path) -> page.Section:
    """The section: a table of systems for each title, the first one's findings in the box."""
    systems = results.of_kind("pairs", "translation")
    data = results.experiment["data"][systems[0].data]
    normalise = results.normalizer(systems[0])
    source, references = (
        list(map(normalise, read_lines(results.text_file(systems[0], f"test.{data[side]}"))))
        for side in ("source", "target")
    )
    if len(source) != len(references):
        raise UsageError(
            f"{results.text_file(systems[0], 'test')}.* have {len(source)} and {len(references)} "
            "lines; a source needs a reference each"
        )
    tokenize = choose(results.experiment.get("tokenize"), references, data["target"])
    copied = translation.measure(source, references, tokenize)

    def labelled(rows: list[dict]) -> list[dict]:
        return [row | {"system": results.label(row["system"])} for row in rows]

    by_table: dict[str | None, list[System]] = {}
    for system in systems:
        by_table.setdefault(system.table, []).append(system)
    blocks, tables, box, signatures = [], [], [], []
    about = "Translation" if len(results.experiment["data"]) > 1 else ""
    for number, (title, members) in enumerate(by_table.items(), start=1):
        runs, signatures = measure_runs(results, members, references, tokenize)
        means = mean_over_seeds(results, runs)
        said = [(about, line) for line in findings(results, means, copied)]
        note = (results.experiment.get("tables") or {}).get(title)
        blocks += [page.Heading(title)] * (title is not None) + [page.Paragraph(note)] * bool(note)
        box = box or said
        blocks += [page.Lines(said)] * (number > 1)
        shown = format_table([*labelled(means), {"system": COPY, **copied}], COLUMNS, **DECIMALS)
        blocks += [page.Table(shown), page.Paragraph(EXPLANATION), *page.notes(members)]
        blocks.append(page.Pictures(draw(results, members, means, number, folder)))
        if len(runs) > len(means):
            seedwise = format_table(labelled(runs), RUN_COLUMNS, **DECIMALS)
            blocks.append(page.Table(seedwise, folded="Seed by seed"))
        told = {"title": title, "note": note, "findings": [line for _, line in said]}
        tables.append(told | {"means": means, "runs": runs})
    blocks.append(page.Paragraph("; ".join(signatures)))
    first = next(iter(by_table.values()))
    blocks.append(page.Heading("Translations, in file order, not chosen"))
    blocks.append(examples(results, first, {"source": source, "reference": references}))
    figures = {"copy_of_source": copied, "signatures": signatures, "tables": tables}
    return page.Section("Translation", blocks, figures, box)

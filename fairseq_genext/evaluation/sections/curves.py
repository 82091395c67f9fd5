"""Temperature curves: whether a GAN is above what a likelihood model reaches at any temperature.

A lower temperature gives more quality and less diversity, so a single one shows nothing (Caccia et
al. 2020, https://arxiv.org/abs/1811.02549).
"""

import json
import statistics
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from fairseq_genext.evaluation.quality_diversity import quality_diversity_curves
from fairseq_genext.evaluation.results import HELD_OUT, Results, System
from fairseq_genext.evaluation.sections import page
from fairseq_genext.evaluation.seeds import SIDES, one_seed, sign_of_mean, spread
from fairseq_genext.evaluation.tables import columns, format_table

ORDERS = (3, 4)
# What is looked up on the curve, and what the difference to it is called.
GAPS = {
    "bleu_3": "gap", "frechet": "frechet_gap", "lm_score": "lm_gap",
    "reverse_lm_score": "reverse_lm_gap",
}  # fmt: skip
COLUMNS = columns(
    "system", "curve", "seeds", "gap", "verdict", "mean_gap", "frechet_gap", "lm_gap",
    "reverse_lm_gap",
    curve="temperature curve of", gap="BLEU-3 less the curve's",
    mean_gap="the same over its own temperatures",
    frechet_gap="Fréchet distance less the curve's", lm_gap="LM score less the curve's",
    reverse_lm_gap="reverse LM score less the curve's",
)  # fmt: skip
EXPLANATION = (
    "Filled marks on a line are temperatures, the large one temperature 1 with bars of one "
    "deviation; open marks are top-p at temperature 1. The star is held-out text: good samples are "
    "near it. A lower temperature gives quality and takes diversity, so only a system whose curve "
    "is above another's is better."
)
EXPLANATION_OF_GAPS = (
    "Does a GAN reach what a likelihood model does not reach at some other temperature (Caccia et "
    "al. 2020)? BLEU-3 of the GAN at temperature 1 less that of the curve at the same Self-BLEU-3, "
    "and likewise the Fréchet distance and language-model scores, where less is better. Over its "
    "own temperatures: the mean of such differences of BLEU-3 at all of the GAN's temperatures "
    "whose Self-BLEU-3 the curve has. The curve is interpolated between its temperatures, seed by "
    "seed, and not continued beyond them."
)
EXPLANATION_OF_HELD_OUT = (
    " Held-out text shows how much there is to gain: a model that equals the data lies where it "
    "does."
)


def by_temperature(points: list[dict], figure: str) -> list[tuple[float, float]]:
    """Self-BLEU-3 and a figure of the points that have it, without those by top-p."""
    return [
        (point["self_bleu_3"], point[figure])
        for point in points
        if point.get("top_p", 1) == 1 and point.get(figure) is not None
    ]


def on_curve(curve: list[dict], figure: str, self_bleu: float) -> float | None:
    """A figure of a temperature curve at a Self-BLEU-3, by linear interpolation.

    Args:
        curve: measured points; those with top-p below 1 are left out.
        figure: which.
        self_bleu: where to look.

    Returns:
        None outside the curve, which is not extrapolated, and without the figure.
    """
    points = sorted(by_temperature(curve, figure))
    if not points:
        return None
    found = np.interp(self_bleu, *zip(*points, strict=True), left=np.nan, right=np.nan)
    return None if np.isnan(found) else float(found)


def differences(points: list[dict], curve: list[dict], figure: str) -> list[float]:
    """A figure of points less that of a curve at the same Self-BLEU-3, where both have it."""
    heights = [
        (value, on_curve(curve, figure, place)) for place, value in by_temperature(points, figure)
    ]
    return [value - height for value, height in heights if height is not None]


def curve_gaps(results: Results, systems: list[System]) -> list[dict]:
    """Every GAN at temperature 1 against the curve of every likelihood-trained system.

    ``gap`` is BLEU-3 of the GAN less that of the curve at the same Self-BLEU-3, for every seed that
    both have and whose curve reaches so far; its ``verdict`` is above, within error, below, or
    outside the curve. Other gaps, see ``GAPS``, are those of other figures, where both have them.
    ``mean_gap`` is the mean of such differences of BLEU-3 over the GAN's temperatures.
    """
    rows = []
    gans, others = ([s for s in systems if s.family == f] for f in ("gan", "likelihood"))
    for gan, other in product(gans, others):
        curves, seeds = results.points[other.name], [s for s in gan.seeds if s in other.seeds]
        plain = {seed: results.at_temperature_1(gan.name, seed) for seed in seeds}
        along = [
            differences(results.points[gan.name][seed], curves[seed], "bleu_3") for seed in seeds
        ]
        means = [statistics.fmean(found) for found in along if found]
        rows.append(gaps_of(gan.name, plain, other.name, curves) | {"mean_gap": means})
    return rows


def held_out_gaps(results: Results, systems: list[System]) -> list[dict]:
    """Held-out text against every such curve, as ``curve_gaps``: what there is to gain."""
    if (point := results.held_out_point()) is None:
        return []
    point = point | {"top_p": 1}  # it was drawn from no model
    others = [system for system in systems if system.family == "likelihood"]
    return [
        gaps_of(HELD_OUT, dict.fromkeys(other.seeds, point), other.name, results.points[other.name])
        for other in others
    ]


def gaps_of(name: str, points: dict[int, dict], curve: str, curves: dict[int, list[dict]]) -> dict:
    """One system's point of each seed against the curve of the same seed."""
    found = {
        gap: [d for seed in points for d in differences([points[seed]], curves[seed], figure)]
        for figure, gap in GAPS.items()
    }
    gaps = found["gap"]
    errors = [
        (point.get("bleu_3_ci"), on_curve(curves[seed], "bleu_3_ci", point["self_bleu_3"]))
        for seed, point in points.items()
        if on_curve(curves[seed], "bleu_3", point["self_bleu_3"]) is not None
    ]
    sign = sign_of_mean(gaps, errors[0]) if gaps else None
    verdict = SIDES[sign] + one_seed(gaps) if gaps else "outside the curve"
    return {"system": name, "curve": curve, "sign": sign, "verdict": verdict} | found


def mean_curves(results: Results, systems: list[System]) -> pd.DataFrame:
    """A row a system and point: BLEU and Self-BLEU, means over seeds and deviations (``…_sd``)."""
    table = results.table
    names = [f"{kind}_{order}" for kind in ("bleu", "self_bleu") for order in ORDERS]
    order = [system.name for system in systems]
    chosen = table[
        table["system"].isin(order) & table["figure"].isin(names) & table["temperature"].notna()
    ]
    points = chosen.groupby(["system", "family", "temperature", "top_p", "figure"], sort=False)
    wide = points["value"].agg(["mean", "std", "count"]).unstack("figure")
    curves = wide["mean"].join(wide["std"].add_suffix("_sd"))
    curves.insert(0, "seeds", wide["count"].min(axis=1).astype(int))
    return curves.reset_index().sort_values(
        ["system", "temperature", "top_p"],
        key=lambda column: column.map(order.index) if column.name == "system" else column,
    )


def finding(results: Results, gaps: list[dict]) -> list[tuple[str, str]]:
    """Each GAN against the curve that leaves it the furthest behind."""
    if not gaps:
        return []
    sides: dict[str, list[str]] = {"above": [], "within error": [], "below": [], "not reached": []}
    for name in dict.fromkeys(row["system"] for row in gaps):
        label = results.label(name)
        rows = [row for row in gaps if row["system"] == name and row["gap"]]
        if not rows:
            sides["not reached"].append(label)
            continue
        worst = min(rows, key=lambda row: (row["sign"], statistics.fmean(row["gap"])))
        told = f"{label} ({spread(worst['gap'], signed=True)}{one_seed(worst['gap'])})"
        sides[SIDES[worst["sign"]]].append(told)
    sides["above"] = sides["above"] or ["no GAN"]
    told = "; ".join(f"{side}: {', '.join(names)}" for side, names in sides.items() if names)
    question = "GANs against likelihood models at the temperature that is as varied"
    return [("Both at once", f"{question} (BLEU-3 at equal Self-BLEU-3); {told}.")]


def build(results: Results, folder: Path) -> page.Section:
    """The section."""
    systems = results.of_kind("sentences", "curves")
    curves, gaps = mean_curves(results, systems), curve_gaps(results, systems)
    real = held_out_gaps(results, systems)
    labelled = curves.assign(system=curves["system"].map(results.label))
    held_out = results.held_out_point()
    captions = {}
    for order in ORDERS:
        name = f"curves_{order}.png"
        quality_diversity_curves(labelled, order, folder / name, held_out=held_out)
        captions[name] = f"Quality against sameness, n-grams up to {order}, mean over seeds"
    said = [EXPLANATION]
    if held_out is None and HELD_OUT in results.points:
        said.append("Held-out text has fewer lines than systems have samples, and no star.")
    blocks = [page.Pictures(captions), page.Paragraph(" ".join(said))]
    rows = [
        row | {"system": results.label(row["system"]), "curve": results.label(row["curve"])}
        | {"seeds": str(len(row["gap"]))}
        | {
            gap: spread(row[gap], signed=True) if row.get(gap) else None
            for gap in (*GAPS.values(), "mean_gap")
        }
        for row in gaps + real
    ]  # fmt: skip
    if rows:
        table = page.Table(format_table(rows, COLUMNS), words=True)
        told = EXPLANATION_OF_GAPS + (EXPLANATION_OF_HELD_OUT if real else "")
        blocks += [table, page.Paragraph(told)]
    figures = {
        "gaps": gaps,
        "held_out_gaps": real,
        "curves": json.loads(curves.to_json(orient="records")),
    }
    title = "The same systems at other temperatures"
    return page.Section(title, blocks, figures, finding(results, gaps))

"""The two questions that a comparison of GANs with likelihood models must answer, from the figures.

Does adversarial training improve on the likelihood training that it starts from? And does a GAN
lie above what a likelihood model reaches at another temperature (Caccia et al. 2020,
https://arxiv.org/abs/1811.02549)?
"""

import numpy as np

from fairseq_genext.errors import UsageError
from fairseq_genext.evaluation.reporting import seeds
from fairseq_genext.evaluation.reporting.compared import System

SIDES = {1: "above", 0: "within error", -1: "below"}


def bleu_on_curve(curve: list[dict], self_bleu: float) -> float | None:
    """BLEU-3 of a temperature curve at a Self-BLEU-3, by linear interpolation.

    Args:
        curve: points of a sweep; those with top-p below 1 are left out.
        self_bleu: where to look.

    Returns:
        None outside the curve, which is not extrapolated.
    """
    points = sorted((p["self_bleu_3"], p["bleu_3"]) for p in curve if p["top_p"] == 1)
    places, heights = zip(*points, strict=True)
    if not places[0] <= self_bleu <= places[-1]:
        return None
    return float(np.interp(self_bleu, places, heights))


def curve_gaps(systems: list[System]) -> list[dict]:
    """Every GAN at temperature 1 beside the curve of every likelihood-trained system.

    ``gap`` is BLEU-3 of the GAN less that of the curve at the same Self-BLEU-3, for every seed that
    both have and whose curve reaches so far; its ``verdict`` is above, within error, below, or
    outside the curve.
    """
    rows = []
    for gan in (system for system in systems if system.family == "gan"):
        for other in (system for system in systems if system.family == "likelihood"):
            gaps = []
            for seed in shared_seeds(gan, other):
                point = gan.runs[seed].figures
                height = bleu_on_curve(other.runs[seed].curve, point["self_bleu_3"])
                if height is not None:
                    gaps.append(point["bleu_3"] - height)
            row = {"name": gan.name, "curve": other.name, "gap": gaps, "sign": None}
            row["verdict"] = "outside the curve"
            if gaps:
                row["sign"] = seeds.sign_of_mean(gaps)
                row["verdict"] = SIDES[row["sign"]] + one_seed(gaps)
            rows.append(row)
    return rows


def gains(systems: list[System]) -> list[dict]:
    """What adversarial training brought each system that has a start.

    ``better`` is whether BLEU-3 surely rose while Self-BLEU-3 did not surely rise; ``verdict`` says
    so with the reason.

    Raises:
        UsageError: a system and its start have no seed in common.
    """
    by_name = {system.name: system for system in systems}
    rows = []
    for system in systems:
        if system.start is None:
            continue
        start = by_name[system.start]
        shared = shared_seeds(system, start)
        if not shared:
            raise UsageError(f"{system.name} and its start {start.name} have no seed in common")
        row: dict = {"name": system.name, "start": start.name}
        for figure in ("bleu_3", "self_bleu_3"):
            before, after = (
                [side.runs[seed].figures[figure] for seed in shared] for side in (start, system)
            )
            row[figure] = {"before": before, "after": after}
            row[figure]["difference"] = [b - a for a, b in zip(before, after, strict=True)]
        quality, sameness = (
            seeds.sign_of_mean(row[figure]["difference"]) for figure in ("bleu_3", "self_bleu_3")
        )
        row["better"] = quality > 0 and sameness <= 0
        reasons = []
        if quality <= 0:
            reasons.append("BLEU-3 " + ("lower" if quality < 0 else "within error"))
        if sameness > 0:
            reasons.append("Self-BLEU-3 higher")
        row["verdict"] = ("yes" if row["better"] else f"no: {', '.join(reasons)}") + one_seed(
            shared
        )
        rows.append(row)
    return rows


def shared_seeds(first: System, second: System) -> list[str]:
    """Seeds that both systems have, in the order of the first."""
    return [seed for seed in first.runs if seed in second.runs]


def one_seed(values: list) -> str:
    """What must be added to a verdict that rests on one seed."""
    return ", one seed alone" if len(values) == 1 else ""

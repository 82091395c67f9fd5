"""The oracle benchmark: every system by NLL_oracle and NLL_test together."""

import statistics
from pathlib import Path

import numpy as np
import pandas as pd

from fairseq_genext.errors import UsageError
from fairseq_genext.evaluation.plots import picture
from fairseq_genext.evaluation.results import Results, System
from fairseq_genext.evaluation.sections import page
from fairseq_genext.evaluation.seeds import sign_of_mean, spread
from fairseq_genext.evaluation.tables import columns, format_table

COLUMNS = columns(
    "system", "temperature", "oracle_nll", "gain", "published", "test_nll", "below_curve",
    "self_bleu_2", "duplicates", "updates", "checkpoint_updates", "seconds",
)  # fmt: skip
MEASURED = ("oracle_nll", "test_nll", "self_bleu_2", "duplicates")
COSTS = ("updates", "seconds", "checkpoint_updates")
SIDES = {1: "Better than", 0: "Within error of", -1: "Worse than"}
EXPLANATION = (
    "NLL_oracle: nats a token of {:,} samples under the oracle. NLL_test: nats a token of the "
    "oracle's held-out text under the generator. Temperature alone trades one for the other, so "
    "what counts is the distance to the likelihood models' curve at the same NLL_test: positive is "
    "better than any temperature of them. No figure where the curve does not reach so far."
)


def below_curve(point: dict, points: list[dict]) -> float | None:
    """By how much ``point`` has less NLL_oracle than a curve has at the same NLL_test, in nats.

    The curve goes straight from point to point of ``points``, those that no other one of them beats
    on both figures. None where it does not reach so far.
    """
    kept = [
        (one["test_nll"], one["oracle_nll"])
        for one in points
        if not any(
            other["test_nll"] < one["test_nll"] and other["oracle_nll"] < one["oracle_nll"]
            for other in points
        )
    ]
    places, heights = zip(*sorted(kept), strict=True)
    found = np.interp(point["test_nll"], places, heights, left=np.nan, right=np.nan)
    return None if np.isnan(found) else float(found) - point["oracle_nll"]


def measure(results: Results, system: System) -> dict:
    """A system at temperature 1: lists of figures, a value a seed."""
    row: dict = {
        name: list(results.values(system.name, name).values()) for name in (*MEASURED, *COSTS)
    }
    start = results.values(system.start, "oracle_nll")
    after = results.values(system.name, "oracle_nll")
    row["gain"] = [start[seed] - nll for seed, nll in after.items()] if start else []
    row["below_curve"] = [
        below_curve(results.at_temperature_1(system.name, seed), curve)
        for seed in system.seeds
        if (curve := [one for name in system.curve for one in results.points[name].get(seed, [])])
    ]
    if None in row["below_curve"] or len(row["below_curve"]) < len(system.seeds):
        row["below_curve"] = []
    return row | {"published": system.published}


def check(results: Results, systems: list[System]) -> None:
    """Raises UsageError unless all seeds of a system have the same temperatures, with 1."""
    for system in systems:
        first = None
        for seed, points in results.points[system.name].items():
            path = results.folder / "measured" / f"{system.name}.{seed}.json"
            temperatures = [point.get("temperature") for point in points]
            if 1 not in temperatures:
                raise UsageError(f"{path} has no point at temperature 1")
            first = first or temperatures
            if temperatures != first:
                raise UsageError(f"{path} has other temperatures than the first seed of the system")


def findings(results: Results, rows: dict[str, dict], own: float) -> list[tuple[str, str]]:
    """Each system that has a curve to beat, against it and its start."""
    said = [
        f"The oracle's own text scores {own:.2f}. Below that, samples are too likely to be good."
    ]
    for name, row in rows.items():
        if not results.systems[name].curve:
            continue
        told = f"{results.label(name)}: NLL_oracle {spread(row['oracle_nll'], 2)}."
        if row["gain"]:
            told += f" Lower than its start by {spread(row['gain'], 2, signed=True)}."
        if unmoved := row["gain"].count(0.0):
            of = f"{unmoved} of {len(row['gain'])}"
            told += f" In {of} seeds what was chosen is the start itself."
        if row["below_curve"]:
            names = (name, results.systems[name].curve[0])
            errors = [results.interval(one, "oracle_nll") for one in names]
            compared = SIDES[sign_of_mean(row["below_curve"], errors)]
            gap = spread(row["below_curve"], 2, signed=True)
            told += f" {compared} the likelihood curve, lower by {gap} at the same NLL_test."
        said.append(told)
    seeds = max(len(results.systems[name].seeds) for name in rows)
    several = f"{seeds} seeds, mean ± sample deviation."
    said.append(several if seeds > 1 else "One seed: read it with care.")
    return [("", line) for line in said]


def draw(results: Results, systems: list[System], own: float, path: Path) -> None:
    """NLL_oracle against NLL_test of every system and seed; several temperatures make a curve.

    Args:
        results: of the experiment.
        systems: those to draw.
        own: NLL_oracle of the oracle's own text.
        path: PNG to write.
    """
    with picture(path, figsize=(8, 5.5)) as (_, axes):
        for number, system in enumerate(systems):
            style, label = {"color": f"C{number % 10}", "alpha": 0.7, "linewidth": 1}, system.label
            for points in results.points[system.name].values():
                points = pd.DataFrame(points).sort_values("temperature")
                style |= {"marker": "D", "markersize": 7, "linestyle": ":", "label": label}
                if len(points) > 1:
                    style |= {"marker": "o", "markersize": 3, "linestyle": "-"}
                axes.plot(points["test_nll"], points["oracle_nll"], **style)
                # One line a seed, of which the first says what it is.
                for _, point in points.iterrows() if label and len(points) > 1 else ():
                    axes.annotate(
                        f"{point['temperature']:g}", point[["test_nll", "oracle_nll"]],
                        xytext=(4, 3), textcoords="offset points", fontsize=7, color=style["color"],
                    )  # fmt: skip
                label = None
        axes.axhline(own, color="black", linestyle="--", linewidth=1, label="the oracle's own text")
        axes.set_xlabel("NLL_test: held-out text under the generator (nats a token)")
        axes.set_ylabel("NLL_oracle: samples under the oracle (nats a token)")
        axes.legend()


def at_every_temperature(results: Results, systems: list[System]) -> list[dict]:
    """A row of text for each system and temperature."""
    return [
        {
            "system": system.label,
            "temperature": f"{points[0]['temperature']:g}",
            **{figure: spread([point[figure] for point in points]) for figure in MEASURED},
        }
        for system in systems
        for points in zip(*results.points[system.name].values(), strict=True)
    ]


def build(results: Results, folder: Path) -> page.Section:
    """The section."""
    systems = results.of_kind("oracle", "oracle")
    check(results, systems)
    rows = {system.name: measure(results, system) for system in systems}
    settings = results.settings[systems[0].name]
    own = statistics.mean(one["own_nll"] for one in settings.values())
    draw(results, systems, own, folder / "oracle.png")
    shown = [
        {name: results.text(system.name, name) for name in (*MEASURED, "updates", "seconds")}
        | {"system": system.label, "published": system.published}
        | {name: spread(row[name]) if row[name] else None for name in ("gain", "below_curve")}
        | {"checkpoint_updates": ", ".join(f"{at:.0f}" for at in row["checkpoint_updates"]) or None}
        for system, row in zip(systems, rows.values(), strict=True)
    ]
    caption = (
        "NLL_oracle against NLL_test: nearer to the lower left corner is better. Lines join "
        "the temperatures of a likelihood-trained model, one line a seed"
    )
    number = next(iter(settings.values()))["num_samples"]
    blocks = [
        page.Table(format_table(shown, COLUMNS)),
        page.Paragraph(EXPLANATION.format(number)),
        *page.notes(systems),
        page.Pictures({"oracle.png": caption}),
        page.Heading("Every temperature"),
        page.Table(format_table(at_every_temperature(results, systems), COLUMNS)),
    ]
    points = {system.name: results.points[system.name] for system in systems}
    figures = {"own_nll": own, "systems": rows, "points": points}
    said = findings(results, rows, own)
    return page.Section("The oracle benchmark, at temperature 1", blocks, figures, said)

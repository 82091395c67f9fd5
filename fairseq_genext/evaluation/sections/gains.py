"""What adversarial training changed: every GAN against the system that it started from."""

from pathlib import Path

import pandas as pd

from fairseq_genext.evaluation.results import Results, System
from fairseq_genext.evaluation.sections import page
from fairseq_genext.evaluation.seeds import one_seed, sign_of_mean, spread
from fairseq_genext.evaluation.tables import format_table

TITLE = "What adversarial training changed"
FIGURES = ("bleu_3", "self_bleu_3")
WHEN = ("before", "after", "difference")
COLUMNS = {
    "GAN": "GAN",
    "start": "started from",
    **{f"bleu_3 {when}": f"BLEU-3 {when}" for when in WHEN},
    **{f"self_bleu_3 {when}": f"Self-BLEU-3 {when}" for when in WHEN},
    "verdict": "better BLEU-3 at no worse Self-BLEU-3",
}
EXPLANATION = (
    "Before: the system that the GAN started from, of the same seed. “Yes” needs a BLEU-3 that is "
    "higher beyond error, and a Self-BLEU-3 that is not."
)


def gains(results: Results, systems: list[System]) -> list[dict]:
    """What adversarial training brought each GAN that has a start, seed by seed.

    ``better`` is whether BLEU-3 surely rose while Self-BLEU-3 did not surely rise; ``verdict`` says
    so with the reason.
    """
    rows = []
    for system in systems:
        if system.start is None or system.family != "gan":
            continue
        row: dict = {"system": system.name, "start": system.start}
        names, signs = {"before": system.start, "after": system.name}, []
        for figure in FIGURES:
            values = pd.DataFrame({when: results.values(n, figure) for when, n in names.items()})
            values = values.loc[system.seeds]
            values["difference"] = values["after"] - values["before"]
            row[figure] = values.to_dict("list")
            errors = [results.interval(name, figure) for name in names.values()]
            signs.append(sign_of_mean(row[figure]["difference"], errors))
        quality, sameness = signs
        row["better"] = quality > 0 and sameness <= 0
        reasons = []
        if quality <= 0:
            reasons.append("BLEU-3 " + ("lower" if quality < 0 else "within error"))
        if sameness > 0:
            reasons.append("Self-BLEU-3 higher")
        told = "yes" if row["better"] else f"no: {', '.join(reasons)}"
        row["verdict"] = told + one_seed(system.seeds)
        rows.append(row)
    return rows


def finding(results: Results, found: list[dict]) -> list[tuple[str, str]]:
    """How many GANs are better than their start, and by how much."""
    better = [
        f"{results.label(row['system'])} {spread(row['bleu_3']['difference'], signed=True)}"
        for row in found
        if row["better"]
    ]
    alone = one_seed(min((row["bleu_3"]["difference"] for row in found), key=len))
    told = f"{len(better)} of {len(found)} GANs{': ' if better else ''}{', '.join(better)}{alone}."
    told = f"after likelihood, it gave better BLEU-3 at no worse Self-BLEU-3 in {told}"
    return [("Adversarial training", told)]


def build(results: Results, folder: Path) -> page.Section:
    """The section."""
    found = gains(results, results.of_kind("sentences", "gains"))
    if not found:
        return page.Section(TITLE, [page.Paragraph("No GAN here starts from another system.")], {})
    rows = [
        {"GAN": results.label(row["system"]), "start": results.label(row["start"])}
        | {"verdict": row["verdict"]}
        | {
            f"{figure} {when}": spread(row[figure][when], signed=when == "difference")
            for figure in FIGURES
            for when in WHEN
        }
        for row in found
    ]
    blocks = [page.Table(format_table(rows, COLUMNS), words=True), page.Paragraph(EXPLANATION)]
    return page.Section(TITLE, blocks, {"systems": found}, finding(results, found))

"""What a comparison's figures say, in a few sentences, for a reader with ten seconds."""

import statistics
from dataclasses import dataclass

from fairseq_genext.evaluation.reporting import seeds
from fairseq_genext.evaluation.reporting.compared import FAMILIES, System
from fairseq_genext.evaluation.reporting.seeds import spread
from fairseq_genext.evaluation.reporting.verdicts import SIDES, one_seed


@dataclass(frozen=True)
class Question:
    """What is asked of a figure.

    Attributes:
        figure: its name.
        about: what it stands for.
        heading: how it is written.
        better: 1 if higher is better, -1 if lower is.
        superlative, comparative: words for better.
        decimals: of the figure.
    """

    figure: str
    about: str
    heading: str
    better: int
    superlative: str
    comparative: str
    decimals: int = 3


QUESTIONS = (
    Question("bleu_3", "Quality", "BLEU-3 ↑", 1, "best", "better than"),
    # Word salad is varied too, so more is not better.
    Question("self_bleu_3", "Diversity", "Self-BLEU-3 ↓", -1, "most varied", "more varied than"),
    Question("perplexity", "Likelihood", "perplexity ↓", -1, "best", "better than", decimals=1),
)
COSTS = (
    ("seconds", "{} s of training"),
    ("tokens_seen", "{} tokens seen"),
    ("parameters", "{} parameters"),
    ("tokens_per_second", "{} tokens/s sampled"),
)


def findings(
    systems: list[System], anchor: dict[str, float] | None, gains: list[dict], gaps: list[dict]
) -> list[tuple[str, str]]:
    """What each question is about, and its answer.

    Args:
        systems: of ``compared.read_systems``.
        anchor: figures of held-out text.
        gains, gaps: of ``verdicts``.
    """
    said = []
    for question in QUESTIONS:
        if leaders := leading(systems, question.figure, question.better):
            real = (anchor or {}).get(question.figure)
            mark = f"; held-out text {real:.{question.decimals}f}" if real is not None else ""
            said.append(
                (question.about, f"{_leads(leaders, question)} ({question.heading}{mark}).")
            )
    return [*said, *_on_curves(gaps), *_by_training(gains), *_cost(systems), *_warning(systems)]


def leading(systems: list[System], figure: str, better: int) -> list[System]:
    """The best likelihood-trained system and the best GAN, by their means over seeds."""
    leaders = []
    for family in ("likelihood", "gan"):
        known = [s for s in systems if s.family == family and s.values(figure)]
        if known:
            leaders.append(max(known, key=lambda system: better * system.mean(figure)))
    return leaders


def _leads(leaders: list[System], question: Question) -> str:
    values = [leader.values(question.figure) for leader in leaders]
    told = [
        f"the {question.superlative} {FAMILIES[leader.family]} {leader.name} "
        f"{spread(found, question.decimals)}"
        for leader, found in zip(leaders, values, strict=True)
    ]
    alone = one_seed(min(values, key=len))
    if len(leaders) == 1:
        return told[0] + alone
    sign = question.better * seeds.sign_of_difference(*values)
    if sign == 0:
        return f"within error of each other, {told[0]} and {told[1]}{alone}"
    first, second = told if sign > 0 else reversed(told)
    return f"{first} is {question.comparative} {second}{alone}"


def _on_curves(gaps: list[dict]) -> list[tuple[str, str]]:
    """Each GAN against the curve that leaves it the furthest behind."""
    if not gaps:
        return []
    sides: dict[str, list[str]] = {"above": [], "within error": [], "below": [], "not reached": []}
    for name in dict.fromkeys(row["name"] for row in gaps):
        rows = [row for row in gaps if row["name"] == name and row["gap"]]
        if not rows:
            sides["not reached"].append(name)
            continue
        worst = min(rows, key=lambda row: (row["sign"], statistics.fmean(row["gap"])))
        told = f"{name} ({spread(worst['gap'], signed=True)}{one_seed(worst['gap'])})"
        sides[SIDES[worst["sign"]]].append(told)
    sides["above"] = sides["above"] or ["no GAN"]
    told = "; ".join(f"{side}: {', '.join(names)}" for side, names in sides.items() if names)
    told = (
        "GANs beside likelihood models at the temperature that is as varied (BLEU-3 at equal "
        f"Self-BLEU-3); {told}."
    )
    return [("Both at once", told)]


def _by_training(gains: list[dict]) -> list[tuple[str, str]]:
    if not gains:
        return []
    better = [
        f"{row['name']} {spread(row['bleu_3']['difference'], signed=True)}"
        for row in gains
        if row["better"]
    ]
    alone = one_seed(min((row["bleu_3"]["difference"] for row in gains), key=len))
    told = (
        f"after likelihood, it gave better BLEU-3 at no worse Self-BLEU-3 in {len(better)} of "
        f"{len(gains)} GANs{': ' if better else ''}{', '.join(better)}{alone}."
    )
    return [("Adversarial training", told)]


def _cost(systems: list[System]) -> list[tuple[str, str]]:
    told = []
    for system in leading(systems, "bleu_3", 1):
        costs = [
            text.format(spread(system.values(figure), 0))
            for figure, text in COSTS
            if system.values(figure)
        ]
        if costs:
            told.append(f"{system.name} {', '.join(costs)}")
    return [("Cost of the best in quality", f"{'; '.join(told)}.")] if told else []


def _warning(systems: list[System]) -> list[tuple[str, str]]:
    alone = [system.name for system in systems if len(system.runs) == 1]
    if not alone:
        return []
    whose = "every system" if len(alone) == len(systems) else ", ".join(alone)
    return [("Caution", f"one seed alone of {whose}: what another would change is not known.")]

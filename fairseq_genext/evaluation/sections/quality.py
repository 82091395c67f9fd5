"""Free text: quality, diversity and likelihood of every system at temperature 1."""

from pathlib import Path
from typing import NamedTuple

import pandas as pd

from fairseq_genext.evaluation import seeds
from fairseq_genext.evaluation.metrics.samples import ORDERS
from fairseq_genext.evaluation.plots import COLOURS, bars
from fairseq_genext.evaluation.quality_diversity import quality_diversity_curves
from fairseq_genext.evaluation.results import FAMILIES, HELD_OUT, Results, System
from fairseq_genext.evaluation.sections import page
from fairseq_genext.evaluation.tables import columns, figure_text, format_table

FIGURES = (
    *(f"bleu_{order}" for order in ORDERS), "self_bleu_3", "self_bleu_4", "distinct_2",
    "duplicates", "copied", "mean_length", "perplexity", "lm_score", "reverse_lm_score", "frechet",
    "mauve",
)  # fmt: skip
EXPLANATION = (
    "BLEU-n: mean over samples of BLEU with the whole test text as references; it rises with their "
    "number, which is the same for every row. Self-BLEU-n: each sample against all the others of "
    "its system. Neither says anything without the other: word salad is varied, and one good "
    "sentence over and over has quality. Held-out text is real text measured as if it were samples."
)


class Question(NamedTuple):
    """What is asked of a figure: ``better`` is 1 if higher is better, -1 if lower is."""

    figure: str
    about: str
    heading: str
    better: int
    superlative: str
    comparative: str


QUESTIONS = (
    Question("bleu_3", "Quality", "BLEU-3 ↑", 1, "best", "better than"),
    # Word salad is varied too, so more is not better.
    Question("self_bleu_3", "Diversity", "Self-BLEU-3 ↓", -1, "most varied", "more varied than"),
    Question("perplexity", "Likelihood", "perplexity ↓", -1, "best", "better than"),
)


def leading(results: Results, systems: list[System], figure: str, better: int) -> list[System]:
    """The best likelihood-trained system and the best GAN, by their means over seeds."""
    leaders = []
    for family in ("likelihood", "gan"):
        known = [s for s in systems if s.family == family and results.values(s.name, figure)]
        if known:
            leaders.append(max(known, key=lambda s: better * results.mean(s.name, figure)))
    return leaders


def sign(results: Results, first: System, second: System, figure: str) -> int:
    """1 or -1 where the first system's figure is surely above or below the second's.

    By the deviations over seeds; with one seed by the errors of both means over samples, where the
    figure has them.
    """
    values = [list(results.values(system.name, figure).values()) for system in (first, second)]
    errors = [results.interval(system.name, figure) for system in (first, second)]
    return seeds.sign_of_difference(*values, errors)


def answer(results: Results, systems: list[System], question: Question) -> str | None:
    """Which family leads in a figure, or, of one family, which system; None without the figure."""
    figure = question.figure
    leaders = leading(results, systems, figure, question.better)
    if not leaders:
        return None
    told = [
        f"the {question.superlative} {FAMILIES[leader.family]} {leader.label} "
        f"{results.text(leader.name, figure)}"
        for leader in leaders
    ]
    fewest = min((results.values(leader.name, figure) for leader in leaders), key=len)
    if len(leaders) == 1:
        (best,) = leaders
        family = [s for s in systems if s.family == best.family and results.values(s.name, figure)]
        others = [system for system in family if system is not best]
        close = [s.label for s in others if sign(results, best, s, figure) == 0]
        said = told[0] + (f", within error of it {', '.join(close)}" if close else "")
    else:
        ahead = question.better * sign(results, *leaders, figure)
        first, second = reversed(told) if ahead < 0 else told
        said = f"{first} is {question.comparative} {second}"
        if ahead == 0:
            said = f"within error of each other, {first} and {second}"
    real = results.mean(HELD_OUT, figure)
    if figure.startswith("self_bleu") and results.held_out_point() is None:
        real = None  # of fewer lines, which makes it more varied
    mark = f"; held-out text {figure_text({figure: real}, figure)}" if real is not None else ""
    return f"{said}{seeds.one_seed(fewest)} ({question.heading}{mark})."


def findings(results: Results, systems: list[System]) -> list[tuple[str, str]]:
    """The answers to ``QUESTIONS``, and a warning of single seeds."""
    said = [(question.about, answer(results, systems, question)) for question in QUESTIONS]
    said = [(about, told) for about, told in said if told is not None]
    trained = [system for system in systems if system.family != "baseline"]
    alone = [system.label for system in trained if len(system.seeds) == 1]
    if alone:
        whose = "every system" if len(alone) == len(trained) else ", ".join(alone)
        told = f"one seed alone of {whose}: what another would change is not known."
        said.append(("Caution", told))
    return said


def draw(results: Results, names: list[str], folder: Path) -> dict[str, str]:
    """The pictures of a report without temperature curves; file name to caption."""
    orders = {f"bleu_{order}": f"BLEU-{order}" for order in ORDERS}
    means, errors = (
        pd.DataFrame(
            {
                results.label(name): {orders[order]: figure(name, order) for order in orders}
                for name in names
            },
            dtype=float,
        )
        for figure in (results.mean, results.error)
    )
    colours = [COLOURS[n % len(COLOURS)] for n in range(len(names))]
    if names[-1] == HELD_OUT:
        colours[-1] = "black"
    bars(means, errors, "against held-out text", 3, colours, folder / "quality_bars.png")
    points = [
        {"system": results.label(name), "temperature": 1, "top_p": 1}
        | {figure: results.mean(name, figure) for figure in ("bleu_3", "self_bleu_3")}
        for name in names
        if name != HELD_OUT
    ]
    path, held_out = folder / "quality_diversity.png", results.held_out_point()
    quality_diversity_curves(pd.DataFrame(points), 3, path, held_out)
    return {
        "quality_diversity.png": "Quality against sameness; the star is held-out text: good "
        "samples are near it",
        "quality_bars.png": "Quality by n-gram order, ± as in the table",
    }


def build(results: Results, folder: Path) -> page.Section:
    """The section."""
    systems = results.of_kind("sentences", "quality")
    names = [system.name for system in systems] + [HELD_OUT] * (HELD_OUT in results.points)
    several = any(len(system.seeds) > 1 for system in systems)
    rows = []
    for name in names:
        row = {"system": results.label(name)}
        if several and name != HELD_OUT:
            row["seeds"] = str(len(results.systems[name].seeds))
        rows.append(row | {figure: results.text(name, figure) for figure in FIGURES})
    first = results.first_point(systems[0].name)
    settings = results.settings[systems[0].name][systems[0].seeds[0]]
    encoder, tokenize = settings.get("encoder"), settings.get("tokenize", "none")
    small = [
        f"{first['num_samples']:,} samples a system and seed at temperature 1; ± is the sample "
        "standard deviation over seeds, or, for one seed, half the 95 % interval over samples.",
        EXPLANATION,
    ]
    real = results.values(HELD_OUT, "num_samples").get(None, first["num_samples"])
    if real != first["num_samples"]:
        small.append(f"Held-out text has {real:,.0f} lines alone, which makes it more varied.")
    if tokenize != "none":
        small.append(f"Tokens are cut by sacrebleu's {tokenize}.")
    if encoder:
        small.append(f"Fréchet distance: encoder {encoder}.")
    small.append("In the findings, “within error” means no difference at 95 %.")
    table = page.Table(format_table(rows, columns("system", "seeds", *FIGURES)))
    blocks = [table, page.Paragraph(" ".join(small)), *page.notes(systems)]
    if "curves" not in results.experiment["report"]:
        blocks.append(page.Pictures(draw(results, names, folder)))
    summary = {name: results.summary(name, results.first_point(name)) for name in names}
    figures = {"num_samples": first["num_samples"], "encoder": encoder, "systems": summary}
    said = findings(results, systems)
    return page.Section("Quality, diversity, likelihood", blocks, figures, said)

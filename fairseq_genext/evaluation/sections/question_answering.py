"""Question answering: exact match and F1 of every system, by task and by facts to combine."""

import statistics
from collections import Counter, defaultdict
from pathlib import Path

from fairseq_genext.data.questions import Question, read_questions
from fairseq_genext.errors import UsageError
from fairseq_genext.evaluation.answer import score
from fairseq_genext.evaluation.plots import COLOURS, picture
from fairseq_genext.evaluation.results import Results, System
from fairseq_genext.evaluation.sections import page
from fairseq_genext.evaluation.seeds import deviation, sign_of_difference, spread
from fairseq_genext.evaluation.tables import columns, format_table
from fairseq_genext.files import read_lines

SHOWN = 8  # questions to read, in file order
FREQUENT = "most frequent answer"
COLUMNS = columns("system", "exact_match", "f1", "parameters", "updates", "seconds") | {
    "exact_match": "exact match ↑", "f1": "F1 ↑",
}  # fmt: skip
EXPLANATION = (
    "Exact match and F1 of answers are SQuAD's, 0 to 1, greedy decoding, means ± sample deviation "
    "over seeds, or the 95 % interval over questions of a single seed. The most frequent answer is "
    "that of each task in the training set, whatever the question."
)


def most_frequent(train: list[Question], test: list[Question]) -> dict:
    """Figures of answering every question with the training set's most frequent answer."""
    known: dict[str, Counter] = defaultdict(Counter)
    for question in train:
        known[question.task][question.answer] += 1
    whole = sum(known.values(), Counter())
    answers = [known.get(question.task, whole).most_common(1)[0][0] for question in test]
    return score(answers, test)


def by_group(results: Results, system: System, group: str) -> dict[str, list[float]]:
    """Exact match of each task or number of facts: a value a seed."""
    found: dict[str, list[float]] = defaultdict(list)
    for point, *_ in results.points[system.name].values():
        for name, figures in point[group].items():
            found[name].append(figures["exact_match"])
    return dict(found)


def group_table(
    results: Results, systems: list[System], frequent: dict, group: str, heading: str
) -> page.Table:
    """Exact match of every system, a column a task or number of facts."""
    names = list(frequent[group])
    headings = {
        name: f"{heading.format(name)} (of {frequent[group][name]['questions']})" for name in names
    }
    rows = [
        {"system": system.label}
        | {name: spread(values) for name, values in by_group(results, system, group).items()}
        for system in systems
    ]
    rows.append(
        {"system": FREQUENT} | {name: one["exact_match"] for name, one in frequent[group].items()}
    )
    return page.Table(format_table(rows, {"system": "system"} | headings))


def draw(results: Results, systems: list[System], frequent: dict, path: Path) -> None:
    """Exact match against the number of facts to combine; bars are deviations over seeds.

    Args:
        results: of the experiment.
        systems: those to draw.
        frequent: figures of the most frequent answer.
        path: PNG to write.
    """
    with picture(path, figsize=(7, 4)) as (_, axes):
        for number, system in enumerate(systems):
            groups = by_group(results, system, "by_facts")
            axes.errorbar(
                list(map(int, groups)),
                [statistics.fmean(values) for values in groups.values()],
                yerr=[deviation(values) or 0 for values in groups.values()],
                marker="o", markersize=4, capsize=3, label=system.label,
                color=COLOURS[number % len(COLOURS)],
            )  # fmt: skip
        known = {int(name): one["exact_match"] for name, one in frequent["by_facts"].items()}
        axes.plot(list(known), list(known.values()), "k--", linewidth=1, label=FREQUENT)
        axes.set(xlabel="facts to combine", ylabel="exact match", ylim=(0, 1.02))
        axes.set_xticks(list(known))
        axes.legend()


def findings(results: Results, systems: list[System], frequent: dict) -> list[str]:
    """Each system against the best one and against the most frequent answer."""
    values = {
        system.name: list(results.values(system.name, "exact_match").values()) for system in systems
    }
    best = max(systems, key=lambda system: statistics.fmean(values[system.name]))
    baseline = frequent["exact_match"]
    said = [f"{best.label} answers best: exact match {spread(values[best.name])}."]
    for system in systems:
        if system is best:
            continue
        compared = (system.name, best.name)
        errors = [results.interval(name, "exact_match") for name in compared]
        sign = sign_of_difference(*(values[name] for name in compared), errors)
        told = f"{system.label}: {spread(values[system.name])}, "
        told += "below the best" if sign < 0 else "within error of the best"
        if statistics.fmean(values[system.name]) <= baseline:
            told += f", and NOT above the most frequent answer ({baseline:.3f})"
        said.append(f"{told}.")
    if max(map(len, values.values())) == 1:
        said.append("One seed: read it with care.")
    return said


def examples(results: Results, systems: list[System], test: list[Question]) -> page.Texts:
    """The first questions with their answers, first seed."""
    answers = {
        system.label: read_lines(results.first_point(system.name)["answers"]) for system in systems
    }
    groups = [
        [["question", question.prompt], ["right answer", question.answer]]
        + [[label, lines[number]] for label, lines in answers.items()]
        for number, question in enumerate(test[:SHOWN])
    ]
    return page.Texts(["system", "text"], groups)


def build(results: Results, folder: Path) -> page.Section:
    """The section."""
    systems = results.of_kind("questions", "question_answering")
    train, test = (
        read_questions(results.text_file(systems[0], f"{split}.tsv")) for split in ("train", "test")
    )
    for system in systems:
        for point in (one for points in results.points[system.name].values() for one in points):
            if point["questions"] != len(test):
                raise UsageError(
                    f"{results.path}: {system.name} has answered {point['questions']} questions of "
                    f"{len(test)}"
                )
    frequent = most_frequent(train, test)
    figures = ("exact_match", "f1", "parameters", "updates", "seconds")
    rows = [
        {"system": system.label} | {name: results.text(system.name, name) for name in figures}
        for system in systems
    ]
    blocks = [
        page.Table(format_table([*rows, {"system": FREQUENT, **frequent}], COLUMNS)),
        page.Paragraph(EXPLANATION),
        *page.notes(systems),
    ]
    if frequent["by_task"]:
        blocks += [page.Heading("Exact match by task")]
        blocks += [group_table(results, systems, frequent, "by_task", "{}")]
    if frequent["by_facts"]:
        draw(results, systems, frequent, folder / "facts.png")
        caption = "Exact match against the number of facts to combine, with deviations over seeds"
        blocks += [
            page.Heading("Exact match by facts to combine"),
            group_table(results, systems, frequent, "by_facts", "{} to combine"),
            page.Pictures({"facts.png": caption}),
        ]
    blocks += [
        page.Heading("Questions and answers, in file order, not chosen"),
        examples(results, systems, test),
    ]
    told = {
        system.name: {
            **results.summary(system.name, ("exact_match", "f1")),
            **{group: by_group(results, system, group) for group in ("by_task", "by_facts")},
        }
        for system in systems
    }
    said = [("", line) for line in findings(results, systems, frequent)]
    found = {"most_frequent_answer": frequent, "systems": told}
    return page.Section("Question answering", blocks, found, said)

"""What every system cost: parameters, updates, time, memory, speed; and every step's time."""

from pathlib import Path

import pandas as pd

from fairseq_genext.errors import UsageError
from fairseq_genext.evaluation.results import Results
from fairseq_genext.evaluation.sections import page
from fairseq_genext.evaluation.sections.quality import leading
from fairseq_genext.evaluation.tables import columns, format_table, known

FIGURES = (
    "parameters", "generator_parameters", "updates", "seconds", "processor_seconds", "tokens_seen",
    "peak_memory_mib", "training_tokens_per_second", "sampling_tokens_per_second",
)  # fmt: skip
STEP_FIGURES = {"s": "seconds", "cpu_time": "processor_seconds", "max_rss": "peak_memory_mib"}
TOLD = (
    ("seconds", "{} s of training"),
    ("tokens_seen", "{} tokens seen"),
    ("parameters", "{} parameters"),
    ("sampling_tokens_per_second", "{} tokens/s sampled"),
)
EXPLANATION = (
    "What a system started from is part of its updates, seconds and tokens; a GAN's updates count "
    "both players. Seconds are as the runs found the machine. Peak memory is the largest resident "
    "set of the training process."
)


def finding(results: Results) -> list[tuple[str, str]]:
    """What the systems that lead in quality cost."""
    texts = [s for s in results.systems.values() if results.kind(s) == "sentences"]
    told = []
    for system in leading(results, texts, "bleu_3", 1):
        costs = [
            words.format(text)
            for figure, words in TOLD
            if (text := results.text(system.name, figure)) is not None
        ]
        if costs:
            told.append(f"{system.label} {', '.join(costs)}")
    return [("Cost of the best in quality", f"{'; '.join(told)}.")] if told else []


def steps(folder: Path) -> list[dict]:
    """Seconds, processor seconds and peak memory (MiB) of every step, from Snakemake's benchmarks.

    Raises:
        UsageError: a file is none.
    """
    rows = []
    for path in sorted((folder / "benchmarks").glob("*.tsv")):
        try:
            last = pd.read_csv(path, sep="\t")[list(STEP_FIGURES)].iloc[-1]
        except (KeyError, IndexError, ValueError):
            raise UsageError(f"{path} is no benchmark file of Snakemake") from None
        # A step that is over at once has no memory, written as - or NA.
        figures = pd.to_numeric(last.rename(STEP_FIGURES), errors="coerce")
        rows.append({"step": path.stem, **known(figures)})
    return rows


def build(results: Results, folder: Path) -> page.Section:
    """The section."""
    rows = [
        {"system": system.label} | {figure: results.text(name, figure) for figure in FIGURES}
        for name, system in results.systems.items()
        if any(results.values(name, figure) for figure in FIGURES)
    ]
    frame = format_table(rows, columns("system", *FIGURES))
    blocks = [page.Table(frame), page.Paragraph(EXPLANATION)]
    made = steps(results.folder)
    if made:
        seconds = sum(row["seconds"] or 0 for row in made)
        headings = columns("step", *STEP_FIGURES.values(), seconds="s")
        frame = format_table(made, headings, seconds=1, processor_seconds=1)
        folded = f"Every step ({len(made)}, {seconds:,.0f} s in all)"
        blocks.append(page.Table(frame, folded=folded))
    figures = {
        "systems": {name: results.summary(name, FIGURES) for name in results.systems},
        "steps": made,
    }
    return page.Section("Costs", blocks, figures, finding(results))

"""What every system cost: parameters, updates, time, memory, speed; and every step's time."""

from pathlib import Path

import pandas as pd

from fairseq_genext.errors import UsageError
from fairseq_genext.evaluation.results import Results
from fairseq_genext.evaluation.sections import page
from fairseq_genext.evaluation.sections.quality import leading
from fairseq_genext.evaluation.tables import format_table

COLUMNS = {
    "name": "system",
    "parameters": "parameters",
    "generator_parameters": "of the generator",
    "updates": "updates",
    "seconds": "training s",
    "processor_seconds": "processor s",
    "tokens_seen": "tokens seen",
    "peak_memory_mib": "peak memory, MiB",
    "training_tokens_per_second": "trained tokens/s ↑",
    "sampling_tokens_per_second": "sampled tokens/s ↑",
}
FIGURES = list(COLUMNS)[1:]
STEP_COLUMNS = {
    "step": "step",
    "seconds": "s",
    "processor_seconds": "processor s",
    "peak_memory_mib": "peak memory, MiB",
}
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
            last = pd.read_csv(path, sep="\t").iloc[-1]
            found = {name: last[column] for name, column in zip(
                ("seconds", "processor_seconds", "peak_memory_mib"), ("s", "cpu_time", "max_rss"),
                strict=True,
            )}  # fmt: skip
        except (KeyError, IndexError, ValueError):
            raise UsageError(f"{path} is no benchmark file of Snakemake") from None
        # A step that is over at once has no memory, written as - or NA.
        numbers = {name: pd.to_numeric(value, errors="coerce") for name, value in found.items()}
        known = {name: float(value) if pd.notna(value) else None for name, value in numbers.items()}
        rows.append({"step": path.stem, **known})
    return rows


def build(results: Results, folder: Path) -> page.Section:
    """The section."""
    rows = [
        {"name": system.label} | {figure: results.text(name, figure) for figure in FIGURES}
        for name, system in results.systems.items()
    ]
    known = [row for row in rows if any(row[figure] is not None for figure in FIGURES)]
    blocks = [page.Table(format_table(known, COLUMNS)), page.Paragraph(EXPLANATION)]
    made = steps(results.folder)
    if made:
        seconds = sum(row["seconds"] or 0 for row in made)
        frame = format_table(made, STEP_COLUMNS, seconds=1, processor_seconds=1)
        blocks.append(
            page.Table(frame, folded=f"Every step ({len(made)}, {seconds:,.0f} s in all)")
        )
    figures = {
        "systems": {name: results.summary(name, FIGURES) for name in results.systems},
        "steps": made,
    }
    return page.Section("Costs", blocks, figures, finding(results))

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


def made(results: Results, kind: str, what: str) -> bool:
    """Whether the experiment as it is now has a step; others are of systems that it had before."""
    experiment, systems = results.experiment, results.systems
    if kind == "data":
        return what in experiment["data"]
    if kind == "flops":
        return bool(experiment["systems"].get(what, {}).get("counted"))
    if what == "held_out":
        return any(results.kind(system) == "sentences" for system in systems.values())
    if kind == "scorer" and not experiment.get("language_model_score"):
        return False
    if what == "real":
        return True
    name, _, seed = what.rpartition(".")
    if name not in systems or seed not in map(str, systems[name].seeds):
        return False
    if kind in ("train", "scorer"):
        return results.trained(systems[name])
    return kind != "sample" or "samples" not in experiment["systems"][name]


def steps(results: Results) -> list[dict]:
    """Seconds, processor seconds and peak memory (MiB) of every step, from Snakemake's benchmarks.

    Raises:
        UsageError: a file is none.
    """
    rows = []
    for path in sorted((results.folder / "benchmarks").glob("*.tsv")):
        kind, _, what = path.stem.partition("-")
        if not made(results, kind, what):
            continue
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
    done = steps(results)
    if done:
        seconds = sum(row["seconds"] or 0 for row in done)
        headings = columns("step", *STEP_FIGURES.values(), seconds="s")
        frame = format_table(done, headings, seconds=1, processor_seconds=1)
        folded = f"Every step ({len(done)}, {seconds:,.0f} s in all)"
        blocks.append(page.Table(frame, folded=folded))
    figures = {
        "systems": {name: results.summary(name, FIGURES) for name in results.systems},
        "steps": done,
    }
    return page.Section("Costs", blocks, figures, finding(results))

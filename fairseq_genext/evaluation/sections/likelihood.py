"""Held-out likelihood of language models while they train, and what it took."""

import math
from pathlib import Path

import pandas as pd

from fairseq_genext.evaluation.plots import picture
from fairseq_genext.evaluation.results import Results
from fairseq_genext.evaluation.sections import page
from fairseq_genext.evaluation.seeds import deviation, spread
from fairseq_genext.evaluation.tables import columns, format_table
from fairseq_genext.evaluation.training_log import by_update, read_curves

COSTS = ("parameters", "updates", "processor_seconds")
# Logged figure to what it is called here, and a factor: fairseq logs losses in bits.
FIGURES = {"loss": ("held_out_loss", math.log(2)), "bits_per_byte": ("bits_per_byte", 1.0)}
EXPLANATION = (
    "The best validation of each training, over the whole held-out text. Processor seconds are "
    "those of the training process, with starting and validating."
)


def best_validation(curves: pd.DataFrame) -> dict[str, float]:
    """The figures of a training's best validation: the lowest."""
    wide = by_update(curves)
    return {
        name: float(wide["valid", logged].min()) * factor
        for logged, (name, factor) in FIGURES.items()
        if ("valid", logged) in wide
    }


def learning_curves(curves: dict[str, pd.DataFrame], path: Path) -> None:
    """Held-out perplexity of several systems, against updates and against time.

    Args:
        curves: system to what ``training_log.read_curves`` gives.
        path: PNG to write.
    """
    with picture(path, 1, 2, figsize=(10, 4), sharey=True) as (_, (updates, time)):
        for name, table in curves.items():
            wide = by_update(table)
            if ("valid", "ppl") not in wide:
                continue
            perplexity = wide["valid", "ppl"].dropna()
            updates.plot(perplexity, "o-", label=name, markersize=4)
            if ("train", "wall") in wide:
                seconds = wide["train", "wall"].interpolate(method="index", limit_direction="both")
                time.plot(seconds[perplexity.index], perplexity, "o-", label=name, markersize=4)
        updates.set(xlabel="updates", ylabel="held-out perplexity per token", yscale="log")
        updates.yaxis.set_major_formatter("{x:g}")
        updates.yaxis.set_minor_formatter("{x:g}")
        time.set_xlabel("seconds since the start")
        updates.legend()


def build(results: Results, folder: Path) -> page.Section:
    """The section."""
    rows, figures, drawn, first = [], {}, {}, None
    for name, logs in results.logs.items():
        if not logs:
            continue
        curves = [read_curves(log) for log in logs.values()]
        drawn[results.label(name)] = curves[0]
        found = list(map(best_validation, curves))
        values = {key: [one[key] for one in found if key in one] for key in found[0]}
        figures[name] = {
            key: {"mean": sum(of) / len(of), "deviation": deviation(of), "values": of}
            for key, of in values.items()
        }
        loss = figures[name].get("held_out_loss", {}).get("mean")
        first = loss if first is None else first
        rows.append(
            {"system": results.label(name)}
            | {cost: results.text(name, cost) for cost in COSTS}
            | {key: spread(of) for key, of in values.items()}
            | {"change": None if loss is None else f"{loss - first:+.3f}".replace("-", "−")}
            | {"note": results.systems[name].note or ""}
        )
    headings = columns(
        "system", *COSTS, held_out_loss="held-out loss, nats a token ↓",
        bits_per_byte="bits a byte ↓", change="against the first", note="",
    )  # fmt: skip
    learning_curves(drawn, folder / "likelihood.png")
    blocks = [
        page.Table(format_table(rows, headings)),
        page.Paragraph(EXPLANATION),
        page.Pictures(
            {"likelihood.png": "Held-out perplexity while training, first seed"}, wide=True
        ),
    ]
    return page.Section("Likelihood", blocks, {"systems": figures})

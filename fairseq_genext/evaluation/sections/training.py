"""The curves of every training."""

from pathlib import Path

import pandas as pd
from matplotlib.ticker import LogLocator, NullFormatter

from fairseq_genext.errors import UsageError
from fairseq_genext.evaluation.plots import picture
from fairseq_genext.evaluation.results import Results
from fairseq_genext.evaluation.sections import page
from fairseq_genext.evaluation.training_log import by_update, read_curves

PHASES = {0: "generator alone", 1: "discriminator alone", 2: "in turns"}
# What a training curve shows, in this order, where the log has it.
PANELS = (
    (("ppl",), "perplexity per token", "log"),
    (("sample_bleu_3",), "BLEU-3 of samples", "linear"),
    (("sample_oracle_nll",), "NLL_oracle of samples (nats)", "linear"),
    (("d_loss", "g_loss"), "players' losses (nats)", "linear"),
    (("d_accuracy_real", "d_accuracy_fake"), "discriminator's accuracy", "linear"),
    (("gumbel_temperature",), "Gumbel temperature", "linear"),
)
LABELS = {
    "d_loss": "discriminator",
    "g_loss": "generator",
    "d_accuracy_real": "on real",
    "d_accuracy_fake": "on generated",
}


def training_curves(name: str, curves: pd.DataFrame, path: Path) -> None:
    """Everything a training log has to show, a panel each, the GAN's phases marked.

    A discriminator that never had its turn is left out.

    Args:
        name: the system.
        curves: as ``training_log.read_curves`` gives them.
        path: PNG to write.

    Raises:
        ValueError: the log has nothing that is drawn.
    """
    wide = by_update(curves)
    if ("train", "phase") in wide and wide["train", "phase"].max() == 0:
        wide = wide.drop(columns=[m for m in LABELS if m in wide.columns.levels[1]], level=1)
    panels = []
    for metrics, title, scale in PANELS:
        drawn = [(split, m) for split in ("train", "valid") for m in metrics if (split, m) in wide]
        panels += [(drawn, title, scale)] * bool(drawn)
    if not panels:
        raise ValueError("there is no curve to draw")
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    size = {"figsize": (8.5, 3.3 * rows), "squeeze": False}
    with picture(path, rows, columns, dpi=200, **size) as (figure, grid):
        for axes in grid.flat[len(panels) :]:
            axes.set_axis_off()
        for axes, (drawn, title, scale) in zip(grid.flat, panels, strict=False):
            _draw(axes, wide, drawn)
            axes.set_yscale(scale)
            if scale == "log":
                axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
                axes.yaxis.set_major_formatter("{x:g}")
                axes.yaxis.set_minor_formatter(NullFormatter())
            axes.set_title(title, fontsize=10)
            axes.set_xlabel("updates")
            # Below the panel, where it hides neither curves nor phases.
            below = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.2)}
            axes.legend(ncols=2, frameon=False, **below)
        figure.suptitle(name)


def _draw(axes, wide: pd.DataFrame, drawn: list[tuple[str, str]]) -> None:
    for split, metric in drawn:
        source = "held-out" if split == "valid" else "training"
        label = f"{LABELS[metric]} {source}" if metric in LABELS else source
        values = wide[split, metric].dropna()
        axes.plot(values, "o-" if split == "valid" else "-", label=label, markersize=4)
    for boundary, phase in _phases(wide):
        axes.axvline(boundary, color="grey", linestyle=":", linewidth=1)
        axes.text(
            boundary, 0.98, f" {PHASES[phase]}", transform=axes.get_xaxis_transform(), fontsize=8,
            rotation=90, va="top", color="dimgrey",
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 0},
        )  # fmt: skip


def _phases(wide: pd.DataFrame) -> list[tuple[int, int]]:
    """First logged update of each phase after the first."""
    if ("train", "phase") not in wide:
        return []
    phases = wide["train", "phase"].dropna()
    changes = phases[phases.diff() > 0]
    return [(int(update), int(phase)) for update, phase in changes.items() if phase in PHASES]


def build(results: Results, folder: Path) -> page.Section:
    """The section: the first seed of every system that was trained."""
    captions = {}
    for number, (name, logs) in enumerate(results.logs.items(), start=1):
        if not logs:
            continue
        log, label, file = next(iter(logs.values())), results.label(name), f"training_{number}.png"
        try:
            training_curves(label, read_curves(log), folder / file)
        except ValueError as error:
            raise UsageError(f"{log}: {error}") from None
        captions[file] = f"Training of {label}"
    shown = page.Paragraph("The first seed of every system.")
    return page.Section("Training", [shown, page.Pictures(captions, wide=True)], {})

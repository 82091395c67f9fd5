"""The report's pictures, drawn by matplotlib."""

from pathlib import Path

import matplotlib
import pandas as pd

matplotlib.use("Agg")
from matplotlib import pyplot as plt

PHASES = {0: "generator alone", 1: "discriminator alone", 2: "in turns"}
# What a training curve shows, in this order, where the log has it.
PANELS = (
    ("ppl", "perplexity per token", "log"),
    ("sample_bleu", "BLEU of samples", "linear"),
    (("d_loss", "g_loss"), "players' losses (nats)", "linear"),
    (("d_accuracy_real", "d_accuracy_fake"), "discriminator's accuracy", "linear"),
)
LABELS = {
    "d_loss": "discriminator",
    "g_loss": "generator",
    "d_accuracy_real": "on real",
    "d_accuracy_fake": "on generated",
}


def quality_diversity(table: pd.DataFrame, order: int, path: Path) -> None:
    """Self-BLEU against BLEU, a point a system: good systems stand near the held-out text.

    Args:
        table: a row a system with ``name``, ``kind``, ``bleu_{order}`` and ``self_bleu_{order}``.
        order: n-gram order.
        path: PNG to write.
    """
    figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
    for number, (_, row) in enumerate(table.iterrows()):
        anchor = row["kind"] == "reference"
        axes.scatter(
            row[f"bleu_{order}"],
            row[f"self_bleu_{order}"],
            s=160 if anchor else 70,
            marker="*" if anchor else "o",
            color="black" if anchor else f"C{number}",
            label=row["name"],
            zorder=3,
        )
    axes.set_xlabel(f"BLEU-{order} against held-out text (quality, higher is better)")
    axes.set_ylabel(f"Self-BLEU-{order} (sameness of the samples)")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def training_curves(name: str, curves: pd.DataFrame, path: Path) -> None:
    """Everything a training log has to show, a panel each, the GAN's phases marked.

    Args:
        name: the system.
        curves: as ``training_log.read_curves`` gives them.
        path: PNG to write.
    """
    wide = curves.pivot(index="update", columns=["split", "metric"], values="value").sort_index()
    panels = []
    for metrics, title, scale in PANELS:
        metrics = (metrics,) if isinstance(metrics, str) else metrics
        drawn = [(split, m) for split in ("train", "valid") for m in metrics if (split, m) in wide]
        if drawn:
            panels.append((drawn, title, scale))
    rows = -(-len(panels) // 2)
    figure, grid = plt.subplots(rows, 2, figsize=(9, 3 * rows), layout="constrained", squeeze=False)
    for axes in grid.flat[len(panels) :]:
        axes.set_axis_off()
    for axes, (drawn, title, scale) in zip(grid.flat, panels, strict=False):
        for split, metric in drawn:
            values = wide[split, metric].dropna()
            label = " ".join(
                filter(None, (LABELS.get(metric), "held-out" if split == "valid" else "training"))
            )
            axes.plot(values, "o-" if split == "valid" else "-", label=label, markersize=4)
        for boundary, phase in _phases(wide):
            axes.axvline(boundary, color="grey", linestyle=":", linewidth=1)
            axes.text(
                boundary,
                0.98,
                f" {PHASES[phase]}",
                transform=axes.get_xaxis_transform(),
                fontsize=7,
                rotation=90,
                va="top",
                color="grey",
            )
        axes.set_yscale(scale)
        axes.set_title(title, fontsize=10)
        axes.set_xlabel("updates")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=7)
    figure.suptitle(name)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def _phases(wide: pd.DataFrame) -> list[tuple[int, int]]:
    """First logged update of each phase after the first."""
    if ("train", "phase") not in wide:
        return []
    phases = wide["train", "phase"].dropna()
    changes = phases[phases.diff() > 0]
    return [(int(update), int(phase)) for update, phase in changes.items() if phase in PHASES]

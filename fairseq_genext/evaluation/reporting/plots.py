"""The report's pictures, drawn by matplotlib."""

import logging
from pathlib import Path

import matplotlib
import pandas as pd

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.ticker import LogLocator, NullFormatter

# Importing fairseq turns the root logger up to where matplotlib lists every font it looks at.
logging.getLogger("matplotlib").setLevel(logging.WARNING)

PHASES = {0: "generator alone", 1: "discriminator alone", 2: "in turns"}
# What a training curve shows, in this order, where the log has it.
PANELS = (
    ("ppl", "perplexity per token", "log"),
    ("sample_bleu_3", "BLEU-3 of samples", "linear"),
    ("sample_oracle_nll", "NLL_oracle of samples (nats)", "linear"),
    (("d_loss", "g_loss"), "players' losses (nats)", "linear"),
    (("d_accuracy_real", "d_accuracy_fake"), "discriminator's accuracy", "linear"),
    ("gumbel_temperature", "Gumbel temperature", "linear"),
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


def bleu_bars(table: pd.DataFrame, orders: tuple[int, ...], path: Path) -> None:
    """BLEU of every system by n-gram order, with 95 % intervals.

    Args:
        table: a row a system with ``name``, and ``bleu_n`` and ``bleu_n_ci`` for every order.
        orders: n-gram orders.
        path: PNG to write.
    """
    figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
    width = 0.8 / len(table)
    for number, (_, row) in enumerate(table.iterrows()):
        axes.bar(
            [place + (number + 0.5) * width - 0.4 for place in range(len(orders))],
            [row[f"bleu_{order}"] for order in orders],
            width,
            yerr=[row[f"bleu_{order}_ci"] for order in orders],
            # The colours of quality_diversity.
            color="black" if row["kind"] == "reference" else f"C{number}",
            ecolor="grey",
            label=row["name"],
        )
    axes.set_xticks(range(len(orders)), [f"BLEU-{order}" for order in orders])
    axes.set_ylabel("against held-out text")
    axes.grid(axis="y", alpha=0.3)
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def training_curves(name: str, curves: pd.DataFrame, path: Path) -> None:
    """Everything a training log has to show, a panel each, the GAN's phases marked.

    A discriminator that never had its turn, as beside a generator that only learns by likelihood,
    is left out.

    Args:
        name: the system.
        curves: as ``training_log.read_curves`` gives them.
        path: PNG to write.

    Raises:
        ValueError: the log has nothing that is drawn.
    """
    wide = curves.pivot(index="update", columns=["split", "metric"], values="value").sort_index()
    if ("train", "phase") in wide and wide["train", "phase"].max() == 0:
        wide = wide.drop(columns=[m for m in LABELS if m in wide.columns.levels[1]], level=1)
    panels = []
    for metrics, title, scale in PANELS:
        metrics = (metrics,) if isinstance(metrics, str) else metrics
        drawn = [(split, m) for split in ("train", "valid") for m in metrics if (split, m) in wide]
        if drawn:
            panels.append((drawn, title, scale))
    if not panels:
        raise ValueError("there is no curve to draw")
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    figure, grid = plt.subplots(
        rows, columns, figsize=(8.5, 3.3 * rows), layout="constrained", squeeze=False
    )
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
                fontsize=8,
                rotation=90,
                va="top",
                color="dimgrey",
                bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 0},
            )
        axes.set_yscale(scale)
        if scale == "log":
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.yaxis.set_major_formatter("{x:g}")
            axes.yaxis.set_minor_formatter(NullFormatter())
        axes.set_title(title, fontsize=10)
        axes.set_xlabel("updates")
        axes.grid(alpha=0.3)
        # Below the panel, where it hides neither curves nor phases.
        axes.legend(
            fontsize=8, ncols=2, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.2)
        )
    figure.suptitle(name)
    figure.savefig(path, dpi=200)
    plt.close(figure)


def bleu_by_system(means: list[dict], path: Path) -> None:
    """BLEU of every translation system, a bar a decoding, with 95 % intervals.

    Args:
        means: a row a system and decoding with ``name``, ``decoding``, ``bleu`` and ``bleu_ci``.
        path: PNG to write.
    """
    names = list(dict.fromkeys(row["name"] for row in means))
    decodings = list(dict.fromkeys(row["decoding"] for row in means))
    figure, axes = plt.subplots(figsize=(7, 1.5 + 0.5 * len(names)), layout="constrained")
    height = 0.8 / len(decodings)
    for number, decoding in enumerate(decodings):
        rows = [row for row in means if row["decoding"] == decoding]
        places = [names.index(row["name"]) + (number + 0.5) * height - 0.4 for row in rows]
        bars = axes.barh(
            places,
            [row["bleu"] for row in rows],
            height,
            xerr=[row["bleu_ci"] for row in rows],
            ecolor="grey",
            label=decoding,
        )
        axes.bar_label(bars, fmt="%.1f", padding=4, fontsize=8)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlabel("BLEU")
    axes.margins(x=0.1)
    axes.grid(axis="x", alpha=0.3)
    # Above the bars, where it hides none of their figures.
    axes.legend(fontsize=8, ncols=2, loc="lower left", bbox_to_anchor=(0, 1))
    figure.savefig(path, dpi=150)
    plt.close(figure)


def learning_curves(curves: dict[str, pd.DataFrame], path: Path) -> None:
    """Held-out perplexity of several systems, against updates and against time.

    Args:
        curves: system to what ``training_log.read_curves`` gives.
        path: PNG to write.
    """
    figure, (by_update, by_time) = plt.subplots(
        1, 2, figsize=(10, 4), layout="constrained", sharey=True
    )
    for name, table in curves.items():
        wide = table.pivot(index="update", columns=["split", "metric"], values="value").sort_index()
        if ("valid", "ppl") not in wide:
            continue
        perplexity = wide["valid", "ppl"].dropna()
        by_update.plot(perplexity, "o-", label=name, markersize=4)
        if ("train", "wall") in wide:
            seconds = wide["train", "wall"].interpolate(method="index", limit_direction="both")
            by_time.plot(seconds[perplexity.index], perplexity, "o-", label=name, markersize=4)
    by_update.set(xlabel="updates", ylabel="held-out perplexity per token", yscale="log")
    for axis_formatter in (
        by_update.yaxis.set_major_formatter,
        by_update.yaxis.set_minor_formatter,
    ):
        axis_formatter("{x:g}")
    by_time.set_xlabel("seconds since the start")
    for axes in (by_update, by_time):
        axes.grid(alpha=0.3, which="both")
    by_update.legend(fontsize=8)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def image_quality_curves(rows: list[dict], held_out: dict, least_share: float, path: Path) -> None:
    """Quality over training: Fréchet distance, and the share of every class.

    Args:
        rows: one a checkpoint with ``updates``, ``frechet`` and, with labels, ``shares``.
        held_out: the same figures of held-out real images.
        least_share: below which a class counts as left out.
        path: PNG to write.
    """
    panels = 2 if "shares" in held_out else 1
    figure, grid = plt.subplots(
        1, panels, figsize=(5 * panels, 4), layout="constrained", squeeze=False
    )
    distance, *rest = grid[0]
    updates = [row["updates"] for row in rows]
    distance.plot(updates, [row["frechet"] for row in rows], "o-", label="samples", markersize=4)
    distance.axhline(
        held_out["frechet"], color="black", linestyle="--", linewidth=1, label="held-out real"
    )
    distance.set(xlabel="updates", ylabel="Fréchet distance", yscale="log")
    distance.legend(fontsize=8)
    for axes in rest:
        for label in held_out["shares"]:
            shares = [row["shares"][label] for row in rows]
            axes.plot(updates, shares, "o-", label=label, markersize=3)
        axes.axhline(least_share, color="black", linestyle=":", linewidth=1)
        axes.set(xlabel="updates", ylabel="share of the class")
        axes.legend(fontsize=7, ncols=2, title="class", title_fontsize=7)
    for axes in (distance, *rest):
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def oracle_plane(planes: dict[int, dict[str, list[dict]]], own: float, path: Path) -> None:
    """NLL_oracle against NLL_test of every system and seed; several temperatures make a curve.

    Args:
        planes: seed to system to its points, dicts with ``test_nll``, ``oracle_nll`` and
            ``temperature``.
        own: NLL_oracle of the oracle's own text.
        path: PNG to write.
    """
    figure, axes = plt.subplots(figsize=(8, 5.5), layout="constrained")
    first = next(iter(planes.values()))
    for plane in planes.values():
        for number, (name, points) in enumerate(plane.items()):
            points = sorted(points, key=lambda point: point["temperature"])
            curve = len(points) > 1
            axes.plot(
                [point["test_nll"] for point in points],
                [point["oracle_nll"] for point in points],
                "o-" if curve else "D:",
                color=f"C{number}",
                alpha=0.7,
                markersize=3 if curve else 7,
                linewidth=1,
                label=name if plane is first else None,
            )
            if curve and plane is first:
                for point in points:
                    axes.annotate(
                        f"{point['temperature']:g}",
                        (point["test_nll"], point["oracle_nll"]),
                        xytext=(4, 3),
                        textcoords="offset points",
                        fontsize=7,
                        color=f"C{number}",
                    )
    axes.axhline(own, color="black", linestyle="--", linewidth=1, label="the oracle's own text")
    axes.set_xlabel("NLL_test: held-out text under the generator (nats a token, lower is better)")
    axes.set_ylabel("NLL_oracle: samples under the oracle (lower is better)")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def _phases(wide: pd.DataFrame) -> list[tuple[int, int]]:
    """First logged update of each phase after the first."""
    if ("train", "phase") not in wide:
        return []
    phases = wide["train", "phase"].dropna()
    changes = phases[phases.diff() > 0]
    return [(int(update), int(phase)) for update, phase in changes.items() if phase in PHASES]

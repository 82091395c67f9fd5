"""The quality–diversity picture: a curve a system over sampling temperatures."""

from itertools import count, cycle
from pathlib import Path

import numpy as np
import pandas as pd

from fairseq_genext.evaluation.plots import COLOURS, picture

# Cool for likelihood, warm for GANs. Further shades follow for those who compare more systems than
# the palette holds.
SHADES = {
    "likelihood": ("#0072B2", "#009E73", "#56B4E9", "#004B70", "#6A51A3"),
    "gan": ("#D55E00", "#CC79A7", "#E69F00", "#8C3A00", "#7A3E63", "#C9B700"),
    "baseline": ("#777777", "#AAAAAA", "#444444"),
}
LINES = {"likelihood": "-", "gan": "--", "baseline": ":"}
MARKERS = "osD^vPX<>hp"
# Where a label may stand by its point, in points, tried in this order.
PLACES = (
    (6, 4), (-6, 4), (6, -4), (-6, -4), (0, 7), (0, -7), (14, 0), (-14, 0), (14, 10), (-14, -10),
)  # fmt: skip


def quality_diversity_curves(
    table: pd.DataFrame, order: int, path: Path, held_out: dict[str, float] | None = None
) -> None:
    """BLEU against Self-BLEU: further up is better, further left is more varied.

    Temperatures are filled marks on a line, top-p are open ones; temperature 1 is the largest, with
    bars of one deviation where the table has deviations.

    Args:
        table: a row a point with ``system``, ``temperature``, ``top_p``, ``bleu_{order}``,
            ``self_bleu_{order}``, and, if they are known, ``family`` and deviations over seeds
            (``…_sd``).
        order: n-gram order.
        path: PNG to write.
        held_out: ``bleu_{order}`` and ``self_bleu_{order}`` of held-out text, drawn as a star.
    """
    x, y = f"self_bleu_{order}", f"bleu_{order}"
    with picture(path, dpi=220, figsize=(5.6, 5.6)) as (figure, axes):
        labels, places = [], []
        used = {family: count() for family in ("", *SHADES)}
        for marker, (name, rows) in zip(
            cycle(MARKERS), table.groupby("system", sort=False), strict=False
        ):
            family = rows["family"].iloc[0] if "family" in rows else ""
            palette = SHADES.get(family, COLOURS)
            colour = palette[next(used[family]) % len(palette)]
            label = f"{name} ({family})" if family else name
            style = {"color": colour, "marker": marker, "markersize": 5}
            curve = rows[rows["top_p"] == 1].sort_values("temperature")
            cut = rows[rows["top_p"] < 1].sort_values("top_p")
            axes.plot(
                curve[x], curve[y], LINES.get(family, "-"), **style, linewidth=1.5, label=label,
                zorder=3,
            )  # fmt: skip
            axes.plot(cut[x], cut[y], linestyle="", **style, markerfacecolor="white", zorder=4)
            _mark_temperature_1(axes, curve[curve["temperature"] == 1], x, y, style)
            places += _along(curve[[x, y]].to_numpy()) + cut[[x, y]].to_numpy().tolist()
            for _, row in rows.iterrows():
                told = f"{row['temperature']:g}" if row["top_p"] == 1 else f"p{row['top_p']:g}"
                if told != "1":
                    labels.append(((row[x], row[y]), told, colour))
        if held_out:
            places.append((held_out[x], held_out[y]))
            axes.plot(
                *places[-1], "*", color="black", markersize=15, label="held-out text", zorder=6,
                linestyle="",
            )  # fmt: skip
        axes.margins(0.08)
        axes.set_xlabel(f"Self-BLEU-{order} (sameness: further left is more varied)")
        axes.set_ylabel(f"BLEU-{order} (quality: further up is better)")
        axes.grid(alpha=0.3)
        figure.legend(loc="outside lower center", ncols=2, fontsize=9, frameon=False)
        _label(axes, labels, places)


def _mark_temperature_1(axes, points: pd.DataFrame, x: str, y: str, style: dict) -> None:
    for _, row in points.iterrows():
        large = style | {"markersize": 9, "markeredgecolor": "black", "zorder": 5}
        axes.plot(row[x], row[y], **large)
        if pd.notna(row.get(f"{y}_sd")):
            axes.errorbar(
                row[x], row[y], xerr=row[f"{x}_sd"], yerr=row[f"{y}_sd"], color=style["color"],
                linewidth=1, capsize=2,
            )  # fmt: skip


def _along(points: np.ndarray) -> list:
    """The points of a line and some between them."""
    if len(points) < 2:
        return points.tolist()
    steps = np.linspace(0, len(points) - 1, 24 * (len(points) - 1) + 1)
    return np.stack(
        [np.interp(steps, range(len(points)), coordinate) for coordinate in points.T], axis=1
    ).tolist()


def _label(axes, labels: list[tuple], places: list) -> None:
    """Puts labels, (point, text, colour), where they hide none of the places and no other label."""
    # Each label stands in the first place that hides no point, no line and no earlier label; where
    # there is none it is left out, since temperatures lie on their line in order.
    axes.figure.canvas.draw()
    points = axes.transData.transform(places)
    taken = []
    for place, text, colour in labels:
        for right, up in PLACES:
            note = axes.annotate(
                text, place, (right, up), textcoords="offset points", fontsize=8, color=colour,
                ha="left" if right > 0 else "right" if right < 0 else "center",
                va="bottom" if up > 0 else "top" if up < 0 else "center", zorder=7,
            )  # fmt: skip
            box = note.get_window_extent().padded(2)
            inside = axes.bbox.contains(box.x0, box.y0) and axes.bbox.contains(box.x1, box.y1)
            if inside and box.count_contains(points) == 0 and box.count_overlaps(taken) == 0:
                taken.append(box)
                break
            note.remove()

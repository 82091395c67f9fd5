"""The quality–diversity picture: a curve a system over sampling temperatures."""

from itertools import count, cycle
from pathlib import Path

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
FITS_TWICE = 32  # characters of a label, with which two stand side by side
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
        labels = []
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
            line = LINES.get(family, "-")
            axes.plot(curve[x], curve[y], line, **style, linewidth=1.5, label=label, zorder=3)
            axes.plot(cut[x], cut[y], linestyle="", **style, markerfacecolor="white", zorder=4)
            _mark_temperature_1(axes, curve[curve["temperature"] == 1], x, y, style)
            for _, row in rows.iterrows():
                told = f"{row['temperature']:g}" if row["top_p"] == 1 else f"p{row['top_p']:g}"
                if told != "1":
                    labels.append(((row[x], row[y]), told, colour))
        if held_out:
            star = {"color": "black", "markersize": 15, "linestyle": "", "zorder": 6}
            axes.plot(held_out[x], held_out[y], "*", **star, label="held-out text")
        axes.margins(0.08)
        axes.set_xlabel(f"Self-BLEU-{order} (sameness: further left is more varied)")
        axes.set_ylabel(f"BLEU-{order} (quality: further up is better)")
        named = axes.get_legend_handles_labels()[1]
        ncols = 2 if max(map(len, named)) <= FITS_TWICE else 1
        figure.legend(loc="outside lower center", ncols=ncols, fontsize=9, frameon=False)
        _label(axes, labels)


def _mark_temperature_1(axes, points: pd.DataFrame, x: str, y: str, style: dict) -> None:
    large = style | {"markersize": 9, "markeredgecolor": "black", "zorder": 5, "linestyle": ""}
    axes.plot(points[x], points[y], **large)
    if f"{y}_sd" in points:
        known = points.dropna(subset=f"{y}_sd")
        bars = {"color": style["color"], "linestyle": "", "elinewidth": 1, "capsize": 2}
        axes.errorbar(known[x], known[y], xerr=known[f"{x}_sd"], yerr=known[f"{y}_sd"], **bars)


def _label(axes, labels: list[tuple]) -> None:
    """Puts each label, (point, text, colour), in the first place where it hides nothing.

    Where there is none it is left out, since temperatures lie on their line in order.
    """
    axes.figure.canvas.draw()
    drawn = [line.get_transform().transform_path(line.get_path()) for line in axes.lines]
    taken: list = []
    for point, text, colour in labels:
        for right, up in PLACES:
            note = axes.annotate(
                text, point, (right, up), textcoords="offset points", fontsize=8, color=colour,
                ha="left" if right > 0 else "right" if right < 0 else "center",
                va="bottom" if up > 0 else "top" if up < 0 else "center", zorder=7,
            )  # fmt: skip
            extent = note.get_window_extent()
            box = extent.padded(3)
            hides = box.count_overlaps(taken) or any(
                box.count_contains(path.vertices) or path.intersects_bbox(extent, filled=False)
                for path in drawn
            )
            inside = axes.bbox.contains(*box.min) and axes.bbox.contains(*box.max)
            if inside and not hides:
                taken.append(box)
                break
            note.remove()

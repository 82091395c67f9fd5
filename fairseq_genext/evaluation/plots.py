"""Matplotlib, set up to write PNG files without a screen."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib
import pandas as pd

matplotlib.use("Agg")
from matplotlib import pyplot as plt

# Importing fairseq turns the root logger up to where matplotlib lists every font it looks at.
logging.getLogger("matplotlib").setLevel(logging.WARNING)

plt.rcParams.update({"axes.grid": True, "axes.axisbelow": True, "grid.alpha": 0.3})
plt.rcParams["legend.fontsize"] = 8
# Okabe and Ito 2008, told apart by colour-blind readers.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#004B70", "#8C3A00")


@contextmanager
def picture(path: Path, rows: int = 1, columns: int = 1, dpi: int = 150, **options) -> Iterator:
    """A figure and its panels to draw in, written to ``path`` at the end.

    Args:
        path: PNG to write.
        rows, columns: number of panels; one panel comes alone, several as an array.
        dpi: pixels an inch.
        options: of ``pyplot.subplots``.
    """
    # At the resolution of the file, or text would move when it is written.
    figure, panels = plt.subplots(rows, columns, layout="constrained", dpi=dpi, **options)
    try:
        yield figure, panels
        figure.savefig(path)
    finally:
        plt.close(figure)


def bars(
    means: pd.DataFrame, errors: pd.DataFrame, label: str, decimals: int, colours: list, path: Path
) -> None:
    """Horizontal bars in groups, each with its error.

    Args:
        means: a row a group, a column a bar of every group.
        errors: half the lengths of the error bars, in the same form.
        label: what is measured.
        decimals: of the figures at the bars.
        colours: one a column.
        path: PNG to write.
    """
    height = 1.2 + len(means) * (0.2 + 0.25 * len(means.columns))
    with picture(path, figsize=(7, height)) as (_, axes):
        means.plot.barh(
            xerr=errors.fillna(0), ax=axes, width=0.8, ecolor="grey", color=colours, legend=False
        )
        for drawn in axes.containers:
            if hasattr(drawn, "patches"):
                axes.bar_label(drawn, fmt=f"%.{decimals}f", padding=4, fontsize=8)
        axes.invert_yaxis()
        axes.set(xlabel=label, ylabel="")
        axes.margins(x=0.1)
        axes.grid(visible=False, axis="y")
        # Above the bars, where it hides none of their figures.
        axes.legend(ncols=4, loc="lower left", bbox_to_anchor=(0, 1))

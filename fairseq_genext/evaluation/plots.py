"""Matplotlib, set up to write PNG files without a screen."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt

# Importing fairseq turns the root logger up to where matplotlib lists every font it looks at.
logging.getLogger("matplotlib").setLevel(logging.WARNING)


@contextmanager
def picture(path: Path, rows: int = 1, columns: int = 1, dpi: int = 150, **options) -> Iterator:
    """A figure and its panels to draw in, written to ``path`` at the end.

    Args:
        path: PNG to write.
        rows, columns: number of panels; one panel comes alone, several as an array.
        dpi: pixels an inch.
        options: of ``pyplot.subplots``.
    """
    figure, panels = plt.subplots(rows, columns, layout="constrained", **options)
    try:
        yield figure, panels
        figure.savefig(path, dpi=dpi)
    finally:
        plt.close(figure)

"""A PNG of many small images."""

from pathlib import Path

import numpy as np
from PIL import Image

COLUMNS = 10
SHOWN = 100
SCALE = 2  # screen pixels for one of an image
GREY = 96  # of the lines between images


def write_grid(pixels: np.ndarray, path: Path) -> None:
    """Writes the first 100 images, ten a row.

    Args:
        pixels: ``(number, height, width)``, uint8.
        path: PNG to write.
    """
    shown = np.pad(pixels[:SHOWN], ((0, 0), (1, 0), (1, 0)), constant_values=GREY)
    height, width = shown.shape[1:]
    left_over = -len(shown) % COLUMNS
    shown = np.pad(shown, ((0, left_over), (0, 0), (0, 0)), constant_values=GREY)
    grid = shown.reshape(-1, COLUMNS, height, width).swapaxes(1, 2).reshape(-1, COLUMNS * width)
    grid = np.pad(grid, ((0, 1), (0, 1)), constant_values=GREY)
    Image.fromarray(grid.repeat(SCALE, axis=0).repeat(SCALE, axis=1)).save(path)

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
    shown = pixels[:SHOWN]
    height, width = shown.shape[1:]
    rows = -(-len(shown) // COLUMNS)
    grid = np.full((rows * (height + 1) + 1, COLUMNS * (width + 1) + 1), GREY, np.uint8)
    for number, image in enumerate(shown):
        top, left = (1 + place * (size + 1) for place, size in zip(
            divmod(number, COLUMNS), (height, width), strict=True
        ))  # fmt: skip
        grid[top : top + height, left : left + width] = image
    Image.fromarray(grid.repeat(SCALE, axis=0).repeat(SCALE, axis=1)).save(path)

"""How images were drawn, sub-pixel after sub-pixel, as a short animated picture."""

import io
import math
from collections.abc import Sequence

import numpy as np
from PIL import Image

from pixelbench.evaluation.sheets import colours, enlarged

#: Pictures of the animation, each shown so long; the whole images stay on at its end.
FRAMES, MILLISECONDS, LAST_MILLISECONDS = 48, 60, 2000
_SPACE = 2


def drawing_webp(
    shares: np.ndarray, order: Sequence[tuple[int, int, int]], held: np.ndarray | None = None, columns: int | None = None
) -> bytes:
    """A lossless animated WebP of images that fill as their model drew them; it begins again after its end.

    Sampling never goes back, so a drawn image and the order say what stood there at each moment.

    Args:
        shares: the finished images (N, C, H, W), 0 black to 1 white.
        order: (row, column, colour) of every sub-pixel as they were drawn.
        held: True (N, C, H, W) where a value was given beforehand.
        columns: of the grid; a square-ish one if left out.
    """
    turn = np.zeros(shares.shape[1:], np.int64)
    for number, (row, column, colour) in enumerate(order):
        turn[colour, row, column] = number
    finished = turn.max(0)  # (H, W): a pixel appears when its last colour is drawn
    given = np.zeros(shares.shape, bool) if held is None else held.all(1, keepdims=True)
    steps = np.linspace(0, len(order), FRAMES).round()
    grids = [_grid(np.where(given | (finished < step), shares, np.nan), columns) for step in steps]
    first, *rest = (Image.fromarray(grid) for grid in grids)
    buffer = io.BytesIO()
    durations = [MILLISECONDS] * (len(grids) - 1) + [LAST_MILLISECONDS]
    first.save(buffer, "WEBP", save_all=True, append_images=rest, duration=durations, loop=0, lossless=True, method=4)
    return buffer.getvalue()


def _grid(shares: np.ndarray, columns: int | None) -> np.ndarray:
    """(N, C, H, W) → one picture (height, width, 3)."""
    tiles = enlarged(colours(shares))
    n, height, width, _ = tiles.shape
    columns = columns or math.ceil(math.sqrt(n))
    rows = math.ceil(n / columns)
    grid = np.full((rows * (height + _SPACE), columns * (width + _SPACE), 3), 255, np.uint8)
    for i, tile in enumerate(tiles):
        y, x = i // columns * (height + _SPACE), i % columns * (width + _SPACE)
        grid[y : y + height, x : x + width] = tile
    return grid[:-_SPACE, :-_SPACE]

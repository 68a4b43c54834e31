"""In which order sub-pixels are probed, so that a check that cannot reach them all has reached the telling ones. Numpy only."""

import numpy as np

#: What `by_importance` puts first, in words.
PROBE_ORDER = "corners, borders, every colour of interior pixels, residues of strides up to 4, then random ones"
_STRIDE = 4
#: At how many sub-pixels a trained model is probed for leaks; the complete map is of a narrow copy.
TRAINED_POSITIONS = 16


def by_importance(places: np.ndarray, shape: tuple[int, int, int], seed: int) -> np.ndarray:
    """The places, the most telling first.

    Masks and kernels are the same everywhere, so one interior pixel with all its colours says most; padding and missing neighbours show in
    corners and at borders; strides and blocks, up to 4, in the pixels around the middle. One colour of each of those, by turns, then their
    other colours, then the rest at random.

    Args:
        places: raster places `(row * W + column) * C + channel`.
        shape: (C, H, W).
    """
    channels, height, width = shape
    pixels = _informative_pixels(height, width)
    middle = [pixels[0] * channels + colour for colour in range(channels)]
    turns = [pixel * channels + (turn + colour) % channels for colour in range(channels) for turn, pixel in enumerate(pixels[1:])]
    first = np.array([*middle, *turns])
    rest = np.random.default_rng(seed).permutation(np.setdiff1d(places, first))
    return np.concatenate([first[np.isin(first, places)], rest])


def _informative_pixels(height: int, width: int) -> list[int]:
    """The middle, four corners, four middles of borders, and all rows and columns modulo 4 around the middle; each once."""
    row, column = height // 2, width // 2
    bottom, right = height - 1, width - 1
    corners = [(0, 0), (bottom, right), (0, right), (bottom, 0)]
    borders = [(0, column), (bottom, column), (row, 0), (row, right)]
    around = [(min(row + i, bottom), min(column + (i + j) % _STRIDE, right)) for j in range(_STRIDE) for i in range(_STRIDE)]
    return list(dict.fromkeys(r * width + c for r, c in [(row, column), *corners, *borders, *around]))

"""Images as vectors in raster order: row, then column, then channel."""

import numpy as np


def flat(images: np.ndarray) -> np.ndarray:
    """(…, C, H, W) → (…, D)."""
    moved = np.moveaxis(images, -3, -1)
    return moved.reshape(*moved.shape[:-3], -1)


def folded(raster: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """(…, D) → (…, C, H, W)."""
    channels, height, width = shape
    return np.moveaxis(raster.reshape(*raster.shape[:-1], height, width, channels), -1, -3)


def place_at(place: int, shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """A place in raster order → (channel, row, column)."""
    pixel, channel = divmod(place, shape[0])
    return channel, pixel // shape[2], pixel % shape[2]


def copies(image: np.ndarray, count: int) -> np.ndarray:
    """(C, H, W) → (count, C, H, W)."""
    return np.repeat(image[None], count, 0)

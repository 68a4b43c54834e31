"""Statistics of a set of images that are comparable between samples and real test images."""

from itertools import combinations

import numpy as np


def sample_statistics(images: np.ndarray, levels: int) -> dict[str, float | None]:
    """Statistics of a set of images, pooled over all of them.

    Args:
        images: integer (N, C, H, W), values 0 … levels-1, N >= 1.
        levels: how many values a sub-pixel can have.

    Returns:
        A dictionary of:

        - `mean_level`: mean value as a share of the highest level, 0 to 1.
        - `zeros`: share of sub-pixels that are 0.
        - `constant_images`: share of images of one plain colour (no channel varies within the image).
        - `spatial_correlation`: Pearson correlation between horizontally and vertically adjacent values of one channel, all pairs of all
          channels in one pool.
        - `colour_coherence`: neighbour differences (horizontal and vertical first differences) of two channels at the same place, their
          Pearson correlation over all places, averaged over the pairs of channels.
        - `chroma_luma`: with d_c the neighbour differences of channel c and m their mean over the channels, the mean of (d_c - m)² over
          places and channels, divided by the mean of m² over places. C independent channels of equal energy have C - 1, grey images 0.

        A value is None where it is undefined: the last two for one channel, and each whose denominator is 0 (as in constant images).

    Raises:
        ValueError: no images, not four axes, or a value outside 0 … levels-1.
    """
    if images.ndim != 4 or len(images) == 0:
        raise ValueError(f"images must be (N, C, H, W) with N >= 1, got {images.shape}")
    if images.min() < 0 or images.max() >= levels:
        raise ValueError(f"images must hold 0 to {levels - 1}, got {images.min()} to {images.max()}")
    values = images.astype(np.float64)
    differences = neighbour_differences(values)
    return {
        "mean_level": float(values.mean() / (levels - 1)),
        "zeros": float((images == 0).mean()),
        "constant_images": float((images == images[:, :, :1, :1]).all(axis=(1, 2, 3)).mean()),
        "spatial_correlation": _spatial_correlation(values),
        "colour_coherence": _colour_coherence(differences),
        "chroma_luma": _chroma_luma(differences),
    }


def neighbour_differences(values: np.ndarray) -> np.ndarray:
    """First differences to the right-hand neighbour and to the one below: (N, C, H, W) → (C, places)."""
    right = np.diff(values, axis=3)
    below = np.diff(values, axis=2)
    channels = values.shape[1]
    return np.concatenate([part.transpose(1, 0, 2, 3).reshape(channels, -1) for part in (right, below)], axis=1)


def _spatial_correlation(values: np.ndarray) -> float | None:
    first = np.concatenate([values[..., :-1].ravel(), values[..., :-1, :].ravel()])
    second = np.concatenate([values[..., 1:].ravel(), values[..., 1:, :].ravel()])
    return _pearson(first, second)


def _colour_coherence(differences: np.ndarray) -> float | None:
    correlations = [_pearson(a, b) for a, b in combinations(differences, 2)]
    if not correlations or None in correlations:
        return None
    return sum(c for c in correlations if c is not None) / len(correlations)


def _chroma_luma(differences: np.ndarray) -> float | None:
    if len(differences) == 1:
        return None
    luma = differences.mean(axis=0)
    energy = float((luma**2).sum())
    return float(((differences - luma) ** 2).mean(axis=0).sum() / energy) if energy > 0 else None


def _pearson(first: np.ndarray, second: np.ndarray) -> float | None:
    """Pearson correlation, or None where one side does not vary."""
    if first.size == 0 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    a, b = first - first.mean(), second - second.mean()
    return float((a @ b) / np.sqrt((a @ a) * (b @ b)))

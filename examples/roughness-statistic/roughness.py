"""A statistic of one's own: how much neighbouring values differ."""

import numpy as np

import pixelbench as pb


@pb.register_statistic("roughness", title="roughness", meaning="the mean difference between neighbours, of the highest level", unit="share")
def roughness(images: np.ndarray, levels: int) -> float | None:
    """Integer images (N, C, H, W) → mean absolute difference to the neighbours on the right and below, as a share of the highest level."""
    values = images.astype(np.float64)
    steps = np.concatenate([np.abs(np.diff(values, axis=axis)).ravel() for axis in (2, 3)])
    return float(steps.mean() / (levels - 1)) if len(steps) else None

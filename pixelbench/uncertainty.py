"""Errors of a mean when values of one cluster move together: patches of one photograph, digits of one form."""

import numpy as np
from scipy.special import stdtrit


def clustered_standard_error(values: np.ndarray, clusters: np.ndarray) -> float | None:
    """Standard error of the mean of `values` (N,); None with fewer than two clusters.

    With G clusters: sqrt(G / (G - 1) * sum over clusters of (sum of its residuals)^2) / N. With one value a cluster this is the ordinary
    standard error.
    """
    names, index = np.unique(clusters, return_inverse=True)
    if len(names) < 2:
        return None
    sums = np.bincount(index, weights=values - values.mean())
    return float(np.sqrt(len(names) / (len(names) - 1) * np.square(sums).sum()) / len(values))


def clustered_interval(values: np.ndarray, clusters: np.ndarray, confidence: float = 0.95) -> tuple[float, float]:
    """Interval for the mean of `values` (N,): Student's t with G - 1 degrees of freedom, honest also where the clusters are few.

    Raises:
        ValueError: fewer than two clusters, so that no interval exists.
    """
    error = clustered_standard_error(values, clusters)
    if error is None:
        raise ValueError("an interval needs at least two clusters")
    half = float(stdtrit(len(np.unique(clusters)) - 1, 0.5 + confidence / 2)) * error
    return float(values.mean()) - half, float(values.mean()) + half

"""Probabilities as whole numbers: what a range coder divides its interval by. No torch."""

import numpy as np

#: Fixed point: the counts of a sub-pixel's levels sum to 2^24.
PRECISION = 24
TOTAL = 1 << PRECISION


def counts_of(probabilities: np.ndarray) -> np.ndarray:
    """Counts (B, K) int64 for probabilities (B, K) float64: each at least 1, each row's sum 2^24.

    Level v gets 1 + floor(p_v * (2^24 - K)), and the likeliest level (of several the lowest) what is left to 2^24. So no level is
    impossible, and one of probability 1 costs K / 2^24 / ln 2 bits. Every operation is exact or rounded as IEEE 754 says: equal
    probabilities give equal counts everywhere.

    Raises:
        ValueError: not finite, negative, or a row's sum is not 1; no more than 2^16 levels are meant.
    """
    if not np.isfinite(probabilities).all() or (probabilities < 0).any():
        raise ValueError("probabilities must be finite and at least 0")
    if np.abs(probabilities.sum(1) - 1).max(initial=0) > 1e-9:
        raise ValueError("the probabilities of a sub-pixel must sum to 1")
    images, levels = probabilities.shape
    counts = 1 + np.floor(probabilities * (TOTAL - levels)).astype(np.int64)
    counts[np.arange(images), probabilities.argmax(1)] += TOTAL - counts.sum(1)
    return counts

"""Do frequencies follow probabilities? A likelihood-ratio test (G-test) that holds where many outcomes are rare."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import binom, chi2

#: An outcome that is expected fewer times is tested together with others, or the statistic does not have its distribution.
_LEAST = 5.0
#: Outcomes that are so rare together that hardly any should be there: they are counted, exactly.
_RARE = 0.5


@dataclass(frozen=True)
class Fit:
    """G on so many degrees of freedom; `p_value`: how often it, or more of the rarest outcomes, would come about by chance."""

    statistic: float
    degrees: int
    p_value: float


def fitted(counts: np.ndarray, nats: np.ndarray) -> Fit:
    """The test of counts against log p, arrays of the same shape.

    Outcomes are put together in the order of their probability until each group is expected five times. The rarest, which are expected half
    a time together, are counted as well: one that cannot be, and is there, decides.
    """
    order = np.argsort(-nats.ravel(), kind="stable")
    observed, probability = counts.ravel()[order].astype(np.float64), np.exp(nats.ravel()[order])
    drawn = observed.sum()
    expected = drawn * probability
    tail = np.cumsum(expected[::-1])[::-1] < _RARE
    rare = float(binom.sf(observed[tail].sum() - 1, drawn, min(1.0, probability[tail].sum()))) if observed[tail].any() else 1.0
    groups = _groups(expected)
    seen, due = np.bincount(groups, observed), np.bincount(groups, expected)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(seen > 0, seen * np.log(seen / due), 0.0)
    statistic, degrees = max(0.0, 2 * float(terms.sum())), len(due) - 1
    usual = float(chi2.sf(statistic, degrees)) if degrees else 1.0
    return Fit(statistic, degrees, min(1.0, 2 * min(usual, rare)))


def _groups(expected: np.ndarray) -> np.ndarray:
    """The number of each outcome's group, from the most probable outcome on; what is left at the end belongs to the last."""
    numbers, number, held = np.empty(len(expected), dtype=np.int64), 0, 0.0
    for index, one in enumerate(expected):
        numbers[index], held = number, held + one
        if held >= _LEAST:
            number, held = number + 1, 0.0
    return np.minimum(numbers, max(0, number - 1)) if held else numbers


def would_show(nats: np.ndarray, other: np.ndarray, degrees: int, draws: int, p_value: float) -> bool:
    """Whether so many draws from another distribution would, on average, be told from this one."""
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(np.isneginf(other), 0.0, np.exp(other) * (other - nats))
    return bool(2 * draws * terms.sum() > chi2.isf(p_value, degrees) - degrees)

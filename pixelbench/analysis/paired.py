"""Differences between two cells on the same test images, with the noise of images and of seeds: the one place that holds cells together."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pixelbench.statistics import Difference, PooledVariance, difference
from pixelbench.store.cells import Cell


@dataclass(frozen=True)
class PairedDifference:
    """A difference and what it is one of: positive where the second needs more bits.

    `of`: `likelihoods`, both exact; `bounds`, both by one estimator, so that it orders the bounds and not surely the likelihoods;
    `at most`, a bound beside an exact value, so that the true difference is no larger.
    """

    difference: Difference
    of: Literal["likelihoods", "bounds", "at most"]


def compare_cells(first: Cell, second: Cell) -> Difference | None:
    """The difference of two cells of one task; None where a leak, a code length or other test images forbid it."""
    return difference_of(first, second) if first.comparable and second.comparable else None


def paired_difference(baseline: Cell, cell: Cell) -> PairedDifference | None:
    """The bits that `cell` needs more than `baseline`; None where nothing can be said: a leak, other estimators, other test images."""
    if baseline.leaky or cell.leaky or baseline.conditional != cell.conditional or "code-length" in (baseline.estimator, cell.estimator):
        return None
    if baseline.estimator == cell.estimator:
        of = "bounds" if cell.bound else "likelihoods"
    elif cell.bound and not baseline.bound:
        of = "at most"
    else:
        return None
    found = difference_of(baseline, cell)
    return None if found is None else PairedDifference(found, of)


def difference_of(first: Cell, second: Cell) -> Difference | None:
    """Of whatever numbers the two have; None where they are of other images or not kept."""
    if first.runs[0].data != second.runs[0].data:
        return None
    mine, its = first.nats, second.nats
    if mine is None or its is None or not np.array_equal(mine[1], its[1]):
        return None
    pooled, trained = _noise_of(first, second)
    return difference(mine[0], its[0], mine[1], first.shape, pooled=pooled, trained=trained)


def _noise_of(first: Cell, second: Cell) -> tuple[PooledVariance | None, tuple[bool, bool]]:
    """The variance over seeds to be borrowed, and which of the two seeds move. What is fitted lends none to a net that has one seed."""
    sides = first, second
    lone = any(cell.trained and len(cell.scored) == 1 for cell in sides)
    if lone and not any(cell.trained and cell.seed_variance for cell in sides):
        return None, (first.trained, second.trained)
    return _wider([cell.seed_variance for cell in sides if cell.seed_variance is not None]), (first.by_chance, second.by_chance)


def _wider(pools: Collection[PooledVariance]) -> PooledVariance | None:
    """Of two budgets the one whose seeds differ more."""
    return max(pools, key=lambda pool: pool.variance, default=None)

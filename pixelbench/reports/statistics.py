"""Paired differences between two variants on the same test images, with an interval that respects regions."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from pixelbench.reports.runs import Cell
from pixelbench.statistics import clustered_interval
from pixelbench.units import bits_per_dim


@dataclass(frozen=True)
class PairedDifference:
    """How much better the first of two is, in bits/dim: positive where it needs fewer bits. `low` and `high` bound 95 %.

    The interval speaks of other test images from the same source, not of other seeds.
    """

    mean: float
    low: float
    high: float
    n_images: int
    n_clusters: int

    @property
    def distinguishable(self) -> bool:
        return self.low > 0 or self.high < 0

    @property
    def pairing(self) -> str:
        """`paired over 280 images in 20 groups`: regions of a photograph, or forms of handwriting."""
        groups = f" in {self.n_clusters} groups" if self.n_clusters < self.n_images else ""
        return f"paired over {self.n_images} images{groups}"

    def sentence(self, first: str, second: str) -> str:
        """What the numbers say of two names, and honestly so where they say nothing."""
        if not self.distinguishable:
            verdict = "better" if self.mean >= 0 else "worse"
            return (
                f"{first} and {second} are not distinguishable: {first} is {abs(self.mean):.3f} bits/dim {verdict}, "
                f"but the 95 % interval {self.low:+.3f} to {self.high:+.3f} holds 0 ({self.pairing})."
            )
        verb, sign = ("beats", 1) if self.mean > 0 else ("loses to", -1)
        low, high = sorted((sign * self.low, sign * self.high))
        return f"{first} {verb} {second} by {abs(self.mean):.3f} bits/dim (95 % interval {low:.3f} to {high:.3f}, {self.pairing})."


@dataclass(frozen=True)
class Contrast:
    """A paired difference and what it is one of: positive where the second needs more bits.

    `of`: `likelihoods`, both exact; `bounds`, both by one estimator, so that it orders the bounds and not surely the likelihoods;
    `at most`, a bound beside an exact value, so that the true difference is no larger.
    """

    difference: PairedDifference
    of: Literal["likelihoods", "bounds", "at most"]


def paired_difference(first: np.ndarray, second: np.ndarray, clusters: np.ndarray, shape: tuple[int, ...]) -> PairedDifference:
    """Mean of `second - first` in bits/dim with a 95 % interval by Student's t over regions.

    Args:
        first, second: nats of the same test images, each (N,).
        clusters: (N,) the region each image was cut from; patches of one region are not independent.
        shape: (C, H, W) of an image.

    Raises:
        ValueError: the arrays are not of one length, or there are fewer than two regions (then no interval exists).
    """
    if not first.shape == second.shape == clusters.shape:
        raise ValueError(f"paired arrays must have one length, got {first.shape}, {second.shape} and {clusters.shape}")
    difference = bits_per_dim(second.astype(np.float64) - first.astype(np.float64), shape)
    low, high = clustered_interval(difference, clusters)
    return PairedDifference(float(difference.mean()), low, high, len(difference), len(np.unique(clusters)))


def compare_cells(first: Cell, second: Cell) -> PairedDifference | None:
    """The paired difference of two cells of one task; None where a leak, a code length or other test images forbid it."""
    return _paired(first, second) if first.comparable and second.comparable else None


def contrast_cells(baseline: Cell, cell: Cell) -> Contrast | None:
    """What `cell` needs more than `baseline`; None where nothing can be said: a leak, other estimators, other test images."""
    if baseline.leaky or cell.leaky or baseline.told != cell.told or "code-length" in (baseline.estimator, cell.estimator):
        return None
    if baseline.estimator == cell.estimator:
        of = "bounds" if cell.bound else "likelihoods"
    elif cell.bound and not baseline.bound:
        of = "at most"
    else:
        return None
    difference = _paired(baseline, cell)
    return None if difference is None else Contrast(difference, of)


def _paired(first: Cell, second: Cell) -> PairedDifference | None:
    """Of whatever numbers the two have; None where they are of other images or not kept."""
    if first.runs[0].data != second.runs[0].data:
        return None
    mine, its = first.nats, second.nats
    if mine is None or its is None or not np.array_equal(mine[1], its[1]) or len(np.unique(mine[1])) < 2:
        return None
    return paired_difference(mine[0], its[0], mine[1], first.shape)

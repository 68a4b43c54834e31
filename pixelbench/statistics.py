"""Errors of means whose values move together, and differences between two nets with all their noise.

Two sources of noise, whose choices are argued at the functions that make them:

- the images: values of one cluster move together (patches of one photograph, digits of one form), so errors are over clusters;
- the seeds: another seed gives the same net another mean on the same images, by far more than images explain where these are many.
"""

# scipy comes without types
# pyright: reportMissingTypeStubs=false
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from scipy.special import stdtrit

from pixelbench.units import bits_per_dim

#: Where the variance over seeds comes from; see `seed_noise`.
SeedSource = Literal["own", "pooled", "none needed", "unknown"]


def clustered_standard_error(values: np.ndarray, clusters: np.ndarray) -> float | None:
    """Standard error of the mean of `values` (N,); None with fewer than two clusters.

    With G clusters: sqrt(G / (G - 1) * sum over clusters of (sum of its residuals)^2) / N. With one value a cluster this is the ordinary
    standard error.
    """
    return clustered(values, clusters)[0]


def clustered_interval(values: np.ndarray, clusters: np.ndarray, confidence: float = 0.95) -> tuple[float, float]:
    """Interval for the mean of `values` (N,): Student's t with G - 1 degrees of freedom, honest also where the clusters are few.

    Raises:
        ValueError: fewer than two clusters, so that no interval exists.
    """
    error, n = clustered(values, clusters)
    if error is None:
        raise ValueError("an interval needs at least two clusters")
    half = float(stdtrit(n - 1, 0.5 + confidence / 2)) * error
    return float(values.mean()) - half, float(values.mean()) + half


def clustered(values: np.ndarray, clusters: np.ndarray) -> tuple[float | None, int]:
    """The clustered standard error, and how many clusters there are."""
    names, index = np.unique(clusters, return_inverse=True)
    if len(names) < 2:
        return None, len(names)
    sums = np.bincount(index, weights=values - values.mean())
    return float(np.sqrt(len(names) / (len(names) - 1) * np.square(sums).sum()) / len(values)), len(names)


class PooledVariance(NamedTuple):
    """Variance of one run's bits/dim over seeds, in (bits/dim)^2, and how many degrees of freedom it was estimated with."""

    variance: float
    degrees_of_freedom: int


def pooled_variance(groups: Iterable[Sequence[float] | np.ndarray]) -> PooledVariance | None:
    """Variance within groups: the bits/dim of each cell's seeds. A group of one value adds nothing; None where no group has two."""
    arrays = [np.asarray(group, np.float64) for group in groups if len(group) > 1]
    degrees = sum(len(values) - 1 for values in arrays)
    if degrees == 0:
        return None
    return PooledVariance(sum(float(np.square(values - values.mean()).sum()) for values in arrays) / degrees, degrees)


@dataclass(frozen=True)
class Difference:
    """How much better the first of two is, in bits/dim: positive where it needs fewer bits.

    The interval speaks of other test images from the same source and of other seeds; where `seed_noise` is `unknown`, of images alone.
    """

    mean: float
    low: float
    """Lower end of the 95 % interval."""
    high: float
    n_images: int
    n_clusters: int
    seeds: tuple[int, int]
    """Different runs that the first and the second mean rest on."""
    seed_noise: SeedSource
    """Where the variance over seeds comes from, see `seed_noise`."""
    degrees_of_freedom: float | None
    """Of the variance over seeds; None where none is needed or known."""

    @property
    def distinguishable(self) -> bool:
        """Whether the interval leaves out 0. Never where the noise of seeds is unknown: images alone call equal nets different."""
        return self.seed_noise != "unknown" and (self.low > 0 or self.high < 0)

    @property
    def pairing(self) -> str:
        """`paired over 280 images in 7 groups`: photographs, or forms of handwriting."""
        groups = f" in {self.n_clusters} groups" if self.n_clusters < self.n_images else ""
        return f"paired over {self.n_images} images{groups}"

    @property
    def seeds_said(self) -> str:
        """`3 and 3 seeds`, and whose noise was taken where it is not their own."""
        if self.seed_noise == "unknown":
            return f"{_ONE_EACH if self.seeds == (1, 1) else 'one seed'}, seed noise unknown"
        counts = _ONE_EACH if self.seeds == (1, 1) else f"{self.seeds[0]} and {self.seeds[1]} seeds"
        if self.seed_noise == "pooled":
            degrees = f"{self.degrees_of_freedom:.0f} degree{'' if self.degrees_of_freedom == 1 else 's'} of freedom"
            return f"{counts}, seed noise pooled over cells with {degrees}"
        return "no training in either" if self.seed_noise == "none needed" else counts

    @property
    def basis(self) -> str:
        """All that the difference rests on: `paired over 280 images in 7 groups, 3 and 3 seeds`."""
        return f"{self.pairing}, {self.seeds_said}"

    def sentence(self, first: str, second: str) -> str:
        """The comparison of two names in a sentence, which says so where the numbers do not decide."""
        side = "better" if self.mean >= 0 else "worse"
        mean, low, high = self._written(abs(self.mean)), self._written(self.low, "+"), self._written(self.high, "+")
        if self.seed_noise == "unknown":
            said = self.seeds_said
            return (
                f"{said[0].upper()}{said[1:]}: {first} is {mean} bits/dim {side} than {second} "
                f"(95 % interval over images alone {low} to {high}, {self.pairing})."
            )
        if not self.distinguishable:
            return (
                f"{first} and {second} are not distinguishable: {first} is {mean} bits/dim {side}, "
                f"but the 95 % interval {low} to {high} holds 0 ({self.basis})."
            )
        nearest, farthest = (self._written(end) for end in sorted((abs(self.low), abs(self.high))))
        verb = "beats" if self.mean > 0 else "loses to"
        return f"{first} {verb} {second} by {mean} bits/dim (95 % interval {nearest} to {farthest}, {self.basis})."

    def _written(self, value: float, sign: str = "") -> str:
        """Three decimals, and more where the interval is too narrow to be seen in three."""
        half = (self.high - self.low) / 2
        decimals = 3 if half < _NO_WIDTH else min(6, max(3, -math.floor(math.log10(half))))
        return f"{value:{sign}.{decimals}f}"


_ONE_EACH = "one seed each"
#: Half of an interval, in bits/dim, that comes of rounding alone.
_NO_WIDTH = 1e-9


def difference(
    first: Sequence[np.ndarray] | np.ndarray,
    second: Sequence[np.ndarray] | np.ndarray,
    clusters: np.ndarray,
    shape: tuple[int, ...],
    *,
    pooled: tuple[float, int] | None = None,
    trained: tuple[bool, bool] = (True, True),
) -> Difference | None:
    """Mean of `second - first` in bits/dim, with a 95 % interval over images and seeds; None with fewer than two clusters.

    Images: the nats are averaged over seeds, subtracted image by image, and the interval is over clusters. Seeds: see `seed_noise`.

    The squares of both half-widths are added (Banerjee 1960, Sankhya 22, 357-358), which for normal errors never covers less than it says.
    The usual sum of variances with Satterthwaite's degrees of freedom does: with two seeds a side it calls up to 7.8 % of differences
    between equal nets real, since where two seeds happen to lie close, the variance and its weight among the degrees of freedom are both
    too small.
    What depends on image and seed together is in both parts, which errs on the safe side.

    How often a difference between equal nets is called real at a nominal 5 %, the worst over all shares of the two noises, on 10,000 images
    and on 280 in 7 clusters (tests/test_difference_rates.py holds these):

    - equal sds over seeds: at most 5.3 %, with (3, 3), (2, 2), (2, 10) seeds, and (1, 1) and (3, 1) with a pool of 4 degrees of freedom;
    - sds a factor 3 apart, own noise: at most 5.3 % with (3, 3) and (2, 2), 8.5 % with (2, 10) where the noisier net has the fewer seeds;
    - sds a factor 3 apart, pooled: 8 % where the pool holds both kinds of net alike, 28 % where it holds only the quieter kind, 41 % where
      both nets are noisier than the pool. So a pool is for want of better: give the nets seeds of their own.

    The price is power. Of true differences of ten standard errors, all of it noise of seeds, (3, 3) find all and (2, 2) three of four.

    Args:
        first, second: nats of the same test images, (seeds, N) each, one row a seed. Equal rows of a trained net are copies of one run and
            count once.
        clusters: (N,) the independent unit that each image belongs to, such as its photograph.
        shape: (C, H, W) of an image.
        pooled: variance over seeds in (bits/dim)^2 and its degrees of freedom, from trained cells of this task and budget without a leak.
        trained: whether another seed would give the side other numbers; not so for a baseline that is fitted by counting.

    Raises:
        ValueError: arrays of different length or with a value that is not finite.
    """
    nats = [_runs(side, chance) for side, chance in zip((first, second), trained, strict=True)]
    if not nats[0].shape[1:] == nats[1].shape[1:] == clusters.shape:
        raise ValueError(f"paired arrays must have one length, got {nats[0].shape}, {nats[1].shape} and {clusters.shape}")
    bits = [bits_per_dim(side, shape) for side in nats]
    by_image = bits[1].mean(0) - bits[0].mean(0)
    error, n_clusters = clustered(by_image, clusters)
    if error is None:
        return None
    seeds = seed_noise(bits[0].mean(1), bits[1].mean(1), pooled=pooled, trained=trained)
    mean, half = float(by_image.mean()), math.hypot(float(_half_width(error**2, n_clusters - 1)), float(seeds.half_width))
    degrees = None if seeds.degrees_of_freedom is None else float(seeds.degrees_of_freedom)
    return Difference(mean, mean - half, mean + half, len(by_image), n_clusters, (len(nats[0]), len(nats[1])), seeds.source, degrees)


@dataclass(frozen=True)
class SeedNoise:
    """The part of other seeds in a difference of two means: half of its 95 % interval, in the unit of the means."""

    source: SeedSource
    half_width: Any
    degrees_of_freedom: Any
    """None where there is no variance to speak of."""


def seed_noise(
    first: np.ndarray, second: np.ndarray, *, pooled: tuple[Any, int] | None = None, trained: tuple[bool, bool] = (True, True)
) -> SeedNoise:
    """Noise of seeds in the difference of the means of `first` (..., n1) and `second` (..., n2), each value one seed's mean over images.

    - `own`: every trained side has two seeds. Welch's interval, or that of one variance for both sides where it is wider. Cells of one task
      differ in their sds (on digits 0.0003 to 0.012 bits/dim), so one variance for both is not safe: of equal nets it calls 11 % different
      with (3, 3) seeds and sds a factor 100 apart, and 33 % with (2, 10) and a factor 3. Nor is Welch's alone: 10 % with (2, 10) and equal
      sds.
    - `pooled`: a trained side has one seed. The variance of `pooled`, or where there is none that of the other side: one has to believe
      that seeds move these nets as much as those.
    - `none needed`: neither side is trained, so nothing depends on a seed; the variance of such a side is 0 in the other cases.
    - `unknown`: one seed and nothing to pool. The half-width is 0, and nobody may conclude anything.
    """
    sides = [np.asarray(side, np.float64) for side, chance in zip((first, second), trained, strict=True) if chance]
    if not sides:
        return SeedNoise("none needed", 0.0, None)
    counts = [side.shape[-1] for side in sides]
    if min(counts) > 1:
        return SeedNoise("own", *(_one_side(sides[0]) if len(sides) == 1 else _two_sides(*sides)))
    if pooled is None:
        several = [side for side in sides if side.shape[-1] > 1]
        if not several:
            return SeedNoise("unknown", 0.0, None)
        pooled = (several[0].var(-1, ddof=1), several[0].shape[-1] - 1)
    variance, degrees = pooled
    return SeedNoise("pooled", _half_width(variance * sum(1 / n for n in counts), degrees), degrees)


def _runs(side: Sequence[np.ndarray] | np.ndarray, trained: bool) -> np.ndarray:
    """(seeds, N) nats; of a trained side without copies, which would pass for seeds that agree perfectly."""
    rows = np.atleast_2d(np.asarray(side, np.float64))
    if not np.isfinite(rows).all():
        raise ValueError("nats must be finite")
    if not trained:
        return rows
    return np.stack([row for index, row in enumerate(rows) if not any(np.array_equal(row, earlier) for earlier in rows[:index])])


def _one_side(values: np.ndarray) -> tuple[Any, Any]:
    """Half-width and degrees of freedom where only one side depends on seeds."""
    n = values.shape[-1]
    return _half_width(values.var(-1, ddof=1) / n, n - 1), n - 1


def _two_sides(first: np.ndarray, second: np.ndarray) -> tuple[Any, Any]:
    """Half-width and degrees of freedom of the wider of Welch's interval and that of one variance for both sides."""
    ours, its = first.shape[-1] - 1, second.shape[-1] - 1
    one: Any = first.var(-1, ddof=1)
    other: Any = second.var(-1, ddof=1)
    a, b = one / (ours + 1), other / (its + 1)
    scatter = a**2 / ours + b**2 / its
    welch_degrees = np.where(scatter > 0, np.asarray((a + b) ** 2 / np.where(scatter > 0, scatter, 1)), ours + its)
    welch = _half_width(a + b, welch_degrees)
    common = _half_width((ours * one + its * other) / (ours + its) * (1 / (ours + 1) + 1 / (its + 1)), ours + its)
    return np.maximum(welch, common), np.where(welch >= common, welch_degrees, ours + its)


def _half_width(variance: Any, degrees: Any) -> Any:
    """Of a 95 % interval by Student's t."""
    return stdtrit(degrees, 0.975) * np.sqrt(variance)

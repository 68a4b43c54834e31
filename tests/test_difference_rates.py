"""By simulation: how often equal nets are called different, and really different ones are; what the docstring of `difference` states."""

import math

import numpy as np
import pytest
from scipy.special import stdtrit

from pixelbench.statistics import clustered_interval, difference, pooled_variance, seed_noise
from pixelbench.units import LN2

TRIALS = 40_000
#: Variance of the difference over seeds, in units of that over images.
RATIOS = (0.1, 1.0, 10.0, 1e6)
#: Degrees of freedom of 7 clusters, and of 10,000 images.
FREEDOMS = (6, 9_999)
#: 280 images in 7 clusters, nats that are bits/dim.
CLUSTERS, SHAPE = np.repeat(np.arange(7), 40), (1, 1, 1)


def called_real(seeds: tuple[int, int], sds: tuple[float, float] = (1, 1), pool: tuple[float, ...] = (), shift: float = 0.0) -> list[float]:
    """Percent of differences called real for each ratio and number of images: normal errors, images by their variance and its own error.

    Args:
        pool: sds of other cells with 3 seeds each.
        shift: the true difference in standard errors.
    """
    rng = np.random.default_rng(0)
    runs = [rng.normal(0, sd, (TRIALS, n)) for n, sd in zip(seeds, sds, strict=True)]
    spread = sum(sd**2 / n for n, sd in zip(seeds, sds, strict=True))
    groups = [sd**2 * rng.chisquare(2, TRIALS) for sd in pool]
    noise = seed_noise(*runs, pooled=(sum(groups) / (2 * len(pool)), 2 * len(pool)) if pool else None).half_width
    rates = []
    for ratio in RATIOS:
        for freedom in FREEDOMS:
            images = spread / ratio
            found = rng.normal(0, math.sqrt(images), TRIALS) + runs[1].mean(1) - runs[0].mean(1) + shift * math.sqrt(images + spread)
            half = stdtrit(freedom, 0.975) * np.sqrt(images * rng.chisquare(freedom, TRIALS) / freedom)
            rates.append(100 * float(np.mean(np.abs(found) > np.hypot(half, noise))))
    return rates


@pytest.mark.parametrize("seeds", [(3, 3), (2, 2), (2, 10), (3, 10)])
def test_equal_nets_with_seeds_of_their_own(seeds: tuple[int, int]) -> None:
    assert max(called_real(seeds)) <= 5.3


@pytest.mark.parametrize("seeds", [(1, 1), (3, 1)])
def test_equal_nets_with_a_pool_of_four_degrees_of_freedom(seeds: tuple[int, int]) -> None:
    rates = called_real(seeds, pool=(1, 1))
    assert max(rates) <= 5.3
    assert rates[-1] >= 4.5  # all noise of seeds: no wider than need be


@pytest.mark.parametrize(
    ("seeds", "sds", "pool", "low", "high"),
    [
        ((3, 3), (1, 3), (), 4.5, 5.5),
        ((2, 2), (1, 3), (), 3.0, 4.5),
        ((2, 10), (1, 3), (), 1.5, 3.0),
        ((2, 10), (3, 1), (), 7.5, 9.0),
        ((1, 1), (1, 3), (1, 3), 7.0, 8.5),
        ((1, 1), (1, 3), (1, 1), 26.0, 31.0),
        ((1, 1), (3, 3), (1, 1), 38.0, 43.0),
    ],
)
def test_sds_a_factor_three_apart(
    seeds: tuple[int, int], sds: tuple[float, float], pool: tuple[float, ...], low: float, high: float
) -> None:
    assert low <= max(called_real(seeds, sds, pool)) <= high


def test_a_real_difference_of_ten_standard_errors_is_called() -> None:
    assert min(called_real((3, 3), shift=10)) >= 99.5
    assert min(called_real((1, 1), pool=(1, 1), shift=10)) >= 99.5
    assert min(called_real((3, 1), pool=(1, 1), shift=10)) >= 99.5
    of_two = called_real((2, 2), shift=10)
    assert of_two[0] >= 99.5  # noise of images
    assert 74 <= min(of_two) <= 82  # noise of seeds


@pytest.mark.parametrize("correlation", [0.0, 0.4])
@pytest.mark.parametrize("seeds", [(3, 3), (2, 2), (1, 1), (3, 1)])
def test_equal_nets_on_280_images_in_7_clusters(seeds: tuple[int, int], correlation: float) -> None:
    """Through `difference` itself, with images that move together within a cluster, and noise of seeds as large as that of images."""
    rng = np.random.default_rng(3)
    spread = math.sqrt((correlation / 7 + (1 - correlation) / 280) / 2)
    trials, real = 2_000, 0
    for _ in range(trials):
        both = []
        for n in seeds:
            images = math.sqrt(correlation) * rng.normal(size=7)[CLUSTERS] + math.sqrt(1 - correlation) * rng.normal(size=280)
            both.append(LN2 * (images / math.sqrt(2) + spread * rng.normal(size=(n, 1))))
        pool = pooled_variance(spread * rng.normal(size=(2, 3))) if min(seeds) == 1 else None
        found = difference(both[0], both[1], CLUSTERS, SHAPE, pooled=pool)
        assert found is not None
        real += found.distinguishable
    assert real <= 0.06 * trials


def test_simpler_ways_call_too_many_equal_nets_different() -> None:
    """Why the interval is no simpler: the rates of Satterthwaite's sum, of Welch alone and of one variance for both sides."""

    def drawn(n: int, sd: float) -> tuple[np.ndarray, np.ndarray]:
        """A mean and its estimated variance."""
        return rng.normal(0, sd / math.sqrt(n), TRIALS), sd**2 / n * rng.chisquare(n - 1, TRIALS) / (n - 1)

    def real(found: np.ndarray, variance: np.ndarray, freedom: np.ndarray | int) -> float:
        return float(np.mean(np.abs(found) > stdtrit(freedom, 0.975) * np.sqrt(variance)))

    rng = np.random.default_rng(5)
    images = 0.1  # the variance over images, known exactly
    (one, of_one), (other, of_other) = drawn(2, 1), drawn(2, 1)
    variance = images + of_one + of_other
    assert real(other - one + math.sqrt(images) * rng.normal(size=TRIALS), variance, 2 * (variance / (of_one + of_other)) ** 2) > 0.07
    (one, of_one), (other, of_other) = drawn(2, 1), drawn(10, 1)
    assert real(other - one, of_one + of_other, (of_one + of_other) ** 2 / (of_one**2 + of_other**2 / 9)) > 0.09
    (one, of_one), (other, of_other) = drawn(2, 3), drawn(10, 1)
    assert real(other - one, (2 * of_one + 90 * of_other) / 10 * (1 / 2 + 1 / 10), 10) > 0.3
    (one, of_one), (other, of_other) = drawn(3, 100), drawn(3, 1)
    assert real(other - one, of_one + of_other, 4) > 0.1


def test_images_alone_call_nearly_all_equal_nets_different() -> None:
    """The negative control: 10,000 images, one seed each, a seed sd of 0.002 bits/dim. A pool corrects it, without one nothing is said."""
    rng = np.random.default_rng(4)
    clusters = np.arange(10_000)
    by_images, with_pool, trials = 0, 0, 200
    for _ in range(trials):
        both = [LN2 * (0.014 * rng.normal(size=10_000) + 0.002 * rng.normal()) for _ in range(2)]
        low, high = clustered_interval((both[1] - both[0]) / LN2, clusters)
        by_images += not low <= 0 <= high
        pooled = difference(both[0], both[1], clusters, SHAPE, pooled=pooled_variance(0.002 * rng.normal(size=(2, 3))))
        alone = difference(both[0], both[1], clusters, SHAPE)
        assert pooled is not None
        assert alone is not None
        with_pool += pooled.distinguishable
        assert not alone.distinguishable
    assert by_images > 0.8 * trials
    assert with_pool <= 0.06 * trials

"""Differences of two nets: right in the mean, both noises in the interval, and no word stronger than they allow."""

import math

import numpy as np
import pytest
from scipy import stats

from pixelbench.statistics import PooledVariance, clustered_interval, difference, pooled_variance, seed_noise
from pixelbench.units import LN2

SHAPE = (1, 2, 2)
NAT = 1 / (4 * LN2)
"""Bits/dim of one nat an image of SHAPE."""
IMAGES = np.random.default_rng(0).normal(10, 1, 60)
CLUSTERS = np.arange(60)


def net(*seeds: float, noise: float = 0.0) -> np.ndarray:
    """(seeds, 60) nats: the same images for all nets, each seed moved as a whole; `noise` is the net's own, image by image."""
    own = noise * np.random.default_rng(1).normal(size=60)
    return IMAGES + own + np.array(seeds)[:, None]


def test_the_mean_is_in_bits_per_dim_and_positive_where_the_first_needs_fewer() -> None:
    found = difference(net(0.0, 0.2), net(3.9, 4.3), CLUSTERS, SHAPE)
    assert found is not None
    assert found.mean == pytest.approx(4 * NAT)
    assert (found.n_images, found.n_clusters, found.seeds) == (60, 60, (2, 2))


def test_the_other_way_round_is_the_same_with_the_other_sign() -> None:
    one, other = net(0.0, 0.2, 0.3), net(1.0, 1.5, noise=0.3)
    found, mirrored = difference(one, other, CLUSTERS, SHAPE), difference(other, one, CLUSTERS, SHAPE)
    assert found is not None
    assert mirrored is not None
    assert (mirrored.mean, mirrored.low, mirrored.high) == pytest.approx((-found.mean, -found.high, -found.low))


def test_seeds_of_equal_number_are_compared_as_welch_does() -> None:
    one, other = (0.0, 0.2, 0.7), (2.0, 2.1, 1.9)
    found = difference(net(*one), net(*other), CLUSTERS, SHAPE)
    expected = stats.ttest_ind(other, one, equal_var=False)
    interval = expected.confidence_interval(0.95)
    assert found is not None
    assert (found.low, found.high) == pytest.approx((interval.low * NAT, interval.high * NAT))
    assert (found.seed_noise, found.degrees_of_freedom) == ("own", pytest.approx(expected.df))  # type: ignore[attr-defined]


@pytest.mark.parametrize(("one", "other"), [((0.0, 0.1), (1, 2, 3, 4.5)), ((0.0, 1.7), (1, 1.1, 1.2, 1.3))])
def test_of_unequal_numbers_the_wider_of_welch_and_one_variance_counts(one: tuple[float, ...], other: tuple[float, ...]) -> None:
    """Once the one is wider, once the other."""
    found = difference(net(*one), net(*other), CLUSTERS, SHAPE)
    intervals = [stats.ttest_ind(other, one, equal_var=equal).confidence_interval(0.95) for equal in (True, False)]
    assert found is not None
    assert found.high - found.low == pytest.approx(NAT * max(interval.high - interval.low for interval in intervals))


def test_with_one_seed_the_pool_speaks() -> None:
    found = difference(net(0.0), net(1.0, 1.5, 2.0), CLUSTERS, SHAPE, pooled=(0.01, 7))
    assert found is not None
    assert found.high - found.mean == pytest.approx(stats.t.ppf(0.975, 7) * math.sqrt(0.01 * (1 + 1 / 3)))
    assert (found.seed_noise, found.degrees_of_freedom) == ("pooled", 7)


def test_without_a_pool_the_other_side_speaks() -> None:
    found = difference(net(0.0), net(1.0, 1.5, 2.0), CLUSTERS, SHAPE)
    pooled = difference(net(0.0), net(1.0, 1.5, 2.0), CLUSTERS, SHAPE, pooled=pooled_variance([[NAT, 1.5 * NAT, 2 * NAT]]))
    assert found is not None
    assert pooled is not None
    assert (found.low, found.high, found.seed_noise) == (pytest.approx(pooled.low), pytest.approx(pooled.high), "pooled")


def test_own_seeds_go_before_the_pool() -> None:
    one, other = net(0.0, 0.2), net(1.0, 1.3)
    assert difference(one, other, CLUSTERS, SHAPE, pooled=(9.0, 99)) == difference(one, other, CLUSTERS, SHAPE)


def test_what_is_not_trained_has_no_noise_of_seeds() -> None:
    values = (1.0, 1.4, 1.5)
    fitted = difference(net(0.0), net(*values), CLUSTERS, SHAPE, trained=(False, True))
    interval = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert fitted is not None
    assert (fitted.low, fitted.high) == pytest.approx((interval.low * NAT, interval.high * NAT))
    neither = difference(net(0.0), net(1.0, noise=0.5), CLUSTERS, SHAPE, pooled=(9.0, 99), trained=(False, False))
    assert neither is not None
    images = (net(1.0, noise=0.5) - net(0.0))[0] * NAT
    assert (neither.low, neither.high) == pytest.approx(clustered_interval(images, CLUSTERS))
    assert (neither.seed_noise, neither.degrees_of_freedom) == ("none needed", None)
    assert neither.distinguishable


@pytest.mark.parametrize("counts", [(3, 4), (1, 3), (2, 1), (1, 1)])
@pytest.mark.parametrize("trained", [(True, True), (True, False), (False, True)])
@pytest.mark.parametrize("pooled", [None, (0.01, 7)])
def test_many_pairs_at_once_are_each_pair_by_itself(
    counts: tuple[int, int], trained: tuple[bool, bool], pooled: tuple[float, int] | None
) -> None:
    """The last axis is that of the seeds; simulations hold thousands of pairs in the others."""
    draw = np.random.default_rng(3)
    first, second = (draw.normal(size=(5, n)) for n in counts)
    together = seed_noise(first, second, pooled=pooled, trained=trained)
    alone = [seed_noise(one, other, pooled=pooled, trained=trained) for one, other in zip(first, second, strict=True)]
    assert {one.source for one in alone} == {together.source}
    assert np.broadcast_to(together.half_width, 5) == pytest.approx(np.array([one.half_width for one in alone], float))
    if together.degrees_of_freedom is not None:
        assert np.broadcast_to(together.degrees_of_freedom, 5) == pytest.approx(np.array([one.degrees_of_freedom for one in alone], float))


def test_squares_of_both_half_widths_add() -> None:
    def half(*, seeds: float, noise: float) -> float:
        found = difference(net(0.0, seeds), net(1.0, 1.0 + seeds, noise=noise), CLUSTERS, SHAPE)
        assert found is not None
        return found.high - found.mean

    by_images = np.diff(clustered_interval((net(0.0, noise=0.5) - net(0.0))[0] * NAT, CLUSTERS))[0] / 2
    assert half(seeds=0.3, noise=0.5) == pytest.approx(math.hypot(half(seeds=0.3, noise=0.0), by_images))


def test_clusters_widen_the_interval() -> None:
    clusters = np.repeat(np.arange(12), 5)
    shift = np.repeat(np.random.default_rng(2).normal(0, 1, 12), 5)
    grouped, alone = (difference(net(0, 0.1), net(0, 0.1) + shift, by, SHAPE) for by in (clusters, CLUSTERS))
    assert grouped is not None
    assert alone is not None
    assert grouped.high - grouped.low > 1.5 * (alone.high - alone.low)
    assert (grouped.pairing, alone.pairing) == ("paired over 60 images in 12 groups", "paired over 60 images")


def test_one_seed_each_and_nothing_to_pool_is_never_told_apart() -> None:
    """Not even ten thousand standard errors away; with a pool it is."""
    found = difference(net(0.0), net(5.0, noise=0.001), CLUSTERS, SHAPE)
    assert found is not None
    assert found.low > 0
    assert (found.seed_noise, found.distinguishable) == ("unknown", False)
    pooled = difference(net(0.0), net(5.0, noise=0.001), CLUSTERS, SHAPE, pooled=(1e-6, 4))
    assert pooled is not None
    assert pooled.distinguishable


def test_copies_of_one_run_are_one_seed() -> None:
    copied = difference(net(0.0, 0.0, 0.0), net(1.0, 1.0), CLUSTERS, SHAPE)
    assert copied == difference(net(0.0), net(1.0), CLUSTERS, SHAPE)
    assert copied is not None
    assert (copied.seeds, copied.seed_noise) == ((1, 1), "unknown")
    fitted = difference(net(0.0, 0.0, 0.0), net(1.0, 1.0), CLUSTERS, SHAPE, trained=(False, False))
    assert fitted is not None
    assert (fitted.seeds, fitted.distinguishable) == ((3, 2), True)


def test_one_cluster_gives_no_interval() -> None:
    assert difference(net(0.0, 1.0), net(1.0, 2.0), np.zeros(60, int), SHAPE) is None


def test_arrays_of_another_length_or_without_a_number_are_refused() -> None:
    with pytest.raises(ValueError, match="one length"):
        difference(net(0.0)[:, :50], net(1.0), CLUSTERS, SHAPE)
    with pytest.raises(ValueError, match="one length"):
        difference(net(0.0), net(1.0), CLUSTERS[:50], SHAPE)
    for spoilt in (np.nan, np.inf):
        with pytest.raises(ValueError, match="finite"):
            difference(np.where(CLUSTERS == 3, spoilt, net(0.0)), net(1.0), CLUSTERS, SHAPE)


def test_a_pool_is_the_variance_within_groups() -> None:
    assert pooled_variance([[1.0, 3.0], [10.0, 10.0, 13.0], [99.0]]) == pytest.approx((8 / 3, 3))
    assert pooled_variance([[7.0, 7.0]]) == PooledVariance(0.0, 1)
    assert pooled_variance([[1.0], [2.0], []]) is None


@pytest.mark.parametrize(
    ("first", "second", "given", "said"),
    [
        ((0, 0.02, 0.04), (1, 1.02, 1.04), {}, "a beats b by 0.361 bits/dim (95 % interval 0.344 to 0.377, ALL, 3 and 3 seeds)."),
        ((1, 1.02), (0, 0.02), {}, "a loses to b by 0.361 bits/dim (95 % interval 0.339 to 0.383, ALL, 2 and 2 seeds)."),
        (
            (0, 0.5),
            (0.1, 0.6),
            {},
            "a and b are not distinguishable: a is 0.036 bits/dim better, but the 95 % interval -0.513 to +0.585 holds 0 "
            "(ALL, 2 and 2 seeds).",
        ),
        (
            (0,),
            (1,),
            {"pooled": (1e-4, 6)},
            "a beats b by 0.361 bits/dim (95 % interval 0.326 to 0.395, ALL, one seed each, seed noise pooled over cells with 6 degrees of "
            "freedom).",
        ),
        (
            (0,),
            (1,),
            {"trained": (False, False)},
            "a beats b by 0.361 bits/dim (95 % interval 0.361 to 0.361, ALL, no training in either).",
        ),
        (
            (1,),
            (0,),
            {},
            "One seed each, seed noise unknown: a is 0.361 bits/dim worse than b (95 % interval over images alone -0.361 to -0.361, ALL).",
        ),
        (
            (0, 0.1),
            (1,),
            {"trained": (False, True)},
            "One seed, seed noise unknown: a is 0.343 bits/dim better than b (95 % interval over images alone +0.343 to +0.343, ALL).",
        ),
    ],
)
def test_sentences(first: tuple[float, ...], second: tuple[float, ...], given: dict, said: str) -> None:
    found = difference(net(*first), net(*second), CLUSTERS, SHAPE, **given)
    assert found is not None
    assert found.sentence("a", "b") == said.replace("ALL", "paired over 60 images")


def test_a_narrow_interval_is_written_with_decimals_that_show_it() -> None:
    found = difference(net(0, 0.0001, 0.0002), net(0.004, 0.0041, 0.0042), CLUSTERS, SHAPE)
    assert found is not None
    assert "by 0.00144 bits/dim (95 % interval 0.00136 to 0.00152," in found.sentence("a", "b")

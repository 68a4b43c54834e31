"""Clustered errors: the usual ones where every value stands alone, never smaller for copies."""

import numpy as np
import pytest

from pixelbench.statistics import clustered_interval, clustered_standard_error

pytestmark = pytest.mark.quick


def test_the_standard_error_is_the_usual_one_where_every_image_stands_alone():
    values = np.random.default_rng(0).normal(size=50)
    assert clustered_standard_error(values, np.arange(50)) == pytest.approx(values.std(ddof=1) / np.sqrt(50))


def test_copies_of_an_image_do_not_make_the_error_smaller():
    values = np.random.default_rng(0).normal(size=20)
    copied, clusters = np.repeat(values, 10), np.repeat(np.arange(20), 10)
    assert clustered_standard_error(copied, clusters) == pytest.approx(values.std(ddof=1) / np.sqrt(20))


def test_one_cluster_has_no_error():
    assert clustered_standard_error(np.arange(3.0), np.zeros(3)) is None


def test_the_interval_is_that_of_a_t_test_where_every_value_stands_alone():
    values = np.array([1.0, 2.0, 4.0])  # mean 7/3, standard error 0.8819, t(2) at 97.5 % is 4.3027
    assert clustered_interval(values, np.arange(3)) == pytest.approx((7 / 3 - 4.3027 * 0.8819, 7 / 3 + 4.3027 * 0.8819), rel=1e-4)


def test_one_cluster_has_no_interval():
    with pytest.raises(ValueError, match="two clusters"):
        clustered_interval(np.arange(3.0), np.zeros(3))


@pytest.mark.parametrize("clusters", [5, 30])
def test_the_interval_covers_the_truth_about_as_often_as_it_says(clusters: int) -> None:
    """Patches of a photograph move together: an interval over images covers about 65 % here, a bootstrap of 5 clusters about 80 %."""
    rng, covered = np.random.default_rng(1), 0
    for _ in range(400):
        values = np.repeat(rng.normal(0, 1, clusters), 4) + rng.normal(0, 0.1, 4 * clusters)
        low, high = clustered_interval(values, np.repeat(np.arange(clusters), 4))
        covered += low <= 0 <= high
    assert 0.92 <= covered / 400 <= 0.98

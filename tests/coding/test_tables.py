"""Tables of counts: whole, never 0, the same for the same probabilities, and as near to them as whole numbers can be."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from pixelbench.coding.tables import TOTAL, counts_of

pytestmark = pytest.mark.quick

#: Weights of very different sizes, with zeros and the least numbers that there are.
_WEIGHTS = st.one_of(st.just(0.0), st.floats(0, 1), st.floats(1e-320, 1e-290), st.floats(1e200, 1e250))
WEIGHTS = arrays(np.float64, array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=40), elements=_WEIGHTS)


def normalised(weights: np.ndarray) -> np.ndarray:
    """Rows of sum 1; of a row without any weight, all alike."""
    sums = weights.sum(1, keepdims=True)
    return np.where(sums > 0, weights / np.where(sums > 0, sums, 1), 1 / weights.shape[1])


@given(WEIGHTS)
def test_counts_sum_to_the_total_and_none_is_zero(weights: np.ndarray) -> None:
    counts = counts_of(normalised(weights))
    assert (counts.sum(1) == TOTAL).all()
    assert counts.min() >= 1


@given(WEIGHTS)
def test_counts_are_the_same_again_whatever_lies_beside(weights: np.ndarray) -> None:
    probabilities = normalised(weights)
    alone = np.concatenate([counts_of(row[None].copy()) for row in probabilities])
    assert np.array_equal(counts_of(np.asfortranarray(probabilities)), alone)


@given(WEIGHTS)
def test_counts_are_near_the_probabilities(weights: np.ndarray) -> None:
    """A level loses no more than what K levels are given for nothing; only the likeliest gains more than one."""
    probabilities = normalised(weights)
    levels = probabilities.shape[1]
    gained = counts_of(probabilities) - probabilities * TOTAL
    assert (gained >= -levels * probabilities - 1e-3).all()
    others = np.arange(levels) != probabilities.argmax(1)[:, None]
    assert (gained[others] <= 1 + 1e-3).all()
    assert (gained[~others] <= levels + 1e-3).all()


def test_the_most_levels_that_there_are() -> None:
    counts = counts_of(np.full((1, 1 << 16), 2.0**-16))
    assert (counts.sum(), counts.min()) == (TOTAL, 256)


def test_certain_and_impossible() -> None:
    assert counts_of(np.array([[0.0, 1.0, 0.0]])).tolist() == [[1, TOTAL - 2, 1]]


@pytest.mark.parametrize(
    ("row", "sentence"),
    [([0.5, 0.4], "sum to 1"), ([np.nan, 0.5], "finite"), ([1.5, -0.5], "at least 0"), ([np.inf, 0.0], "finite")],
)
def test_what_are_no_probabilities_is_refused(row: list[float], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        counts_of(np.array([row]))

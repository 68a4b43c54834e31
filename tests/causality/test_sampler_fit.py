"""The test of frequencies: right under many rare outcomes, and strict on impossible ones."""

import numpy as np
import pytest

from pixelbench.causality.sampler.fit import fitted, would_show

DRAWS = 5000


def counts_of(probabilities: np.ndarray, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).multinomial(DRAWS, probabilities)


@pytest.mark.parametrize("steep", [0.0, 1.0, 3.0, 8.0])
def test_p_values_of_true_probabilities_are_even(steep: float) -> None:
    """From even outcomes to some of 1e-10: no small p comes more often than it says."""
    probabilities = np.exp(-steep * np.abs(np.random.default_rng(0).standard_normal(64)))
    probabilities /= probabilities.sum()
    found = np.array([fitted(counts_of(probabilities, seed), np.log(probabilities)).p_value for seed in range(400)])
    for level in (0.2, 0.05, 0.01):
        assert (found < level).mean() <= level + 3 * np.sqrt(level / len(found))
    assert found.min() > 1e-5


def test_g_is_the_sum_of_the_textbooks() -> None:
    probabilities = np.array([0.5, 0.3, 0.2])
    counts = np.array([60, 25, 15])
    fit = fitted(counts, np.log(probabilities))
    assert fit.statistic == pytest.approx(2 * (counts * np.log(counts / (100 * probabilities))).sum())
    assert fit.degrees == 2


def test_outcomes_are_put_together_until_five_are_expected() -> None:
    probabilities = np.array([0.9, 0.04, 0.03, 0.03])
    assert fitted(np.array([90, 4, 3, 3]), np.log(probabilities)).degrees == 1


def test_what_cannot_be_and_is_there_decides() -> None:
    with np.errstate(divide="ignore"):
        nats = np.log(np.array([0.6, 0.4, 0.0]))
    assert fitted(np.array([600, 399, 1]), nats).p_value == 0
    assert fitted(np.array([600, 400, 0]), nats).p_value > 0.5


def test_a_rare_outcome_that_comes_often() -> None:
    nats = np.log(np.array([1 - 1e-6, 1e-6]))
    assert fitted(np.array([DRAWS, 0]), nats).p_value == 1
    assert fitted(np.array([DRAWS - 1, 1]), nats).p_value > 1e-3
    assert fitted(np.array([DRAWS - 4, 4]), nats).p_value < 1e-6


def test_one_outcome_that_is_certain() -> None:
    assert fitted(np.array([DRAWS, 0]), np.array([0.0, -np.inf])).p_value == 1
    assert fitted(np.array([0, DRAWS]), np.array([0.0, -np.inf])).p_value == 0


def test_what_would_show() -> None:
    even, uneven = np.log(np.array([0.5, 0.5])), np.log(np.array([0.6, 0.4]))
    assert would_show(even, uneven, 1, DRAWS, 1e-6)
    assert not would_show(even, uneven, 1, 100, 1e-6)
    assert not would_show(even, even, 1, DRAWS, 1e-6)
    with np.errstate(divide="ignore"):
        assert would_show(np.log(np.array([1.0, 0.0])), even, 1, DRAWS, 1e-6)

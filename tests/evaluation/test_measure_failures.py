"""Noise, copies and repetitions are called by their names, each alone; real images by none."""

import numpy as np
import pytest

from pixelbench.evaluation.measures import MEASURES, Control, Value
from pixelbench.evaluation.measures.failures import name_failures
from pixelbench.evaluation.measures.halves import standard_errors
from tests.evaluation.test_measures import TRAIN, compared, images_of

N = 120
Values = dict[str, Value]


def measured(images: np.ndarray) -> Values:
    sets, functions = compared(images, images_of(N, 2)), {name: one.function for name, one in MEASURES.items()}
    values = {name: function(sets) for name, function in functions.items()}
    errors = standard_errors(sets, {name: functions[name] for name, value in values.items() if value is not None}, 0)
    return {name: Value(value, errors.get(name)) for name, value in values.items()}


@pytest.fixture(scope="module")
def floor() -> Values:
    return measured(images_of(N, 1))


@pytest.fixture(scope="module")
def controls() -> dict[Control, Values]:
    shuffled = np.random.default_rng(7).permuted(TRAIN[:N], axis=0)  # each pixel of another image: a histogram's draws
    return {
        "independent-pixels": measured(shuffled),
        "copies": measured(TRAIN[N : 2 * N]),
        "repeated": measured(np.repeat(TRAIN[:1], N, axis=0)),
    }


def names(images: np.ndarray, floor: Values, controls: dict[Control, Values]) -> set[str]:
    return {one.name for one in name_failures(measured(images), floor, controls)}


def uniform_noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 16, (N, 1, 6, 6), np.uint8)


def test_pixel_noise_is_noise(floor: Values, controls: dict[Control, Values]) -> None:
    assert names(uniform_noise(3), floor, controls) == {"noise-samples"}
    assert names(np.random.default_rng(9).permuted(TRAIN[:N], axis=0), floor, controls) == {"noise-samples"}


def test_training_images_are_memorised(floor: Values, controls: dict[Control, Values]) -> None:
    assert names(TRAIN[-N:], floor, controls) == {"memorised-samples"}


def test_nearly_copied_training_images_are_memorised(floor: Values, controls: dict[Control, Values]) -> None:
    copies = TRAIN[-N:].copy()
    copies[:, 0, 0, 0] = np.minimum(copies[:, 0, 0, 0] + 1, 15)
    assert names(copies, floor, controls) == {"memorised-samples"}


def test_one_repeated_image_is_collapsed(floor: Values, controls: dict[Control, Values]) -> None:
    assert names(np.repeat(images_of(1, 50), N, axis=0), floor, controls) == {"collapsed-samples"}


def test_a_few_images_again_and_again_are_collapsed(floor: Values, controls: dict[Control, Values]) -> None:
    assert names(np.tile(images_of(10, 50), (N // 10, 1, 1, 1)), floor, controls) == {"collapsed-samples"}


def test_black_images_are_collapsed(floor: Values, controls: dict[Control, Values]) -> None:
    assert names(np.zeros((N, 1, 6, 6), np.uint8), floor, controls) == {"collapsed-samples"}


@pytest.mark.parametrize("seed", range(10, 18))
def test_real_held_out_images_are_called_nothing(seed: int, floor: Values, controls: dict[Control, Values]) -> None:
    assert names(images_of(N, seed), floor, controls) == set()


def test_images_that_are_merely_bad_are_called_nothing(floor: Values, controls: dict[Control, Values]) -> None:
    """Half of each is noise: far from real images, and still far from nothing but noise."""
    mixed = ((images_of(N, 20).astype(int) * 2 + uniform_noise(4)) // 3).astype(np.uint8)
    assert names(mixed, floor, controls) == set()


def test_a_measure_that_does_not_tell_its_control_accuses_nobody(floor: Values, controls: dict[Control, Values]) -> None:
    blind: dict[Control, Values] = dict.fromkeys(controls, floor)
    assert names(TRAIN[-N:], floor, blind) == names(uniform_noise(3), floor, blind) == set()


def test_a_number_that_is_missing_accuses_nobody(floor: Values, controls: dict[Control, Values]) -> None:
    assert name_failures({}, floor, controls) == []
    assert name_failures(dict.fromkeys(floor, Value(None)), floor, controls) == []
    assert name_failures(measured(TRAIN[-N:]), {}, {}) == []

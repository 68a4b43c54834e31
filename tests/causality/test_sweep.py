"""The sweep: every pair that brute force finds, within the time there is, and a partial map that says so where that is short."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from pixelbench.causality.probing.effects import relative_change
from pixelbench.causality.probing.probes import Base, Probes
from pixelbench.causality.probing.raster import flat, folded
from pixelbench.causality.probing.sweep import Sweep, Swept

SHAPE, SIZE, LEVELS = (3, 2, 2), 12, 3
ALL = np.arange(SIZE)


class Subject:
    """A function of the raster and of a state, and the clock of its calls: each takes `seconds` of the time that was given.

    Thresholds on random weights, so that effects differ by image, value and state, and four in ten pairs of places depend on each other.
    """

    shape, load = SHAPE, 1.0

    def __init__(self, given: float = math.inf, seconds: float = 1.0) -> None:
        random = torch.Generator().manual_seed(0)
        self.weights = torch.randn(2, SIZE, SIZE, dtype=torch.float64, generator=random)
        self.weights *= torch.rand(SIZE, SIZE, generator=random) < 0.4
        self.spent, self.left, self.seconds = 0.0, given, seconds
        self.sizes: set[int] = set()

    def __call__(self, images: np.ndarray, state: Any = None) -> Tensor:
        """Images (n, C, H, W) to outputs (n, 1, C, H, W)."""
        self.sizes.add(len(images))
        self.spent, self.left = self.spent + self.seconds, self.left - self.seconds
        out = self.raster(torch.from_numpy(flat(images)).double(), state or 0)
        return out.view(len(images), 2, 2, 3).permute(0, 3, 1, 2)[:, None]

    def raster(self, images: Tensor, state: int) -> Tensor:
        return torch.relu(images @ self.weights[state].T) + images.square() @ self.weights[1].T * 0.1


class TogetherOnly(Subject):
    """Output 2 looks at whether inputs 7 and 9 are both 2, and else nothing at anything: on an image of zeros neither alone matters."""

    def raster(self, images: Tensor, state: int) -> Tensor:
        out = torch.ones(images.shape, dtype=torch.float64)
        out[:, 2] += ((images[:, 7] == 2) & (images[:, 9] == 2)).double()
        return out


def probes(*bases: str, rounds: int = 0) -> Probes:
    made = Probes(SHAPE, LEVELS, bases or ("zeros", "maximum"), SIZE, 0)
    made.rounds = rounds
    return made


def from_zeros_to_twos(*, joint: bool = True) -> Probes:
    """All other levels on an image of zeros, which is exchanged with one of twos as well."""
    made = probes("zeros", "joint")
    zeros = np.zeros(SHAPE, np.int64)
    made.single, made.joint = [Base("zeros", zeros, exhaustive=True)], [(zeros, zeros + 2)] if joint else []
    return made


def swept(subject: Any, made: Probes, batch: int = 2, order: np.ndarray = ALL, states: tuple[Any, ...] = (None,)) -> Swept:
    return run_and_pin(Sweep(subject, list(states), made, batch, 1e-10, subject), order)


def run_and_pin(sweep: Sweep, order: np.ndarray) -> Swept:
    found = sweep.run(order)
    sweep.pin(found)
    return found


def by_brute_force(subject: Subject, made: Probes, states: tuple[Any, ...]) -> np.ndarray:
    """(outputs, inputs): the largest change over every other value of the input, on every base, from every state."""
    effects = np.zeros((SIZE, SIZE))
    for base, state, place, step in itertools.product(made.single, states, range(SIZE), range(1, LEVELS)):
        raster = flat(base.image[None]).copy()
        raster[0, place] = (raster[0, place] + step) % LEVELS
        change = relative_change(subject(base.image[None], state), subject(folded(raster, SHAPE), state))[0]
        effects[:, place] = np.maximum(effects[:, place], change)
    return effects


@pytest.mark.quick
@pytest.mark.parametrize("batch", [1, 5, 12, 32])
@pytest.mark.parametrize("states", [(None,), (0, 1)])
def test_every_pair_of_brute_force_is_found_and_no_other_whatever_batch_and_order(batch: int, states: tuple[Any, ...]) -> None:
    subject, made = Subject(), probes()
    order = np.random.default_rng(batch).permutation(SIZE)
    found = swept(subject, made, batch, order, states)
    np.testing.assert_array_equal(found.positions, order)
    np.testing.assert_allclose(found.effects, by_brute_force(Subject(), made, states)[:, order], rtol=1e-12)
    assert subject.sizes == {batch}  # one rounding throughout
    assert 0 < np.count_nonzero(found.effects) < SIZE * SIZE


def test_a_further_state_adds_what_it_sees_and_hides_nothing() -> None:
    one, other, both = (swept(Subject(), probes(), states=states).effects for states in ((0,), (1,), (0, 1)))
    np.testing.assert_array_equal(both, np.maximum(one, other))
    assert (both > one).any()
    assert (both > other).any()


def test_further_rounds_add_what_their_images_show_and_take_nothing_away() -> None:
    once, more = (swept(Subject(), probes("random", rounds=rounds)) for rounds in (0, 6))
    assert (once.rounds, more.rounds) == (0, 6)
    assert (more.effects >= once.effects).all()
    assert (more.effects > once.effects).any()


@pytest.mark.quick
@pytest.mark.parametrize("batch", [1, 5, 12])
def test_what_only_joint_changes_show_is_pinned_to_an_input(batch: int) -> None:
    """Of the two inputs the earlier one moves the output, beside the later ones already exchanged; half of it is relative to 2."""
    found = swept(TogetherOnly(), from_zeros_to_twos(), batch)
    assert found.joint == [(2, 7)]
    assert found.effects[2, 7] == pytest.approx(0.5)
    assert np.count_nonzero(found.effects) == 1


def test_without_joint_changes_it_is_missed_and_without_the_dependence_nothing_is_pinned() -> None:
    """Negative control of the law above, and its mirror image."""
    assert not swept(TogetherOnly(), from_zeros_to_twos(joint=False)).effects.any()
    alone = swept(Subject(), from_zeros_to_twos())
    assert {(output, source) for output, source in alone.joint if alone.effects[output, source] <= 1e-10} == set()
    blind = Subject()
    blind.weights *= 0
    assert swept(blind, from_zeros_to_twos()).joint == []


def test_some_positions_get_their_columns_and_a_pinned_input_beside_them_one_of_its_own() -> None:
    order = np.array([7, 2, 11])
    np.testing.assert_array_equal(swept(Subject(), probes(), order=order).effects, swept(Subject(), probes()).effects[:, order])
    found = swept(TogetherOnly(), from_zeros_to_twos(), order=np.array([0, 5]))
    np.testing.assert_array_equal(found.positions, [0, 5, 7])
    assert found.effects.shape == (SIZE, 3)
    assert found.effects[2].tolist() == pytest.approx([0, 0, 0.5])


def test_an_added_effect_never_hides_a_larger_one() -> None:
    found = Swept(np.array([[0.0, 0.3], [0.2, 0.0]]), np.array([4, 1]), [])
    for pair in ((1, 4, 0.1), (0, 4, 0.7), (0, 9, 0.5), (1, 9, 0.4), (1, 9, 0.6)):
        found.add(*pair)
    np.testing.assert_array_equal(found.positions, [4, 1, 9])
    np.testing.assert_array_equal(found.effects, [[0.7, 0.3, 0.5], [0.2, 0.0, 0.6]])


@pytest.mark.quick
@pytest.mark.parametrize("given", [1e-9, 3.0, 6.0, 9.0, 13.7, 18.0, 22.0, 25.0, 26.9, math.inf])
def test_a_sweep_uses_its_time_ends_in_it_and_says_what_it_reached(given: float) -> None:
    """Two seconds for the bases, four a block of two places: none begins that might not fit, by a fifth more; the first always does."""
    subject = Subject(given)
    found = swept(subject, probes())
    blocks = 6 if given == math.inf else min(6, 1 + max(0, math.floor((given - 6.0 - 0.8) / 4)))
    assert subject.spent == 2 + 4 * blocks <= max(given, 6.0)
    np.testing.assert_array_equal(found.positions, ALL[: 2 * blocks])
    np.testing.assert_array_equal(found.effects, swept(Subject(), probes()).effects[:, : 2 * blocks])


def one_base(rounds: int) -> Probes:
    """One image and one change of it: a round of six blocks takes seven calls."""
    made = probes("random", rounds=rounds)
    made.single = [Base("random", made.single[0].image)]
    return made


@pytest.mark.parametrize("given", [9.0, 20.0, 45.0, math.inf])
def test_only_rounds_that_were_ended_are_counted_and_none_follows_a_partial_map(given: float) -> None:
    subject = Subject(given)
    found = swept(subject, one_base(5))
    complete = len(found.positions) == SIZE
    assert subject.spent <= given
    assert found.rounds == (min(5, int(min(given, 1e3) - 7) // 7) if complete else 0)
    assert complete is (given >= 7)


@pytest.mark.parametrize("given", np.arange(20.0, 64.0, 4.0))
def test_time_is_kept_for_pinning_what_joint_changes_have_shown(given: float) -> None:
    """From the last input back: a joint change shows after five blocks of three calls and two before; its bisection takes up to four."""
    subject = TogetherOnly(given)
    found = swept(subject, from_zeros_to_twos(), 1, ALL[::-1].copy())
    assert subject.spent <= given
    assert found.joint == [(2, 7)]
    assert min(SIZE, (given - 2) / 3 - 6) <= len(found.positions) <= (given - 2) / 3


def test_the_time_of_an_image_is_that_of_the_slowest_block() -> None:
    subject = Subject()
    sweep: Any = Sweep(subject, [None], probes("zeros"), 4, 1e-10, subject)  # type: ignore[arg-type]
    sweep.run(ALL)
    assert sweep.per_image == pytest.approx(2 / 4)  # two other values of each place, four images a call

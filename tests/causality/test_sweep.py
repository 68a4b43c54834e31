"""The sweep against brute force, and what it does with the time it has, by a clock that only calls move."""

import itertools
import math
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor

from pixelbench.causality import sweep as module
from pixelbench.causality.compare import relative_change
from pixelbench.causality.probes import Base, Probes
from pixelbench.causality.raster import flat
from pixelbench.causality.sweep import Sweep, Swept

SHAPE, SIZE, LEVELS = (3, 2, 2), 12, 3
ALL = np.arange(SIZE)


class Subject:
    """A function of the raster and of a state: random thresholds, so that effects differ by image, value and state.

    Attributes:
        spent, left: the clock's; every call takes `seconds` of it.
    """

    shape = SHAPE

    def __init__(self, seconds: float = 0.0, given: float = math.inf):
        random = torch.Generator().manual_seed(0)
        self.weights = torch.randn(2, SIZE, SIZE, dtype=torch.float64, generator=random)
        self.weights *= torch.rand(SIZE, SIZE, generator=random) < 0.4
        self.spent, self.left, self.seconds, self.calls = 0.0, given, seconds, 0
        self.sizes: set[int] = set()

    def __call__(self, images: np.ndarray, state: Any = None) -> Tensor:
        self.sizes.add(len(images))
        self.calls += 1
        self.spent, self.left = self.spent + self.seconds, self.left - self.seconds
        raster = torch.from_numpy(flat(images)).double()
        out = torch.relu(raster @ self.weights[0 if state is None else state].T) + raster.square() @ self.weights[1].T * 0.1
        return out.view(len(images), 2, 2, 3).permute(0, 3, 1, 2)[:, None]


def probes(*bases: str, rounds: int = 0) -> Probes:
    made = Probes(SHAPE, LEVELS, bases or ("zeros", "maximum"), SIZE, 0)
    made.rounds = rounds
    return made


def sweep_of(subject: Any, made: Any, batch: int, states: list[Any] | None = None) -> Sweep:
    started: list[Any] = states or [None]
    return Sweep(subject, started, made, batch, 1e-10, subject)


def by_brute_force(subject: Subject, bases: list[Base], states: list[Any]) -> np.ndarray:
    """(outputs, inputs): the largest change over every other value of the input, on every base, from every state."""
    effects = np.zeros((SIZE, SIZE))
    for base, state, place, step in itertools.product(bases, states, range(SIZE), range(1, LEVELS)):
        raster = flat(base.image[None]).copy()
        raster[0, place] = (raster[0, place] + step) % LEVELS
        changed = raster.reshape(1, 2, 2, 3).transpose(0, 3, 1, 2)
        change = relative_change(subject(base.image[None], state), subject(changed, state))[0]
        effects[:, place] = np.maximum(effects[:, place], change)
    return effects


@pytest.mark.parametrize("batch", [1, 2, 5, 12, 32])
@pytest.mark.parametrize("states", [[None], [0, 1]])
def test_effects_are_those_of_brute_force_whatever_batch_and_order(batch: int, states: list[Any]):
    subject, made = Subject(), probes()
    order = np.random.default_rng(batch).permutation(SIZE)
    swept = sweep_of(subject, made, batch, states).run(order)
    np.testing.assert_array_equal(swept.positions, order)
    np.testing.assert_allclose(swept.effects, by_brute_force(Subject(), made.single, states)[:, order], rtol=1e-12)
    assert subject.sizes == {batch}  # one rounding throughout
    assert (swept.effects > 0).any()
    assert (swept.effects == 0).any()


def test_every_state_is_looked_at():
    """Another state sees more here than either alone."""
    one, other, both = (sweep_of(Subject(), probes(), 4, states).run(ALL).effects for states in ([0], [1], [0, 1]))
    np.testing.assert_array_equal(both, np.maximum(one, other))
    assert (one != other).any()


def test_some_positions_only_get_the_columns_asked_for():
    order = np.array([7, 2, 11])
    swept = sweep_of(Subject(), probes(), 2).run(order)
    np.testing.assert_array_equal(swept.effects, sweep_of(Subject(), probes(), 2).run(ALL).effects[:, order])


def test_further_rounds_add_what_their_images_show_and_take_nothing_away():
    once = sweep_of(Subject(), probes("random"), 5).run(ALL)
    more = sweep_of(Subject(), probes("random", rounds=6), 5).run(ALL)
    assert (once.rounds, more.rounds) == (0, 6)
    assert (more.effects >= once.effects).all()
    assert (more.effects > once.effects).any()


class TogetherOnly(Subject):
    """Output 2 looks at the larger of inputs 7 and 9, of which either alone changes nothing on these images; all else sees nothing."""

    def __call__(self, images: np.ndarray, state: Any = None) -> Tensor:
        super().__call__(images)
        raster = torch.from_numpy(flat(images)).double()
        out = torch.ones(len(images), SIZE, dtype=torch.float64)
        out[:, 2] += ((raster[:, 7] == 2) & (raster[:, 9] == 2)).double()
        return out.view(len(images), 2, 2, 3).permute(0, 3, 1, 2)[:, None]


def together(made: Probes) -> Probes:
    """The pair goes from all 0 to all 2."""
    made.single = [Base("zeros", np.zeros(SHAPE, np.int64), exhaustive=True)]
    made.joint = [(np.zeros(SHAPE, np.int64), np.full(SHAPE, 2))]
    return made


@pytest.mark.parametrize("batch", [1, 3, 5, 12])
def test_what_only_joint_changes_show_is_pinned_to_an_input(batch: int):
    """Of the two inputs the earlier one moves the output, beside the later ones already exchanged; half of it is relative to 2."""
    swept = sweep_of(TogetherOnly(), together(probes("zeros", "joint")), batch).run(ALL)
    assert swept.joint == [(2, 7)]
    assert swept.effects[2, 7] == pytest.approx(0.5)
    assert np.count_nonzero(swept.effects) == 1


def test_a_pinned_input_that_was_not_asked_for_gets_a_column():
    swept = sweep_of(TogetherOnly(), together(probes("zeros", "joint")), 2).run(np.array([0, 5]))
    np.testing.assert_array_equal(swept.positions, [0, 5, 7])
    assert swept.joint == [(2, 7)]
    assert swept.effects.shape == (SIZE, 3)
    assert swept.effects[2].tolist() == pytest.approx([0, 0, 0.5])


def test_an_added_effect_never_hides_a_larger_one():
    swept = Swept(np.array([[0.0, 0.3], [0.2, 0.0]]), np.array([4, 1]), [])
    for found in ((1, 4, 0.1), (0, 4, 0.7), (0, 9, 0.5), (1, 9, 0.4), (1, 9, 0.6)):
        swept.add(*found)
    np.testing.assert_array_equal(swept.positions, [4, 1, 9])
    np.testing.assert_array_equal(swept.effects, [[0.7, 0.3, 0.5], [0.2, 0.0, 0.6]])
    assert swept.joint == [(1, 4), (0, 4), (0, 9), (1, 9), (1, 9)]


class Watched:
    """In place of `JointProbe`: writes down what it is asked."""

    made: ClassVar[list["Watched"]] = []

    def __init__(self, call: Any, pair: Any, batch: int, tolerance: float):
        self.batch, self.looked, self.moved, self.hurry = batch, [], False, None
        Watched.made.append(self)

    def look(self, positions: np.ndarray) -> None:
        assert len(positions) == self.batch
        self.looked += positions.tolist()

    def pin(self, effects: np.ndarray, positions: np.ndarray, *, hurry: bool) -> list[Any]:
        self.hurry = hurry
        return []


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> list[Watched]:
    monkeypatch.setattr(module, "JointProbe", Watched)
    monkeypatch.setattr(Watched, "made", [])
    return Watched.made


@pytest.mark.parametrize("batch", [1, 2, 3, 5, 7, 12, 20])
@pytest.mark.parametrize("share", [1, 3])
def test_images_are_cut_at_every_position_that_is_to_be_cut(watched: list[Watched], batch: int, share: int, monkeypatch: Any):
    """Each once, but for those that fill the last call; from every state, by every pair of images."""
    made, order = probes("zeros", "joint", "joint"), np.random.default_rng(0).permutation(SIZE)
    monkeypatch.setattr(made, "cuts", lambda positions: positions % share == 0)
    sweep_of(Subject(), made, batch, [0, 1]).run(order)
    wanted = [place for place in order.tolist() if place % share == 0]
    assert len(watched) == 4
    for joint in watched:
        assert joint.looked[: len(wanted)] == wanted
        assert set(joint.looked[len(wanted) :]) <= {wanted[-1]}
        assert len(joint.looked) - len(wanted) < batch
        assert joint.hurry is False


def test_each_round_has_its_own_joint_changes_and_all_are_pinned(watched: list[Watched]):
    sweep_of(Subject(), probes("random", "joint", rounds=3), 5).run(ALL)
    assert len(watched) == 4
    assert all(joint.hurry is False and set(joint.looked) == set(ALL.tolist()) for joint in watched)


def test_pinning_is_in_a_hurry_where_time_is_short_only(watched: list[Watched]):
    sweep_of(Subject(1.0, given=1e9), probes("zeros", "joint"), 5).run(ALL)
    assert [joint.hurry for joint in watched] == [True]


def swept_in(given: float, batch: int = 2, **arguments: Any) -> tuple[Subject, Swept]:
    """A call takes a second; a block of the two bases four, after two for the bases themselves."""
    subject = Subject(1.0, given)
    return subject, sweep_of(subject, probes(**arguments), batch).run(ALL)


@pytest.mark.parametrize("given", [6.0, 9.0, 13.7, 18.0, 22.0, 25.0])
def test_a_sweep_ends_in_time_and_uses_it(given: float):
    """No block is begun that might not fit, by a fifth more than the longest; and none is left out that does."""
    subject, swept = swept_in(given)
    blocks = min(6, 1 + max(0, math.floor((given - 6.0 - 0.8) / 4)))
    assert subject.spent <= max(given, 6.0)
    assert len(swept.positions) == swept.effects.shape[1] == 2 * blocks
    np.testing.assert_array_equal(swept.positions, ALL[: 2 * blocks])
    np.testing.assert_array_equal(swept.effects, swept_in(math.inf)[1].effects[:, : 2 * blocks])


@pytest.mark.parametrize("given", [1e-9, 3.0])
def test_one_block_is_probed_however_little_time_there_is(given: float):
    subject, swept = swept_in(given)
    assert swept.positions.tolist() == [0, 1]
    assert subject.calls == 6


@pytest.mark.parametrize("given", [5000.0, 20.0, 45.0])
def test_a_round_that_time_cuts_off_is_not_counted(given: float):
    """One base, one call a block and one before: a round of six blocks takes seven seconds."""
    subject = Subject(1.0, given)
    made = probes("random", rounds=5)
    made.single = [Base("random", made.single[0].image)]
    swept = sweep_of(subject, made, 2).run(ALL)
    assert len(swept.positions) == SIZE
    assert swept.rounds == min(5, int((given - 7) // 7))
    assert subject.spent <= given


def test_a_sweep_that_did_not_reach_all_positions_takes_no_further_round():
    subject = Subject(1.0, 9.0)
    made = probes("random", rounds=5)
    swept = sweep_of(subject, made, 2).run(ALL)
    assert len(swept.positions) < SIZE
    assert swept.rounds == 0
    assert subject.calls == 1 + len(swept.positions)  # not even the first call of one


@pytest.mark.parametrize("given", np.arange(20.0, 64.0, 1.0))
def test_time_is_kept_for_pinning_what_joint_changes_have_shown(given: float):
    """From the last input back: a joint change shows after five blocks of three calls and two before; its bisection takes up to four."""
    subject = TogetherOnly(1.0, given)
    swept = sweep_of(subject, together(probes("zeros", "joint")), 1).run(ALL[::-1].copy())
    assert subject.spent <= given
    assert swept.joint == [(2, 7)]
    assert 5 <= len(swept.positions) <= (given - 2) / 3  # what is known to be found is pinned before more is looked at
    assert len(swept.positions) >= min(SIZE, (given - 2) / 3 - 6)


def test_the_time_of_an_image_is_that_of_the_longest_of_the_last_few_blocks():
    subject = Subject()
    sweep = sweep_of(subject, probes("zeros"), 4)
    real, seconds = subject.__call__, itertools.chain([0.0], [8.0, 1.0, 2.0], itertools.repeat(1.0))
    calls = iter(seconds)

    def slow(images: np.ndarray, state: Any = None) -> Tensor:
        subject.seconds = next(calls) / 2  # every block has one base and two other values
        return real(images, state)

    sweep._calls = [slow]
    sweep.run(ALL)
    assert sweep.per_image == pytest.approx(4.5 / 4)
    sweep._durations += [0.5] * 100
    assert sweep.per_image == pytest.approx(0.5 / 4)

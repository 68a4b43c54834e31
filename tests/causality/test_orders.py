"""Orders of drawing: named, listed, or a cycle that rules all of them out."""

import itertools
from collections.abc import Callable

import numpy as np
import pytest

from pixelbench.causality.analysis.orders import find_order
from pixelbench.causality.report import Place
from tests.causality.handmade import map_where, raster

pytestmark = pytest.mark.quick

SHAPE = (3, 4, 5)

ORDERS: dict[str, Callable[[Place], tuple[int, ...]]] = {
    "raster": raster,
    "column-major": lambda p: (p[2], p[1], p[0]),
    "B-G-R": lambda p: (p[1], p[2], -p[0]),
    "rows reversed": lambda p: (-p[1], p[2], p[0]),
    "columns reversed": lambda p: (p[1], -p[2], p[0]),
    "rows and columns reversed": lambda p: (-p[1], -p[2], p[0]),
    "channel planes first": lambda p: (p[0], p[1], p[2]),
    "column-major, B-G-R": lambda p: (p[2], p[1], -p[0]),
    "rows reversed, channel planes first": lambda p: (p[0], -p[1], p[2]),
    "column-major, columns reversed": lambda p: (-p[2], p[1], p[0]),
}


@pytest.mark.parametrize("name", ORDERS)
def test_an_order_has_its_name(name: str) -> None:
    key = ORDERS[name]
    assert find_order(map_where(lambda out, into: key(into) < key(out), SHAPE), SHAPE) == (name, None, None)


def test_two_colours_are_reversed_and_one_is_not_named() -> None:
    backwards = map_where(lambda out, into: (into[1], into[2], -into[0]) < (out[1], out[2], -out[0]), (2, 3, 4))
    assert find_order(backwards, (2, 3, 4))[0] == "colours reversed"
    nothing = np.zeros((12, 12), dtype=bool)
    assert find_order(nothing, (1, 3, 4)) == ("raster", None, None)


def test_any_other_order_is_listed_and_fits() -> None:
    shape = (1, 3, 4)
    drawn = np.random.default_rng(3).permutation(12)
    rank = np.argsort(drawn)
    dependence = rank[None, :] < rank[:, None]
    name, places, cycle = find_order(dependence, shape)
    assert (name, cycle) == ("listed", None)
    assert places is not None
    assert [row * 4 + column for _, row, column in places] == drawn.tolist()


def test_what_sees_itself_is_the_shortest_cycle() -> None:
    name, places, cycle = find_order(np.eye(12, dtype=bool), (1, 3, 4))
    assert (name, places) == (None, None)
    assert cycle is not None
    assert cycle.places == ((0, 0, 0),)


@pytest.mark.parametrize("length", [2, 3, 5])
def test_the_shortest_ring_is_found_and_each_place_sees_the_next(length: int) -> None:
    shape = (1, 4, 5)
    dependence = np.zeros((20, 20), dtype=bool)
    ring = [3, 17, 8, 11, 5][:length]
    for output, source in itertools.pairwise([*ring, ring[0]]):
        dependence[output, source] = True
    for output, source in itertools.pairwise([0, 1, 2, 4, 6, 7, 9, 10, 12, 13, 0]):  # a longer one
        dependence[output, source] = True
    dependence[3, 0] = dependence[0, 19] = True
    _, _, cycle = find_order(dependence, shape)
    assert cycle is not None
    places = [row * 5 + column for _, row, column in cycle.places]
    assert len(places) == length
    assert all(dependence[output, source] for output, source in itertools.pairwise([*places, places[0]]))


def test_a_longer_ring_alone_is_followed_to_its_end() -> None:
    dependence = np.zeros((12, 12), dtype=bool)
    for output, source in itertools.pairwise([2, 9, 4, 7, 11, 0, 2]):
        dependence[output, source] = True
    dependence[2, 4] = True  # a shortcut: 2, 4, 7, 11, 0
    _, _, cycle = find_order(dependence, (1, 3, 4))
    assert cycle is not None
    assert len(cycle.places) == 5
    assert set(cycle.places) == {(0, place // 4, place % 4) for place in (2, 4, 7, 11, 0)}


def test_a_partial_map_proves_a_cycle_and_never_an_order() -> None:
    full = map_where(lambda out, into: raster(into) < raster(out), (1, 3, 4))
    positions = np.array([1, 4, 7])
    assert find_order(full[:, positions], (1, 3, 4), positions) == (None, None, None)
    full[1, 7] = True
    _, _, cycle = find_order(full[:, positions], (1, 3, 4), positions)
    assert cycle is not None
    assert set(cycle.places) == {(0, 0, 1), (0, 1, 3)}
    outside = np.array([4, 7])
    assert find_order(full[:, outside], (1, 3, 4), outside) == (None, None, None)


def test_the_largest_map_is_sorted_within_reason() -> None:
    shape = (3, 32, 32)
    rank = np.random.default_rng(0).permutation(3072)
    dependence = rank[None, :] < rank[:, None]
    name, places, _ = find_order(dependence, shape)
    assert name == "listed"
    assert places is not None
    assert len(set(places)) == 3072

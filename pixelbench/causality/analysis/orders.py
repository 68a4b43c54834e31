"""Is there any order of drawing in which the module is causal? The map as a directed graph, from input to output.

A named order compares two sub-pixels by the signs of their differences (row, column, colour) alone, so it is tried on the map by offset,
which is small. Where no name fits, the graph is sorted; where it cannot be sorted, it has a cycle, and no order can save the module.
"""

import heapq
import itertools
from collections.abc import Iterator

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from pixelbench.causality.analysis.offsets import keys_by_columns
from pixelbench.causality.probing.raster import place_at
from pixelbench.causality.report import Cycle, Place

#: Shortest cycles are looked for from this many sub-pixels: enough for a short one, and cheap.
_STARTS = 48

#: Orders in which models are drawn on purpose; the others of `named_keys` are slips, and `listed` any permutation.
OWN_ORDERS = ("listed", "snake", "column snake", "zigzag", "diagonals", "diagonals, downwards", "spiral inwards", "spiral outwards")

Order = tuple[str | None, tuple[Place, ...] | None, Cycle | None]


def find_order(dependence: np.ndarray, shape: tuple[int, int, int], positions: np.ndarray | None = None) -> Order:
    """Raster order where it fits, otherwise another one, otherwise the reason why none does.

    Args:
        dependence: bool (D, n), output by input, places in raster order.
        shape: (C, H, W).
        positions: (n,) places of the inputs where not all were changed: then a cycle among them is proof, and the lack of one is none.

    Returns:
        Its name (`raster`, `column-major`, …, or `listed`), the places in order where it is only listed, and the cycle where there is none.
    """
    if positions is not None and len(positions) < len(dependence):
        among = dependence[positions]
        whole = len(_sorted(among)) == len(among)
        return None, None, None if whole else _as_cycle(positions[_short_cycle(among)], shape)
    name = named_order(_offsets_seen(dependence, shape), shape)
    if name is not None:
        return name, None, None
    for name, sequence in winding_sequences(shape):
        if _fits(dependence, sequence):
            return name, tuple(place_at(int(place), shape) for place in sequence), None
    order = _sorted(dependence)
    if len(order) == len(dependence):
        return "listed", tuple(place_at(place, shape) for place in order), None
    return None, None, _as_cycle(np.array(_short_cycle(dependence)), shape)


def named_order(seen: np.ndarray, shape: tuple[int, int, int]) -> str | None:
    """The first one in which every input that is seen comes before its output; `seen` is indexed as the arrays of `Offsets` are."""
    channels, height, width = shape
    out, into, row, column = np.nonzero(seen)
    differences = {"row": row - (height - 1), "column": column - (width - 1), "colour": into - out}
    for name, keys in named_keys(channels):
        if (_first_sign(differences, keys) < 0).all():
            return name
    return None


def named_sequences(shape: tuple[int, int, int]) -> list[tuple[str, list[int]]]:
    """Each named order with the places (raster) in that order."""
    channels, height, width = shape
    places = np.arange(channels * height * width)
    axes = {"row": places // channels // width, "column": places // channels % width, "colour": places % channels}
    ranked = [(name, np.lexsort([axes[axis] * sign for axis, sign in reversed(keys)])) for name, keys in named_keys(channels)]
    return [(name, order.tolist()) for name, order in ranked]


def winding_sequences(shape: tuple[int, int, int]) -> Iterator[tuple[str, np.ndarray]]:
    """Common orders that no signs of differences tell, each with the places (raster) in that order; colours of a pixel in turn."""
    channels, height, width = shape
    row, column = np.divmod(np.arange(height * width), width)
    diagonal = row + column
    keys = {
        "snake": (row, np.where(row % 2, -column, column)),
        "column snake": (column, np.where(column % 2, -row, row)),
        "zigzag": (diagonal, np.where(diagonal % 2, row, column)),
        "diagonals": (diagonal, row),
        "diagonals, downwards": (diagonal, column),
    }
    sequences = {name: np.lexsort(key[::-1]) for name, key in keys.items()}
    sequences["spiral inwards"] = _spiral(height, width)
    sequences["spiral outwards"] = sequences["spiral inwards"][::-1]
    for name, pixels in sequences.items():
        yield name, (pixels[:, None] * channels + np.arange(channels)).ravel()


def _spiral(height: int, width: int) -> np.ndarray:
    """Pixels from the first one along the border, clockwise, ever farther inside."""
    left, found = np.arange(height * width).reshape(height, width), []
    while left.size:
        found.append(left[0])
        left = np.rot90(left[1:])
    return np.concatenate(found)


def _fits(dependence: np.ndarray, sequence: np.ndarray) -> bool:
    rank = np.empty(len(sequence), dtype=np.int64)
    rank[sequence] = np.arange(len(sequence))
    return not bool((dependence & (rank[None, :] >= rank[:, None])).any())


def named_keys(channels: int) -> list[tuple[str, list[tuple[str, int]]]]:
    """Names with what decides, most significant first, each with +1 (ascending) or -1. The simplest names come first."""
    found = []
    turned = {(1, 1): "", (-1, 1): "rows reversed", (1, -1): "columns reversed", (-1, -1): "rows and columns reversed"}
    colour_names = {1: "", -1: "B-G-R" if channels == 3 else "colours reversed"}
    for swapped, planes, (signs, flip), (tint, colour) in itertools.product(
        (False, True), (False, True), turned.items(), colour_names.items()
    ):
        if channels == 1 and (planes or tint < 0):
            continue
        pixel = [("row", signs[0]), ("column", signs[1])]
        pixel = pixel[::-1] if swapped else pixel
        keys = [("colour", tint), *pixel] if planes else [*pixel, ("colour", tint)]
        words = ["column-major" if swapped else "", flip, "channel planes first" if planes else "", colour]
        found.append((", ".join(word for word in words if word) or "raster", keys))
    return sorted(found, key=lambda entry: entry[0].count(", "))


def _first_sign(differences: dict[str, np.ndarray], keys: list[tuple[str, int]]) -> np.ndarray:
    """Int (n,): the sign of the first difference that is not zero, each turned as the key says."""
    sign = np.zeros(len(next(iter(differences.values()))), dtype=np.int64)
    for name, direction in keys:
        sign = np.where(sign == 0, np.sign(differences[name]) * direction, sign)
    return sign


def _offsets_seen(dependence: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    channels, height, width = shape
    seen = np.zeros((channels, channels, 2 * height - 1, 2 * width - 1), dtype=bool)
    for columns, keys in keys_by_columns(np.arange(len(dependence)), shape):
        seen.ravel()[keys[dependence.T[columns]]] = True
    return seen


def _sorted(dependence: np.ndarray) -> list[int]:
    """Kahn's algorithm, always taking the earliest place that is free. What lies on a cycle, or sees one, is left out."""
    waiting = dependence.sum(1)
    outputs_of = np.ascontiguousarray(dependence.T)
    free = np.flatnonzero(waiting == 0).tolist()
    order = []
    while free:
        place = heapq.heappop(free)
        order.append(place)
        outputs = np.flatnonzero(outputs_of[place])
        waiting[outputs] -= 1
        for output in outputs[waiting[outputs] == 0].tolist():
            heapq.heappush(free, output)
    return order


def _short_cycle(dependence: np.ndarray) -> list[int]:
    """A place that sees itself, a pair that sees one another, or the shortest cycle through any of some places that lie on one.

    Each place of the result sees the next, and the last one the first.
    """
    itself = np.flatnonzero(dependence.diagonal())
    if len(itself):
        return [int(itself[0])]
    pairs = dependence & dependence.T
    if pairs.any():
        return [int(place) for place in np.unravel_index(np.argmax(pairs), pairs.shape)]
    return min((_cycle_through(dependence, start) for start in _on_a_cycle(dependence)[:_STARTS]), key=len)


def _on_a_cycle(dependence: np.ndarray) -> list[int]:
    """Places that lie on a cycle, those of the smallest strongly connected components first."""
    _, component = connected_components(csr_array(dependence), connection="strong")
    size = np.bincount(component)[component]
    places = np.flatnonzero(size > 1)
    return places[np.argsort(size[places], kind="stable")].tolist()


def _cycle_through(dependence: np.ndarray, start: int) -> list[int]:
    """The shortest cycle through a place that lies on one: breadth first, from output to the inputs it sees."""
    seen_by = np.full(len(dependence), -1)
    frontier = np.array([start])
    while seen_by[start] < 0:
        inputs = np.flatnonzero(dependence[frontier].any(0) & (seen_by < 0))
        seen_by[inputs] = frontier[dependence[np.ix_(frontier, inputs)].argmax(0)]
        frontier = inputs
    cycle = [start]
    while seen_by[cycle[-1]] != start:
        cycle.append(int(seen_by[cycle[-1]]))
    return [start, *cycle[:0:-1]]


def _as_cycle(places: np.ndarray, shape: tuple[int, int, int]) -> Cycle:
    return Cycle(tuple(place_at(int(place), shape) for place in places))

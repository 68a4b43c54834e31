"""The dependence map by offset and colours: what a pixel sees around itself, over all pixels of the image.

Offsets are (row, column) of the input minus the output. Arrays are indexed [output colour, input colour, row + H - 1, column + W - 1].
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from pixelbench.causality.probing.evidence import Evidence

#: So many pairs are worked on at a time.
_PAIRS = 2**22


@dataclass(frozen=True)
class Offsets:
    """Each array has shape (C, C, 2H-1, 2W-1).

    Attributes:
        shape: (C, H, W).
        probed: int, pairs of sub-pixels that were measured.
        seen: int, those of them with a dependence (of the map: a forbidden one must exceed the tolerance).
        earlier: bool, the input comes before the output in raster order.
    """

    shape: tuple[int, int, int]
    probed: np.ndarray
    seen: np.ndarray
    earlier: np.ndarray

    @property
    def leaks(self) -> np.ndarray:
        """Bool: some pair depends on what comes at the same place or later."""
        return ~self.earlier & (self.seen > 0)

    @property
    def missing(self) -> np.ndarray:
        """Bool: earlier, measured, and never seen by any pair."""
        return self.earlier & (self.probed > 0) & (self.seen == 0)

    def coordinates(self, which: np.ndarray) -> np.ndarray:
        """Int (n, 4): output colour, input colour, row, column of the entries where `which` is true."""
        return np.argwhere(which) - np.array([0, 0, self.shape[1] - 1, self.shape[2] - 1])


def tally(evidence: Evidence) -> Offsets:
    """Count the pairs of the map by offset and colours."""
    channels, height, width = evidence.shape
    size = (channels, channels, 2 * height - 1, 2 * width - 1)
    probed, seen = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.int64)
    for columns, keys in keys_by_columns(evidence.positions, evidence.shape):
        probed += np.bincount(keys.ravel(), minlength=probed.size).reshape(size)
        seen += np.bincount(keys[evidence.dependence.T[columns]], minlength=seen.size).reshape(size)
    out, into, row, column = np.indices(size, sparse=True)
    pixel = (row - (height - 1)) * (2 * width) + (column - (width - 1))
    return Offsets(evidence.shape, probed, seen, (pixel < 0) | ((pixel == 0) & (into < out)))


def without_own_pixel(offsets: Offsets) -> Offsets:
    """As if earlier colours of the same pixel that are not seen had not been measured."""
    probed = offsets.probed.copy()
    _, height, width = offsets.shape
    centre = probed[:, :, height - 1, width - 1]
    centre[offsets.missing[:, :, height - 1, width - 1]] = 0
    return replace(offsets, probed=probed)


def keys_by_columns(positions: np.ndarray, shape: tuple[int, int, int]) -> Iterator[tuple[slice, np.ndarray]]:
    """`pair_keys` of these inputs with all outputs, (inputs, D), a few inputs at a time: all at once would take as much as the map."""
    outputs = np.arange(int(np.prod(shape)))
    step = max(1, _PAIRS // len(outputs))
    for start in range(0, len(positions), step):
        columns = slice(start, start + step)
        yield columns, pair_keys(outputs[None, :], positions[columns, None], shape)


def pair_keys(outputs: np.ndarray, inputs: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """The flat index, into the arrays of `Offsets`, of pairs of places; the arguments broadcast."""
    channels, height, width = shape
    out_colour, out_place = _linear(outputs, shape)
    in_colour, in_place = _linear(inputs, shape)
    # Linear in both places, so that one sum of a row and a column gives the whole table: it can have ten million entries.
    area = (2 * height - 1) * (2 * width - 1)
    centre = (height - 1) * (2 * width - 1) + width - 1
    return (centre + out_colour * channels * area - out_place) + (in_colour * area + in_place)


def _linear(places: np.ndarray, shape: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Colour, and row and column as one number in which differences of columns never carry into rows."""
    pixel, colour = np.divmod(places, shape[0])
    return colour, pixel // shape[2] * (2 * shape[2] - 1) + pixel % shape[2]

"""What a causality check found: plain data, no torch.

A sub-pixel's place in raster order is `(row * W + column) * C + channel`. Offsets are (row, column) of the input minus the output.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

Status = Literal["complete", "partial", "leaky"]


@dataclass(frozen=True)
class Leak:
    """All leaks with one offset and one pair of colours: how many pairs of sub-pixels, and the largest relative change of an output."""

    row: int
    column: int
    input_colour: int
    output_colour: int
    count: int
    largest: float

    def to_json(self) -> dict[str, Any]:
        """The fields under the names of the certificate."""
        return {
            "offset": [self.row, self.column],
            "input_colour": self.input_colour,
            "output_colour": self.output_colour,
            "count": self.count,
            "largest": self.largest,
        }


@dataclass(frozen=True)
class CausalityReport:
    """The verdict and what it rests on. Finite probes prove a leak, never its absence.

    Attributes:
        shape: (C, H, W) of the images.
        levels: how many values a sub-pixel can have.
        mode: `eval` or `train`, the mode the module was checked in.
        status: `leaky`; `complete` (no leak found, every position probed); `partial` (no leak found at the positions probed).
        positions_probed: input sub-pixels that were changed, out of `positions_total`.
        method: one sentence: what was changed, and how.
        tolerance: a forbidden output that changes by more than this is a leak; relative to the largest output of the two compared.
        noise: the largest relative difference that rounding made between batch sizes and between equal calls.
        unresolved: pairs that changed by more than noise explains and less than the tolerance: neither leak nor clean.
        largest_leak: relative; 0 where there is none.
        counter_example: one leak as a sentence, None where there is none.
        leaks: the (at most 12) most frequent kinds of leak.
        leak_kinds: how many kinds there are, listed or not.
        batch_coupling: changing one image of a batch changes the output of another.
        sees_same_pixel: [output colour][input colour]: seen at the same pixel, anywhere.
        rows_above, columns_left, columns_right: how far away the earlier sub-pixels are that can be seen.
        positions: raster places of the inputs probed, ascending.
        dependence: bool (D, len(positions)): output (raster place) by input probed; None is never stored.
    """

    shape: tuple[int, int, int]
    levels: int
    mode: str
    status: Status
    positions_probed: int
    positions_total: int
    method: str
    tolerance: float
    noise: float
    unresolved: int
    largest_leak: float
    counter_example: str | None
    leaks: tuple[Leak, ...]
    leak_kinds: int
    batch_coupling: bool
    sees_same_pixel: tuple[tuple[bool, ...], ...]
    rows_above: int
    columns_left: int
    columns_right: int
    positions: np.ndarray = field(repr=False, compare=False)
    dependence: np.ndarray = field(repr=False, compare=False)

    @property
    def leaky(self) -> bool:
        """A leak was found."""
        return self.status == "leaky"

    @property
    def sees_itself(self) -> bool:
        """Some sub-pixel's output depends on that very sub-pixel."""
        return any(row[colour] for colour, row in enumerate(self.sees_same_pixel))

    def to_json(self, *, dependence: bool = False) -> dict[str, Any]:
        """JSON-safe: no NaN, no infinity, no arrays. With `dependence`, the map as well: per probed input the outputs that it changes."""
        left_out = ("positions", "dependence", "leaks", "shape", "sees_same_pixel")
        document: dict[str, Any] = {name: value for name, value in vars(self).items() if name not in left_out}
        document["shape"] = list(self.shape)
        document["leaks"] = [leak.to_json() for leak in self.leaks]
        document["sees_same_pixel"] = [list(row) for row in self.sees_same_pixel]
        document["sees_itself"] = self.sees_itself
        if dependence:
            document["positions"] = self.positions.tolist()
            document["dependence"] = [np.flatnonzero(column).tolist() for column in self.dependence.T]
        return document

    def summary(self) -> str:
        """One sentence for people: the counter-example, or *no leak found* with what was probed and to which tolerance."""
        if self.leaky:
            return f"Not causal: {self.counter_example}."
        where = "complete map" if self.status == "complete" else f"{self.positions_probed} of {self.positions_total} positions"
        return f"No leak found ({where}, tolerance {self.tolerance:.0e} in float64)."


def sub_pixel(place: int, shape: tuple[int, int, int]) -> str:
    """`R at (3, 4)`; with one channel `(3, 4)`, with any other number `channel 1 at (3, 4)`."""
    channels, _, width = shape
    pixel, channel = divmod(place, channels)
    where = f"({pixel // width}, {pixel % width})"
    if channels == 1:
        return where
    return f"{'RGB'[channel] if channels == 3 else f'channel {channel}'} at {where}"

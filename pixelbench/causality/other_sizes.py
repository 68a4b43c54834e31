"""Second experiments on images of another size, before a cause is named that a small image cannot tell from another one.

In a small image a deep kernel reaches every pixel, as a normalisation does, and a kernel nearly as wide as the image misses the end of the
row above alone, as a recurrence over features does. A long strip shows how an effect goes on with the distance; a wide image shows blind
spots; the middle of a larger image is free of what only its border does. The time that they take is part of the options, and of what the
check was given.
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from pixelbench.causality.options import Options
from pixelbench.causality.probing.evidence import Evidence, Spread
from pixelbench.errors import UserError

_LONG, _NARROW = 64, 3
#: The row of the strip in which the changed pixels begin, and how many they are; the last ones may be in no feature.
_CHANGED_ROW, _CHANGED = 60, 8
#: Effects this far away, against those near by, are the same but for chance.
_EVEN = 0.03
#: By this factor the first output stands out where it is the way by which the others see anything.
_OUTSTANDING = 4.0
#: An effect that ends below this fades away into rounding; a kernel ends before that, unless there are very many.
_FADED = 1e-12
#: The side of an image with a middle that no padding reaches, and how many rows and columns at its border are changed.
_SIDE, _BORDER = 17, 4

Measure = Callable[[Sequence[int], Options], Evidence]


def look_again(evidence: Evidence, faults: Sequence[str], measure: Measure, options: Options) -> Evidence:
    """The evidence with what images of another size show, where a fault that was named may be another one.

    Args:
        faults: the names of the diagnoses.
        measure: measures the same module on images of a shape.
        options: of the check; `seconds` is what is left.
    """
    elsewhere = _Elsewhere(measure, evidence, options)
    if evidence.leaking.any() and not evidence.coupling and _may_be_padding(evidence) and elsewhere.only_near_two_borders():
        return dataclasses.replace(evidence, padded=True)
    if "normalised-over-space" in faults or ("rows-below-kept" in faults and _reaches_down(evidence)):
        return dataclasses.replace(evidence, spread=elsewhere.spread())
    if "row-end-missing-or-blind-spot" in faults:
        return dataclasses.replace(evidence, wide_gaps=elsewhere.misses_more())
    return evidence


class _Elsewhere:
    """The module on images of other shapes, for as long as there is time.

    Attributes:
        refused: the last shape that was tried is one that the module does not take.
    """

    def __init__(self, measure: Measure, evidence: Evidence, options: Options) -> None:
        self._measure, self._shape = measure, evidence.shape
        self._left = options.seconds
        # Two levels: numbers that are not scaled saturate what they enter, and what is saturated shows no sizes of effects.
        levels = 2 if options.head is None else options.levels
        free = {"images": None, "order": "raster", "bases": ("random", "maximum"), "levels": levels, "input": evidence.method.input}
        self._options = dataclasses.replace(options, **free)
        self.refused = False

    def on(self, shape: tuple[int, int, int], positions: np.ndarray) -> Evidence | None:
        """What was measured; None where the module takes no such images, or the time is too short for all of the positions."""
        self.refused = False
        if self._left is not None and self._left <= 0:
            return None
        try:
            found = self._measure(shape, dataclasses.replace(self._options, positions=positions, seconds=self._left))
        except UserError:
            self.refused = True
            return None
        self._left = None if self._left is None else self._left - found.seconds
        return found if len(found.positions) >= len(positions) else None

    def spread(self) -> Spread:
        """How what pixels near the end of a long strip do to the outputs before them goes on with the distance."""
        channels, height, width = self._shape
        long = (channels, _LONG, _NARROW) if height > 1 else (channels, 1, _LONG * _NARROW)
        pixels = _CHANGED_ROW * _NARROW + np.arange(_CHANGED)
        found = self.on(long, pixels * channels + np.arange(_CHANGED) % channels)
        if found is not None:
            return spread_of(found.effects.max(1).reshape(_LONG, -1)[:_CHANGED_ROW], found.method.tolerance)
        if self.refused and self.on((channels, 2 * height, 2 * width), np.array([channels * 2 * height * 2 * width - 1])) is None:
            return "one-size" if self.refused else ""
        return ""

    def misses_more(self) -> bool | None:
        """Does a pixel miss more of the row above in a wide image than its last pixel? None where that cannot be tried."""
        channels, _, width = self._shape
        wide = 2 * width + 8
        evidence = self.on((channels, 3, wide), np.arange(wide * channels))
        if evidence is None:
            return None
        pixels = np.logical_or.reduce(evidence.dependence.reshape(3 * wide, channels, wide, channels), axis=(1, 3))
        seen = pixels[wide : 2 * wide]  # outputs of the second row, inputs of the first
        output, source = np.indices(seen.shape)
        return bool((~seen & (source > output) & (source - output < wide - 1)).any())

    def only_near_two_borders(self) -> bool:
        """In a larger image the first rows and the first columns leak, and the middle does not."""
        channels, height, width = self._shape
        height, width = max(height, _SIDE), max(width, _SIDE)
        row, column = height // 2, width // 2
        middle = [row * width + column, row * width + column + 1]
        above, left = [i * width + column for i in range(_BORDER)], [row * width + i for i in range(_BORDER)]
        places = [(np.array(pixels)[:, None] * channels + np.arange(channels)).ravel() for pixels in (middle, above, left)]
        found = self.on((channels, height, width), np.sort(np.concatenate(places)))
        if found is None:
            return False
        leaks = np.logical_or.reduce(found.leaking, axis=0)
        inside, first_rows, first_columns = (bool(leaks[np.isin(found.positions, group)].any()) for group in places)
        return first_rows and first_columns and not inside


def spread_of(effects: np.ndarray, tolerance: float) -> Spread:
    """What the effects (rows, outputs a row) of later pixels on the rows before them look like; the last row is the nearest."""
    rows = effects.max(1)
    middle = float(np.median(rows[2:]))
    first = float(effects.ravel()[0])
    if not (rows > tolerance).any():
        return "near"
    if first > tolerance and first > _OUTSTANDING * middle and (middle > 0 or not (effects[0] > tolerance).all()):
        return "by-the-first"
    if rows[0] > tolerance and (rows[len(rows) // 4 : len(rows) // 2] == 0).all():
        return "around"
    if np.median(rows[2 : len(rows) // 2]) >= _EVEN * rows[-9:-3].max():
        return "everywhere"
    end = int(np.flatnonzero(rows)[0])
    return "fading" if end < 2 or rows[end] < _FADED else "near"


def _may_be_padding(evidence: Evidence) -> bool:
    """Some other pixel leaks, and the one above the last one, which no padding at the top or on the left repeats, does not."""
    channels, height, width = evidence.shape
    if min(height, width) < 3 or not evidence.complete:
        return False
    pixels = np.logical_or.reduce(evidence.leaking.reshape(height * width, channels, height * width, channels), axis=(1, 3))
    last = (height - 1) * width - 1
    return not pixels[:, last].any() and bool((pixels & ~np.eye(height * width, dtype=bool)).any())


def _reaches_down(evidence: Evidence) -> bool:
    """Some output of the first two rows sees the last row, or the one above it."""
    channels, height, width = evidence.shape
    late = evidence.positions // channels // width >= height - 2
    return height > 3 and bool(evidence.leaking[: 2 * width * channels][:, late].any())

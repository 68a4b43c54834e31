"""The shapes of missing context: what a module could see and does not. It costs likelihood, and is no leak."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pixelbench.causality.analysis.offsets import Offsets
from pixelbench.causality.report import Context

_PERIODS = (2, 3, 4, 8)


@dataclass(frozen=True)
class Gaps:
    """The allowed part of a map, without colours where they make no difference."""

    offsets: Offsets
    context: Context

    @cached_property
    def seen(self) -> np.ndarray:
        """(n, 2): offsets of earlier pixels of which some colour is seen by some colour."""
        return self._places(self._pixels(self.offsets.seen > 0))

    @cached_property
    def missing(self) -> np.ndarray:
        """(n, 2): offsets of earlier pixels, inside the bounding box, of which no colour is seen."""
        _, height, width = self.offsets.shape
        box = self.context.holds(np.arange(1 - height, height)[:, None], np.arange(1 - width, width))
        return self._places(self._pixels(self.offsets.probed > 0) & ~self._pixels(self.offsets.seen > 0) & box)

    @cached_property
    def colours(self) -> tuple[np.ndarray, np.ndarray]:
        """Bool (C, C) [output, input]: earlier colours of the same pixel that are not seen, and those that are."""
        row, column = self.offsets.shape[1] - 1, self.offsets.shape[2] - 1
        return self.offsets.missing[:, :, row, column], (self.offsets.earlier & (self.offsets.seen > 0))[:, :, row, column]

    @cached_property
    def pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """Bool (C, C) [output, input]: seen in some earlier pixel, and measured there."""
        elsewhere = self.offsets.earlier.copy()
        elsewhere[:, :, self.offsets.shape[1] - 1, self.offsets.shape[2] - 1] = False
        return _anywhere(elsewhere & (self.offsets.seen > 0)), _anywhere(elsewhere & (self.offsets.probed > 0))

    @cached_property
    def missing_pairs(self) -> np.ndarray:
        """(n, 4): output colour, input colour and offset of what is missing inside the bounding box, the output's own pixel apart."""
        places = self.offsets.coordinates(self.offsets.missing)
        return places[self.context.holds(places[:, 2], places[:, 3]) & (places[:, 2:] != 0).any(1)]

    def _pixels(self, which: np.ndarray) -> np.ndarray:
        """Bool (2H-1, 2W-1): earlier pixels, the output's own apart."""
        pixels = np.logical_or.reduce(which & self.offsets.earlier, axis=(0, 1))
        pixels[self.offsets.shape[1] - 1, self.offsets.shape[2] - 1] = False
        return pixels

    def _places(self, pixels: np.ndarray) -> np.ndarray:
        return np.argwhere(pixels) - np.array([self.offsets.shape[1] - 1, self.offsets.shape[2] - 1])


def _anywhere(kinds: np.ndarray) -> np.ndarray:
    """Bool (C, C): at any offset."""
    return np.logical_or.reduce(kinds.reshape(*kinds.shape[:2], -1), axis=2)


def named_gaps(gaps: Gaps) -> Iterator[str]:
    """Names of what is missing, the gravest first."""
    if not (gaps.offsets.earlier & (gaps.offsets.seen > 0)).any():
        if (gaps.offsets.earlier & (gaps.offsets.probed > 0)).any():
            yield "nothing-seen"
        return
    yield from _colours(gaps)
    yield from _pixels(gaps)


def _colours(gaps: Gaps) -> Iterator[str]:
    missing, seen = gaps.colours
    if missing.any():
        yield "partial-colour-conditioning" if seen.any() else "colour-blind"
    sees, measured = gaps.pairs
    if sees.any() and (measured & ~sees).any():
        yield "channels-apart"


def _pixels(gaps: Gaps) -> Iterator[str]:
    """At most one of the shapes of pixels, and the rows and neighbours that are missing as a whole."""
    _, height, width = gaps.offsets.shape
    own = gaps.seen[gaps.seen[:, 0] == 0][:, 1] if len(gaps.seen) else np.array([], dtype=np.int64)
    above = gaps.seen[gaps.seen[:, 0] < 0] if len(gaps.seen) else gaps.seen
    if len(gaps.seen) and height > 1 and not len(above):
        yield "vertical-link-missing"
    if len(gaps.seen) and width > 1 and not len(own):
        yield "own-row-missing"
    if _on_lattice(gaps):
        yield "lattice"
        return
    if len(own) and -1 not in own:
        yield "left-neighbour-missing"
        return
    holes = gaps.missing[gaps.missing[:, 0] < 0]
    if not len(holes):
        if not len(gaps.missing) and _last_colours_of_the_row_end(gaps):
            yield "row-end-missing"
        elif (len(own) and len(gaps.missing)) or (not len(gaps.missing) and _some_colours_only(gaps)):
            yield "gap-in-context"
        return
    if width > 2 and holes.tolist() == [[-1, width - 1]] == gaps.missing.tolist():
        yield "row-end-missing"
        return
    rows = {int(row): _row(gaps, int(row)) for row in range(-gaps.context.rows_above, 0)}
    if _opens_upwards(rows) and (holes[:, 1] > 0).all():
        yield "blind-spot"
    elif _opens_upwards(rows) and (holes[:, 1] < 0).any():
        yield "triangular-context"
    else:
        yield "gap-in-context"


def _row(gaps: Gaps, row: int) -> tuple[int, int, bool]:
    """First and last column seen in a row, and whether all between are."""
    columns = gaps.seen[gaps.seen[:, 0] == row][:, 1]
    if not len(columns):
        return 0, 0, False
    first, last = int(columns.min()), int(columns.max())
    return first, last, len(columns) == last - first + 1


def _opens_upwards(rows: dict[int, tuple[int, int, bool]]) -> bool:
    """Every row is seen without holes, and each at least as far to the right as the one below it."""
    lasts = [rows[row][1] for row in sorted(rows, reverse=True)]
    return all(whole for _, _, whole in rows.values()) and lasts == sorted(lasts) and lasts[0] < lasts[-1]


def _on_lattice(gaps: Gaps) -> bool:
    """All rows seen, or all columns, are multiples of a small number, and several multiples occur."""
    if not len(gaps.missing):
        return False
    reach = (gaps.context.rows_above, max(gaps.context.columns_left, gaps.context.columns_right))
    return any((gaps.seen[:, axis] % period == 0).all() and reach[axis] >= 2 * period for axis in (0, 1) for period in _PERIODS)


def _last_colours_of_the_row_end(gaps: Gaps) -> bool:
    """All that is missing inside the bounding box are the last colours of the last pixel of the row above, which no colour sees."""
    channels, _, width = gaps.offsets.shape
    places = gaps.missing_pairs
    if width < 3 or not len(places) or (places[:, 2:] != (-1, width - 1)).any():
        return False
    inputs, counts = np.unique(places[:, 1], return_counts=True)
    return bool((counts == channels).all()) and inputs.tolist() == list(range(channels - len(inputs), channels))


def _some_colours_only(gaps: Gaps) -> bool:
    """Inside the bounding box some pixel is seen by some colours and not by others, although these see others of its colour."""
    sees, _ = gaps.pairs
    return bool(sees[gaps.missing_pairs[:, 0], gaps.missing_pairs[:, 1]].any())

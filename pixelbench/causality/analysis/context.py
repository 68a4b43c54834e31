"""How far a module sees, what it misses on the way, and the picture of both: all from the map by offset."""

import numpy as np

from pixelbench.causality.analysis.offsets import Offsets
from pixelbench.causality.report import Context, Map, Missing

#: Pictures reach at most this far: context (a deep network sees the whole image), and leaks (a normalisation leaks everywhere).
_FAR = 20
_FAR_LEAKS = 10


def context_of(offsets: Offsets) -> Context:
    """The bounding box of the earlier sub-pixels that are seen, over all colours."""
    places = offsets.coordinates(offsets.earlier & (offsets.seen > 0))
    rows, columns = places[:, 2], places[:, 3]
    return Context(int((-rows).max(initial=0)), int((-columns).max(initial=0)), int(columns.max(initial=0)))


def missing_of(offsets: Offsets, context: Context, most: int | None = None) -> list[Missing]:
    """Every earlier offset, or the first `most`, that was measured and never seen: inside the bounding box first, then the nearest.

    Colours of the same pixel always count as inside: no kernel is too small for them.
    """
    places = offsets.coordinates(offsets.missing)
    within = inside(places, context)
    distance = np.abs(places[:, 2:]).sum(1)
    rank = np.lexsort((*places.T[::-1], distance, ~within))
    first = zip(places[rank[:most]].tolist(), within[rank[:most]].tolist(), strict=True)
    return [Missing((row, column), into, out, near) for (out, into, row, column), near in first]


def count_missing(offsets: Offsets, context: Context) -> tuple[int, int]:
    """How many `missing_of` lists, and how many of these are inside."""
    places = offsets.coordinates(offsets.missing)
    return len(places), int(inside(places, context).sum())


def inside(places: np.ndarray, context: Context) -> np.ndarray:
    """Bool (n,): which of these coordinates (n, 4) lie in the bounding box of what is seen."""
    rows, columns = places[:, 2], places[:, 3]
    return context.holds(rows, columns) | ((rows == 0) & (columns == 0))


def map_of(offsets: Offsets, context: Context) -> Map:
    """The dependence map around one pixel, clipped to what is interesting: the context and the leaks, and one more on every side."""
    _, height, width = offsets.shape
    top, bottom, left, right = _window(offsets, context)
    rows = slice(top + height - 1, bottom + height)
    columns = slice(left + width - 1, right + width)
    seen, probed, earlier = (array[:, :, rows, columns] for array in (offsets.seen > 0, offsets.probed > 0, offsets.earlier))
    conditions = [~probed, seen & earlier, seen, earlier]
    letters = np.select([np.broadcast_to(c, seen.shape) for c in conditions], ["?", "#", "x", "."], " ")
    colours = range(offsets.shape[0])
    return Map(top, left, {(out, into): tuple("".join(row) for row in letters[out, into]) for out in colours for into in colours})


def _window(offsets: Offsets, context: Context) -> tuple[int, int, int, int]:
    """First and last row, first and last column of the pictures, both included; never larger than the offsets of the image."""
    _, height, width = offsets.shape
    leaks = _near(offsets.coordinates(offsets.leaks)[:, 2:])
    rows, columns = leaks[:, 0], leaks[:, 1]
    above, beside = min(context.rows_above, _FAR), [min(reach, _FAR) for reach in (context.columns_left, context.columns_right)]
    top = min(-above, int(rows.min(initial=0))) - 1
    bottom = int(rows.max(initial=0)) + 1
    left = min(-beside[0], int(columns.min(initial=0))) - 1
    right = max(beside[1], int(columns.max(initial=0))) + 1
    return max(top, 1 - height), min(bottom, height - 1), max(left, 1 - width), min(right, width - 1)


def _near(leaks: np.ndarray) -> np.ndarray:
    """The leaks (n, 2) that a picture of bearable size can show; where there are none of them, all."""
    near = leaks[(np.abs(leaks) <= _FAR_LEAKS).all(1)]
    return near if len(near) else leaks

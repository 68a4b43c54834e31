"""Influence that fades with the distance, as in a recurrence, until rounding hides it: what is not seen there is no hole of a mask."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from pixelbench.causality.analysis.gaps import Gaps
from pixelbench.causality.analysis.offsets import Offsets, keys_by_columns
from pixelbench.causality.probing.evidence import Evidence
from pixelbench.causality.report import Context

#: Around what has faded a quarter of the effects is at most so many times rounding, and none is as strong as this.
_NEAR_ROUNDING, _STRONG = 1e3, 1e-6


def without_faded(evidence: Evidence, offsets: Offsets, context: Context) -> tuple[Offsets, int]:
    """The offsets as if nothing had been measured where influence has faded, and how many pixels inside the context that is.

    Missing pixels that touch are one hole; it has faded if what is seen around it is next to rounding.
    """
    missing = np.zeros(offsets.probed.shape[2:], dtype=bool)
    _, height, width = offsets.shape
    near = Gaps(offsets, context).missing_pairs
    missing[near[:, 2] + height - 1, near[:, 3] + width - 1] = True
    if not missing.any():
        return offsets, 0
    strongest, faded = _strongest(evidence, offsets), np.zeros_like(missing)
    for hole in _holes(missing):
        around = strongest[_widened(hole)]
        around = around[around > evidence.floor]
        if len(around) and np.quantile(around, 0.25) <= _NEAR_ROUNDING * evidence.floor and around.max() < _STRONG:
            faded |= hole
    return replace(offsets, probed=np.where(faded & offsets.missing, 0, offsets.probed)), int(faded.sum())


def _strongest(evidence: Evidence, offsets: Offsets) -> np.ndarray:
    """(2H-1, 2W-1): the largest effect of an earlier sub-pixel at each offset, over all colours."""
    strongest = np.zeros(offsets.probed.size)
    for columns, keys in keys_by_columns(evidence.positions, evidence.shape):
        np.maximum.at(strongest, keys.ravel(), evidence.effects.T[columns].ravel())
    return np.where(offsets.earlier, strongest.reshape(offsets.probed.shape), 0.0).max((0, 1))


def _holes(missing: np.ndarray) -> Iterator[np.ndarray]:
    """Each set of missing pixels that touch, at corners too, as a bool array."""
    left = missing.copy()
    while left.any():
        hole = np.zeros_like(left)
        hole[tuple(np.argwhere(left)[0])] = True
        while (grown := _widened(hole) & left).sum() > hole.sum():
            hole = grown
        yield hole
        left &= ~hole


def _widened(which: np.ndarray) -> np.ndarray:
    """With all eight neighbours."""
    rows, columns = which.shape
    padded = np.pad(which, 1)
    return np.logical_or.reduce([padded[i : i + rows, j : j + columns] for i in range(3) for j in range(3)])

"""Changes a sub-pixel and all later ones at once: finds what no single change shows, and pins it to single sub-pixels.

An output that looks at several later sub-pixels together, say at their maximum, may not move for any one of them.
"""

import numpy as np

from pixelbench.causality.compare import relative_change
from pixelbench.causality.raster import copies, flat, folded
from pixelbench.causality.subject import Subject


class JointProbe:
    """Two images that differ in every sub-pixel, and what happens to the outputs of the first when its later part is the second's.

    Args:
        first, second: (C, H, W).
        batch: images a call, always the same, so that rounding and random layers are the same too.
    """

    def __init__(self, subject: Subject, first: np.ndarray, second: np.ndarray, batch: int, tolerance: float) -> None:
        self._subject = subject
        self._shape = (first.shape[0], first.shape[1], first.shape[2])
        self._first, self._second = flat(first), flat(second)
        self._batch = batch
        self._tolerance = tolerance
        self._places = np.arange(first.size)
        self._base = subject(copies(first, batch))
        self._latest = np.full(first.size, -1)
        self._amount = np.zeros(first.size)

    def look(self, positions: np.ndarray) -> None:
        """Exchanges all from `positions[i]` on in image i, for `batch` positions, and remembers which earlier or equal outputs moved."""
        change = self._change(positions)
        moved = (self._places[None, :] <= positions[:, None]) & (change > self._tolerance)
        cut = np.where(moved, positions[:, None], -1)
        closest = cut.argmax(0)
        later = cut.max(0) > self._latest
        self._amount[later] = change[closest, self._places][later]
        self._latest = np.maximum(self._latest, cut.max(0))

    def pin(self, effects: np.ndarray, probed: np.ndarray) -> list[tuple[int, int, float]]:
        """Which single sub-pixel is behind what single changes did not explain.

        Bisects for as many outputs as a batch holds: between "all from here on exchanged, the output moves" and "all from there on, it does
        not" lies an input whose change alone, beside the later ones already exchanged, moves the output.

        Args:
            effects: (D, n) changes of every output for single changes of the inputs `probed` (n,).

        Returns:
            (output, input, relative change), raster places.
        """
        single = ((effects > self._tolerance) & (probed[None, :] >= self._latest[:, None])).any(1)
        outputs = np.flatnonzero((self._latest >= 0) & ~single)[: self._batch]
        if not len(outputs):
            return []
        filled = np.concatenate([outputs, np.repeat(outputs[-1:], self._batch - len(outputs))])
        moving, still, amount = self._latest[filled], np.full(self._batch, len(self._places)), self._amount[filled]
        while (still - moving > 1).any():
            middle = (moving + still) // 2
            change = self._change(middle)[np.arange(self._batch), filled]
            moved = (change > self._tolerance) & (still - moving > 1)
            amount = np.where(moved, change, amount)
            moving, still = np.where(moved, middle, moving), np.where(moved | (still - moving <= 1), still, middle)
        return [(int(filled[i]), int(moving[i]), float(amount[i])) for i in range(len(outputs))]

    def _change(self, cuts: np.ndarray) -> np.ndarray:
        raster = np.where(self._places[None, :] >= cuts[:, None], self._second, self._first)
        return relative_change(self._base, self._subject(folded(raster, self._shape)))

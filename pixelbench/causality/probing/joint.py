"""Changes a sub-pixel and all later ones at once: finds what no single change shows, and pins it to single sub-pixels.

An output that looks at several later sub-pixels together, say at their maximum, may not move for any one of them.
"""

from collections.abc import Callable, Iterator

import numpy as np
from torch import Tensor

from pixelbench.causality.probing.effects import Reference
from pixelbench.causality.probing.raster import copies, flat, folded

#: So many outputs are pinned at most; the verdict needs one.
_PINNED = 32


class JointProbe:
    """Two images that differ in every sub-pixel, and what happens to the outputs of the first when its later part is the second's.

    Args:
        call: (B, C, H, W) integer images → (B, K, C, H, W) outputs.
        pair: two images (C, H, W).
        batch: images a call, always the same, so that rounding and random layers are the same too.
    """

    def __init__(self, call: Callable[[np.ndarray], Tensor], pair: tuple[np.ndarray, np.ndarray], batch: int, tolerance: float) -> None:
        self._call = call
        first, second = pair
        self._shape = (first.shape[0], first.shape[1], first.shape[2])
        self._first, self._second = flat(first), flat(second)
        self._batch = batch
        self._tolerance = tolerance
        self._places = np.arange(first.size)
        self._base = Reference(call(copies(first, batch)))
        self._latest = np.full(first.size, -1)
        self._amount = np.zeros(first.size)

    @property
    def moved(self) -> bool:
        """Some output moved, so that `pin` may have something to do."""
        return bool((self._latest >= 0).any())

    def look(self, positions: np.ndarray) -> None:
        """Exchange all from `positions[i]` on in image i, for `batch` positions, and remember which earlier or equal outputs moved."""
        change = self._change(positions)
        moved = (self._places[None, :] <= positions[:, None]) & (change > self._tolerance)
        cut = np.where(moved, positions[:, None], -1)
        closest = cut.argmax(0)
        later = cut.max(0) > self._latest
        self._amount[later] = change[closest, self._places][later]
        self._latest = np.maximum(self._latest, cut.max(0))

    def pin(self, effects: np.ndarray, probed: np.ndarray, *, reduced: bool) -> Iterator[tuple[int, int, float]]:
        """Which single sub-pixel is behind what single changes did not explain.

        Bisects: between "all from here on exchanged, the output moves" and "all from there on, it does not" lies an input whose change
        alone, beside the later ones already exchanged, moves the output.

        Args:
            effects: (D, n) changes of every output for single changes of the inputs `probed` (n,).
            reduced: for as many outputs as a batch holds only.

        Yields:
            (output, input, relative change), raster places.
        """
        single = ((effects > self._tolerance) & (probed[None, :] >= self._latest[:, None])).any(1)
        outputs = np.flatnonzero((self._latest >= 0) & ~single)[: self._batch if reduced else max(self._batch, _PINNED)]
        for start in range(0, len(outputs), self._batch):
            yield from self._bisected(outputs[start : start + self._batch])

    def _bisected(self, outputs: np.ndarray) -> Iterator[tuple[int, int, float]]:
        filled = np.resize(outputs, self._batch)
        moving, still, amount = self._latest[filled], np.full(self._batch, len(self._places)), self._amount[filled]
        while (still - moving > 1).any():
            middle = (moving + still) // 2
            change = self._change(middle)[np.arange(self._batch), filled]
            moved = (change > self._tolerance) & (still - moving > 1)
            amount = np.where(moved, change, amount)
            moving, still = np.where(moved, middle, moving), np.where(moved | (still - moving <= 1), still, middle)
        for i, output in enumerate(outputs):
            yield int(output), int(moving[i]), float(amount[i])

    def _change(self, cuts: np.ndarray) -> np.ndarray:
        raster = np.where(self._places[None, :] >= cuts[:, None], self._second, self._first)
        return self._base.change(self._call(folded(raster, self._shape)))

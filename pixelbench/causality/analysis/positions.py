"""What is seen at some positions and missed at others: counted by pairs of pixels, since by offset it is seen."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pixelbench.causality.analysis.offsets import keys_by_columns
from pixelbench.causality.probing.evidence import Evidence
from pixelbench.causality.report import MissedInPlaces

#: One pair may be a unit that is dead on all images; a path that a position lacks is missed by a row or a column of outputs.
_LEAST_PAIRS = 3


#: Offsets that a report lists, and places of each.
_LISTED, _PLACES = 200, 64


@dataclass(frozen=True)
class Positions:
    """The earlier pixels of which no colour is seen by any, where the same offset is seen elsewhere."""

    evidence: Evidence

    @cached_property
    def missed(self) -> tuple[MissedInPlaces, ...]:
        """One for each offset, the most pairs first, at most 200."""
        width = self.evidence.shape[2]
        found = []
        for offset, outputs, measured in self._offsets[:_LISTED]:
            places = zip((outputs[:_PLACES] // width).tolist(), (outputs[:_PLACES] % width).tolist(), strict=True)
            found.append(MissedInPlaces(offset, len(outputs), measured, tuple(places)))
        return tuple(found)

    @property
    def pairs(self) -> int:
        """How many pairs of pixels they are."""
        return len(self._missing[0])

    @property
    def at_the_row_end(self) -> bool:
        """All of it is the last pixel of the row above."""
        width = self.evidence.shape[2]
        return all(offset[0] == -1 and bool((outputs % width + offset[1] == width - 1).all()) for offset, outputs, _ in self._offsets)

    @property
    def regular(self) -> bool:
        """At every offset whole rows, or whole columns, of outputs miss it, so that it is no dead unit; of a complete map only."""
        if not self.evidence.complete or self.pairs < _LEAST_PAIRS:
            return False
        return all(self._whole(*one) for one in self._offsets) and any(len(outputs) > 1 for _, outputs, _ in self._offsets)

    @property
    def where(self) -> str:
        """`inputs in the last column`: what the pairs have in common, or the first of them."""
        if not self.pairs:
            return ""
        _, height, width = self.evidence.shape
        keys, outputs = self._missing
        output = np.stack([outputs // width, outputs % width], 1)
        source = output + np.stack([keys // (2 * width - 1) - height + 1, keys % (2 * width - 1) - width + 1], 1)
        for name, places in (("inputs", source), ("outputs", output)):
            for axis, size, line in ((0, height, "row"), (1, width, "column")):
                for which, place in (("first", 0), ("last", size - 1)):
                    if (places[:, axis] == place).all():
                        return f"{name} in the {which} {line}"
        return f"by output ({output[0][0]}, {output[0][1]}) for instance"

    def _whole(self, offset: tuple[int, int], outputs: np.ndarray, measured: int) -> bool:
        _, height, width = self.evidence.shape
        rows, columns = len(np.unique(outputs // width)), len(np.unique(outputs % width))
        return len(outputs) in (columns * (height - abs(offset[0])), rows * (width - abs(offset[1])))

    @cached_property
    def _offsets(self) -> list[tuple[tuple[int, int], np.ndarray, int]]:
        """Offset, the outputs that miss it in raster order, and how many were measured there; the most pairs first, then the nearest."""
        _, height, width = self.evidence.shape
        keys, outputs = self._missing
        rank = np.lexsort((outputs, keys))
        kinds, first = np.unique(keys[rank], return_index=True)
        found = []
        for key, some in zip(kinds.tolist(), np.split(outputs[rank], first[1:]), strict=False):
            offset = key // (2 * width - 1) - height + 1, key % (2 * width - 1) - width + 1
            found.append((offset, some, int(self._pairs[0][key])))
        return sorted(found, key=lambda one: (-len(one[1]), abs(one[0][0]) + abs(one[0][1]), one[0]))

    @cached_property
    def _seen(self) -> tuple[np.ndarray, np.ndarray]:
        """The input pixels that were probed (m,), and bool (H*W, m): some colour of the output sees some colour of the input."""
        evidence, channels = self.evidence, self.evidence.shape[0]
        inputs, first = np.unique(evidence.positions // channels, return_index=True)
        outputs = np.logical_or.reduce(evidence.dependence.reshape(-1, channels, len(evidence.positions)), axis=1)
        return inputs, np.logical_or.reduceat(outputs, first, axis=1)

    @cached_property
    def _pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """By offset: pairs of an earlier pixel that were measured, where some of them were seen, and how many were."""
        _, height, width = self.evidence.shape
        inputs, dependence = self._seen
        measured, seen = (np.zeros((2 * height - 1) * (2 * width - 1), dtype=np.int64) for _ in range(2))
        for columns, keys in keys_by_columns(inputs, (1, height, width)):
            earlier = inputs[columns, None] < np.arange(len(dependence))[None]
            measured += np.bincount(keys[earlier], minlength=len(measured))
            seen += np.bincount(keys[earlier & dependence.T[columns]], minlength=len(seen))
        return np.where(seen > 0, measured, 0), seen

    @cached_property
    def _missing(self) -> tuple[np.ndarray, np.ndarray]:
        """Offset and output of every pair that is missed at an offset that is seen elsewhere."""
        _, height, width = self.evidence.shape
        inputs, dependence = self._seen
        partly = self._pairs[0] > self._pairs[1]
        kinds, outputs = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
        for columns, keys in keys_by_columns(inputs, (1, height, width)) if partly.any() else ():
            gone = partly[keys] & ~dependence.T[columns] & (inputs[columns, None] < np.arange(len(dependence))[None])
            kinds.append(keys[gone])
            outputs.append(np.nonzero(gone)[1])
        return np.concatenate(kinds), np.concatenate(outputs)

"""What is seen at some positions and missed at others: counted by pairs of pixels, since by offset it is seen."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pixelbench.causality.analysis.offsets import keys_by_columns
from pixelbench.causality.probing.evidence import Evidence
from pixelbench.causality.report import MissedInPlaces

#: One pair may be a unit that is dead on all images; a path that a position lacks is missed by a row or a column of outputs.
_LEAST_PAIRS = 3


@dataclass(frozen=True)
class Positions:
    """The earlier pixels of which no colour is seen by any, where the same offset is seen elsewhere."""

    evidence: Evidence

    @cached_property
    def missed(self) -> list[MissedInPlaces]:
        """One for each offset, the most pairs first."""
        _, height, width = self.evidence.shape
        found = []
        for key in np.flatnonzero(self._pairs[0] - self._pairs[1]):
            offset = int(key) // (2 * width - 1) - height + 1, int(key) % (2 * width - 1) - width + 1
            outputs = np.sort(self._outputs[self._keys == key])
            places = tuple(zip((outputs // width).tolist(), (outputs % width).tolist(), strict=True))
            found.append(MissedInPlaces(offset, len(places), int(self._pairs[0][key]), places))
        return sorted(found, key=lambda one: (-one.pairs, [-abs(step) for step in one.offset], one.offset))

    @property
    def at_the_row_end(self) -> bool:
        """All of it is the last pixel of the row above."""
        width = self.evidence.shape[2]
        return all(one.offset[0] == -1 and all(column + one.offset[1] == width - 1 for _, column in one.outputs) for one in self.missed)

    @property
    def regular(self) -> bool:
        """At every offset whole rows, or whole columns, of outputs miss it, so that it is no dead unit; of a complete map only."""
        if not self.evidence.complete or sum(one.pairs for one in self.missed) < _LEAST_PAIRS:
            return False
        return all(self._whole(one) for one in self.missed) and any(one.pairs > 1 for one in self.missed)

    @property
    def where(self) -> str:
        """`inputs in the last column`: what the pairs have in common, or the first of them."""
        _, height, width = self.evidence.shape
        outputs = np.array([place for one in self.missed for place in one.outputs]).reshape(-1, 2)
        inputs = outputs + np.array([one.offset for one in self.missed for _ in one.outputs]).reshape(-1, 2)
        for name, places in (("inputs", inputs), ("outputs", outputs)):
            for axis, size, line in ((0, height, "row"), (1, width, "column")):
                for which, place in (("first", 0), ("last", size - 1)):
                    if len(places) and (places[:, axis] == place).all():
                        return f"{name} in the {which} {line}"
        return f"output ({outputs[0][0]}, {outputs[0][1]}) for instance" if len(outputs) else ""

    def _whole(self, one: MissedInPlaces) -> bool:
        _, height, width = self.evidence.shape
        rows, columns = ({place[axis] for place in one.outputs} for axis in (0, 1))
        return one.pairs in (len(columns) * (height - abs(one.offset[0])), len(rows) * (width - abs(one.offset[1])))

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

    @property
    def _keys(self) -> np.ndarray:
        return self._missing[0]

    @property
    def _outputs(self) -> np.ndarray:
        return self._missing[1]

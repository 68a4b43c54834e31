"""Changes the inputs block by block, and keeps the largest change of every output."""

import functools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from pixelbench.causality.limits.time_budget import TimeBudget
from pixelbench.causality.module.repeatable import Subject
from pixelbench.causality.module.state import State
from pixelbench.causality.probing.effects import Reference
from pixelbench.causality.probing.joint import JointProbe
from pixelbench.causality.probing.probes import Base, Probes
from pixelbench.causality.probing.raster import copies

#: The next block may take longer than the longest of the last few by this factor.
_CAUTION = 1.2
_RECENT = 8
#: What the conclusions take of a processor's time for each pair of the map and for each offset with its colours, at most.
_PAIR_SECONDS = 2e-7
_OFFSET_SECONDS = 6e-7

Call = Callable[[np.ndarray], Tensor]


@dataclass
class Swept:
    """The findings of a sweep.

    Attributes:
        effects: (D, n) largest relative change of every output for changes of each input.
        positions: (n,) those inputs, in the order in which they were changed.
        joint: (output, input) of the dependences that only joint changes showed.
        rounds: how often all positions were probed once more.
    """

    effects: np.ndarray
    positions: np.ndarray
    joint: list[tuple[int, int]]
    rounds: int = 0

    def add(self, output: int, source: int, effect: float) -> None:
        """Effects of joint changes; an input that was not on the list of positions has been changed by now, and gets a column."""
        if source not in self.positions:
            self.effects, self.positions = np.pad(self.effects.T, ((0, 1), (0, 0))).T, np.append(self.positions, source)
        column = int(np.flatnonzero(self.positions == source)[0])
        self.effects[output, column] = max(self.effects[output, column], effect)
        self.joint.append((output, source))


class Sweep:
    """A sweep of single and joint changes, from each of some states of the module.

    Args:
        batch: images a call, always the same: one rounding, and one set of random numbers, throughout.
        time_budget: the sweep ends before its time runs out, but not before one block of positions was probed.
    """

    def __init__(
        self, subject: Subject, states: list[State], probes: Probes, batch: int, tolerance: float, time_budget: TimeBudget
    ) -> None:
        self._calls: list[Call] = [functools.partial(subject, state=state) for state in states]
        self._probes, self._batch, self._tolerance, self._time_budget = probes, batch, tolerance, time_budget
        self._shape, self._size = subject.shape, math.prod(subject.shape)
        self._joints: list[JointProbe] = []
        self._durations: list[float] = []

    @property
    def per_image(self) -> float:
        """Seconds that an image takes, at most."""
        return max(self._durations[-_RECENT:]) / self._batch

    def run(self, order: np.ndarray) -> Swept:
        """Probe the positions in this order, and then, of a small image, all of them again on further images."""
        # Transposed: memory that no position reaches is never touched, and so never taken.
        swept = Swept(np.zeros((len(order), self._size)).T, order, [])
        reached = self._round(swept, self._probes.single, self._probes.joint)
        swept.effects, swept.positions = swept.effects[:, :reached], order[:reached]
        while reached == len(order) and swept.rounds < self._probes.rounds:
            if self._round(swept, *self._probes.fresh()) < reached:
                break
            swept.rounds += 1
        return swept

    def has_time(self, images: int) -> bool:
        """Whether so many images can be called before the time runs out."""
        return self._time_budget.left > self.concluding(self._size) + _CAUTION * images * self.per_image

    def further(self, swept: Swept, single: list[Base], pairs: list[tuple[np.ndarray, np.ndarray]], columns: np.ndarray) -> bool:
        """Probes some of the positions swept on further images, and says whether anything forbidden moved."""
        part = Swept(np.zeros((len(columns), self._size)).T, swept.positions[columns], [])
        before = len(self._joints)
        self._round(part, single, pairs)
        self._joints[before:] = [joint for joint in self._joints[before:] if joint.moved]  # the others would only take memory
        swept.effects.T[columns] = np.maximum(swept.effects.T[columns], part.effects.T)
        forbidden = np.arange(self._size)[None, :] <= part.positions[:, None]
        return len(self._joints) > before or bool((part.effects.T[forbidden] > self._tolerance).any())

    def pin(self, swept: Swept) -> None:
        """Adds the single sub-pixels that are behind what only joint changes have shown."""
        reduced = self._time_budget.left < math.inf
        for joint in self._joints:
            for found in joint.pin(swept.effects, swept.positions, reduced=reduced):
                swept.add(*found)

    def _round(self, swept: Swept, single: list[Base], pairs: list[tuple[np.ndarray, np.ndarray]]) -> int:
        """Return how many of the positions were reached; always one block of the first round."""
        order, batch = swept.positions, self._batch
        references = [(call, base, Reference(call(copies(base.image, batch)))) for call in self._calls for base in single]
        joints = [JointProbe(call, pair, batch, self._tolerance) for call in self._calls for pair in pairs]
        self._joints += joints
        cut, pending = self._probes.cuts(order), order[:0]
        for start in range(0, len(order), batch):
            if self._durations and self._time_budget.left < self._needed() + self.concluding(start + batch):
                return start
            began = self._time_budget.spent
            block = order[start : start + batch]
            stop = start + len(block)
            effects = swept.effects[:, start:stop]
            for change in self._changes(references, _filled(block, batch)):
                np.maximum(effects, change[: len(block)].T, out=effects)
            pending = np.concatenate([pending, block[cut[start:stop]]])
            while len(pending) >= batch or (len(pending) and stop == len(order)):
                for joint in joints:
                    joint.look(_filled(pending[:batch], batch))
                pending = pending[batch:]
            self._durations.append(self._time_budget.spent - began)
        return len(order)

    def _changes(self, references: list[tuple[Call, Base, Reference]], positions: np.ndarray) -> Iterator[np.ndarray]:
        for call, base, reference in references:
            for images in self._probes.changes(base, positions):
                yield reference.change(call(images))

    def _needed(self) -> float:
        """Seconds for the next block, and for pinning what joint changes have shown so far."""
        block = _CAUTION * max(self._durations[-_RECENT:])
        return block * (1 + math.log2(self._size)) if any(joint.moved for joint in self._joints) else block

    def concluding(self, positions: int) -> float:
        """Seconds for what is concluded from so many positions."""
        channels, height, width = self._shape
        offsets = channels**2 * (2 * height - 1) * (2 * width - 1)
        return self._time_budget.load * (_PAIR_SECONDS * positions * self._size + _OFFSET_SECONDS * offsets)


def _filled(positions: np.ndarray, batch: int) -> np.ndarray:
    return np.concatenate([positions, np.repeat(positions[-1:], batch - len(positions))])

"""Probe again what was never seen: dead units and saturated weights may hide on one image what they show on another."""

import numpy as np

from pixelbench.causality.analysis.context import context_of
from pixelbench.causality.analysis.offsets import Offsets, pair_keys, tally
from pixelbench.causality.limits.time_budget import TimeBudget
from pixelbench.causality.module.repeatable import Subject
from pixelbench.causality.module.state import State
from pixelbench.causality.probing.effects import Reference
from pixelbench.causality.probing.evidence import Evidence
from pixelbench.causality.probing.probes import Probes

#: Images that a look costs, besides as many unchanged ones.
_IMAGES = 96
#: Inputs among which those are chosen that see most of what is missing, and how many are.
_CANDIDATES = 256
_INPUTS = 16
#: Pairs that are looked at for that: of large images, fewer inputs.
_PAIRS = 2**22


def resample(
    evidence: Evidence,
    subject: Subject,
    states: list[State],
    probes: Probes,
    batch: int,
    time_budget: TimeBudget,
    *,
    per_image: float,
    reserve: float,
) -> int:
    """Change a few inputs on fresh random images, first those that may show a blind spot, then those that may show more context.

    Updates the evidence's effects.

    Args:
        per_image: seconds that one image takes, at most; a look ends before the time runs out.
        reserve: seconds that must be left afterwards, for the conclusions.

    Returns:
        How many images were changed.
    """
    images = 0
    for inside in (True, False):
        if time_budget.left < reserve:
            break
        offsets = tally(evidence)
        missing = offsets.missing & _box(offsets) if inside else offsets.missing
        columns = _covering(missing, evidence)
        for start in range(0, _IMAGES if len(columns) else 0, batch):
            if time_budget.left < reserve + 2 * batch * len(states) * per_image:
                return images
            block = columns[np.arange(start, start + batch) % len(columns)]
            bases = probes.random_images(batch)
            changed = probes.changed(bases, evidence.positions[block])
            for state in states:
                change = Reference(subject(bases, state)).change(subject(changed, state))
                np.maximum.at(evidence.effects.T, block, change)
            images += batch
    return images


def _box(offsets: Offsets) -> np.ndarray:
    """Bool (2H-1, 2W-1): the offsets inside the bounding box of what is seen."""
    _, height, width = offsets.shape
    return context_of(offsets).holds(np.arange(1 - height, height)[:, None], np.arange(1 - width, width))


def _covering(missing: np.ndarray, evidence: Evidence) -> np.ndarray:
    """Columns of the evidence whose inputs, with all outputs, make up most of the missing kinds; chosen greedily, none where none helps."""
    count = len(evidence.positions)
    most = max(_INPUTS, min(_CANDIDATES, _PAIRS // len(evidence.effects)))
    candidates = np.unique(np.linspace(0, count - 1, min(count, most)).astype(int))
    keys = pair_keys(np.arange(len(evidence.effects))[:, None], evidence.positions[None, candidates], evidence.shape)
    wanted, chosen = missing.ravel().copy(), []
    while len(chosen) < _INPUTS and wanted.any():
        gains = wanted[keys].sum(0)
        best = int(gains.argmax())
        if not gains[best]:
            break
        chosen.append(int(candidates[best]))
        wanted[keys[:, best]] = False
    return np.array(chosen, dtype=int)

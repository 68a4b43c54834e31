"""Is what looks like a leak only the images, or the output, read in another layout than the module has?"""

import numpy as np

from pixelbench.causality.interface.adapter import ModuleAdapter
from pixelbench.causality.module.repeatable import Subject
from pixelbench.causality.probing.effects import relative_change
from pixelbench.causality.probing.evidence import MISREAD, Evidence
from pixelbench.causality.probing.probes import Probes
from pixelbench.causality.report import Diagnosis

#: Inputs that are changed: some of those that leak, and as many others.
_INPUTS = 12
_BASES = 2


def doubt_on_layout(subject: Subject, probes: Probes, evidence: Evidence) -> Diagnosis | None:
    """Why a leak is none for certain: under another layout that fits nothing forbidden moves, and something else does."""
    outputs, columns = np.nonzero(evidence.leaking)
    if not len(outputs) or evidence.coupling:
        return None
    chosen = evidence.positions[np.union1d(_spread(np.unique(columns)), _spread(np.arange(len(evidence.positions))))]
    changes = [_change(probes, chosen) for _ in range(_BASES)]

    def moved(reading: ModuleAdapter) -> list[tuple[bool, bool]]:
        return [_moved(subject, reading, change, chosen, evidence.method.tolerance) for change in changes]

    readings = subject.other_readings()
    if not readings or not all(leaks for _, leaks in moved(subject.adapter)):  # what these images do not show tells no readings apart
        return None
    for reading in readings:
        if all(sees and not leaks for sees, leaks in moved(reading)):
            channels = evidence.shape[0]
            own = bool((outputs // channels == evidence.positions[columns] // channels).all())
            return Diagnosis(MISREAD, _sentence(subject.adapter, reading, own=own))
    return None


def _spread(columns: np.ndarray) -> np.ndarray:
    return columns[np.unique(np.linspace(0, len(columns) - 1, min(_INPUTS, len(columns))).astype(int))]


def _change(probes: Probes, inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A random image as often as there are inputs, and each with one of them changed."""
    bases = np.repeat(probes.random_images(1), len(inputs), 0)
    return bases, probes.changed(bases, inputs)


def _moved(
    subject: Subject, reading: ModuleAdapter, change: tuple[np.ndarray, np.ndarray], inputs: np.ndarray, tolerance: float
) -> tuple[bool, bool]:
    """Whether anything moves that may, and anything that may not."""
    before, after = (subject.read_as(images, reading) for images in change)
    moved = relative_change(before, after) > tolerance
    forbidden = np.arange(moved.shape[1])[None] <= inputs[:, None]
    return bool((moved & ~forbidden).any()), bool((moved & forbidden).any())


def _sentence(used: ModuleAdapter, other: ModuleAdapter, *, own: bool) -> str:
    differs = [("--input-layout", used.entering, other.entering), ("--output", used.output, other.output)]
    before, after = (" and ".join(f'{option} "{pair[place]}"' for option, *pair in differs if pair[0] != pair[1]) for place in (0, 1))
    within = ", within their own pixel only," if own else ""
    return (
        f"Read with {before} outputs change{within} where they must not, and with {after}, which fits as well, nothing leaks: find out "
        "which of the two layouts the module has, and say it, before anything is changed in it."
    )

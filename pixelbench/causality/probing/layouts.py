"""Is what looks like a leak within a pixel only the output read in another order of its channels?"""

import numpy as np

from pixelbench.causality.module.repeatable import Subject
from pixelbench.causality.probing.effects import relative_change
from pixelbench.causality.probing.evidence import Evidence
from pixelbench.causality.probing.probes import Probes

_INPUTS = 12
_BASES = 2


def other_layout(subject: Subject, probes: Probes, evidence: Evidence) -> str | None:
    """The pattern of a usual layout under which nothing forbidden moves; None where leaks go beyond the own pixel, or none fits."""
    channels = evidence.shape[0]
    outputs, columns = np.nonzero(evidence.leaking)
    if channels == 1 or not len(outputs) or (outputs // channels != evidence.positions[columns] // channels).any():
        return None
    chosen = evidence.positions[np.unique(columns)][:_INPUTS]
    for layout in subject.other_layouts():
        if not any(_leaks(subject, layout, probes, chosen, evidence.method.tolerance) for _ in range(_BASES)):
            return layout
    return None


def _leaks(subject: Subject, layout: str, probes: Probes, inputs: np.ndarray, tolerance: float) -> bool:
    bases = np.repeat(probes.random_images(1), len(inputs), 0)
    before, after = (subject.read_as(images, layout) for images in (bases, probes.changed(bases, inputs)))
    change = relative_change(before, after)
    return bool((change > tolerance)[np.arange(change.shape[1])[None] <= inputs[:, None]].any())

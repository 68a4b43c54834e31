"""Is the output a flow's z? It sees its own sub-pixel on purpose, and is the conditional distribution of none."""

import numpy as np

from pixelbench.causality.module.repeatable import Subject
from pixelbench.causality.probing.evidence import FLOW, Evidence
from pixelbench.causality.probing.probes import Probes
from pixelbench.causality.probing.raster import flat, folded
from pixelbench.causality.report import Diagnosis

_PLACES = 8
#: Rounding of a difference of differences, relative to the largest output.
_STRAIGHT = 1e-9
_LEAST_LEVELS = 3


def doubt_on_flow(subject: Subject, probes: Probes, evidence: Evidence) -> Diagnosis | None:
    """Each output is one number that is affine in its own sub-pixel, by a slope that earlier ones decide, and nothing else leaks.

    So is (x - shift) / scale, and hardly anything else: a skip connection has the same slope everywhere.
    """
    outputs, columns = np.nonzero(evidence.leaking)
    if subject.levels < _LEAST_LEVELS or evidence.coupling or not len(outputs) or (outputs != evidence.positions[columns]).any():
        return None
    if len(outputs) < len(evidence.positions):
        return None
    places = evidence.positions[np.unique(np.linspace(0, len(columns) - 1, min(_PLACES, len(columns))).astype(int))]
    slopes = np.array([found for _ in range(2) if (found := _slopes(subject, probes, places)) is not None])
    if len(slopes) < 2 or np.ptp(slopes) <= _STRAIGHT * np.abs(slopes).max():
        return None
    return Diagnosis(
        FLOW,
        "Each output is an affine function of its own sub-pixel, with a shift and a scale that earlier sub-pixels decide: that is a flow's "
        "z, and no conditional distribution. Check the network that gives the shift and the scale.",
    )


def _slopes(subject: Subject, probes: Probes, places: np.ndarray) -> np.ndarray | None:
    """How much each place's output rises with its own value, on a random image; None where it does not in a straight line."""
    top, middle = subject.levels - 1, (subject.levels - 1) // 2
    ends = []
    raster = np.repeat(flat(probes.random_images(1)), len(places), 0)
    for value in (0, middle, top):
        raster[np.arange(len(places)), places] = value
        output = subject(folded(raster, subject.shape))
        if output.shape[1] != 1:
            return None
        ends.append(flat(output[:, 0].cpu().numpy())[np.arange(len(places)), places])
    low, between, high = ends
    straight = np.abs(between - low - (high - low) * middle / top) <= _STRAIGHT * max(1e-300, *(np.abs(end).max() for end in ends))
    return high - low if straight.all() else None

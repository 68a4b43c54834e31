"""Evidence made by hand, for tests of what is concluded from it."""

from typing import Any

import numpy as np

from pixelbench.causality.analysis.summary import summarise
from pixelbench.causality.probing.evidence import Evidence
from pixelbench.causality.report import CausalityReport, Method

METHOD = Method("made by hand", 1e-10, 4, "int", "b k c h w", 0)


def evidence_of(dependence: np.ndarray, shape: tuple[int, int, int], positions: np.ndarray | None = None, **changed: Any) -> Evidence:
    """Effects of 0.5 where `dependence` (D, D) [output, input] is true, at the input places given."""
    places = np.arange(len(dependence)) if positions is None else positions
    settings: dict[str, Any] = {"mode": "eval", "after_step": False, "joint": (), "coupling": None, "repeatable": True, "noise": 1e-16}
    settings |= {"method": METHOD, "seconds": 1.0, "effects": 0.5 * dependence[:, places]} | changed
    return Evidence(shape=shape, positions=places, **settings)


def report_on(sees: Any, shape: tuple[int, int, int], **changed: Any) -> CausalityReport:
    """`sees(out, into)` of two places (channel, row, column): does the output see the input?"""
    return summarise(evidence_of(map_where(sees, shape), shape, **changed), target="made by hand")


def map_where(sees: Any, shape: tuple[int, int, int]) -> np.ndarray:
    """Bool (D, D) [output, input]."""
    channels, height, width = shape
    places = [(c, row, column) for row in range(height) for column in range(width) for c in range(channels)]
    return np.array([[bool(sees(out, into)) for into in places] for out in places])


def raster(place: tuple[int, int, int]) -> tuple[int, int, int]:
    """Sorts places in raster order."""
    return place[1], place[2], place[0]

"""Certificates made by hand: of a model that sees what it may, itself, or nothing."""

import json

import numpy as np

from pixelbench.causality.analysis.summary import summarise
from pixelbench.causality.probing.evidence import Evidence
from pixelbench.causality.report import CausalityReport, Method


def certificate(
    *, sees_itself: bool = False, nothing: bool = False, effect: float = 0.5, shape: tuple[int, int, int] = (1, 3, 4)
) -> CausalityReport:
    """Of images of `shape` in raster order; `effect` is how strongly a seen sub-pixel acts."""
    places = np.arange(int(np.prod(shape)))
    sees = places[:, None] >= places[None, :] if sees_itself else places[:, None] > places[None, :]
    effects = effect * (sees & (not nothing))
    method = Method("made by hand", 1e-10, 4, "int", "b k c h w", 0)
    return summarise(Evidence(shape, "eval", False, places, effects, (), None, True, 0.0, method, 1.0), target="a <narrow> copy")


def certificate_file(report: CausalityReport) -> bytes:
    """`certificate.json`."""
    return json.dumps(report.to_json()).encode()

"""What the pattern of the map says in plain words: what is seen, the likely cause, the mend. Class names are never looked at."""

import numpy as np

from pixelbench.causality.evidence import Evidence
from pixelbench.causality.offsets import Offsets
from pixelbench.causality.report import Diagnosis


def diagnose(evidence: Evidence, offsets: Offsets, order: str | None) -> tuple[Diagnosis, ...]:
    """The most specific diagnoses first, none where the map is clean and full."""
    found = []
    leaks = offsets.coordinates(offsets.leaks)
    if len(leaks) and (leaks[:, 2:] == 0).all() and (leaks[:, 0] == leaks[:, 1]).all():
        found.append(Diagnosis("sees-itself", "Outputs see their own sub-pixel and nothing else that is forbidden."))
    elif len(leaks):
        found.append(Diagnosis("unknown-pattern", f"{np.count_nonzero(evidence.leaking)} forbidden pairs depend on one another."))
    return tuple(found)

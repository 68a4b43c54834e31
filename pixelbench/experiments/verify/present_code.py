"""The present code's fingerprints, taken where nobody has taken them yet."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pixelbench.experiments.verify.adds_up import Progress
from pixelbench.experiments.verify.fingerprint import fingerprint
from pixelbench.experiments.verify.staleness import KnownCode
from pixelbench.store.spec import RunSpec


def present_behaviour(spec: RunSpec, store: Path | None) -> dict[str, Any] | None:
    """The fingerprint of the present code for a run, remembered in the store for the other seeds of its cell.

    None where the miniature cannot be run to its end although the run itself may be: such a run can never be told to be current.
    """
    known = None if store is None else KnownCode(store)
    found = None if known is None else known.recall(spec)
    if found is None:
        found = fingerprint(spec)
        if known is not None:
            known.remember(spec, found)
    return None if "failure" in found["exact"] else found


def take_fingerprints(specs: Iterable[RunSpec], store: Path, progress: Progress = lambda *told: None) -> None:
    """Take the fingerprint of each cell once, so that a plan knows which stored runs are stale."""
    cells = {spec.cell_key: spec for spec in specs}
    for done, spec in enumerate(cells.values()):
        progress(f"{spec.task['name']}/{spec.variant}", done, len(cells))
        present_behaviour(spec, store)

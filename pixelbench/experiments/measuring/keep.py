"""Measurements into the store, beside the record of the run that they are of."""

from collections.abc import Sequence
from pathlib import Path

from pixelbench.errors import UserError
from pixelbench.files.locks import RunLock
from pixelbench.store.artifacts import read_summary
from pixelbench.store.documents.measurements import QUALITY, Measurement, Measurements, contradiction, write_measurements
from pixelbench.store.record_file import state_of
from pixelbench.store.scan import StoredRun


def keep_measurements(store: Path, run: StoredRun, weights: str | None, new: Sequence[Measurement]) -> Measurements:
    """Add measurements to those of a run; a damaged file, or one that is of other weights, is replaced.

    Raises:
        UserError: the run was executed again meanwhile, or is being executed now.
    """
    with RunLock(store, run.record.run_key) as lock:
        if not lock.acquire(blocking=False) or state_of(run.folder)[0] != run.record.digest:
            raise UserError(f"Run {run.record.run_key} is executed again meanwhile, so the measurements are of the past and are not kept.")
        found = _before(run, weights)
        for one in new:
            found = Measurements(run.record.run_key, weights, (one,)) if found is None else found.with_measurement(one)
        if found is None:
            raise ValueError("there is nothing to keep")
        write_measurements(run.folder, found)
        return found


def _before(run: StoredRun, weights: str | None) -> Measurements | None:
    path = run.folder / QUALITY
    known = read_summary(path).quality if path.is_file() else None
    return None if known is None or known.weights != weights or contradiction(known, run.record) else known

"""Runs that have ended, as a plan finds them: made by the code as it is now, unless said otherwise."""

import shutil
from pathlib import Path
from typing import Any

from pixelbench.experiments.code_digest import code_digest
from pixelbench.store.record import Cost, Provenance, Record
from pixelbench.store.spec import RunSpec
from tests.support.record_factory import add_spec, folder_of


def end(
    store: Path,
    spec: RunSpec,
    status: str = "done",
    *,
    seconds: float = 3.0,
    train_seconds: float | None = None,
    device: str = "cpu",
    source: str | None = None,
    **fields: Any,
) -> Record:
    """A run of `spec` that adds up. `source`: digest of the code that made it; `fields`: of the record.

    What an earlier attempt left in its folder stays, but for the files that this one leaves.
    """
    fields |= {"provenance": Provenance(device, source or code_digest(spec.family))}
    updates = spec.updates if status == "done" else 0
    spent = (1.0 if updates else 0.0) if train_seconds is None else train_seconds
    weights = 100 if updates else 0
    fields["cost"] = Cost(seconds, spent, parameters=weights, updates=updates, images_seen=updates * spec.recipe.get("batch", 0))
    scratch = store / "work" / f"made {spec.key}"
    record: Record = add_spec(scratch, spec, 1.5 if status == "done" else None, status=status, **fields)
    made, folder = folder_of(scratch, record), folder_of(store, record)
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(made.iterdir(), key=lambda path: path.name == "record.json"):
        path.replace(folder / path.name)
    shutil.rmtree(scratch)
    return record

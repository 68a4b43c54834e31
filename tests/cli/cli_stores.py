"""Fabricated stores for command lines: the runs that the quick suite asks for, as if they had been made."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pixelbench.experiments.provenance import source_digest
from pixelbench.models.families import get_family
from pixelbench.store.record import run_folder, spec_fields, write_record
from pixelbench.store.spec import RunSpec

sys.path.append(str(Path(__file__).parents[1] / "reports"))
from record_factory import add_run  # type: ignore[import-not-found]

#: Runs a command line: exit code, stdout, stderr.
Pixelbench = Callable[..., tuple[int, str, str]]


def store_run(store: Path, spec: RunSpec, **changes: object) -> Path:
    """A finished run of `spec` with plausible numbers; `changes` are fields of the record."""
    task = "digits" if spec.task["channels"] == 1 else "photos"
    leaky = spec.expect == "leaky"
    scratch = store / "scratch"
    record = add_run(scratch, spec.variant, 0.001 if leaky else 1.5, task=task, family=spec.family, causal="leaky" if leaky else "complete")
    made, folder = scratch / task / spec.variant / record["run_key"], run_folder(store, spec)
    folder.parent.mkdir(parents=True, exist_ok=True)
    made.rename(folder)
    for empty in (made.parent, made.parent.parent, scratch):
        empty.rmdir()
    record |= spec_fields(spec)
    record["provenance"]["source_digest"] = source_digest(get_family(spec.family).source_modules())
    write_record(folder, record | changes)
    return folder


def only_json(text: str) -> dict[str, Any]:
    """The one JSON document that stdout must be."""
    return json.loads(text)

"""Fabricated stores for command lines: the runs that the quick suite asks for, as if they had been made."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from record_factory import add_spec, folder_of  # type: ignore[import-not-found]

from pixelbench.experiments.code_digest import code_digest
from pixelbench.store.record import Provenance
from pixelbench.store.spec import RunSpec

#: Runs a command line: exit code, stdout, stderr.
Pixelbench = Callable[..., tuple[int, str, str]]


def store_run(store: Path, spec: RunSpec, *, status: str = "done", **fields: Any) -> Path:
    """A run of `spec` with plausible numbers, made by the code as it is now; `fields` as `record_of` takes them. Returns its folder."""
    leaky = spec.expect == "leaky"
    bits = (0.001 if leaky else 1.5) if status == "done" else None
    fields = {"causal": "leaky" if leaky else None, "provenance": Provenance("cpu", code_digest(spec.family)), **fields}
    return folder_of(store, add_spec(store, spec, bits, status=status, **fields))


def only_json(text: str) -> dict[str, Any]:
    """The one JSON document that stdout must be."""
    return json.loads(text)

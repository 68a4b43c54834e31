"""The tidy table of a store: one row a record, columns that others build on."""

# pandas comes without types
# pyright: reportMissingTypeStubs=false
import warnings
from pathlib import Path

import pandas as pd

from pixelbench.evaluation.quality import STATISTICS
from pixelbench.store.artifacts import EVIDENCE
from pixelbench.store.documents.proofs import PROOF
from pixelbench.store.scan import Scan, require_store, scan
from pixelbench.store.tidy_row import tidy_row
from pixelbench.visible import visible

#: Column → pandas type, but for the statistics. Integers that may be absent are nullable; real numbers are NaN where absent.
_COLUMNS: dict[str, str] = {
    "run_key": "object",
    "task": "object",
    "variant": "object",
    "family": "object",
    "seed": "int64",
    "budget": "object",
    "status": "object",
    "bits_per_dim": "float64",
    "bits_per_dim_se": "float64",
    "nats_per_image": "float64",
    "estimator": "object",
    "causal": "object",
    "expect": "object",
    "n_images": "Int64",
    "validation_bits_per_dim": "float64",
    "updates": "int64",
    "selected_update": "Int64",
    "parameters": "int64",
    "seconds": "float64",
    "device": "object",
    "levels": "int64",
    "sequential_bits_per_dim": "float64",
    "diagnoses": "object",
    "schema": "int64",
    "folder": "object",
    "cell": "object",
    "test_images": "Int64",
    "validation_images": "Int64",
    "trained_positions": "Int64",
    "condition": "object",
    "doubts": "object",
    "code": "object",
    "torch": "object",
    "proved_images": "Int64",
    "proved_bytes": "Int64",
    "proved_overhead": "float64",
}
#: The column behind which the statistics of samples stand.
_BEFORE_STATISTICS = "diagnoses"


def columns() -> dict[str, str]:
    """Column → pandas type, with one for each registered statistic that has no name of another column."""
    found: dict[str, str] = {}
    for name, kind in _COLUMNS.items():
        found[name] = kind
        if name == _BEFORE_STATISTICS:
            found |= {statistic: "float64" for statistic in STATISTICS.usable()[0] if statistic not in _COLUMNS}
    return found


def load_results(path: str | Path) -> pd.DataFrame:
    """The records below `path`, one row each, ordered by task, variant, budget and seed.

    Warns of every record that cannot be used (damaged, or of a newer version), which is left out, and of every run that does not add up:
    its row has the reasons in `doubts`, and no likelihood.

    Raises:
        UserError: no such folder.
    """
    store = require_store(Path(path))
    found = scan(store).examine(names=(*EVIDENCE, PROOF))
    for problem in found.problems:
        warnings.warn(visible(problem), stacklevel=2)
    return results_frame(found)


def results_frame(found: Scan) -> pd.DataFrame:
    """The same table of a store that was scanned and examined already; `folder` is relative to the store, in POSIX form."""
    kinds = columns()
    rows = [{**tidy_row(run), "folder": run.folder.relative_to(found.store).as_posix()} for run in found.values()]
    rows.sort(key=lambda row: (row["task"], row["variant"], row["budget"], row["seed"], row["run_key"]))
    return pd.DataFrame({name: pd.Series([row.get(name) for row in rows], dtype=kind) for name, kind in kinds.items()})

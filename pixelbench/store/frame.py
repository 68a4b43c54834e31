"""The tidy table of a store: one row a record, columns that others build on."""

import hashlib
import json
import warnings
from pathlib import Path
from typing import Any

import pandas as pd

from pixelbench.store.scan import Scan, StoredRun, require_store, scan

#: Column → pandas type. Integers that may be absent are nullable; real numbers are NaN where absent.
COLUMNS: dict[str, str] = {
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
    "updates": "int64",
    "parameters": "int64",
    "seconds": "float64",
    "device": "object",
    "levels": "int64",
    "sequential_bits_per_dim": "float64",
    "diagnoses": "object",
    "zeros": "float64",
    "constant_images": "float64",
    "colour_coherence": "float64",
    "schema": "int64",
    "folder": "object",
    "cell": "object",
    "test_images": "Int64",
    "trained_positions": "Int64",
    "condition": "object",
}


def load_results(path: str | Path) -> pd.DataFrame:
    """The records below `path`, one row each, ordered by task, variant, budget and seed.

    Warns of every record that cannot be used (damaged, or of a newer version); the others are returned.

    Raises:
        UserError: no such folder.
    """
    store = require_store(Path(path))
    found = scan(store)
    for problem in found.problems:
        warnings.warn(problem, stacklevel=2)
    return results_frame(found, store)


def results_frame(found: Scan, store: Path) -> pd.DataFrame:
    """The same table of a store that was scanned already; `folder` is relative to `store`, in POSIX form."""
    rows = [_row(run, store) for run in found.values()]
    rows.sort(key=lambda row: (row["task"], row["variant"], row["budget"], row["seed"], row["run_key"]))
    return pd.DataFrame({name: pd.Series([row[name] for row in rows], dtype=kind) for name, kind in COLUMNS.items()})  # type: ignore[call-overload]


def _row(run: StoredRun, store: Path) -> dict[str, Any]:
    record = run.record
    likelihood = record["likelihood"] or {}
    statistics = (record["samples"] or {}).get("statistics", {})
    return {
        "run_key": record["run_key"],
        "task": record["task"]["name"],
        "variant": record["variant"]["name"],
        "family": record["variant"]["family"],
        "seed": record["seed"],
        "budget": record["budget"]["name"],
        "status": record["status"],
        "bits_per_dim": likelihood.get("bits_per_dim"),
        "bits_per_dim_se": likelihood.get("bits_per_dim_se"),
        "nats_per_image": likelihood.get("nats_per_image"),
        "estimator": likelihood.get("estimator"),
        "causal": record["causality"]["status"],
        "expect": record["expect"],
        "n_images": likelihood.get("n_images"),
        "updates": record["cost"]["updates"],
        "parameters": record["cost"]["parameters"],
        "seconds": record["cost"]["seconds"],
        "device": record["provenance"]["device"],
        "levels": record["task"]["levels"],
        "sequential_bits_per_dim": (record["sequential"] or {}).get("bits_per_dim"),
        "diagnoses": ", ".join(diagnosis["name"] for diagnosis in record["diagnoses"]),
        "zeros": statistics.get("zeros"),
        "constant_images": statistics.get("constant_images"),
        "colour_coherence": statistics.get("colour_coherence"),
        "schema": record["schema"],
        "folder": run.folder.relative_to(store).as_posix(),
        "cell": _cell(record),
        "test_images": _whole(record["evaluation"].get("test_images")),
        "trained_positions": _whole(record["causality"].get("trained_positions")),
        "condition": record["variant"]["settings"].get("condition"),
    }


def _cell(record: dict[str, Any]) -> str:
    """12 hex digits, the same for runs that differ in nothing but the seed."""
    asked = [record[name] for name in ("task", "variant", "recipe", "evaluation", "expect")]
    return hashlib.sha256(json.dumps([*asked, record["budget"]["updates"]], sort_keys=True).encode()).hexdigest()[:12]


def _whole(value: object) -> int | None:
    """None also for what a foreign record may hold in its place."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None

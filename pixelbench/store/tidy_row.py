"""A stored run as a row of plain values: what the tidy frame has columns for, and what verdicts ask of a run. No pandas."""

from typing import Any

from pixelbench.store.documents.proofs import proved_fields
from pixelbench.store.record import Record
from pixelbench.store.scan import StoredRun

_OF_LIKELIHOOD = ("bits_per_dim", "bits_per_dim_se", "nats_per_image", "estimator", "n_images", "validation_bits_per_dim")


def tidy_row(run: StoredRun) -> dict[str, Any]:
    """Column of the tidy frame → value, but for `folder`; with the statistics of its samples. What does not add up has no likelihood."""
    record = run.record
    likelihood = None if run.doubts else record.likelihood
    statistics = {} if record.samples is None else record.samples.statistics
    return {
        **statistics,
        "run_key": record.run_key,
        "task": record.task.name,
        "variant": record.variant.name,
        "family": record.variant.family,
        "seed": record.seed,
        "budget": record.budget.name,
        "status": record.status,
        **{name: getattr(likelihood, name, None) for name in _OF_LIKELIHOOD},
        "causal": record.causality.status,
        "expect": record.expect,
        "updates": record.cost.updates,
        "selected_update": record.selected_update,
        "parameters": record.cost.parameters,
        "seconds": record.cost.all_seconds,
        "device": ", ".join(record.provenance.devices),
        "levels": record.task.levels,
        "sequential_bits_per_dim": None if run.doubts else getattr(record.sequential, "bits_per_dim", None),
        "diagnoses": ", ".join(diagnosis.name for diagnosis in record.diagnoses),
        "schema": record.schema,
        "cell": _cell_key(record),
        "test_images": record.evaluation.test_images,
        "validation_images": record.evaluation.validation_images,
        "trained_positions": record.causality.trained_positions,
        "condition": record.variant.settings.get("condition"),
        "doubts": "; ".join(run.doubts),
        "code": record.code,
        "torch": record.provenance.versions.get("torch"),
        **proved_fields(run.proof),
    }


def _cell_key(record: Record) -> str | None:
    try:
        return record.spec.cell_key
    except ValueError:  # a number that is not finite, which is among the doubts
        return None

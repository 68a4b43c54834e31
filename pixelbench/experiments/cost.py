"""What a run will take, by stored runs of the same kind of device. No torch."""

import json
from collections.abc import Iterable, Iterator
from statistics import fmean
from typing import Any

from pixelbench.store.record import spec_fields
from pixelbench.store.spec import RunSpec


def device_kind(title: str) -> str:
    """`cuda:1 (NVIDIA H100 80GB HBM3)`, as a record has it, → `cuda (NVIDIA H100 80GB HBM3)`; `cpu` → `cpu`."""
    device, space, name = title.partition(" ")
    return device.partition(":")[0] + space + name


class Costs:
    """Seconds of runs that ended well, by what was asked for.

    Args:
        records: of the store, whatever their end.
        kind: only those of this kind of device count.
    """

    def __init__(self, records: Iterable[dict[str, Any]], kind: str):
        self._taken: dict[str, list[float]] = {}
        for record in records:
            if record["status"] == "done" and device_kind(record["provenance"]["device"]) == kind:
                for name, seconds in _told(record):
                    self._taken.setdefault(name, []).append(seconds)

    def of(self, spec: RunSpec) -> float | None:
        """The seconds of the run itself, else the mean of its other seeds, else what its training comes to by that of another length, else
        None."""
        fields = spec_fields(spec)
        if name := next((name for name in (spec.key, _asked(fields, spec.updates)) if name in self._taken), None):
            return fmean(self._taken[name])
        rates = self._taken.get(_asked(fields, "an update"))
        return fmean(self._taken[_asked(fields, "the rest")]) + spec.updates * fmean(rates) if rates else None


def _told(record: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """What the record says: of itself, of other seeds, of an update, and of all that is not training."""
    cost, updates = record["cost"], record["budget"]["updates"]
    yield record["run_key"], cost["seconds"]
    yield _asked(record, updates), cost["seconds"]
    if updates:
        yield _asked(record, "an update"), cost["train_seconds"] / updates
        yield _asked(record, "the rest"), cost["seconds"] - cost["train_seconds"]


def _asked(fields: dict[str, Any], of: object) -> str:
    """Names all that was asked for but seed and updates: what one run tells of another."""
    variant, task = fields["variant"], fields["task"]
    network = [variant["family"], variant["model_version"], variant["settings"]]
    return json.dumps([of, task["name"], task["digest"], network, fields["recipe"], fields["evaluation"]], sort_keys=True)

"""Estimates of a run's time, by stored runs of the same kind of device. No torch."""

import json
from collections.abc import Iterable, Iterator
from statistics import fmean

from pixelbench.store.record import Record
from pixelbench.store.spec import RunSpec


def device_kind(title: str) -> str:
    """`cuda:1 (NVIDIA H100 80GB HBM3)`, as a record has it, → `cuda (NVIDIA H100 80GB HBM3)`; `cpu` → `cpu`."""
    device, space, name = title.partition(" ")
    return device.partition(":")[0] + space + name


class Costs:
    """Seconds of runs that ended well, by what was asked for.

    Args:
        records: of the store, whatever their end.
        kind: only those of this kind of device count; of every GPU where it is `cuda`, one that nobody has seen yet.
    """

    def __init__(self, records: Iterable[Record], kind: str):
        self._taken: dict[str, list[float]] = {}
        for record in records:
            if record.status == "done" and all(_is_of(device_kind(device), kind) for device in record.provenance.devices):
                for name, seconds in _costs_of(record):
                    self._taken.setdefault(name, []).append(seconds)

    def of(self, spec: RunSpec) -> float | None:
        """The seconds of the run itself, else the mean of its other seeds, else what its training comes to by that of another length, else
        None."""
        if name := next((name for name in (spec.key, _request(spec, spec.updates)) if name in self._taken), None):
            return fmean(self._taken[name])
        rates = self._taken.get(_request(spec, "an update"))
        return fmean(self._taken[_request(spec, "the rest")]) + spec.updates * fmean(rates) if rates else None


def _is_of(device: str, kind: str) -> bool:
    return device == kind or (kind == "cuda" and device.startswith("cuda "))


def _costs_of(record: Record) -> Iterator[tuple[str, float]]:
    """Times by name: of the run itself, of other seeds, of an update, and of all that is not training."""
    cost, spec = record.cost, record.spec
    yield record.run_key, cost.all_seconds
    yield _request(spec, spec.updates), cost.all_seconds
    if spec.updates:
        yield _request(spec, "an update"), cost.train_seconds / spec.updates
        yield _request(spec, "the rest"), cost.all_seconds - cost.train_seconds


def _request(spec: RunSpec, of: object) -> str:
    """Name for all that was asked for but seed and updates: what one run tells of another."""
    network = [spec.family, spec.model_version, spec.settings]
    return json.dumps([of, spec.task["name"], spec.task["digest"], network, spec.recipe, spec.evaluation], sort_keys=True)

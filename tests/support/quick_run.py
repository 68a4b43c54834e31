"""Runs of the quick suite, to be executed in a second, and what of two equal runs must be equal."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from pixelbench.store.record import Cost, Record
from pixelbench.store.record_file import read_record
from pixelbench.store.spec import RunSpec
from pixelbench.suites.load import load_suite
from pixelbench.suites.specs import specs_of


def spec_of(cell: str, budget: str = "smoke", **changes: Any) -> RunSpec:
    """The run that the suite asks for in `cell` (task/variant) with seed 0; `changes` are fields of it."""
    (spec,) = specs_of(load_suite("quick"), only=[cell], budget=budget, seeds=[0])
    return replace(spec, **changes)


def comparable(folder: Path) -> Record:
    """A record without what may differ between two equal runs: times, memory, and the certificate, which has a time in it."""
    record = read_record(folder)
    others = {name: digest for name, digest in record.artifacts.items() if name != "certificate.json"}
    cost = {name: getattr(record.cost, name) for name in ("updates", "images_seen", "parameters")}
    return replace(record, artifacts=others, cost=Cost(**cost))

"""Runs of the quick suite, to be made in a second."""

from dataclasses import replace
from typing import Any

from pixelbench.store.spec import RunSpec
from pixelbench.suites.load import load_suite
from pixelbench.suites.specs import specs_of


def spec_of(cell: str, budget: str = "smoke", **changes: Any) -> RunSpec:
    """What the suite asks for in `cell` (task/variant) with seed 0; `changes` are fields of it."""
    (spec,) = specs_of(load_suite("quick"), only=[cell], budget=budget)
    return replace(spec, **changes)

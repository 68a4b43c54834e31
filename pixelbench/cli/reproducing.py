"""The command that makes a stored run again, for the pages that show it."""

import itertools
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pixelbench.errors import UserError

if TYPE_CHECKING:
    from pixelbench.experiments.grid import Suite
    from pixelbench.reports.report import Report
    from pixelbench.store.spec import RunSpec

#: What `auto` becomes depends on the device, so it is tried first and the others by name.
_PRECISIONS = ("auto", "fp32", "bf16")
#: No store: every run of a plan is looked at as if nothing were stored.
_NOWHERE = Path("no store")


def commands_of(report: "Report") -> dict[str, str]:
    """Run key → the `run` command of a suite that ships which asks for exactly this run, without its `--seeds`. Runs of other suites are
    left out."""
    runs = {run.key: run for cell in report.cells for run in cell.runs}
    found: dict[str, str] = {}
    budgets = {run.record["budget"]["name"] for run in runs.values()}
    seeds = sorted({run.seed for run in runs.values()})
    limits = sorted({run.record["evaluation"].get("test_images") or 0 for run in runs.values()} | {0})
    for suite in _suites():
        asked = itertools.product((name for name in suite.budgets if name in budgets), limits, _PRECISIONS)
        for budget, limit, precision in asked:
            if runs.keys() <= found.keys():
                return found
            for spec in _specs(suite, budget, limit, precision, seeds):
                if spec.key in runs:
                    found.setdefault(spec.key, _command(suite, spec, limit, precision))
    return found


def _suites() -> "Iterator[Suite]":
    """Those that ship, ablations last: what a suite and an ablation share is a suite's."""
    from pixelbench.experiments.suite import ablation_names, load_suite, suite_names

    for name in (*suite_names(), *ablation_names()):
        try:
            yield load_suite(name)
        except UserError:
            continue  # a page can do without


def _specs(suite: "Suite", budget: str, limit: int, precision: str, seeds: list[int]) -> "list[RunSpec]":
    """What the suite asks for; `limit` 0 is none."""
    from pixelbench.experiments.plan import make_plan

    try:
        plan = make_plan(suite, _NOWHERE, seeds=seeds, budget=budget, limit=limit or None, precision=precision)
    except UserError:
        return []
    return [cell.spec for cell in plan.cells]


def _command(suite: "Suite", spec: "RunSpec", limit: int, precision: str) -> str:
    words = ["pixelbench", "run", "--suite", suite.name, "--only", f"{spec.task['name']}/{spec.variant}"]
    words += ["--budget", spec.budget] if spec.budget != suite.default_budget else []
    words += ["--limit", str(limit)] if limit else []
    words += ["--precision", precision] if precision != "auto" else []
    return shlex.join(words)

"""What suites that ship say of stored runs, for the pages that show it: the command that makes one again, and what was chosen for it."""

import contextlib
import dataclasses
import itertools
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pixelbench.errors import UserError
from pixelbench.reports.html_variants import Asked

if TYPE_CHECKING:
    from pixelbench.reports.report import Report
    from pixelbench.store.spec import RunSpec
    from pixelbench.suites.schema import Suite

#: What `auto` becomes depends on the device, so it is tried first and the others by name.
_PRECISIONS = ("auto", "fp32", "bf16")
#: No store: every run of a plan is looked at as if nothing were stored.
_NOWHERE = Path("no store")


def asked_of(report: "Report") -> dict[str, Asked]:
    """Run key → what the suites that ship say of exactly this run; of several that ask for it the first names the command, and the first
    that has something to say of the paper is quoted. Runs of other suites are left out."""
    runs = {run.key: run for cell in report.cells for run in cell.runs}
    found: dict[str, Asked] = {}
    budgets = {run.record["budget"]["name"] for run in runs.values()}
    tasks = sorted({run.task for run in runs.values()})
    only = tuple(f"{task}/*" for task in tasks)
    seeds = sorted({run.seed for run in runs.values()})
    limits = sorted({run.record["evaluation"].get("test_images") or 0 for run in runs.values()} | {0})
    for suite, words in _suites(tasks):
        asked = itertools.product((name for name in suite.budgets if name in budgets), limits, _PRECISIONS)
        for budget, limit, precision in asked:
            for spec in _specs(suite, budget, limit, precision, seeds, only):
                if spec.key in runs:
                    known = found.setdefault(spec.key, Asked(_command(words, suite, spec, limit, precision)))
                    if not known.assumed and not known.deviations:
                        found[spec.key] = _with_remarks(known, suite, spec)
    return found


def _suites(tasks: list[str]) -> "Iterator[tuple[Suite, list[str]]]":
    """Those that ship, each with how its command begins; then the ablations on each of the tasks: what both share is a suite's."""
    from pixelbench.suites.ablation import load_ablation, on_task
    from pixelbench.suites.load import ablation_names, load_suite, suite_names

    for name in suite_names():
        with contextlib.suppress(UserError):  # a page can do without
            yield load_suite(name), ["run", "--suite", name]
    for name, task in itertools.product(ablation_names(), tasks):
        with contextlib.suppress(UserError):
            suite, ablation = load_ablation(name)
            yield on_task(suite, ablation, task)[0], ["ablate", name, "--task", task]


def _specs(suite: "Suite", budget: str, limit: int, precision: str, seeds: list[int], only: tuple[str, ...]) -> "list[RunSpec]":
    """What the suite asks for on tasks that match; `limit` 0 is none."""
    from pixelbench.experiments.plan import make_plan

    try:
        plan = make_plan(suite, _NOWHERE, seeds=seeds, budget=budget, only=only, limit=limit or None, precision=precision)
    except UserError:
        return []
    return [cell.spec for cell in plan.cells]


def _with_remarks(asked: Asked, suite: "Suite", spec: "RunSpec") -> Asked:
    """With what the suite says of the cell: what the paper leaves unsaid and is chosen, and what differs from it."""
    from pixelbench.suites.resolve import pairs
    from pixelbench.suites.setting_origins import setting_origins

    cell = spec.task["name"], spec.variant
    task, variant = next((task, variant) for task, variant in pairs(suite) if (task.name, variant.name) == cell)
    origins = setting_origins(suite, task, variant, spec.budget)
    return dataclasses.replace(asked, assumed=origins.assumed, deviations=origins.deviations)


def _command(begin: list[str], suite: "Suite", spec: "RunSpec", limit: int, precision: str) -> str:
    words = ["pixelbench", *begin]
    words += ["--only", f"{spec.task['name']}/{spec.variant}"] if "--suite" in begin else []  # an ablation is made as a whole
    words += ["--budget", spec.budget] if spec.budget != suite.default_budget else []
    words += ["--limit", str(limit)] if limit else []
    words += ["--precision", precision] if precision != "auto" else []
    return shlex.join(words)

"""What `run`, `ablate`, `plan`, `report` and `status` share: a suite's plan, and which stored runs are a suite's."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pixelbench.cli.options import Rerun, parse_seeds, parse_shard
from pixelbench.cli.output import print_table, say

if TYPE_CHECKING:
    from pixelbench.experiments.grid import Suite
    from pixelbench.experiments.plan import Cell, Plan


def plan_suite(
    suite: "str | Suite",
    results: Path,
    *,
    seeds: str | None,
    budget: str | None,
    rerun: Rerun,
    limit: int | None,
    device: str,
    precision: str,
    only: Sequence[str] | None = None,
    shard: str | None = None,
) -> "tuple[Plan, str]":
    """The plan that the options ask for, and the device that `device` names on this machine. `suite`: its name or path, or loaded."""
    from pixelbench.experiments.devices import resolve_device
    from pixelbench.experiments.plan import make_plan
    from pixelbench.experiments.suite import load_suite

    chosen, loaded = resolve_device(device), load_suite(suite) if isinstance(suite, str) else suite
    numbers = parse_seeds(seeds)
    plan = make_plan(
        loaded,
        results,
        only=only or (),
        seeds=numbers,
        budget=budget,
        rerun=rerun.value,
        limit=limit,
        device=chosen,
        precision=precision,
        shard=parse_shard(shard),
    )
    return plan, chosen


def keys_of_suite(name: str, store: Path) -> set[str]:
    """The keys of all runs that a suite can ask for: any of its budgets and precisions, and any seed that the store has."""
    from pixelbench.experiments.plan import make_plan
    from pixelbench.experiments.suite import load_suite
    from pixelbench.store.scan import scan

    suite = load_suite(name)
    seeds = sorted({*suite.seeds, *(run.record["seed"] for run in scan(store).values())})
    plans = [
        make_plan(suite, store, seeds=seeds, budget=budget, precision=precision)
        for budget in suite.budgets
        for precision in ("auto", "fp32", "bf16")
    ]
    return {cell.spec.key for plan in plans for cell in plan.cells}


def plan_json(plan: "Plan") -> dict[str, Any]:
    """A plan as plain values."""
    return {
        "suite": plan.suite,
        "runs": [_cell_json(cell) for cell in plan.cells],
        "to_run": len(plan.to_run),
        "estimated_seconds": plan.seconds,
        "problems": list(plan.problems),
        "missing_data": list(plan.missing_data),
    }


def print_plan(plan: "Plan") -> None:
    """A plan as a table, with one sentence of what it comes to."""
    rows = [
        (
            cell.spec.key,
            f"{cell.spec.task['name']}/{cell.spec.variant}",
            str(cell.spec.seed),
            f"{cell.spec.updates:,}" if cell.spec.updates else "–",
            f"{cell.state}, run" if cell.runs else cell.state,
            "–" if cell.seconds is None else f"{cell.seconds:.0f}",
        )
        for cell in plan.cells
    ]
    titles = ("run", "task/variant", "seed", "updates", "state", "seconds")
    print_table(titles, rows, right=("seed", "updates", "seconds"), whole=2)
    for sentence in (*plan.problems, *plan.missing_data):
        say(sentence)
    cost = "" if plan.seconds is None or not plan.to_run else f", about {plan.seconds:.0f} seconds of computing"
    say(f"{len(plan.to_run)} of {len(plan.cells)} runs to make{cost}.")


def _cell_json(cell: "Cell") -> dict[str, Any]:
    spec = cell.spec
    return {
        "run_key": spec.key,
        "task": spec.task["name"],
        "variant": spec.variant,
        "seed": spec.seed,
        "budget": spec.budget,
        "updates": spec.updates,
        "expect": spec.expect,
        "state": cell.state,
        "runs": cell.runs,
        "estimated_seconds": cell.seconds,
    }

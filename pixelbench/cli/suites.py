"""The common part of `run`, `ablate`, `plan`, `report` and `status`: a suite's plan, and which stored runs are a suite's."""

import functools
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from pixelbench.cli.arguments.options import Rerun, parse_seeds, parse_shard
from pixelbench.cli.output import duration, print_table, say, stdout

if TYPE_CHECKING:
    from pixelbench.analysis.context import Context
    from pixelbench.data import Task
    from pixelbench.experiments.plan import Command, Plan, PlannedRun
    from pixelbench.suites.schema import Suite

#: How a plan calls the states that do not say it all by their name.
STATES = {state: state for state in ("stored", "missing", "stale", "failed", "missing data")} | {"unverified": "code changed, not verified"}
#: On a terminal with fewer columns the keys of runs stand below their names.
_KEYS_FROM = 80
#: There the other columns of a plan have so many characters, and a line of a name at least so many.
_OTHER_COLUMNS, _SHORTEST_NAME = 40, 16
_SIZES = ("train", "validation", "test", "decoded")


@dataclass(frozen=True)
class PlanOptions:
    """What of a suite is asked for, as the options of `run`, `ablate` and `plan` say it; see `make_plan`."""

    seeds: str | None
    budget: str | None
    rerun: Rerun
    limit: int | None
    device: str
    precision: str
    only: Sequence[str] | None = None
    shard: str | None = None
    elsewhere: bool = False
    """The runs are executed on another machine, whose device it is."""


def plan_suite(
    suite: "str | Suite", results: Path, options: PlanOptions, *, ablation: str | None = None, verify: bool = False
) -> "tuple[Plan, str]":
    """The plan that the options ask for, and the device that their `device` names on this machine.

    `suite`: its name or path, or loaded; `ablation`: the name or path by which `ablate` was asked for it. `verify`: where the code has
    changed since runs were stored, find out now whether it computes the same, which needs torch and about a second a cell.
    """
    from pixelbench.experiments.devices import resolve_device
    from pixelbench.experiments.plan import make_plan
    from pixelbench.suites.load import load_suite

    seeds, shard = parse_seeds(options.seeds), parse_shard(options.shard)  # first: finding a device takes seconds
    chosen = options.device if options.elsewhere else resolve_device(options.device)
    loaded = load_suite(suite) if isinstance(suite, str) else suite
    command: Command = "run" if ablation is None else "ablate"
    name = ablation or (suite if isinstance(suite, str) else suite.name)
    plan_again = functools.partial(
        make_plan,
        loaded,
        results,
        only=options.only or (),
        seeds=seeds,
        budget=options.budget,
        rerun=options.rerun.value,
        limit=options.limit,
        device=chosen,
        precision=options.precision,
        shard=shard,
        command=command,
        suite_name=Path(name).name,
    )
    plan = plan_again()
    if verify and plan.verifiable:
        from pixelbench.cli.progress import counted
        from pixelbench.experiments.verify.present_code import take_fingerprints

        say(f"The code has changed since {len(plan.verifiable)} of these runs were executed; looking whether it still computes the same.")
        with counted("behaviour") as progress:
            take_fingerprints([cell.spec for cell in plan.verifiable], results, progress)
        plan = plan_again()
    return plan, chosen


def keys_of_suite(name: str, store: Path) -> set[str]:
    """The keys of all runs that a suite can ask for: any of its budgets and precisions, and any seed and `--limit` that the store has."""
    from pixelbench.store.scan import scan
    from pixelbench.suites.load import load_suite
    from pixelbench.suites.resolve import pairs
    from pixelbench.suites.specs import PRECISIONS, specs_of

    suite = load_suite(name)
    requested = {seed for pair in pairs(suite) for seed in suite.seeds_of(*pair)}
    stored = [run.record for run in scan(store).values()]
    seeds = sorted({*requested, *(record.seed for record in stored)})
    limits = {None, *(record.request.limit for record in stored if record.request)}
    choices = itertools.product(suite.budgets, PRECISIONS, limits)
    return {
        spec.key
        for budget, precision, limit in choices
        for spec in specs_of(suite, seeds=seeds, budget=budget, precision=precision, limit=limit)
    }


def context_of(name: str | None) -> "Context":
    """What the runs of a suite are held against: what ships, its own claims, and what it ablates itself."""
    from pixelbench.analysis.context import Context
    from pixelbench.suites.load import load_suite

    return Context() if name is None else Context.of_suite(load_suite(name), Path(name).name)


def plan_json(plan: "Plan") -> dict[str, Any]:
    """A plan as plain values."""
    return {
        "suite": plan.suite,
        "runs": [_cell_json(cell) for cell in plan.cells],
        "to_run": len(plan.to_run),
        "device": plan.device,
        "estimated_seconds": plan.seconds,
        "estimated_runs": len(plan.known_seconds),
        "data": [_data_json(plan, task) for task in plan.tasks],
        "problems": list(plan.problems),
        "missing_data": list(plan.missing_data),
    }


def print_plan(plan: "Plan") -> None:
    """A plan as a table, the images that it is of, and in sentences what is missing and what it costs."""
    rows = [
        (
            cell.spec.key,
            f"{cell.spec.task['name']}/{cell.spec.variant}",
            str(cell.spec.seed),
            f"{cell.spec.updates:,}" if cell.spec.updates else "–",
            f"{STATES[cell.state]}, run" if cell.runs else STATES[cell.state],
            "–" if cell.seconds is None else f"{cell.seconds:.0f}",
        )
        for cell in plan.cells
    ]
    titles = ("run", "task/variant", "seed", "updates", "state", "seconds")
    if stdout().width < _KEYS_FROM:
        names = max(_SHORTEST_NAME, stdout().width - _OTHER_COLUMNS)
        named = [(f"{_in_lines(name, names)}\n{key}", *others) for key, name, *others in rows]
        print_table(("task/variant, run", *titles[2:]), named, right=("seed", "updates", "seconds"))
    else:
        print_table(titles, rows, right=("seed", "updates", "seconds"), whole=2)
    print_table(("task", "train", "validation", "test", "decoded", "images"), [_data_row(plan, task) for task in plan.tasks], right=_SIZES)
    for sentence in (*plan.problems, *plan.missing_data):
        say(sentence)
    if plan.to_run:
        say(_cost(plan))
    say(f"{len(plan.to_run)} of {len(plan.cells)} runs to execute.")


def _in_lines(name: str, width: int) -> str:
    """`task/variant` in lines that end behind a stroke or a hyphen."""
    return "\n".join(wrap(name.replace("/", "/ "), width)).replace("/ ", "/")


def _cost(plan: "Plan") -> str:
    """The known cost of the runs to execute, and how many have none."""
    known, whole = plan.known_seconds, len(plan.to_run)
    if not known:
        return f"What that costs is unknown: no run like these, on {plan.device}, is stored in '{plan.store}'."
    said = f"About {duration(sum(known))} of computing on {plan.device}, by runs like these that are stored in '{plan.store}'"
    return f"{said}." if len(known) == whole else f"{said}, for {len(known)} of the {whole}; of the others nothing is known."


def _data_json(plan: "Plan", task: "Task") -> dict[str, Any]:
    """`bytes`: of the decoded images; it and `images` are None before an image folder was prepared."""
    images = None if task.sizes is None else dict(zip(("train", "validation", "test"), task.sizes, strict=True))
    decoded = None if task.sizes is None else sum(task.sizes) * task.dimensions
    needed = any(cell.spec.task["name"] == task.name and (cell.runs or cell.state == "missing data") for cell in plan.cells)
    return {"task": task.name, "needed": needed, "missing": task.missing(), "images": images, "bytes": decoded}


def _data_row(plan: "Plan", task: "Task") -> tuple[str, ...]:
    data = _data_json(plan, task)
    sizes = ["unknown"] * 3 if data["images"] is None else [f"{count:,}" for count in data["images"].values()]
    decoded = "unknown" if data["bytes"] is None else f"{data['bytes'] / 1e6:,.1f} MB"
    state = "missing" if data["missing"] else "here"
    return task.name, *sizes, decoded, state if data["needed"] else f"{state}, not needed"


def _cell_json(cell: "PlannedRun") -> dict[str, Any]:
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

"""What a suite asks for against what a store has: which runs are stored, missing, stale or failed, and which will be made. No torch."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

from pixelbench.data import Task, get_task
from pixelbench.errors import NothingMatched, UserError, nearest, unknown
from pixelbench.experiments.cost import Costs, device_kind
from pixelbench.experiments.provenance import device_title, source_digest
from pixelbench.models.families import get_family
from pixelbench.store.record import fingerprint, run_folder
from pixelbench.store.scan import Scan, StoredRun, scan
from pixelbench.store.spec import RunSpec
from pixelbench.suites.resolve import Resolved, pairs, resolve
from pixelbench.suites.schema import Evaluation, Suite, SuiteTask, SuiteVariant

State = Literal["stored", "missing", "stale", "failed", "missing data"]
Rerun = Literal["missing", "failed", "stale", "all"]

_FAILED = ("failed", "diverged", "timeout")
#: `--rerun` → the states that are made (again).
_MADE: dict[str, tuple[State, ...]] = {
    "missing": ("missing",),
    "failed": ("missing", "failed"),
    "stale": ("missing", "stale"),
    "all": ("stored", "missing", "stale", "failed"),
}


@dataclass(frozen=True)
class Cell:
    """One run of the plan.

    Attributes:
        state: `stored` (done), `missing` (never begun, or interrupted), `stale` (done by other source code), `failed` (failed, diverged,
            timed out, or a damaged record), `missing data` (would be made if the task's images were there).
        runs: whether this plan makes it.
        seconds: what it took before on such a device, or by what others like it took (see `Costs`); None where nothing is known.
        seen: fingerprint of the record that this plan found; a record that differs later was made by somebody else.
    """

    spec: RunSpec
    folder: Path
    state: State
    runs: bool
    seconds: float | None
    seen: str | None


@dataclass(frozen=True)
class Plan:
    """The cells in the order of the suite.

    `problems`: one sentence for each record of no use and each run asked for twice. `absent`: the tasks whose images are missing;
    `missing_data`: a sentence for each, with what to do. `tasks`: all that the cells are of. `device`: the kind that estimates are for,
    `cpu` or `cuda (NVIDIA H100 80GB HBM3)`.
    """

    suite: str
    store: Path
    cells: tuple[Cell, ...]
    problems: tuple[str, ...]
    missing_data: tuple[str, ...] = ()
    absent: tuple[Task, ...] = ()
    tasks: tuple[Task, ...] = ()
    device: str = "cpu"

    @property
    def impossible(self) -> bool:
        """Every run of it wants images that are missing."""
        return bool(self.cells) and all(cell.state == "missing data" for cell in self.cells)

    @property
    def to_run(self) -> tuple[Cell, ...]:
        """The cells that this plan makes."""
        return tuple(cell for cell in self.cells if cell.runs)

    @property
    def seconds(self) -> float | None:
        """Estimated time of what is to be made; None unless something is known of all of it."""
        return sum(self.known_seconds) if len(self.known_seconds) == len(self.to_run) else None

    @property
    def known_seconds(self) -> list[float]:
        """Estimates of those runs to make of which something is known."""
        return [cell.seconds for cell in self.to_run if cell.seconds is not None]


def make_plan(
    suite: Suite,
    store: Path,
    *,
    only: Sequence[str] = (),
    seeds: Sequence[int] | None = None,
    budget: str | None = None,
    rerun: str = "missing",
    limit: int | None = None,
    device: str = "cpu",
    precision: str = "auto",
    shard: tuple[int, int] | None = None,
) -> Plan:
    """The suite's cells, each with its state in the store.

    Args:
        suite: from `load_suite`.
        store: the results folder; it need not exist.
        only: glob patterns for `task/variant`, a task or a variant; a cell stays if one matches.
        seeds: instead of the suite's.
        budget: instead of the suite's default.
        rerun: `missing`, or what is made again beside it: `failed`, `stale`, or `all`.
        limit: at most so many test, validation, sequential and drawn images.
        device: resolved; it decides what the precision `auto` becomes.
        precision: `auto` leaves it to the recipe.
        shard: (i, n), i from 1: every n-th cell, for n machines.

    Raises:
        UserError: unknown budget, `rerun` or precision, a limit or shard out of range, a store that is no folder.
        NothingMatched: `only` leaves no cell.
    """
    budget = budget or suite.default_budget
    _check_choices(suite, budget, rerun, limit, precision, shard)
    chosen = choose(suite, only)
    specs = [
        _spec(task, variant, resolved, seed, budget, limit, device, precision)
        for task, variant in chosen
        if (resolved := resolve(suite, task, variant, budget, [])) is not None
        for seed in seeds or suite.seeds
    ]
    specs, problems = _without_twins(specs)
    if shard is not None:
        specs = specs[shard[0] - 1 :: shard[1]]
    found = scan(store)
    kind = device_kind(device_title(device))
    costs = Costs((run.record for run in found.values()), kind)
    cells = [_cell(spec, store, found, costs, _MADE[rerun]) for spec in specs]
    needed = {cell.spec.task["name"] for cell in cells if cell.runs}
    tasks = {(task := get_task(suite_task.name)).name: task for suite_task, _ in chosen}
    absent = {name: (task, said) for name, task in tasks.items() if name in needed and (said := task.missing())}
    cells = [replace(cell, state="missing data", runs=False) if cell.runs and cell.spec.task["name"] in absent else cell for cell in cells]
    sentences, without = tuple(said for _, said in absent.values()), tuple(task for task, _ in absent.values())
    return Plan(suite.name, store, tuple(cells), (*found.problems, *problems), sentences, without, tuple(tasks.values()), kind)


def choose(suite: Suite, only: Sequence[str]) -> list[tuple[SuiteTask, SuiteVariant]]:
    """The suite's cells that one of the glob patterns `only` matches, all without any.

    Raises:
        NothingMatched: there is none.
    """
    chosen = [pair for pair in pairs(suite) if _matches(only, *pair)]
    if not chosen:
        raise _nothing_matched(suite, only)
    return chosen


def resolve_precision(asked: str, of_recipe: str, device: str) -> str:
    """`fp32` or `bf16`: what was asked for, else what the recipe says, else bf16 on CUDA and fp32 elsewhere."""
    wanted = of_recipe if asked == "auto" else asked
    return ("bf16" if device.startswith("cuda") else "fp32") if wanted == "auto" else wanted


def _check_choices(suite: Suite, budget: str, rerun: str, limit: int | None, precision: str, shard: tuple[int, int] | None) -> None:
    for kind, name, known in (
        ("budget", budget, list(suite.budgets)),
        ("choice of --rerun", rerun, list(_MADE)),
        ("precision", precision, ["auto", "fp32", "bf16"]),
    ):
        if name not in known:
            raise unknown(kind, name, known)
    if limit is not None and limit < 1:
        raise UserError(f"--limit must be at least 1, got {limit}.")
    if shard is not None and not 1 <= shard[0] <= shard[1]:
        raise UserError(f"--shard i/n needs 1 <= i <= n, got {shard[0]}/{shard[1]}.")


def _matches(only: Sequence[str], task: SuiteTask, variant: SuiteVariant) -> bool:
    names = (f"{task.name}/{variant.name}", task.name, variant.name)
    return not only or any(fnmatchcase(name, pattern) for pattern in only for name in names)


def _nothing_matched(suite: Suite, only: Sequence[str]) -> NothingMatched:
    names = {name for task, variant in pairs(suite) for name in (f"{task.name}/{variant.name}", task.name, variant.name)}
    near = nearest(only[0] if only else "", names)
    hint = f"did you mean '{near}'?" if near else f"`pixelbench show {suite.name}` lists its runs."
    return NothingMatched(f"No run of suite '{suite.name}' matches {', '.join(repr(pattern) for pattern in only)}; {hint}")


def _spec(
    suite_task: SuiteTask, variant: SuiteVariant, resolved: Resolved, seed: int, budget: str, limit: int | None, device: str, precision: str
) -> RunSpec:
    task, family, recipe = get_task(suite_task.name), get_family(variant.family), resolved.recipe
    described = ("name", "digest", "preprocessing", "channels", "height", "width", "levels")
    if recipe is not None:
        recipe = replace(recipe, precision=resolve_precision(precision, recipe.precision, device))
    return RunSpec(
        task={name: getattr(task, name) for name in described},
        variant=variant.name,
        family=family.name,
        model_version=family.version,
        settings=resolved.settings,
        recipe={} if recipe is None else recipe.as_dict(),
        budget=budget,
        updates=resolved.updates,
        evaluation=asdict(_limited(resolved.evaluation, limit)),
        seed=seed,
        expect=variant.expect,
    )


def _limited(evaluation: Evaluation, limit: int | None) -> Evaluation:
    if limit is None:
        return evaluation
    images = {name: value for name, value in asdict(evaluation).items() if name != "importance_samples"}
    return replace(evaluation, **{name: limit if value is None else min(limit, value) for name, value in images.items()})


def _without_twins(specs: Sequence[RunSpec]) -> tuple[list[RunSpec], list[str]]:
    """A run that two variants ask for (a budget that shrinks both to the same) is made once, under the first name."""
    first: dict[str, RunSpec] = {}
    problems = []
    for spec in specs:
        twin = first.setdefault(spec.key, spec)
        if twin is not spec:
            problems.append(f"{spec.label} asks for the same run as {twin.label}; it is made once, under that name.")
    return list(first.values()), problems


def _cell(spec: RunSpec, store: Path, found: Scan, costs: Costs, made: tuple[State, ...]) -> Cell:
    stored = found.get(spec.key)
    folder = stored.folder if stored else run_folder(store, spec)
    unusable = folder in found.unusable
    state: State = _state(stored) if not unusable else "failed"
    seen = fingerprint(stored.record) if stored else "damaged" if unusable else None
    return Cell(spec, folder, state, state in made and not found.unusable.get(folder, False), costs.of(spec), seen)


def _state(stored: StoredRun | None) -> State:
    if stored is None or stored.record["status"] == "interrupted":
        return "missing"
    if stored.record["status"] in _FAILED:
        return "failed"
    current = source_digest(get_family(stored.record["variant"]["family"]).source_modules())
    return "stored" if stored.record["provenance"]["source_digest"] == current else "stale"

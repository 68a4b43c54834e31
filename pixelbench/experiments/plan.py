"""What a suite asks for against what a store has: which runs are stored, missing, stale or failed, and which will be made. No torch."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from pixelbench.data import Task, get_task
from pixelbench.errors import UserError, unknown
from pixelbench.experiments.cost import Costs, device_kind
from pixelbench.experiments.provenance import device_title, source_digest
from pixelbench.models.families import get_family
from pixelbench.store.record import fingerprint, run_folder
from pixelbench.store.scan import Scan, StoredRun, scan
from pixelbench.store.spec import RunSpec
from pixelbench.suites.schema import Suite
from pixelbench.suites.specs import choose, specs_of, without_twins

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
    _check_choices(rerun, shard)
    specs, problems = without_twins(
        specs_of(suite, only=only, seeds=seeds, budget=budget, limit=limit, device=device, precision=precision)
    )
    if shard is not None:
        specs = specs[shard[0] - 1 :: shard[1]]
    found = scan(store)
    kind = device_kind(device_title(device))
    costs = Costs((run.record for run in found.values()), kind)
    cells = [_cell(spec, store, found, costs, _MADE[rerun]) for spec in specs]
    needed = {cell.spec.task["name"] for cell in cells if cell.runs}
    tasks = {(task := get_task(suite_task.name)).name: task for suite_task, _ in choose(suite, only)}
    absent = {name: (task, said) for name, task in tasks.items() if name in needed and (said := task.missing())}
    cells = [replace(cell, state="missing data", runs=False) if cell.runs and cell.spec.task["name"] in absent else cell for cell in cells]
    sentences, without = tuple(said for _, said in absent.values()), tuple(task for task, _ in absent.values())
    return Plan(suite.name, store, tuple(cells), (*found.problems, *problems), sentences, without, tuple(tasks.values()), kind)


def _check_choices(rerun: str, shard: tuple[int, int] | None) -> None:
    if rerun not in _MADE:
        raise unknown("choice of --rerun", rerun, _MADE)
    if shard is not None and not 1 <= shard[0] <= shard[1]:
        raise UserError(f"--shard i/n needs 1 <= i <= n, got {shard[0]}/{shard[1]}.")


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

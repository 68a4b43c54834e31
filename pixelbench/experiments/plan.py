"""A suite's runs against those of a store: which are stored, missing, stale or failed, and which will be executed. No torch."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from pixelbench.data import Task, get_task
from pixelbench.errors import UserError, unknown
from pixelbench.experiments.cost import Costs, device_kind
from pixelbench.experiments.provenance import device_title
from pixelbench.experiments.verify.staleness import KnownCode
from pixelbench.published.figure_files import load_figures
from pixelbench.published.figures import figures_about
from pixelbench.store.artifacts import ALWAYS_KEPT
from pixelbench.store.record import Request
from pixelbench.store.record_file import run_folder
from pixelbench.store.scan import Scan, StoredRun, scan
from pixelbench.store.spec import RunSpec
from pixelbench.suites.schema import Suite
from pixelbench.suites.specs import choose, specs_of, without_twins

RunState = Literal["stored", "missing", "stale", "unverified", "failed", "missing data"]
Rerun = Literal["missing", "failed", "stale", "all"]
Command = Literal["run", "ablate"]

_ANY_SIZE = 1 << 62

_FAILED = ("failed", "diverged", "timeout")
#: `--rerun` → the states that are executed (again).
_EXECUTED: dict[str, tuple[RunState, ...]] = {
    "missing": ("missing",),
    "failed": ("missing", "failed"),
    "stale": ("missing", "stale", "unverified"),
    "all": ("stored", "missing", "stale", "unverified", "failed"),
}


@dataclass(frozen=True)
class PlannedRun:
    """One run of the plan."""

    spec: RunSpec
    folder: Path
    state: RunState
    """`stored` (done), `missing` (never begun, or interrupted), `stale` (done by code that computes something else), `unverified` (done by
    other code, and nobody has looked yet whether it computes the same), `failed` (failed, diverged, timed out, damaged, or it does not
    add up), `missing data` (would be run if the task's images were there)."""
    runs: bool
    """Whether this plan runs it."""
    seconds: float | None
    """Its time before on such a device, or by what others like it took (see `Costs`); None where nothing is known."""
    seen: str | None
    """Digest of the record that this plan found; a record that differs later was left by somebody else."""
    request: Request
    """The command that asks for it."""
    verifiable: bool
    """Where it is `unverified`: a fingerprint would tell whether it is stale."""
    most_weights: int
    """Bytes of weights that are kept beside its record at most."""

    @property
    def work(self) -> int:
        """Sub-pixels that its training sees; 0 of what is not trained."""
        task = self.spec.task
        return self.spec.updates * self.spec.recipe.get("batch", 0) * task["channels"] * task["height"] * task["width"]


@dataclass(frozen=True)
class Plan:
    """The cells in the order of the suite.

    `problems`: one sentence for each record of no use and each run asked for twice. `absent`: the tasks whose images are missing;
    `missing_data`: a sentence for each, with what to do. `tasks`: all that the cells are of. `device`: the kind that estimates are for,
    `cpu` or `cuda (NVIDIA H100 80GB HBM3)`.
    """

    suite: str
    store: Path
    cells: tuple[PlannedRun, ...]
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
    def verifiable(self) -> tuple[PlannedRun, ...]:
        """The cells of which a fingerprint of the present code would tell whether they are stale."""
        return tuple(cell for cell in self.cells if cell.verifiable)

    @property
    def to_run(self) -> tuple[PlannedRun, ...]:
        """The cells that this plan executes."""
        return tuple(cell for cell in self.cells if cell.runs)

    @property
    def seconds(self) -> float | None:
        """Estimated time of the runs to execute; None unless something is known of all of it."""
        return sum(self.known_seconds) if len(self.known_seconds) == len(self.to_run) else None

    @property
    def known_seconds(self) -> list[float]:
        """Estimates of those runs to execute of which something is known."""
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
    command: Command = "run",
    suite_name: str | None = None,
) -> Plan:
    """The suite's cells, each with its state in the store.

    Args:
        suite: from `load_suite`.
        store: the results folder; it need not exist.
        only: glob patterns for `task/variant`, a task or a variant; a cell stays if one matches.
        seeds: instead of the suite's.
        budget: instead of the suite's default.
        rerun: `missing`, or what is executed again beside it: `failed`, `stale`, or `all`.
        limit: at most so many test, validation, sequential and drawn images.
        device: resolved; it decides what the precision `auto` becomes.
        precision: `auto` leaves it to the recipe.
        shard: (i, n), i from 1: every n-th cell, for n machines.
        command, suite_name: what asks, and what it calls the suite, for the records; by default the suite's own name.

    Raises:
        UserError: unknown budget, `rerun` or precision, a limit or shard out of range, a store that is no folder.
        NothingMatched: `only` leaves no cell.
    """
    _check_choices(rerun, shard)
    specs, problems = without_twins(specs_of(suite, only=only, seeds=seeds, budget=budget, limit=limit, device=device, precision=precision))
    if shard is not None:
        specs = specs[shard[0] - 1 :: shard[1]]
    found = scan(store).examine({spec.key for spec in specs})
    kind = device_kind(device_title(device))
    costs = Costs((run.record for run in found.values()), kind)
    code, keeping = KnownCode(store), _Keeping(suite)
    cells = [
        PlannedRun(
            spec=spec,
            folder=found[spec.key].folder if spec.key in found else run_folder(store, spec),
            **_state_of(spec, store, found, code, _EXECUTED[rerun]),
            seconds=costs.of(spec),
            request=Request(command, suite_name or suite.name, spec.task["name"], spec.budget, limit, precision),
            most_weights=keeping.most(spec),
        )
        for spec in specs
    ]
    needed = {cell.spec.task["name"] for cell in cells if cell.runs}
    tasks = {(task := get_task(suite_task.name)).name: task for suite_task, _ in choose(suite, only)}
    absent = {name: (task, said) for name, task in tasks.items() if name in needed and (said := task.missing())}
    cells = [replace(cell, state="missing data", runs=False) if cell.runs and cell.spec.task["name"] in absent else cell for cell in cells]
    sentences, without = tuple(said for _, said in absent.values()), tuple(task for task, _ in absent.values())
    return Plan(suite.name, store, tuple(cells), (*found.problems, *problems), sentences, without, tuple(tasks.values()), kind)


def _check_choices(rerun: str, shard: tuple[int, int] | None) -> None:
    if rerun not in _EXECUTED:
        raise unknown("choice of --rerun", rerun, _EXECUTED)
    if shard is not None and not 1 <= shard[0] <= shard[1]:
        raise UserError(f"--shard i/n needs 1 <= i <= n, got {shard[0]}/{shard[1]}.")


def _state_of(spec: RunSpec, store: Path, found: Scan, code: KnownCode, executed: tuple[RunState, ...]) -> dict[str, Any]:
    """`state`, `runs`, `seen` and `verifiable` of a cell."""
    stored = found.get(spec.key)
    folder = stored.folder if stored else run_folder(store, spec)
    if folder in found.unusable:
        return {"state": "failed", "runs": "failed" in executed and not found.unusable[folder], "seen": "damaged", "verifiable": False}
    state = _state(stored, code)
    verifiable = state == "unverified" and stored is not None and stored.record.behaviour is not None
    return {"state": state, "runs": state in executed, "seen": stored.record.digest if stored else None, "verifiable": verifiable}


def _state(stored: StoredRun | None, code: KnownCode) -> RunState:
    if stored is None or stored.record.status == "interrupted":
        return "missing"
    if stored.record.status in _FAILED or stored.doubts:
        return "failed"
    verdict = code.verdict(stored.record)
    return "stored" if verdict == "current" else verdict


class _Keeping:
    """How many bytes of weights are kept beside a record."""

    def __init__(self, suite: Suite):
        self._of_variant = {variant.name: suite.keep_weights_of(variant) for variant in suite.variants}

    def most(self, spec: RunSpec) -> int:
        """The suite's limit; else 1 MiB, and 4 MiB for seed 0 of a row that a published figure is about."""
        requested = self._of_variant[spec.variant]
        if requested is not None:
            return _ANY_SIZE if requested else 0
        return 4 * ALWAYS_KEPT if spec.seed == 0 and figures_about(spec.task["name"], spec.variant, load_figures()) else ALWAYS_KEPT

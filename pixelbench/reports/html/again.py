"""How to run again what a page shows: a command for each suite and budget that its runs were asked for with."""

import contextlib
import shlex
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache

from pixelbench.analysis import format as words
from pixelbench.data import task_names
from pixelbench.errors import UserError
from pixelbench.reports.report import Report
from pixelbench.store.cells import Run
from pixelbench.store.record import Request
from pixelbench.suites.load import ablation_names, load_suite, suite_names
from pixelbench.suites.resolve import pairs
from pixelbench.suites.schema import Suite

#: What stands for images that lie on somebody's disk, since no record keeps where.
_FOLDER = "folder:PATH"


@dataclass(frozen=True)
class Again:
    """A command, how many runs of it are stored, on which tasks, and what they cost."""

    command: str
    runs: int
    tasks: str
    seconds: str


def command_of(request: Request, precision: str, *, variant: str | None = None, seeds: Collection[int] = ()) -> str:
    """`pixelbench run --suite paper --only mnist-fixed/fvsbn --budget paper`: a request as a command.

    Args:
        request: as a record has it.
        precision: instead of the request's.
        variant: this one alone of a suite; an ablation is run as a whole.
        seeds: without any the command says nothing of them.
    """
    said = ["pixelbench", "run", "--suite", request.suite, *(["--only", f"{request.task}/{variant}"] if variant else [])]
    if request.command == "ablate":
        said = ["pixelbench", "ablate", request.suite, "--task", request.task if request.task in task_names() else _FOLDER]
    said += ["--budget", request.budget]
    said += ["--seeds", ",".join(map(str, sorted(seeds)))] if seeds else []
    said += ["--limit", str(request.limit)] if request.limit else []
    said += ["--precision", precision] if precision != "auto" else []
    return shlex.join(said)


def commands_of(report: Report) -> tuple[Again, ...]:
    """The commands of all runs that know theirs and are still executed by it, that of the most runs first."""
    groups: dict[tuple[object, ...], list[Run]] = {}
    for run in (run for cell in report.cells for run in cell.runs):
        if (request := run.record.request) is not None and still_has(request, run.task, run.variant):
            groups.setdefault(_same_command(request), []).append(run)
    return tuple(_again(group) for group in sorted(groups.values(), key=lambda group: (-len(group), _command(group))))


def without_command(report: Report) -> int:
    """How many runs do not know what command executed them."""
    return sum(run.record.request is None for cell in report.cells for run in cell.runs)


def given_up(report: Report) -> list[str]:
    """The variants, `task/variant`, that the suite they were executed by has no longer."""
    runs = [run for cell in report.cells for run in cell.runs if run.record.request is not None]
    gone = [run for run in runs if run.record.request and not still_has(run.record.request, run.task, run.variant)]
    return sorted({f"{run.task}/{run.variant}" for run in gone})


def still_has(request: Request, task: str, variant: str) -> bool:
    """Whether the suite that asked for a run has its row, by name; of suites that do not ship nobody knows, and their word is taken."""
    rows = _rows(request.suite) if request.command == "run" else None
    return rows is None or (task, variant) in rows


@cache
def shipped(name: str) -> Suite | None:
    """A suite that ships; None of another, or where it cannot be read, which a page can do without."""
    with contextlib.suppress(UserError):
        return load_suite(name) if name in (*suite_names(), *ablation_names()) else None
    return None


@cache
def _rows(name: str) -> frozenset[tuple[str, str]] | None:
    """The tasks and variants of a suite that ships."""
    suite = shipped(name)
    return None if suite is None else frozenset((task.name, variant.name) for task, variant in pairs(suite))


def _same_command(request: Request) -> tuple[object, ...]:
    task = request.task if request.command == "ablate" else ""
    return request.command, request.suite, task, request.budget, request.limit, request.precision


def _again(runs: list[Run]) -> Again:
    tasks = sorted({run.task for run in runs})
    return Again(_command(runs), len(runs), ", ".join(tasks), words.seconds(sum(run.record.cost.all_seconds for run in runs)))


def _command(runs: list[Run]) -> str:
    request = runs[0].record.request
    assert request is not None
    return command_of(request, request.precision, seeds={run.seed for run in runs})

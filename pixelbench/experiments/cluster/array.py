"""A plan as the tasks of an array of jobs: a task a run, or several small runs. No torch."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pixelbench.errors import UserError
from pixelbench.experiments.plan import Plan, PlannedRun

#: A task that computes for less is mostly waiting and loading, so that small runs whose times are known share one.
WORTH_A_TASK = 1800.0
_DAYS = re.compile(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?")
#: A task is told that its time is nearly up so many seconds before it is, or this share of its time where that is less.
WARNING, _WARNING_SHARE = 120, 0.25
#: Slurm counts minutes and sends its warning up to one too early; what is left of less is no time to work in.
_LEAST_SECONDS = 300


@dataclass(frozen=True)
class Array:
    """Task i is the command with `--shard i/SHARDS`; only shards with something to execute are tasks."""

    shards: int
    tasks: Mapping[int, tuple[PlannedRun, ...]]
    """Index, from 1 → the runs that it is to execute."""

    @property
    def lengths(self) -> list[float | None]:
        """Estimated seconds of each task; None where something in it is unknown."""
        return [_length(cells) for cells in self.tasks.values()]

    @property
    def indices(self) -> str:
        """As `sbatch --array` has them: `1-3,7`."""
        spans: list[list[int]] = []
        for index in sorted(self.tasks):
            if spans and spans[-1][1] == index - 1:
                spans[-1][1] = index
            else:
                spans.append([index, index])
        return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in spans)


def make_array(plan: Plan, *, runs_per_task: int | None = None, most_tasks: int | None = None) -> Array:
    """The plan's runs to execute, shared out to tasks.

    Args:
        plan: of a whole suite, no shard of it.
        runs_per_task: cells of the suite that a task looks after; by default one, or as many as take half an hour together.
        most_tasks: the largest index that Slurm takes.

    Raises:
        UserError: so many runs a task need more tasks than Slurm takes.
    """
    cells = len(plan.cells)
    least = 1 if most_tasks is None else -(-cells // most_tasks)
    if runs_per_task is not None and runs_per_task < least:
        raise UserError(f"Slurm takes {most_tasks} tasks here, so that {cells} runs need --runs-per-task {least} or more.")
    if runs_per_task is not None:
        return _shared_out(plan, runs_per_task)
    array = _shared_out(plan, max(least, 1))
    for several in range(least + 1, cells + 1):
        larger = _shared_out(plan, several)
        if any(length is None or length > WORTH_A_TASK for length in larger.lengths):
            break
        array = larger
    return array


def seconds_of(text: str) -> int:
    """Slurm's time limits: `90` (minutes), `1:30` (minutes and seconds), `12:00:00`, `2-12`, `2-12:30` → seconds.

    Raises:
        UserError: anything else, or less than can be worked in.
    """
    found = _DAYS.fullmatch(text.strip())
    if found is None or len(text) > 20:
        raise UserError(f"A time limit is such as 12:00:00, 2-00:00:00 or a number of minutes; got '{text[:20]}'.")
    days, *parts = (None if part is None else int(part) for part in found.groups())
    numbers = [part for part in parts if part is not None]
    if days is not None:
        hours, minutes, seconds = [*numbers, 0, 0, 0][:3]
    else:
        hours, minutes, seconds = {1: (0, *numbers, 0), 2: (0, *numbers), 3: tuple(numbers)}[len(numbers)]
    total = (((days or 0) * 24 + hours) * 60 + minutes) * 60 + seconds
    if total < _LEAST_SECONDS:
        raise UserError(f"A job needs at least {_LEAST_SECONDS // 60} minutes, of which a part is for its last checkpoint; got '{text}'.")
    return total


def warning_of(limit: int | None) -> int:
    """Seconds before its time limit at which a task is told to store a checkpoint and to end."""
    return WARNING if limit is None else min(WARNING, int(limit * _WARNING_SHARE))


def _shared_out(plan: Plan, runs_per_task: int) -> Array:
    shards = max(1, -(-len(plan.cells) // runs_per_task))
    due = {index + 1: tuple(cell for cell in plan.cells[index::shards] if cell.runs) for index in range(shards)}
    return Array(shards, {index: cells for index, cells in due.items() if cells})


def _length(cells: tuple[PlannedRun, ...]) -> float | None:
    known = [cell.seconds for cell in cells if cell.seconds is not None]
    return sum(known) if len(known) == len(cells) else None

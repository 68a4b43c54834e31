"""How far the runs of a store are, by what they leave in it and what Slurm's queue says; and how those of a plan ended. No torch.

No lock is tried, since that alone would make another process wait; no times of files are compared, since nodes have their own clocks.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixelbench.experiments.cluster import slurm
from pixelbench.experiments.cluster.submission import Submission, submissions
from pixelbench.experiments.plan import Plan, PlannedRun
from pixelbench.experiments.run.outcome import Outcome
from pixelbench.store.record_file import RECORD, state_of

ENDED = ("done", "failed", "diverged", "timeout")
#: Of an event log; the last line about progress is in it.
_TAIL_BYTES = 8192


@dataclass(frozen=True)
class LiveRun:
    """A run as it is now."""

    key: str
    label: str
    state: str
    """The status of its record; else `queued`, `starting`, `running`, `begun` (by somebody who may still be at it), `not begun`."""
    where: str = ""
    """The node that executes it, why it is queued, or how its job ended."""
    progress: Mapping[str, Any] | None = None
    """The last event about its training, or its last stage."""

    @property
    def ended(self) -> bool:
        """It has its record, and nothing goes on by itself."""
        return self.state in ENDED


class Watch:
    """Look at the runs of a store, again and again.

    Args:
        store: the results folder.
        keys: only these runs; None is all.
        jobs: only the runs of these arrays; None is all arrays, and runs that nobody submitted.
    """

    def __init__(self, store: Path, keys: Collection[str] | None = None, jobs: Collection[str] | None = None) -> None:
        self._store, self._keys, self._jobs = store, keys, jobs
        self._queue: dict[str, dict[int, slurm.Task]] = {}
        self._done: set[Path] = set()
        self.silent = ""
        """Why the last answer of Slurm is an old one; empty where it is not."""

    def look(self) -> list[LiveRun]:
        """The runs now, those of the newest arrays last."""
        chosen = [made for made in submissions(self._store) if self._jobs is None or made.job in self._jobs]
        submitted = {key: (made, run) for made in chosen for key, run in made.runs.items()}  # the newest array of a run counts
        self._ask({made.job for made, _ in submitted.values()})
        runs = [] if self._jobs is not None else [self._alone(folder) for folder in self._folders() if folder.name not in submitted]
        in_order = sorted(submitted.items(), key=lambda entry: (entry[1][0].job, entry[1][1]["task"]))
        runs += [self._of_array(key, *found) for key, found in in_order]
        return [run for run in runs if self._keys is None or run.key in self._keys]

    @property
    def over(self) -> bool:
        """Whether no task of the arrays that were looked at will be begun or is at work any more."""
        return not any(task.live for tasks in self._queue.values() for task in tasks.values())

    @property
    def has_arrays(self) -> bool:
        """Whether any of what was looked at is Slurm's."""
        return bool(self._queue)

    def _ask(self, jobs: Collection[str]) -> None:
        self.silent = ""
        for job in sorted(jobs):
            if job in self._queue and not any(task.live for task in self._queue[job].values()):
                continue  # an ended array stays so
            try:
                self._queue[job] = slurm.tasks(job)
            except slurm.NoAnswerError as error:
                self.silent = str(error)

    def _of_array(self, key: str, made: Submission, run: Mapping[str, Any]) -> LiveRun:
        folder = self._store / str(run["folder"])
        status, progress = self._found(folder)
        task = self._queue.get(made.job, {}).get(int(run["task"]))
        where = "" if task is None or status in ENDED else f"job ended: {task.state}"
        if status not in ENDED and task is not None and task.live:
            under_way = "running" if progress is not None or status is not None else "starting"
            state, where = ("queued", task.reason) if task.state == "PENDING" else (under_way, task.node)
        else:
            state = status or "not begun"
        return LiveRun(key, str(run["label"]), state, where, progress)

    def _alone(self, folder: Path) -> LiveRun:
        status, progress = self._found(folder)
        label = f"{folder.parent.parent.name}/{folder.parent.name}"
        return LiveRun(folder.name, label, status or "begun", "", progress)

    def _found(self, folder: Path) -> tuple[str | None, dict[str, Any] | None]:
        """The status of its record, and its last event; what is done stays so, and is not read again."""
        if folder in self._done:
            return "done", None
        status = state_of(folder)[1]
        if status == "done":
            self._done.add(folder)
        return status, _last_progress(folder)

    def _folders(self) -> list[Path]:
        found = {path.parent for path in self._store.glob(f"*/*/*/{RECORD}")}
        found |= {path.parent.parent for path in self._store.glob("*/*/*/work/events.jsonl")}
        return sorted(found)


def outcome_of(plan: Plan) -> Outcome:
    """How the runs that a plan was to execute are, whoever executed them."""
    found: dict[str, list[PlannedRun]] = {}
    for cell in plan.to_run:
        digest, status = state_of(cell.folder)
        found.setdefault("remaining" if status is None or digest == cell.seen else status, []).append(cell)

    def those(*names: str) -> tuple[PlannedRun, ...]:
        return tuple(cell for name in names for cell in found.get(name, ()))

    return Outcome(
        done=those("done"),
        failed=those("failed", "diverged"),
        timed_out=those("timeout"),
        interrupted=those("interrupted"),
        remaining=those("remaining"),
    )


def _last_progress(folder: Path) -> dict[str, Any] | None:
    """The last event about training or a stage in the run's log; lines that are cut or damaged are passed over."""
    try:
        with (folder / "work" / "events.jsonl").open("rb") as log:
            log.seek(max(0, log.seek(0, 2) - _TAIL_BYTES))
            lines = log.read().splitlines()
    except OSError:
        return None
    found: dict[str, Any] | None = None
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict) and event.get("event") in ("progress", "stage"):
            found = event
    return found

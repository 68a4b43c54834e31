"""Commands that run one at a time, step by step, on one store: each a thread that does nothing but when it is its turn.

Planning, locks, scheduling and checkpoint files are the real ones; the executor only counts. A kill is an exception that nobody catches, so
that locks are freed as the kernel frees them.
"""

import json
import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pixelbench.experiments.cluster.array import Array, make_array
from pixelbench.experiments.plan import Plan, make_plan
from pixelbench.experiments.run.checkpoints import Checkpoints
from pixelbench.experiments.run.outcome import Outcome
from pixelbench.experiments.schedule import loop, scheduler
from pixelbench.store.spec import RunSpec
from pixelbench.suites.load import load_suite
from tests.support.ended_run import end
from tests.support.suite_file import write_suite

NAME = "tests.cluster.virtual:execute"
#: Updates between two checkpoints.
INTERVAL = 3


class KilledError(BaseException):
    """SIGKILL."""


@dataclass
class Seen:
    """What was done to each run, by its key."""

    updates: Counter[str] = field(default_factory=Counter)
    kills: Counter[str] = field(default_factory=Counter)
    """In the middle of its training."""
    finished: Counter[str] = field(default_factory=Counter)
    active: set[str] = field(default_factory=set)
    at_once: list[str] = field(default_factory=list)
    """Runs that two commands executed at the same time."""


class Command:
    """`pixelbench run --shard i/n`, as a thread that goes on only in `step`."""

    current: "Command"
    seen: Seen

    def __init__(self, suite: str, store: Path, seeds: list[int], shard: tuple[int, int] | None, patience: float | None) -> None:
        self._suite, self._store, self._seeds, self._shard, self._patience = suite, store, seeds, shard, patience
        self._turn, self._answer = threading.Semaphore(0), threading.Semaphore(0)
        self._killed = False
        self.scheduler: loop.Scheduler | None = None
        self.outcome: Outcome | None = None
        self.ended = False
        self._fault: BaseException | None = None
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._thread.start()

    def step(self) -> bool:
        """Let it go on to its next stop; whether it goes on after that."""
        if not self.ended:
            Command.current = self
            self._turn.release()
            self._answer.acquire()
            if self._fault is not None:
                raise self._fault
        return not self.ended

    def kill(self) -> None:
        """SIGKILL."""
        self._killed = True
        while self.step():
            continue

    def signal(self, number: int) -> None:
        """A signal, and what it does until the command's end."""
        if self.scheduler is None:  # it does not handle signals yet, and dies of one
            self.kill()
        elif not self.ended:
            self.scheduler.take_signal(number)
        while self.step():
            continue

    def pause(self) -> None:
        """Called in its own thread: others may go on."""
        self._answer.release()
        self._turn.acquire()
        if self._killed:
            raise KilledError

    def _live(self) -> None:
        self._turn.acquire()
        try:
            plan = plan_of(self._suite, self._store, self._seeds, self._shard)
            self.pause()  # planned, not begun: others may do its work meanwhile
            self.outcome = scheduler.run_plan(plan, workers=0, executor=NAME, patience=self._patience)
        except KilledError:
            pass
        except BaseException as fault:  # for whoever waits for the next step
            self._fault = fault
        finally:
            self.ended = True
            self._answer.release()


def execute(spec: RunSpec, folder: Path, *, store: Path, stop: Any, emit: Any, device: str, request: Any, **others: Any) -> str:
    """So many updates, each a step that others may come between; a checkpoint every few, and one where it is stopped."""
    command, seen, checkpoints = Command.current, Command.seen, Checkpoints(folder / "work")
    if spec.key in seen.active:
        seen.at_once.append(spec.key)
    seen.active.add(spec.key)
    done = next((json.loads(blob) for _, blob in checkpoints.stored()), 0)
    try:
        while done < updates_of(spec):
            command.pause()
            if stop():
                checkpoints.save(json.dumps(done).encode())
                end(store, spec, "interrupted", device=device, request=request)
                return "interrupted"
            done += 1
            seen.updates[spec.key] += 1
            if done % INTERVAL == 0:
                checkpoints.save(json.dumps(done).encode())
                emit({"event": "saved", "update": done})
        end(store, spec, "done", device=device, request=request)
        checkpoints.forget()
        seen.finished[spec.key] += 1
    except KilledError:
        seen.kills[spec.key] += 1
        raise
    finally:
        seen.active.discard(spec.key)
    return "done"


def updates_of(spec: RunSpec) -> int:
    return 2 + 2 * (spec.seed % 5)


def plan_of(suite: str, store: Path, seeds: list[int], shard: tuple[int, int] | None = None) -> Plan:
    return make_plan(load_suite(suite), store, seeds=seeds, only=["uniform"], shard=shard)


def array_of(suite: str, store: Path, seeds: list[int], runs_per_task: int) -> Array:
    """As the launcher submits it now."""
    return make_array(plan_of(suite, store, seeds), runs_per_task=runs_per_task)


def prepare(patch: pytest.MonkeyPatch, folder: Path) -> str:
    """Let every wait of a command be a step, and know each command's scheduler; returns the suite."""
    Command.seen = Seen()

    class Known(loop.Scheduler):
        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            Command.current.scheduler = self

        def _end_silent(self) -> None:  # where it has waited for others
            Command.current.pause()

    patch.setattr(scheduler, "Scheduler", Known)
    patch.setattr(scheduler, "ensure_writable", lambda *arguments: None)  # megabytes on the disk, each time
    patch.setattr(loop, "POLL_SECONDS", 0.0)
    return write_suite(folder)

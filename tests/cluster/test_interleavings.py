"""Any interleaving of sharded commands on one store, killed, requeued and submitted again, executes every run once.

The largest number of updates that a kill may cost is one interval between two checkpoints; a stop in good order costs none.
"""

import random
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from pixelbench.experiments.run.checkpoints import Checkpoints
from pixelbench.experiments.schedule.ending import TIME_IS_UP
from pixelbench.files.locks import RunLock
from tests.cluster.virtual import INTERVAL, Command, array_of, plan_of, prepare, updates_of

RUNS = 6


class Cluster:
    """Tasks of arrays, some at work and some waiting, and what a scheduler of jobs may do with them at any moment."""

    def __init__(self, suite: str, store: Path, chance: random.Random) -> None:
        self._suite, self._store, self._chance, self._seeds = suite, store, chance, list(range(RUNS))
        self.waiting: list[tuple[tuple[int, int] | None, float | None]] = []
        self.running: dict[Command, tuple[tuple[int, int] | None, float | None]] = {}

    def submit(self) -> None:
        """An array of what is missing now; or a command on this machine."""
        patience = self._chance.choice([None, 0.0])
        if self._chance.random() < 0.2:
            self.waiting.append((None, patience))
            return
        array = array_of(self._suite, self._store, self._seeds, self._chance.randint(1, 3))
        self.waiting += [((index, array.shards), patience) for index in array.tasks]

    def begin(self) -> None:
        if self.waiting:
            shard, patience = self.waiting.pop(self._chance.randrange(len(self.waiting)))
            self.running[Command(self._suite, self._store, self._seeds, shard, patience)] = (shard, patience)

    def go_on(self) -> None:
        if command := self._any():
            for _ in range(self._chance.randint(1, 6)):
                if not command.step():
                    del self.running[command]
                    return

    def node_dies(self) -> None:
        """Everything on it is killed and requeued."""
        for command in list(self.running):
            if self._chance.random() < 0.6:
                command.kill()
                self.waiting.append(self.running.pop(command))

    def preempt(self) -> None:
        if command := self._any():
            command.signal(signal.SIGTERM)
            self.waiting.append(self.running.pop(command))

    def cancel(self) -> None:
        """For good: only a new submission does its work."""
        if command := self._any():
            self._chance.choice([command.kill, lambda: command.signal(signal.SIGTERM)])()
            del self.running[command]

    def time_is_up(self) -> None:
        """As the script of a task: requeued if the command says that it was stopped by that."""
        if command := self._any():
            command.signal(TIME_IS_UP)
            asked = self.running.pop(command)
            if command.outcome is not None and command.outcome.signal == TIME_IS_UP:
                self.waiting.append(asked)

    def finish(self) -> None:
        """Nothing disturbs any more: what is left is submitted until nothing is."""
        for _ in range(4):
            while self.waiting or self.running:
                self.begin()
                self.go_on()
            if not plan_of(self._suite, self._store, self._seeds).to_run:
                return
            self.submit()
        raise AssertionError("runs are left however often they are submitted")

    def act(self) -> None:
        actions: dict[Callable[[], None], int] = {
            self.submit: 1,
            self.begin: 6,
            self.go_on: 20,
            self.node_dies: 2,
            self.preempt: 2,
            self.cancel: 1,
            self.time_is_up: 2,
        }
        self._chance.choices(list(actions), list(actions.values()))[0]()

    def _any(self) -> Command | None:
        return self._chance.choice(list(self.running)) if self.running else None


def check(folder: Path, seed: int, actions: int = 40) -> None:
    """One interleaving, and the laws."""
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        suite, store = prepare(patch, folder), folder / "runs"
        cluster = Cluster(suite, store, random.Random(seed))
        cluster.submit()
        for _ in range(actions):
            cluster.act()
        cluster.finish()
        seen = Command.seen
        assert seen.at_once == [], "two commands executed one run at the same time"
        for cell in plan_of(suite, store, list(range(RUNS))).cells:
            key = cell.spec.key
            assert cell.state == "stored"
            assert seen.finished[key] == 1, "a run was executed again"
            wasted = seen.updates[key] - updates_of(cell.spec)
            assert wasted <= INTERVAL * seen.kills[key], "a kill cost more than one interval"


@pytest.mark.parametrize("seed", range(12))
def test_every_run_is_executed_once_whatever_happens(tmp_path: Path, seed: int) -> None:
    check(tmp_path / "0", seed)


@pytest.mark.faults
def test_a_thousand_interleavings(tmp_path: Path) -> None:
    for seed in range(1000, 2000):
        check(tmp_path / str(seed), seed, actions=80)


def fails(folder: Path, said: str, tries: int = 12) -> bool:
    """Whether one of the interleavings breaks that law."""
    for seed in range(tries):
        try:
            check(folder / str(seed), seed)
        except AssertionError as broken:
            if said in str(broken):
                return True
    return False


def test_locks_that_hold_nothing_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a file system that keeps locks to its node."""
    monkeypatch.setattr(RunLock, "acquire", lambda self, blocking=False: True)
    assert fails(tmp_path, "at the same time")


def test_checkpoints_that_are_lost_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Checkpoints, "save", lambda self, blob: None)
    assert fails(tmp_path, "more than one interval")


def test_a_plan_that_does_not_see_what_others_did_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pixelbench.experiments.schedule.job.executed_elsewhere", lambda job: None)
    assert fails(tmp_path, "executed again")

"""Hundreds of faults over real trainings; at the end a table of trials and of what was lost, hung or wrong: 0 in every column.

`pytest -n 0 -m faults -s tests/faults/test_campaign.py`
"""

import errno
import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from pixelbench.errors import UserError
from pixelbench.experiments.stored import load_run
from pixelbench.store.record_file import RecordError, read_record
from pixelbench.store.scan import StoredRun, scan
from pixelbench.training.checkpoint import CheckpointError, unpack
from tests.faults.disturbed import (
    CHECKPOINT,
    FAULTS,
    FILES,
    DiskFault,
    bits_of,
    cut_off,
    execute,
    flipped,
    folder_in,
    numbers,
    often,
    status_of,
)
from tests.faults.run_real import plan_in
from tests.support import programs
from tests.support.programs import command_of
from tests.support.quick_run import comparable

pytestmark = pytest.mark.faults
#: Seconds that a command may take to its end, and after a signal.
LIMIT, LIMIT_AFTER_SIGNAL = 300, 20
SEEDS = [1, 2, 3, 4]


@dataclass
class Row:
    """Of one kind of fault. `lost`: a run failed, or went on from before its last checkpoint; `wrong`: other numbers, or no word of it."""

    trials: int = 0
    lost: int = 0
    hung: int = 0
    wrong: int = 0


@dataclass
class Table:
    rows: dict[str, Row] = field(default_factory=dict)

    def row(self, kind: str) -> Row:
        return self.rows.setdefault(kind, Row())

    def __str__(self) -> str:
        total = Row(*(sum(getattr(row, name) for row in self.rows.values()) for name in vars(Row())))
        lines = [f"{'fault':44} trials  lost  hung  wrong"]
        for name, row in {**self.rows, "all": total}.items():
            lines.append(f"{name:44} {row.trials:6} {row.lost:5} {row.hung:5} {row.wrong:6}")
        return "\n".join(lines)


@pytest.fixture(scope="module")
def table() -> Iterator[Table]:
    found = Table()
    yield found
    print(f"\n{found}")  # noqa: T201


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[int, dict[str, Any]]:
    """What the runs leave that nothing disturbs, by seed."""
    store = tmp_path_factory.mktemp("whole") / "store"
    assert start(store, SEEDS).wait(LIMIT) == 0
    return {seed: left_by(store, seed) for seed in SEEDS}


def start(store: Path, seeds: list[int], **environment: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        command_of("faults.run_real", store, 1, *seeds), start_new_session=True, env=programs.environment(**environment)
    )


@cache
def folder_of(store: Path, seed: int) -> Path:
    return plan_in(store, [seed]).cells[0].folder


def left_by(store: Path, seed: int) -> dict[str, Any]:
    """Everything of a run that is done, but for times and memory."""
    folder = folder_of(store, seed)
    files: dict[str, Any] = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    files["certificate.json"] = json.loads(files["certificate.json"]) | {"seconds": None}
    return {**files, "record.json": comparable(folder)}


def events_of(store: Path, seed: int) -> list[dict[str, Any]]:
    path = folder_of(store, seed) / "work" / "events.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines() if line.endswith("}")] if path.exists() else []


def saved_update(store: Path, seed: int) -> int:
    """Of the newest checkpoint."""
    for name in (CHECKPOINT, "checkpoint.before.safetensors"):
        path = folder_of(store, seed) / "work" / name
        if path.exists():
            return unpack(path.read_bytes())[1]["update"]
    return 0


def processes_of(session: int) -> list[int]:
    """Of the session that a command leads, its children too."""
    found = []
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            try:
                state, _, _, its = (path / "stat").read_text().rpartition(")")[2].split()[:4]
            except OSError:
                continue
            if int(its) == session and state != "Z":
                found.append(int(path.name))
    return found


@contextmanager
def disturbed(store: Path, seeds: list[int], chance: random.Random) -> Iterator["subprocess.Popen[bytes]"]:
    """The command, at a random moment: of its first seconds, or after it has trained something; or it has come to its end."""
    before = {seed: len(events_of(store, seed)) for seed in seeds}
    latest = chance.uniform(0.1, 4) if chance.random() < 0.5 else LIMIT
    running = start(store, seeds)
    try:
        deadline = time.monotonic() + latest
        while running.poll() is None and time.monotonic() < deadline:
            if any(event["event"] == "progress" for seed in seeds for event in events_of(store, seed)[before[seed] :]):
                time.sleep(chance.random() * 0.8)
                break
            time.sleep(0.02)
        yield running
    finally:
        for process in processes_of(running.pid):
            os.kill(process, signal.SIGKILL)
        running.wait()


class Trials:
    """Disturbs runs of one seed until there were enough faults, on a new store whenever a run is done."""

    def __init__(self, row: Row, folder: Path, seed: int, whole: dict[int, dict[str, Any]]) -> None:
        self.row, self.folder, self.seed, self.whole = row, folder, seed, whole
        self.number, self.expected_from = 0, 0
        self.store = folder / "0"

    def after_fault(self) -> None:
        """Takes note of where the same command must go on, or finishes the store."""
        self.row.trials += 1
        if (record := self._record()) is not None and record.status in ("failed", "diverged"):
            self.row.lost += 1
        if record is not None and record.status == "done":
            self.finish()
        else:
            self.expected_from, self.seen = saved_update(self.store, self.seed), len(events_of(self.store, self.seed))

    def check_resumption(self) -> None:
        """The first update that was trained since the fault is after the checkpoint."""
        trained = [event["update"] for event in events_of(self.store, self.seed)[self.seen :] if event["event"] == "progress"]
        if self.expected_from and trained and trained[0] <= self.expected_from:
            self.row.lost += 1

    def finish(self) -> None:
        """Lets the same command come to its end, and compares."""
        running = start(self.store, [self.seed])
        try:
            running.wait(LIMIT)
        except subprocess.TimeoutExpired:
            self.row.hung += 1
            os.killpg(running.pid, signal.SIGKILL)
        record = self._record()
        if record is None or record.status != "done":
            self.row.lost += 1
        elif left_by(self.store, self.seed) != self.whole[self.seed]:
            self.row.wrong += 1
        self.number += 1
        self.store, self.expected_from, self.seen = self.folder / str(self.number), 0, 0

    seen = 0

    def _record(self) -> Any:
        try:
            return read_record(folder_of(self.store, self.seed))
        except FileNotFoundError:
            return None


@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM", "SIGINT", "SIGHUP"])
def test_signals_to_the_whole_group(table: Table, whole: dict[int, dict[str, Any]], tmp_path: Path, name: str):
    number, row, chance = signal.Signals[name], table.row(f"whole group, {name}"), random.Random(name)
    trials = Trials(row, tmp_path, 1, whole)
    while row.trials < 20:
        with disturbed(trials.store, [1], chance) as running:
            if running.poll() is None:
                os.killpg(running.pid, number)
            try:
                code = running.wait(LIMIT_AFTER_SIGNAL)
                assert code in (0, -number, 128 + number), code
            except subprocess.TimeoutExpired:
                row.hung += 1
            deadline = time.monotonic() + 15
            while processes_of(running.pid) and time.monotonic() < deadline:
                time.sleep(0.05)
            row.hung += bool(processes_of(running.pid))
        trials.check_resumption()
        trials.after_fault()
    trials.finish()
    assert (row.lost, row.hung, row.wrong) == (0, 0, 0)


@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM", "SIGHUP", "SIGABRT", "SIGSEGV"])
def test_a_single_worker(table: Table, whole: dict[int, dict[str, Any]], tmp_path: Path, name: str):
    row, chance = table.row(f"one worker, {name}"), random.Random(name)
    trials = Trials(row, tmp_path, 2, whole)
    while row.trials < 8:
        with disturbed(trials.store, [2], chance) as running:
            for worker in [process for process in processes_of(running.pid) if process != running.pid]:
                os.kill(worker, signal.Signals[name])
            try:
                assert running.wait(LIMIT_AFTER_SIGNAL * 3) in (0, 1)
            except subprocess.TimeoutExpired:
                row.hung += 1
        trials.check_resumption()
        trials.after_fault()
    trials.finish()
    assert (row.lost, row.hung, row.wrong) == (0, 0, 0)


def test_suspended_and_continued(table: Table, whole: dict[int, dict[str, Any]], tmp_path: Path):
    row, chance = table.row("whole group, SIGSTOP and SIGCONT"), random.Random(5)
    trials = Trials(row, tmp_path, 3, whole)
    while row.trials < 20:
        with disturbed(trials.store, [3], chance) as running:
            while running.poll() is None and row.trials < 20:
                os.killpg(running.pid, signal.SIGSTOP)
                time.sleep(0.3)
                os.killpg(running.pid, signal.SIGCONT)
                row.trials += 1
                time.sleep(0.2 + chance.random() / 4)
            try:
                assert running.wait(LIMIT) == 0
            except subprocess.TimeoutExpired:
                row.hung += 1
        trials.finish()
    assert (row.lost, row.hung, row.wrong) == (0, 0, 0)


def test_a_worker_without_memory(table: Table, whole: dict[int, dict[str, Any]], tmp_path: Path):
    row, chance = table.row("one worker, out of memory (ulimit -v)"), random.Random(7)
    for trial in range(10):
        trials = Trials(row, tmp_path / str(trial), 4, whole)
        trials.folder.mkdir()
        running = start(trials.store, [4], STARVE_AT=str(chance.randrange(2, 58)))
        try:
            running.wait(LIMIT)
        except subprocess.TimeoutExpired:
            row.hung += 1
            os.killpg(running.pid, signal.SIGKILL)
        trials.after_fault()
        if trials.number == 0:
            trials.finish()
    assert (row.lost, row.hung, row.wrong) == (0, 0, 0)


def test_six_processes_on_one_store(table: Table, whole: dict[int, dict[str, Any]], tmp_path: Path):
    row, store = table.row("six processes on one store"), tmp_path / "store"
    running = [start(store, SEEDS) for _ in range(6)]
    for process in running:
        row.trials += 1
        try:
            row.lost += process.wait(LIMIT) != 0
        except subprocess.TimeoutExpired:
            row.hung += 1
            os.killpg(process.pid, signal.SIGKILL)
    for seed in SEEDS:
        row.wrong += left_by(store, seed) != whole[seed]
        row.wrong += len([event for event in events_of(store, seed) if event.get("stage") == "train"]) != 1
    assert (row.lost, row.hung, row.wrong) == (0, 0, 0)


@pytest.mark.parametrize("times", [1, 10**9])
@pytest.mark.parametrize("name", [CHECKPOINT, *FILES])
def test_every_write(table: Table, undisturbed: Path, expected: dict[str, Any], tmp_path: Path, name: str, times: int):
    row = table.row(f"the disk, {'one error' if times == 1 else 'an error that lasts'}")
    for call, number in FAULTS:
        store = tmp_path / f"{call}-{number}" / "store"
        shutil.copytree(undisturbed / "work", store / "work")
        with pytest.MonkeyPatch.context() as patch:
            often(patch)
            after = random.Random(f"{call}{number}").randrange(8) if name == CHECKPOINT else 0
            disk = DiskFault(patch, call, number, name, times=times, after=after)
            events = execute(store)
            row.lost += status_of(events) not in ("done", "broken") or (status_of(events) == "broken" and times == 1)
            row.wrong += not disk.hits or not (status_of(events) == "broken" or any(name in e.get("text", "") for e in events))
            disk.on = False
            before = status_of(events)
            if before == "broken":
                row.lost += status_of(execute(store)) != "done"
        row.trials += 1
        row.wrong += numbers(store) != expected
    assert (row.lost, row.hung, row.wrong) == (0, 0, 0)


def test_a_small_disk(table: Table, undisturbed: Path, expected: dict[str, Any], tmp_path: Path):
    """A tmpfs that other files fill up to a few pages."""
    row, disk = table.row("a tmpfs that is full"), tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("only root may mount a tmpfs")
    try:
        for left in (0, 4096, 16384, 65536, 131072):
            store = disk / "store"
            shutil.copytree(undisturbed / "work", store / "work")
            filler = disk / "filler"
            room = os.statvfs(disk)
            filler.write_bytes(b"x" * max(0, room.f_bavail * room.f_frsize - left))
            with pytest.MonkeyPatch.context() as patch:
                often(patch)
                before = status_of(execute(store))
                filler.unlink()
                row.lost += before not in ("broken", "done") or (before == "broken" and status_of(execute(store)) != "done")
            row.trials += 1
            row.wrong += numbers(store) != expected
            shutil.rmtree(store)
    finally:
        subprocess.run(["umount", disk], check=True)
    assert (row.lost, row.hung, row.wrong) == (0, 0, 0)


def test_64_bits_of_a_checkpoint(table: Table, undisturbed: Path, expected: dict[str, Any], tmp_path: Path):
    row, first = table.row("one bit of a checkpoint"), tmp_path / "first" / "store"
    shutil.copytree(undisturbed / "work", first / "work")
    blob = cut_off(first).read_bytes()
    for bit in bits_of(blob, 64):
        store = tmp_path / "copy"
        shutil.copytree(first, store)
        (folder_in(store) / "work" / CHECKPOINT).write_bytes(flipped(blob, bit))
        events = execute(store)
        row.trials += 1
        row.lost += status_of(events) != "done"
        row.wrong += numbers(store) != expected or not any("damaged" in event.get("text", "") for event in events)
        shutil.rmtree(store)
    assert (row.lost, row.hung, row.wrong) == (0, 0, 0)


@pytest.mark.parametrize("name", ["weights.safetensors", "nats.npz", "record.json"])
def test_64_bits_of_what_is_kept(table: Table, undisturbed: Path, tmp_path: Path, name: str):
    row, store = table.row(f"one bit of {name}"), tmp_path / "store"
    shutil.copytree(undisturbed, store)
    path = folder_in(store) / name
    blob, run = path.read_bytes(), StoredRun(folder_in(store), read_record(folder_in(store)))
    chance = random.Random(1)
    for _ in range(64):
        path.write_bytes(flipped(blob, chance.randrange(8 * len(blob))))
        row.trials += 1
        row.wrong += not is_said(store, run, name)
    assert (row.lost, row.hung, row.wrong) == (0, 0, 0)


def is_said(store: Path, run: StoredRun, name: str) -> bool:
    """Whether everybody who looks is told that the file is damaged."""
    try:
        if name == "record.json":
            read_record(run.folder)
        elif name == "nats.npz":
            (found,) = scan(store, cached=False).examine().values()
            return bool(found.doubts or found.damaged)
        else:
            load_run(run)
    except (RecordError, UserError, CheckpointError):
        return True
    return False


def test_the_errors_are_those_of_full_and_failing_disks():
    """The faults above are what they are said to be."""
    assert {number for _, number in FAULTS} == {errno.ENOSPC, errno.EDQUOT, errno.EIO}

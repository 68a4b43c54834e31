"""A suite on a real Slurm of one node: whatever becomes of jobs, node and controller, the records are those of this machine.

`pytest -n 0 -m slurm`, as root, with Debian's slurm-wlm and munge; skipped, with the reason, where no Slurm can be started.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixelbench.experiments.plan import PlannedRun, make_plan
from pixelbench.store.artifacts import NATS, read_nats
from pixelbench.suites.load import load_suite
from tests.cluster.one_node import MISSING_AFTER, OneNode
from tests.support.programs import environment
from tests.support.quick_run import comparable

pytestmark = pytest.mark.slurm
#: Seconds for an array to end, and for something to be under way; the machine may be busy.
LONG, SHORT = 900, 300
#: States that no job leaves; one that is requeued passes through others, which differ by version.
ENDED = {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT"}
SEEDS = 12
LIMIT, UPDATES = 24, 1500
#: Tasks that wait until they are released, so that something is left to do at every stage, however fast the machine is.
HELD = range(5, SEEDS + 1)
SUITE = f"""
name = "tiny"
default_budget = "cpu"
seeds = {list(range(SEEDS))}
[recipe]
learning_rate = 4e-3
batch = 16
ema = 0.9
[evaluation]
samples = 4
[budget.cpu]
updates = {UPDATES}
[[task]]
name = "digits"
settings = {{ maps = 4, layers = 1 }}
[[variant]]
name = "pixelcnn"
family = "pixelcnn"
"""


class Suite:
    """The suite's file, and commands on it."""

    def __init__(self, cluster: OneNode, folder: Path) -> None:
        self.cluster, self.folder, self.file = cluster, folder, folder / "tiny.toml"
        self.file.write_text(SUITE)

    def command(self, store: Path, *options: str) -> "subprocess.CompletedProcess[str]":
        words = [sys.executable, "-m", "pixelbench", "run", "--suite", str(self.file), "--limit", str(LIMIT), "--results", str(store)]
        names = environment(**{**self.cluster.environment, "OMP_NUM_THREADS": "1"})
        return subprocess.run([*words, *options], env=names, capture_output=True, text=True, timeout=LONG, cwd=self.folder)

    def submit(self, store: Path, *options: str) -> str:
        """An array that nobody looks at; returns its number."""
        done = self.command(store, "--launcher", "slurm", "--detach", "--json", *options)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)["jobs"]["array"]

    def cells(self, store: Path, seeds: Sequence[int] | None = None) -> list[PlannedRun]:
        return list(make_plan(load_suite(str(self.file)), store, limit=LIMIT, seeds=seeds).cells)

    def wait_for_end(self, *jobs: str) -> None:
        def ended() -> bool:
            states = [state for job in jobs for state in self.cluster.states(job).values()]
            return bool(states) and set(states) <= ENDED

        self.cluster.wait_for(ended, LONG)


@pytest.fixture(scope="module")
def suite(cluster: OneNode, tmp_path_factory: pytest.TempPathFactory) -> Suite:
    return Suite(cluster, tmp_path_factory.mktemp("suite"))


@pytest.fixture(scope="module")
def local(suite: Suite) -> Path:
    """The store of this machine alone."""
    store = suite.folder / "local"
    done = suite.command(store)
    assert done.returncode == 0, done.stderr
    return store


@pytest.fixture
def store(local: Path, tmp_path: Path) -> Path:
    """An empty store that has the certificate and the fingerprint of the code already, as after an earlier suite."""
    shutil.copytree(local / "work", tmp_path / "store" / "work", ignore=shutil.ignore_patterns("locks"))
    return tmp_path / "store"


def progress(cell: PlannedRun) -> list[dict[str, Any]]:
    path = cell.folder / "work" / "events.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines() if line.endswith("}")] if path.exists() else []


def is_training(cell: PlannedRun) -> bool:
    events = progress(cell)
    return bool(events) and events[-1]["event"] == "progress" and events[-1]["update"] < UPDATES


def said_by_tasks(suite: Suite, store: Path, job: str) -> str:
    """What Slurm and the tasks that have not completed say, for a failing test."""
    states = suite.cluster.states(job)
    logs = {log.stem: log for log in (store / "work" / "slurm").glob("*/*.log")}
    said = [f"task {index}, {state}:\n{logs[str(index)].read_text()[-2000:]}" for index, state in states.items() if str(index) in logs]
    return "\n".join([str(states), *said, suite.cluster.last_lines(200)])


def assert_as_local(suite: Suite, store: Path, local: Path, seeds: Sequence[int] | None = None) -> None:
    """Every record, and every image's nats to the last bit; and each run was finished once."""
    for here, there in zip(suite.cells(store, seeds), suite.cells(local, seeds), strict=True):
        assert comparable(here.folder) == comparable(there.folder)
        for one, other in zip(read_nats(here.folder / NATS), read_nats(there.folder / NATS), strict=True):
            np.testing.assert_array_equal(one, other)
        assert [event["stage"] for event in progress(here) if event["event"] == "stage"].count("sample") == 1


def test_whatever_becomes_of_jobs_node_and_controller_the_records_are_the_same(suite: Suite, local: Path, store: Path) -> None:
    cluster, job = suite.cluster, suite.submit(store)

    def tell_each(what: str, tasks: Sequence[int]) -> None:
        for index in tasks:
            cluster.tell("scontrol", what, f"{job}_{index}")

    tell_each("hold", HELD)
    cells = dict(enumerate(suite.cells(store), start=1))

    def training() -> list[int]:
        return [index for index, state in cluster.states(job).items() if state == "RUNNING" and is_training(cells[index])]

    def told() -> list[str]:
        """Logs of tasks whose time was up."""
        return [log.name for log in (store / "work" / "slurm").glob("*/*.log") if "requeueing" in log.read_text()]

    cluster.wait_for(training, SHORT)
    for index in training():  # as Slurm does when a task's time is nearly up; one that has just ended is none of them
        cluster.try_to("scancel", "--signal=USR1", "--batch", f"{job}_{index}")
    cluster.wait_for(told, SHORT)

    tell_each("release", range(5, 9))
    cluster.wait_for(training, SHORT)
    for index in training()[:2]:
        cluster.try_to("scontrol", "requeue", f"{job}_{index}")

    cluster.end("slurmctld")
    cluster.start("slurmctld")
    cluster.wait_for(lambda: cluster.states(job), SHORT)

    tell_each("release", [9])
    cluster.wait_for(training, SHORT)
    for index in (10, 11, *training()[:1]):
        cluster.try_to("scancel", f"{job}_{index}")

    cluster.tell("scontrol", "update", "nodename=localhost", "state=drain", "reason=test")
    try:
        tell_each("release", [12])
        cluster.wait_for(lambda: "RUNNING" not in cluster.states(job).values(), LONG)
        assert cluster.states(job)[12] == "PENDING"
    finally:
        cluster.tell("scontrol", "update", "nodename=localhost", "state=resume")
    suite.wait_for_end(job)

    left = [cell for cell in suite.cells(store) if cell.state != "stored"]
    assert 2 <= len(left) <= 3, said_by_tasks(suite, store, job)  # one of them may have ended before it was told to
    again = suite.command(store, "--launcher", "slurm")  # looks at it until its end
    assert again.returncode == 0, again.stderr
    assert f"1 job of {len(left)} runs" in again.stderr  # their time is known by now, so that they share a task
    assert_as_local(suite, store, local)


def test_two_arrays_of_one_suite_share_the_work(suite: Suite, local: Path, store: Path) -> None:
    chosen = ("--seeds", "0-5")
    suite.wait_for_end(suite.submit(store, *chosen), suite.submit(store, *chosen))
    assert_as_local(suite, store, local, range(6))


def test_a_node_that_dies_frees_its_locks_and_its_jobs_are_begun_again(suite: Suite, local: Path, store: Path) -> None:
    """All that ran on the node is killed at once, then it comes back, late enough that the controller misses its jobs."""
    cluster, job, seeds = suite.cluster, suite.submit(store, "--seeds", "0-4"), range(5)
    cluster.wait_for(lambda: any(map(is_training, suite.cells(store, seeds))), SHORT)
    tasks = cluster.ask("squeue", "-h", "-r", "-t", "running", "-j", job, "-o", "%A").split()
    slurmd = int((cluster.folder / "slurmd.pid").read_text())
    for number in (slurmd, *processes_of(tasks)):
        try:
            os.kill(number, signal.SIGKILL)
        except ProcessLookupError:
            continue
    time.sleep(MISSING_AFTER + 2)
    cluster.start("slurmd", "-c")
    suite.wait_for_end(job)
    assert set(cluster.states(job).values()) == {"COMPLETED"}, said_by_tasks(suite, store, job)
    assert_as_local(suite, store, local, seeds)


def processes_of(tasks: Sequence[str]) -> list[int]:
    """What keeps these jobs on the node, first, then everything that it started."""
    parents: dict[int, int] = {}
    keepers = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            title = (folder / "cmdline").read_text()
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:  # has ended
            continue
        if any(title.startswith(f"slurmstepd: [{task}.") for task in tasks):
            keepers.append(int(folder.name))
    found = list(keepers)
    for number in found:  # grows on the way
        found += [child for child, parent in parents.items() if parent == number and child not in found]
    return found


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--partition", "debugg"], "Slurm has no partition 'debugg'. Did you mean 'debug'? Known: debug.\n"),
        (["--gpus-per-run", "1"], "No node of the default partition has GPUs that Slurm knows of; leave out --gpus-per-run, or"),
        (["--slurm", "qos=none", "--slurm", "dependency=afterok:1:nonsense"], "Slurm refuses `sbatch`: "),
    ],
)
def test_what_slurm_does_not_take_is_one_sentence(suite: Suite, tmp_path: Path, options: list[str], said: str) -> None:
    done = suite.command(tmp_path / "store", "--launcher", "slurm", *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1].startswith(said.rstrip("\n"))
    assert not list((tmp_path / "store").glob("work/slurm/*"))

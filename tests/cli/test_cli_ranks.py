"""Several processes a run: what is refused, who ends whom, and, with the marker `grid`, whole commands on the CPU."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch.distributed

from pixelbench.cli.cluster import ranks
from pixelbench.cli.cluster.ranks import Place, start
from pixelbench.store.record import Record
from pixelbench.store.record_file import read_record
from tests.cli.cli_stores import Pixelbench
from tests.support.programs import command_of, environment

RUN = ("run", "--suite", "quick", "--only", "digits/gated-pixelcnn")
TOLD = {"RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--gpus-per-run", "2"), "--gpus-per-run 2 needs 2 CUDA devices, and there is none that torch can use here."),
        (("--gpus-per-run", "1"), "--gpus-per-run 1 needs 1 CUDA device, and there is none that torch can use here."),
        (("--gpus-per-run", "2", "--device", "cpu"), "--gpus-per-run 2 needs CUDA devices, and --device is cpu; leave one of the two out."),
    ],
)
def test_without_devices_it_is_refused(
    arguments: tuple[str, ...], said: str, pixelbench: Pixelbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranks, "count_cuda_devices", lambda: 0)
    assert pixelbench(*RUN, *arguments) == (2, "", f"{said}\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--workers", "2"), "--workers executes several runs at once, and 2 processes share each run here; leave it out."),
        (("--compile", "auto"), "--compile is for a run by one process, and 2 share each run here; leave it out."),
        (("--device", "cuda:1"), "--device cuda:1 is one device, and each of 2 processes takes its own; expected --device cuda."),
        (("--gpus-per-run", "4"), "--gpus-per-run 4 and 2 processes that are there already contradict each other; leave it out."),
    ],
)
def test_what_contradicts_the_processes_there_are_is_refused(
    arguments: tuple[str, ...], said: str, pixelbench: Pixelbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in TOLD.items():
        monkeypatch.setenv(name, value)
    assert pixelbench(*RUN, *arguments) == (2, "", f"{said}\n")


def test_fewer_devices_than_processes_and_workers_beside_them_are_refused(pixelbench: Pixelbench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranks, "count_cuda_devices", lambda: 1)
    assert pixelbench(*RUN, "--gpus-per-run", "2")[2] == "--gpus-per-run 2 needs 2 CUDA devices, and there is 1 here.\n"
    monkeypatch.setattr(ranks, "count_cuda_devices", lambda: 2)
    assert "leave it out" in pixelbench(*RUN, "--gpus-per-run", "2", "--workers", "1")[2]


def test_a_process_knows_its_place_from_what_torchrun_says_and_only_from_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in TOLD.items():
        monkeypatch.setenv(name, value)
    assert Place.of_process() == Place(0, 2)
    monkeypatch.delenv("MASTER_PORT")
    assert Place.of_process() == Place(0, 1)


def program(text: str) -> list[str]:
    return [sys.executable, "-c", f"import os, signal, sys, time\nrank = int(os.environ['RANK'])\n{text}"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("sys.exit(3 - 3 * rank)", 3),
        ("os.kill(os.getpid(), signal.SIGTERM) if rank == 0 else sys.exit(0)", 143),
        ("time.sleep(60) if rank == 0 else os.kill(os.getpid(), signal.SIGKILL)", 143),  # nobody heeds it, so all are ended
        ("signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60 * (1 - rank)); sys.exit(rank)", 1),
    ],
)
def test_the_first_decides_the_exit_code_and_nobody_outlives_a_death(text: str, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranks, "_GRACE_SECONDS", 0.3)
    assert torch.distributed.is_available()  # loaded before the clock starts
    began = time.monotonic()
    assert start(2, program(text)) == code
    assert time.monotonic() - began < 50


SUITE = """
name = "two"
default_budget = "tiny"
[budget.tiny]
updates = 400
evaluation = { test_images = 64, validation_images = 32, samples = 4, sequential_images = 2 }
[[task]]
name = "digits"
[[variant]]
name = "gated"
family = "gated-pixelcnn"
settings = { maps = 4, layers = 1, head_maps = 4 }
recipe = { batch = 15 }
"""


class Command:
    """One suite on the CPU, with several processes or with one."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.folder, self.suite = folder, folder / "two.toml"
        self.suite.write_text(SUITE)

    def arguments(self) -> list[str]:
        return ["run", "--suite", str(self.suite), "--seeds", "0", "--device", "cpu", "--results", str(self.folder / "runs")]

    def together(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(command_of("support.run_ranks", 2, *self.arguments()), env=environment())

    def points(self) -> int:
        """How many points of the curve were reached in all attempts."""
        return sum(path.read_text().count('"progress"') for path in self.folder.rglob("events.jsonl"))

    def record(self) -> Record:
        (found,) = self.folder.glob("runs/*/*/*/record.json")
        return read_record(found.parent)

    def signalled(self, number: int) -> int:
        """Begin, send the second process a signal in the middle of the training; returns the exit code."""
        before, running = self.points(), self.together()
        while self.points() < before + 2 and running.poll() is None:
            time.sleep(0.05)
        os.kill(second_of(running.pid), number)
        return running.wait(timeout=120)


def second_of(parent: int) -> int:
    """The process of rank 1."""
    children = map(int, Path(f"/proc/{parent}/task/{parent}/children").read_text().split())
    return next(child for child in children if b"\0RANK=1\0" in Path(f"/proc/{child}/environ").read_bytes())


@pytest.mark.grid
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc to find a process")
def test_a_run_is_stopped_and_loses_a_process_and_ends_as_one_that_was_never_disturbed(tmp_path: Path, pixelbench: Pixelbench) -> None:
    disturbed, alone = Command(tmp_path / "disturbed"), Command(tmp_path / "alone")
    assert disturbed.signalled(signal.SIGTERM) == 143
    record = disturbed.record()
    assert (record.status, record.provenance.world_size, record.error and record.error.type) == ("interrupted", 2, "Stopped")
    assert disturbed.signalled(signal.SIGKILL) == 143
    assert (disturbed.record().error or record.error).type == "WorkerDied"  # type: ignore[union-attr]
    assert disturbed.together().wait(timeout=300) == 0
    assert pixelbench(*alone.arguments(), "--workers", "0")[0] == 0
    one, other = alone.record(), disturbed.record()
    assert (one.run_key, one.status, one.provenance.world_size) == (other.run_key, other.status, None)
    assert one.likelihood is not None
    assert other.likelihood is not None
    assert one.likelihood.nats_per_image == pytest.approx(other.likelihood.nats_per_image, rel=1e-4)
    assert one.likelihood.n_images == other.likelihood.n_images


@pytest.mark.grid
def test_torchrun_is_the_same(tmp_path: Path) -> None:
    command = Command(tmp_path)
    command.suite.write_text(SUITE.replace("updates = 400", "updates = 20"))
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "pixelbench"]
    assert subprocess.run([*torchrun, *command.arguments()], env=environment(), timeout=300, check=False).returncode == 0
    assert (command.record().status, command.record().provenance.world_size) == ("done", 2)

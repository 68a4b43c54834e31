"""Stands in for `execute` in a worker: what it does is written in the spec's settings. Torch-free, so a worker starts at once."""

import json
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixelbench import pulse
from pixelbench.files.atomic import write_text
from pixelbench.store.record import Request, RunError
from pixelbench.store.spec import RunSpec
from tests.support.ended_run import end

NAME = "tests.support.fake_executor:execute"


def execute(
    spec: RunSpec,
    folder: Path,
    *,
    device: str,
    max_seconds: float | None,
    micro_batch: int | None,
    compile: str,
    sample_batch: int | None,
    store: Path,
    request: Request,
    most_weights: int,
    stop: Any,
    emit: Any,
) -> str:
    """`seed` says what happens: see below; else it takes so many steps, with a checkpoint after each."""
    assert folder.parents[2] == store
    executions = store / "executions.txt"
    with executions.open("a") as log:
        log.write(f"{spec.key} {os.getpid()}\n")
    os.write(1, b"printed below python\n")
    print(f"working on {folder} with {os.environ.get('OMP_NUM_THREADS')} threads")  # noqa: T201
    emit({"event": "stage", "stage": "train"})
    if spec.seed == 100:
        raise RuntimeError("injected")
    if spec.seed == 101:
        os.kill(os.getpid(), signal.SIGKILL)
    if spec.seed == 102:
        raise OSError(28, "No space left on device")
    if spec.seed == 104:
        os.kill(os.getpid(), signal.SIGTERM)
    if spec.seed == 103:
        time.sleep(60)  # hears nothing
    while spec.seed == 105 and len({line.split()[1] for line in executions.read_text().splitlines()}) < 2:
        time.sleep(0.01)
    disturbances, steps = Disturbances.requested(spec.seed, store), spec.seed if spec.seed < 100 else 1
    status = _work(steps, folder / "work" / "checkpoint.json", stop, emit, disturbances)
    error = RunError("Stopped", f"Stopped by {stop()}") if isinstance(stop(), str) else None
    end(store, spec, status, device=device, request=request, error=error)
    write_text(folder / "work" / "weights.txt", f"at most {most_weights} bytes are kept")
    return status


@dataclass(frozen=True)
class Disturbances:
    """A signal that the worker sends itself after a step, so often in all: by `FAKE_DISTURBANCES`, JSON by seed, in the environment."""

    signal: int
    step: int
    times: int
    counter: Path

    @classmethod
    def requested(cls, seed: int, store: Path) -> "Disturbances | None":
        found = json.loads(os.environ.get("FAKE_DISTURBANCES", "{}")).get(str(seed))
        if found is None:
            return None
        number, step, times = found
        return cls(number, step, times, store / f"disturbed-{seed}")

    def after(self, step: int) -> None:
        before = len(self.counter.read_text()) if self.counter.exists() else 0
        if step >= self.step and before < self.times:
            self.counter.write_text("x" * (before + 1))
            os.kill(os.getpid(), self.signal)


def _work(steps: int, checkpoint: Path, stop: Any, emit: Any, disturbances: Disturbances | None) -> str:
    done = json.loads(checkpoint.read_text()) if checkpoint.exists() else 0
    emit({"event": "resumed", "at": done})
    for step in range(done, steps):
        if disturbances:
            disturbances.after(step)
        if stop():
            return "interrupted"
        time.sleep(0.01)
        write_text(checkpoint, str(step + 1))
        emit({"event": "saved", "update": step + 1})
        emit({"event": "progress", "update": step + 1, "updates": steps})
        if pulse.checkpoint_wanted():
            emit({"event": "note", "text": "stored a checkpoint when asked"})
    return "done"

"""Real, tiny runs executed in this process, the store that they are kept in, and faults of its disk at a chosen file."""

import errno
import hashlib
import json
import math
import os
import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pixelbench.experiments.schedule.job import EXECUTOR, Job, Resources, perform
from pixelbench.store.record import Request
from pixelbench.store.record_file import run_folder, state_of
from pixelbench.training import loop
from tests.support.quick_run import comparable, spec_of

UPDATES = 12
SPEC = spec_of("digits/pixelcnn", updates=UPDATES, recipe=spec_of("digits/pixelcnn").recipe | {"ema": 0.9})
#: What a run writes, in order. Weights lie beside the record or in `work`.
FILES = ("weights.safetensors", "nats.npz", "samples.png", "curve.csv", "certificate.json", "record.json")
CHECKPOINT = "checkpoint.safetensors"


def folder_in(store: Path) -> Path:
    return run_folder(store, SPEC)


def job_in(store: Path, most_weights: int = 1 << 20, *, again: bool = False) -> Job:
    """The run, as a plan asks for it; `again`: although it may have ended."""
    seen = state_of(folder_in(store))[0] if again else None
    return Job(SPEC, store, folder_in(store), Resources("cpu", 1), seen, Request("run", "quick", "digits", "smoke"), most_weights)


def execute(store: Path, stop: Callable[[], bool | str] = lambda: False, **named: Any) -> list[dict[str, Any]]:
    """Execute the run in this process; returns its events."""
    events: list[dict[str, Any]] = []
    emit = named.pop("emit", lambda event: None)
    perform(job_in(store, **named), EXECUTOR, stop=stop, emit=lambda event: [events.append(event), emit(event)])
    return events


def cut_off(store: Path, at: int = 7) -> Path:
    """Execute the run up to an update; returns its newest checkpoint."""
    reached = [0]
    execute(store, emit=lambda event: reached.append(event.get("update", 0)), stop=lambda: max(reached) >= at)
    return folder_in(store) / "work" / CHECKPOINT


def status_of(events: list[dict[str, Any]]) -> str:
    """How it ended, or `broken`."""
    return events[-1]["status"] if events[-1]["event"] == "end" else events[-1]["event"]


def notes(events: list[dict[str, Any]]) -> list[str]:
    return [event["text"] for event in events if event["event"] == "note"]


def first_update(events: list[dict[str, Any]]) -> int:
    """The first update that was trained."""
    return min(event["update"] for event in events if event["event"] == "progress")


def numbers(store: Path) -> dict[str, Any]:
    """What a run is about: what must be equal to a run that nothing disturbed."""
    folder = folder_in(store)
    files = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in FILES[:4]}
    certificate = json.loads((folder / "certificate.json").read_text()) | {"seconds": None}
    return {"record": replace(comparable(folder), error=None), "certificate": certificate, **files}


def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint after every update."""
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(loop, "CHECKPOINT_SHARE", 1e9)


def copy_of(store: Path, to: Path) -> Path:
    return Path(shutil.copytree(store, to))


class DiskFault:
    """`os.write`, `os.fsync` or `os.replace` raises for files of a name, so many times, after so many calls that went well."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, call: str, number: int, name: str, *, times: float = math.inf, after: int = 0):
        self.call, self.number, self.name, self.times, self.after = call, number, name, times, after
        self.hits, self.on = 0, True
        self._genuine = getattr(os, call)
        monkeypatch.setattr(os, call, self)

    def __call__(self, *arguments: Any) -> Any:
        if self.on and self._concerns(arguments):
            if self.after:
                self.after -= 1
            elif self.hits < self.times:
                self.hits += 1
                raise OSError(self.number, os.strerror(self.number))
        return self._genuine(*arguments)

    def _concerns(self, arguments: tuple[Any, ...]) -> bool:
        if self.call == "replace":
            return Path(arguments[1]).name == self.name
        return f"/.{self.name}." in os.readlink(f"/proc/self/fd/{arguments[0]}")


#: Each call with each error, all of a full, over-committed or failing disk.
FAULTS = [(call, number) for call in ("write", "fsync", "replace") for number in (errno.ENOSPC, errno.EDQUOT, errno.EIO)]


def flipped(blob: bytes, bit: int) -> bytes:
    """A file with one bit the other way."""
    damaged = bytearray(blob)
    damaged[bit // 8] ^= 1 << bit % 8
    return bytes(damaged)


def bits_of(blob: bytes, count: int) -> list[int]:
    """Half of them in the header, half in what follows: tensors of model, average and optimiser, and the random state."""
    header, chance = 8 * (8 + int.from_bytes(blob[:8], "little")), random.Random(0)
    return [chance.randrange(header) if i % 2 else chance.randrange(header, 8 * len(blob)) for i in range(count)]

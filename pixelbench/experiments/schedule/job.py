"""One run under its lock: whoever gets the lock executes it, unless somebody else has meanwhile."""

import importlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pixelbench.errors import UserError
from pixelbench.experiments.run.failure import CANNOT_START, death, ended_record, is_out_of_memory, out_of_memory, raised
from pixelbench.experiments.schedule.memory_now import memory_now
from pixelbench.files.atomic import sweep_temporaries
from pixelbench.files.locks import RunLock
from pixelbench.files.writable import cannot_write
from pixelbench.store.artifacts import remove_others
from pixelbench.store.record import Request, RunError, Status
from pixelbench.store.record_file import state_of, write_record
from pixelbench.store.spec import RunSpec

Emit = Callable[[dict[str, Any]], object]

#: `module:function` that executes a run; loaded where it is needed, since it loads torch.
EXECUTOR = "pixelbench.experiments.run.execute:execute"
#: The same in the first of several processes that share the batches of a run.
LEADING_EXECUTOR = "pixelbench.experiments.run.ranks:lead"


@dataclass(frozen=True)
class Resources:
    """What a run is executed with, the same for all runs of a plan."""

    device: str
    threads: int
    max_seconds: float | None = None
    """Cap on its training."""
    micro_batch: int | None = None
    """Images of a batch that are trained on at once at most; None is all."""


@dataclass(frozen=True)
class Job:
    """A run to execute."""

    spec: RunSpec
    store: Path
    folder: Path
    resources: Resources
    seen: str | None
    """The digest of the record that the plan found in `folder`, if any."""
    request: Request
    """The command that asks for it, for the record."""
    most_weights: int
    """Bytes of weights that are kept beside the record at most."""

    def to_json(self) -> dict[str, Any]:
        """As it is sent to a worker."""
        plain = {"spec": self.spec.to_json(), "store": str(self.store), "folder": str(self.folder)}
        return {**vars(self), **plain, "request": vars(self.request), "resources": vars(self.resources)}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Job":
        """The inverse of `to_json`."""
        parts = {"spec": RunSpec.from_json(values["spec"]), "request": Request(**values["request"])}
        paths = {name: Path(values[name]) for name in ("store", "folder")}
        return cls(**{**values, **parts, **paths, "resources": Resources(**values["resources"])})


def perform(job: Job, executor: str, *, stop: Callable[[], bool | str], emit: Emit, begin: Callable[[], None] = lambda: None) -> None:
    """Execute the run and report it by events; never raises for a failing run.

    Events: `busy` (another process holds the lock), or `start`, what the executor emits, and `end` with `status` and `elsewhere` (another
    process executed it meanwhile), or `broken` with a `sentence`: the store cannot be written, so that no further run makes sense.

    Args:
        job: the run.
        executor: `module:function`, called like `execute`.
        stop: asked by the executor; once true, the run ends as interrupted. A text says by what, for the record.
        emit: takes the events.
        begin: called when it is certain that the run is executed here.
    """
    try:
        with RunLock(job.store, job.spec.key) as lock:
            if not lock.acquire():
                emit({"event": "busy"})
                return
            status = executed_elsewhere(job)
            if status is None:
                sweep_temporaries(job.folder)
                begin()
                emit({"event": "start"})
                emit({"event": "end", "status": _execute(job, executor, stop, emit), "elsewhere": False})
            else:
                emit({"event": "end", "status": status, "elsewhere": True})
    except UserError as error:
        emit({"event": "broken", "sentence": str(error)})
    except OSError as error:
        emit({"event": "broken", "sentence": cannot_write(job.store, error)})


def executed_elsewhere(job: Job) -> str | None:
    """The status of a record that appeared after planning; None where there is none, or it was only interrupted."""
    now, status = state_of(job.folder)
    return None if now == job.seen or status == "interrupted" else status


def write_failure(job: Job, error: RunError, seconds: float) -> None:
    """Write the failed record of a run; the caller holds its lock."""
    _write(job, "failed", error, seconds)


def write_death(job: Job, error: RunError, seconds: float, update: int) -> Status:
    """Write the record of a run whose process ended by nobody's fault; the caller holds its lock. Returns its status: interrupted, or
    failed where that happened too often.

    A finished run that was executed again keeps what it had. `update`: of the newest checkpoint that the process wrote, or 0.
    """
    status, error = death(job.folder, error, update)
    if status == "failed" or state_of(job.folder)[1] != "done":
        _write(job, status, error, seconds)
    return status


def _write(job: Job, status: Status, error: RunError, seconds: float) -> None:
    record = ended_record(
        job.spec, status, error, request=job.request, device=job.resources.device, threads=job.resources.threads, seconds=seconds
    )
    write_record(job.folder, record)
    remove_others(job.folder, record.artifacts)


def _execute(job: Job, executor: str, stop: Callable[[], bool | str], emit: Emit) -> str:
    began = time.monotonic()
    module, _, function = executor.partition(":")
    try:
        execute = getattr(importlib.import_module(module), function)
    except Exception as fault:  # a broken torch throws anything, OSError too
        return _failed(job, fault, began, CANNOT_START)
    try:
        given = {name: value for name, value in vars(job.resources).items() if name != "threads"}  # they are the process's
        kept = {"store": job.store, "request": job.request, "most_weights": job.most_weights}
        return execute(job.spec, job.folder, **given, **kept, stop=stop, emit=emit)
    except Exception as fault:
        if isinstance(fault, OSError) and not is_out_of_memory(fault):
            raise  # by its contract: the store cannot be written
        return _failed(job, fault, began)  # by its contract there is none; if there is, the other runs go on


def _failed(job: Job, fault: Exception, began: float, kind: str | None = None) -> str:
    """Write the record of what came out of the executor, or of loading it."""
    seconds = time.monotonic() - began
    if is_out_of_memory(fault):
        return write_death(job, out_of_memory(fault, memory_now()), seconds, 0)
    error = raised(fault)
    write_failure(job, error if kind is None else replace(error, type=kind), seconds)
    return "failed"

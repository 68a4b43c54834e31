"""One run under its lock: whoever gets the lock makes it, unless somebody else has meanwhile."""

import importlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixelbench.errors import UserError
from pixelbench.experiments.failure import failed_record, raised
from pixelbench.store.artifacts import remove_others
from pixelbench.store.atomic import sweep_temporaries
from pixelbench.store.locks import RunLock
from pixelbench.store.record import Request, RunError
from pixelbench.store.record_file import state_of, write_record
from pixelbench.store.spec import RunSpec

Emit = Callable[[dict[str, Any]], object]

#: `module:function` that makes a run; loaded where it is needed, since it loads torch.
EXECUTOR = "pixelbench.experiments.execute:execute"


@dataclass(frozen=True)
class Job:
    """A run to make."""

    spec: RunSpec
    store: Path
    folder: Path
    device: str
    threads: int
    max_seconds: float | None
    seen: str | None
    """The digest of the record that the plan found in `folder`, if any."""
    request: Request
    """The command that asks for it, for the record."""
    most_weights: int
    """Bytes of weights that are kept beside the record at most."""

    def to_json(self) -> dict[str, Any]:
        """As it is sent to a worker."""
        plain = {"spec": self.spec.to_json(), "store": str(self.store), "folder": str(self.folder), "request": vars(self.request)}
        return {**vars(self), **plain}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Job":
        """The inverse of `to_json`."""
        spec, request = RunSpec.from_json(values["spec"]), Request(**values["request"])
        return cls(**{**values, "spec": spec, "request": request, "store": Path(values["store"]), "folder": Path(values["folder"])})


def perform(job: Job, executor: str, *, stop: Callable[[], bool], emit: Emit, begin: Callable[[], None] = lambda: None) -> None:
    """Makes the run and tells of it by events; never raises for a failing run.

    Events: `busy` (another process holds the lock), or `start`, what the executor emits, and `end` with `status` and `elsewhere` (another
    process made it meanwhile), or `broken` with a `sentence`: the store cannot be written, so that no further run makes sense.

    Args:
        job: the run.
        executor: `module:function`, called like `execute`.
        stop: asked by the executor; once true, the run ends as interrupted.
        emit: takes the events.
        begin: called when it is certain that the run is made here.
    """
    try:
        with RunLock(job.store, job.spec.key) as lock:
            if not lock.acquire():
                emit({"event": "busy"})
                return
            status = made_elsewhere(job)
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
        emit({"event": "broken", "sentence": f"Cannot write in results folder '{job.store}': {error.strerror or error}."})


def made_elsewhere(job: Job) -> str | None:
    """The status of a record that appeared after the plan was made; None where there is none, or it was only interrupted."""
    now, status = state_of(job.folder)
    return None if now == job.seen or status == "interrupted" else status


def write_failure(job: Job, error: RunError, seconds: float) -> None:
    """Writes the failed record of a run; the caller holds its lock."""
    record = failed_record(job.spec, error, request=job.request, device=job.device, threads=job.threads, seconds=seconds)
    write_record(job.folder, record)
    remove_others(job.folder, record.artifacts)


def _execute(job: Job, executor: str, stop: Callable[[], bool], emit: Emit) -> str:
    began = time.monotonic()
    module, _, function = executor.partition(":")
    try:
        execute = getattr(importlib.import_module(module), function)
    except Exception as fault:  # a broken torch throws anything, OSError too
        write_failure(job, raised(fault), time.monotonic() - began)
        return "failed"
    try:
        given = {"device": job.device, "max_seconds": job.max_seconds, "request": job.request, "most_weights": job.most_weights}
        return execute(job.spec, job.folder, **given, store=job.store, stop=stop, emit=emit)
    except OSError:
        raise  # by its contract: the store cannot be written
    except Exception as fault:  # by its contract there is none; if there is, the other runs go on
        write_failure(job, raised(fault), time.monotonic() - began)
        return "failed"

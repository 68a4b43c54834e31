"""Ends of runs other than their own: what was wrong, whose fault it was, and what the record says of it."""

import errno
import mmap
import re
import signal
import traceback
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path, PurePosixPath

from pixelbench.experiments.provenance import collect_provenance
from pixelbench.experiments.run.attempts import Attempts
from pixelbench.experiments.run.checkpoints import BEFORE, NAME
from pixelbench.files.atomic import CannotWrite
from pixelbench.models.families import get_family
from pixelbench.store.record import Cost, Record, Request, RunError, Status, request_fields
from pixelbench.store.spec import RunSpec

DIED, HUNG, OUT_OF_MEMORY, CANNOT_START = "WorkerDied", "WorkerHung", "OutOfMemory", "CannotStart"
#: The ends of a failed run after which its checkpoint is as good as ever: neither network nor data nor recipe is at fault.
ENVIRONMENT_ERRORS = (DIED, HUNG, OUT_OF_MEMORY, CANNOT_START)
_LITTLE = 16 << 20
_NO_MEMORY = re.compile(r"out of memory|not enough memory|can't allocate memory|cannot allocate memory|bad_alloc", re.IGNORECASE)
_LOG_LINES = 20
_ABSOLUTE_PATH = re.compile(r"(?<![\w.:/)])/[^\s\"',:;()<>\[\]]+")


def ended_record(spec: RunSpec, status: Status, error: RunError, *, request: Request, device: str, threads: int, seconds: float) -> Record:
    """The record of a run whose executor could not write one: its worker died, or the executor itself is at fault."""
    precision = spec.recipe.get("precision", "fp32")
    made = collect_provenance(get_family(spec.family), device=device, precision=precision, threads=threads)
    return Record(**request_fields(spec), status=status, provenance=made, cost=Cost(seconds=seconds), request=request, error=error)


def died(exit_code: int, log: Iterable[str], memory: int = 0) -> RunError:
    """The error of a worker that ended in the middle of a run.

    Args:
        exit_code: negative where a signal ended it.
        log: what it printed.
        memory: bytes that it held when it last gave a sign of life; 0 where that is not known.
    """
    how = f"was ended by {signal.Signals(-exit_code).name}" if exit_code < 0 else f"ended with exit code {exit_code}"
    held = f"; it held {_gigabytes(memory)}" if memory else ""
    hint = f" (usually the system running out of memory{held}: use fewer --workers)" if exit_code == -signal.SIGKILL else ""
    return RunError(DIED, f"The worker {how}{hint}", last_lines(log))


def hung(seconds: float, log: Iterable[str]) -> RunError:
    """The error of a worker that gave no sign of life for so many seconds and was ended."""
    return RunError(HUNG, f"The worker gave no sign of life for {seconds:.0f} s and was ended", last_lines(log))


def out_of_memory(fault: BaseException, memory: int) -> RunError:
    """The error of a process that was given no more memory; `memory`: bytes that it held at most."""
    requested = without_paths(str(fault).strip().splitlines()[0])[:200] if str(fault).strip() else type(fault).__name__
    said = f"Out of memory: the process held {_gigabytes(memory)} and was given no more ({requested.rstrip('.')})"
    helps = "fewer --workers, a smaller batch or model, or a machine with more memory would help"
    return replace(raised(fault), type=OUT_OF_MEMORY, message=f"{said}; {helps}")


def is_out_of_memory(fault: BaseException) -> bool:
    """Whether memory is all that was missing, on the CPU or on a GPU."""
    if isinstance(fault, MemoryError) or type(fault).__name__ == "OutOfMemoryError":
        return True
    if isinstance(fault, OSError):
        return fault.errno == errno.ENOMEM
    return isinstance(fault, (RuntimeError, ImportError)) and (bool(_NO_MEMORY.search(str(fault))) or _is_short_of_memory())


def _is_short_of_memory() -> bool:
    """Whether not even a little memory is to be had: some libraries fail then with a message of something else (oneDNN's `could not create
    a primitive`)."""
    try:
        mmap.mmap(-1, _LITTLE).close()
    except OSError:
        return True
    return False


def is_storage(fault: BaseException) -> bool:
    """Whether the store, or a disk that is full, is at fault."""
    return isinstance(fault, CannotWrite) or (isinstance(fault, OSError) and fault.errno in (errno.ENOSPC, errno.EDQUOT))


def death(folder: Path, error: RunError, update: int) -> tuple[Status, RunError]:
    """Count an end that is nobody's fault; returns the run's status and its error with what to do next.

    Args:
        folder: the run's.
        error: what happened.
        update: of the newest checkpoint that the process wrote; 0 where it wrote none.

    Raises:
        CannotWrite: the count cannot be kept.
    """
    attempts = Attempts.of(folder).died(update)
    attempts.keep(folder)
    if not attempts.hopeless:
        return "interrupted", replace(error, message=f"{error.message}; {goes_on(folder)}.")
    stays = "goes on from the last checkpoint" if _has_checkpoint(folder) else "tries again"
    said = f"{error.message}, for the {attempts.deaths}. time without a new checkpoint; `--rerun failed` {stays}."
    return "failed", replace(error, message=said)


def goes_on(folder: Path) -> str:
    """The effect of the same command on an interrupted run, as the end of a sentence."""
    return f"the same command {'goes on from the last checkpoint' if _has_checkpoint(folder) else 'runs it again'}"


def raised(fault: BaseException) -> RunError:
    """The error of an exception that came out of the executor."""
    lines = "".join(traceback.format_exception(fault)).splitlines()
    return RunError(type(fault).__name__, without_paths(str(fault)), last_lines(lines))


def last_lines(log: Iterable[str]) -> tuple[str, ...]:
    """The last lines that are not empty, without the paths of this machine."""
    return tuple([without_paths(line.rstrip()) for line in log if line.strip()][-_LOG_LINES:])


def without_paths(text: str) -> str:
    """`/home/me/venv/lib/site-packages/torch/a.py` → `torch/a.py`: absolute paths keep what is not this machine's."""
    return _ABSOLUTE_PATH.sub(lambda found: _public(PurePosixPath(found.group())), text)


def _has_checkpoint(folder: Path) -> bool:
    return any((folder / "work" / name).exists() for name in (NAME, BEFORE))


def _gigabytes(count: int) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"


def _public(path: PurePosixPath) -> str:
    parts = path.parts
    for root, skip in (("site-packages", 1), ("pixelbench", 0)):
        if root in parts:
            return "/".join(parts[len(parts) - 1 - parts[::-1].index(root) + skip :]) or path.name
    return path.name

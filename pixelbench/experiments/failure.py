"""The record of a run whose executor could not write one: its worker died, or the executor itself is at fault."""

import re
import signal
import traceback
from collections.abc import Iterable
from pathlib import PurePosixPath

from pixelbench.experiments.provenance import provenance
from pixelbench.models.families import get_family
from pixelbench.store.record import Cost, Record, Request, RunError, asked_of
from pixelbench.store.spec import RunSpec

_LOG_LINES = 20
_ABSOLUTE_PATH = re.compile(r"(?<![\w.:/)])/[^\s\"',:;()<>\[\]]+")


def failed_record(spec: RunSpec, error: RunError, *, request: Request, device: str, threads: int, seconds: float) -> Record:
    """A record with status `failed`; `error` is what `died` or `raised` returns."""
    precision = spec.recipe.get("precision", "fp32")
    made = provenance(get_family(spec.family), device=device, precision=precision, threads=threads)
    return Record(**asked_of(spec), status="failed", provenance=made, cost=Cost(seconds=seconds), request=request, error=error)


def died(exit_code: int, log: Iterable[str]) -> RunError:
    """The error of a worker that ended in the middle of a run. A negative exit code is a signal's."""
    how = f"was ended by {signal.Signals(-exit_code).name}" if exit_code < 0 else f"ended with exit code {exit_code}"
    hint = " (SIGKILL is usually the system running out of memory: use fewer --workers)" if exit_code == -signal.SIGKILL else ""
    return RunError("WorkerDied", f"The worker {how}{hint}.", last_lines(log))


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


def _public(path: PurePosixPath) -> str:
    parts = path.parts
    for root, skip in (("site-packages", 1), ("pixelbench", 0)):
        if root in parts:
            return "/".join(parts[len(parts) - 1 - parts[::-1].index(root) + skip :]) or path.name
    return path.name

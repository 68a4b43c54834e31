"""The record of a run whose executor could not write one: its worker died, or the executor itself is at fault."""

import re
import signal
import traceback
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any

from pixelbench.experiments.provenance import provenance
from pixelbench.models.families import get_family
from pixelbench.store.record import UNCHECKED, spec_fields
from pixelbench.store.spec import RunSpec

_LOG_LINES = 20
_ABSOLUTE_PATH = re.compile(r"(?<![\w.:/)])/[^\s\"',:;()<>\[\]]+")


def failed_record(spec: RunSpec, error: dict[str, Any], *, device: str, threads: int, seconds: float) -> dict[str, Any]:
    """A record with status `failed`; `error` is what `died` or `raised` returns."""
    family, precision = get_family(spec.family), spec.recipe.get("precision", "fp32")
    cost = dict.fromkeys(("train_seconds", "evaluate_seconds", "peak_memory_bytes", "parameters", "updates", "images_seen"), 0)
    return {
        **spec_fields(spec),
        "status": "failed",
        "likelihood": None,
        "sequential": None,
        "latent": None,
        "causality": UNCHECKED,
        "samples": None,
        "diagnoses": [],
        "cost": {**cost, "seconds": seconds},
        "provenance": provenance(family, device=device, precision=precision, threads=threads),
        "error": error,
    }


def died(exit_code: int, log: Iterable[str]) -> dict[str, Any]:
    """The error of a worker that ended in the middle of a run. A negative exit code is a signal's."""
    how = f"was ended by {signal.Signals(-exit_code).name}" if exit_code < 0 else f"ended with exit code {exit_code}"
    hint = " (SIGKILL is usually the system running out of memory: use fewer --workers)" if exit_code == -signal.SIGKILL else ""
    return {"type": "WorkerDied", "message": f"The worker {how}{hint}.", "log": last_lines(log)}


def raised(fault: BaseException) -> dict[str, Any]:
    """The error of an exception that came out of the executor."""
    lines = "".join(traceback.format_exception(fault)).splitlines()
    return {"type": type(fault).__name__, "message": without_paths(str(fault)), "log": last_lines(lines)}


def last_lines(log: Iterable[str]) -> list[str]:
    """The last lines that are not empty, without the paths of this machine."""
    return [without_paths(line.rstrip()) for line in log if line.strip()][-_LOG_LINES:]


def without_paths(text: str) -> str:
    """`/home/me/venv/lib/site-packages/torch/a.py` → `torch/a.py`: absolute paths keep what is not this machine's."""
    return _ABSOLUTE_PATH.sub(lambda found: _public(PurePosixPath(found.group())), text)


def _public(path: PurePosixPath) -> str:
    parts = path.parts
    for root, skip in (("site-packages", 1), ("pixelbench", 0)):
        if root in parts:
            return "/".join(parts[len(parts) - 1 - parts[::-1].index(root) + skip :]) or path.name
    return path.name

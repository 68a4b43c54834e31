"""Where a run's numbers come from: commit, source, versions, device. No host names, no paths, no torch."""

import json
import os
import platform
import subprocess
import sys
from dataclasses import fields
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from pixelbench.experiments.code_digest import code_digest
from pixelbench.models.families import FAMILIES, Family
from pixelbench.store.record import Provenance, Stretch

#: The packages whose version can change a number.
_PACKAGES = ("pixelbench", "torch", "torchvision", "numpy", "scikit-learn", "scikit-image", "pillow")
_CHECKOUT = Path(__file__).resolve().parents[2]


def collect_provenance(
    family: Family, *, device: str, precision: str, threads: int, micro_batch: int | None = None, world_size: int | None = None
) -> Provenance:
    """The record's field of that name.

    Args:
        family: the code that decides its numbers is digested.
        device, precision: resolved, for example `cuda:1` and `bf16`.
        threads: torch's threads of this process.
        micro_batch: images of a batch that are trained on at once, where it is not all of them.
        world_size: processes that share a batch, where there are several.
    """
    commit, dirty = git_state()
    return Provenance(
        git_commit=commit,
        git_dirty=dirty,
        source_digest=code_digest(family.name),
        versions=versions() | dict(filter(None, [FAMILIES.distribution(family.name)])),
        device=device_title(device),
        threads=threads,
        precision=precision,
        micro_batch=micro_batch,
        world_size=world_size,
        deterministic=_is_deterministic(device),
        date=datetime.now(UTC).date().isoformat(),
    )


def made_by(provenance: Provenance) -> dict[str, Any]:
    """The machine and the code that train, for a checkpoint to keep."""
    own = {one.name for one in fields(Stretch)} & {one.name for one in fields(Provenance)}
    return {name: getattr(provenance, name) for name in sorted(own)} | {"torch": provenance.versions.get("torch")}


def stretch_of(kept: dict[str, Any]) -> Stretch:
    """A stretch as a checkpoint keeps it; of one that cannot be, only the update until which it went."""
    try:
        return TypeAdapter(Stretch).validate_json(json.dumps(kept))
    except ValidationError:
        return Stretch(kept["until"])


def device_title(device: str) -> str:
    """`cpu`, or `cuda (NVIDIA H100 80GB HBM3)`. A process that uses CUDA has loaded torch already."""
    torch = sys.modules.get("torch")
    if not device.startswith("cuda") or torch is None or not torch.cuda.is_available():
        return device
    return f"{device} ({torch.cuda.get_device_name(device)})"


@cache
def git_state() -> tuple[str | None, bool | None]:
    """Commit of the checkout that this package lies in and whether the package differs from it; (None, None) outside a checkout.

    Only the package counts: a store inside the checkout changes with every run.
    """
    if not (_CHECKOUT / ".git").exists():
        return None, None
    commit = _git("rev-parse", "HEAD")
    changes = _git("status", "--porcelain", "--", "pixelbench")
    return commit, None if changes is None else bool(changes)


@cache
def versions() -> dict[str, str]:
    """Package → version, and Python's own."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # a checkout that was never installed
            continue
    return found


def _git(*arguments: str) -> str | None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(["git", "-C", _CHECKOUT, *arguments], capture_output=True, text=True, timeout=20, env=environment, check=True)
    except (OSError, subprocess.SubprocessError):  # no git here, or a checkout of somebody else
        return None
    return done.stdout.strip()


def _is_deterministic(device: str) -> bool:
    torch = sys.modules.get("torch")
    return device == "cpu" or (torch is not None and torch.are_deterministic_algorithms_enabled())

"""The device that runs are executed on. torch is loaded only where there is a GPU to ask it about."""

import os
import re
from pathlib import Path

from pixelbench.errors import UserError, unknown


def resolve_device(requested: str) -> str:
    """`auto`, `cpu`, `cuda` or `cuda:N` → the device to use; `auto` takes CUDA where torch can use it.

    Raises:
        UserError: no such device, or not on this machine.
    """
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", requested):
        raise unknown("device", requested, ["auto", "cpu", "cuda", "cuda:0"])
    if requested == "cpu":
        return "cpu"
    count = count_cuda_devices()
    if requested == "auto":
        return "cuda" if count else "cpu"
    if not count:
        raise UserError(f"There is no CUDA device for '{requested}' that torch can use here; use --device cpu, or see `pixelbench doctor`.")
    if int(requested.partition(":")[2] or 0) >= count:
        raise UserError(f"There is no device '{requested}' here; the last one is 'cuda:{count - 1}'.")
    return requested


def count_cuda_devices() -> int:
    """How many CUDA devices torch can use; asks torch only where the driver's device files are."""
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1") or not has_nvidia_files():
        return 0
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def has_nvidia_files() -> bool:
    """Whether the NVIDIA driver shows a device (`/dev/dxg`: through Windows)."""
    return any(Path("/dev").glob("nvidia[0-9]*")) or Path("/dev/dxg").exists()


def available_cores() -> int:
    """Cores that this process may use: its affinity, and a container's share where that is smaller."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return cores if quota == "max" else max(1, min(cores, round(int(quota) / int(period))))
    except (OSError, ValueError):
        return cores


def allowed_threads() -> int | None:
    """How many threads `OMP_NUM_THREADS` allows a program; None where it says nothing."""
    said = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return int(said) or None if said.isdecimal() else None

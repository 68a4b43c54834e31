"""The device that runs are executed on. torch is loaded only where there is a GPU to ask it about."""

import os
import platform
import re
from pathlib import Path

from pixelbench.errors import UserError, unknown

#: By which a process is told how many threads its libraries may use.
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
#: By which Linux says that a CPU has bf16 arithmetic.
_BF16_FLAGS = frozenset({"avx512_bf16", "amx_bf16", "bf16"})


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


def processor_name() -> str | None:
    """The CPU's own name, such as `AMD EPYC 9654 96-Core Processor`; None where the system does not tell."""
    return _processor().get("model name") or platform.processor() or None


def has_bf16() -> bool:
    """Whether this CPU multiplies bf16 numbers itself (AVX512-BF16, AMX, or Arm's BF16), or the system does not tell.

    Elsewhere training in bf16 takes four to five times as long as in fp32.
    """
    flags = _processor().get("flags") or _processor().get("Features")
    return flags is None or not _BF16_FLAGS.isdisjoint(flags.split())


def _processor() -> dict[str, str]:
    """What Linux says of the first core; empty elsewhere."""
    try:
        first = Path("/proc/cpuinfo").read_text(errors="replace").strip().partition("\n\n")[0]
    except OSError:
        return {}
    return {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in first.splitlines())}


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

"""Peak memory of one run."""

import resource
import sys
from pathlib import Path

import torch


class PeakMemory:
    """The most memory held since it was made: the device's on CUDA, elsewhere the process's resident memory.

    A worker does many runs; Linux can forget the earlier peak, other systems report the process's highest so far.
    """

    def __init__(self, device: str):
        self.device = torch.device(device)
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
            return
        try:
            Path("/proc/self/clear_refs").write_text("5")
        except OSError:
            return

    def bytes(self) -> int:
        """Bytes at the peak."""
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.device)
        try:
            lines = Path("/proc/self/status").read_text().splitlines()
            return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
        except (OSError, StopIteration):
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            return peak if sys.platform == "darwin" else peak * 1024

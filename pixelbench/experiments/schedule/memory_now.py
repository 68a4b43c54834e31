"""Memory that this process holds now; no torch."""

import resource
import sys
from pathlib import Path


def memory_now() -> int:
    """Resident bytes; where the system does not tell, the most that there ever were."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))
    except (OSError, StopIteration, ValueError):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024

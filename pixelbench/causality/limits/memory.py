"""How much memory there is, and how many positions of a map fit into it."""

import os
from collections.abc import Iterator
from pathlib import Path

#: A pair of a map: its effect in float64, its three booleans, and what is made of them on the way to a report.
_PAIR_BYTES = 24
#: An offset of the map with its two colours: counts, coordinates, and the lists of what is missing.
_OFFSET_BYTES = 400
#: The rest is left to the module, to other processes, and to what the estimate does not know of.
_SHARE = 0.5
_LEAST = 16


def affordable_positions(shape: tuple[int, int, int]) -> int:
    """How many inputs a map of images (C, H, W) can have in the memory there is now; at least a few, whatever that is."""
    channels, height, width = shape
    offsets = channels**2 * (2 * height - 1) * (2 * width - 1)
    free = _SHARE * available_memory() - _OFFSET_BYTES * offsets
    return max(_LEAST, int(free / (_PAIR_BYTES * channels * height * width)))


def available_memory() -> int:
    """Bytes that this process can still take: of the machine, of its control group and of its own limits, whichever is least."""
    return max(0, min(_limits(), default=2**33))


def _limits() -> Iterator[int]:
    yield from _of_the_machine()
    yield from _of_the_group()
    yield from _of_the_process()


def _of_the_machine() -> Iterator[int]:
    available = _fields(Path("/proc/meminfo")).get("MemAvailable")
    if available is not None:
        yield available
    elif "SC_PHYS_PAGES" in os.sysconf_names:  # not Linux: half of what is built in
        yield os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2


def _of_the_group() -> Iterator[int]:
    """Control groups of version 2 and 1, as a container sees its own."""
    root = Path("/sys/fs/cgroup")
    for limit, used in (("memory.max", "memory.current"), ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes")):
        most, taken = _number(root / limit), _number(root / used)
        if most is not None and taken is not None:
            yield most - taken


def _of_the_process() -> Iterator[int]:
    import resource

    used = _fields(Path("/proc/self/status"))
    for limit, name in ((resource.RLIMIT_DATA, "VmData"), (resource.RLIMIT_AS, "VmSize")):
        soft, _ = resource.getrlimit(limit)
        if soft != resource.RLIM_INFINITY and name in used:
            yield soft - used[name]


def _fields(path: Path) -> dict[str, int]:
    """Lines such as `MemAvailable:  123 kB`, in bytes."""
    try:
        lines = [line.split() for line in path.read_text(encoding="ascii", errors="replace").splitlines()]
    except OSError:
        return {}
    return {line[0].rstrip(":"): int(line[1]) * 1024 for line in lines if len(line) == 3 and line[2] == "kB" and line[1].isdecimal()}


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):  # no such group, or no limit: `max`
        return None

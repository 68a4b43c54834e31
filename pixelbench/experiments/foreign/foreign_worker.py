"""The process in which somebody else's module is loaded and checked: a request on standard input, answers as JSON lines on a pipe.

Whatever the module does to this process, the parent learns it from the pipe or from how the process ends. Standard input is empty for the
module, and what it or its own processes print goes where this process's standard output and error go: to the parent, never to the user's.
"""

import contextlib
import ctypes
import faulthandler
import io
import json
import os
import re
import resource
import signal
import sys
import textwrap
import traceback

from pixelbench.errors import UserError
from pixelbench.experiments.foreign.checking import UNDELIVERED, Answer, CheckRequest, answers
from pixelbench.importing import split_target

#: How those say it who could not get memory: Python, numpy, torch on the CPU and on a GPU, C++.
_NO_MEMORY = re.compile(r"MemoryError|can(not|'t) allocate memory|unable to allocate|out of memory|bad_alloc", re.IGNORECASE)
_MESSAGE = 300


class _Pipe:
    """Where answers are written, by this process alone: not by one that the module forks off, and not into a file that took its number."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor, self._process = descriptor, os.getpid()
        self._identity = self._inode()
        os.set_inheritable(descriptor, False)
        os.register_at_fork(after_in_child=self._close)

    def write(self, answer: Answer) -> None:
        """One answer; ends the process where it cannot be delivered."""
        if os.getpid() != self._process:
            os._exit(0)
        data = json.dumps(answer).encode() + b"\n"
        try:
            while data:
                if self._inode() != self._identity:
                    os._exit(UNDELIVERED)
                data = data[os.write(self._descriptor, data) :]
        except OSError:  # the module closed it, or the parent is gone
            os._exit(UNDELIVERED)

    def _inode(self) -> tuple[int, int]:
        status = os.fstat(self._descriptor)
        return status.st_dev, status.st_ino

    def _close(self) -> None:
        with contextlib.suppress(OSError):
            os.close(self._descriptor)


def main(descriptor: int) -> None:
    """Answer the one request of standard input on `descriptor`.

    The last answer says how it went: `end`, `error` (a sentence) or `fault` (a traceback).
    """
    requested = json.load(sys.stdin)
    _take_input_away()
    _die_with_parent(requested["parent"])
    faulthandler.enable()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
    pipe, request = _Pipe(descriptor), CheckRequest.from_json(requested["request"])
    sys.argv = [split_target(request.target)[0] or request.target]
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    try:
        if request.memory is not None:
            _limit_memory(request.memory)
        for answer in answers(request, spent=requested["spent"]):
            pipe.write(answer)
        last: Answer = {"end": True}
    except BaseException as error:  # whatever a foreign module throws
        _allow_all_memory()
        last = _said(error, request)
    pipe.write(last)


def _take_input_away() -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)


def _die_with_parent(parent: int) -> None:
    """Ask Linux for SIGKILL at the parent's death, so that no module is left behind that nobody waits for."""
    set_death_signal = 1
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(set_death_signal, signal.SIGKILL)
        if os.getppid() != parent:  # gone before it was asked
            os._exit(0)


def _limit_memory(size: int) -> None:
    """From here on: what this process can write to, libraries apart. Torch and our own code are loaded first: the limit is the module's."""
    from pixelbench.causality import certificates, likelihood  # noqa: F401
    from pixelbench.experiments.foreign import targets  # noqa: F401

    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (size if hard == resource.RLIM_INFINITY else min(size, hard), hard))


def _allow_all_memory() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))


def _said(error: BaseException, request: CheckRequest) -> Answer:
    """The answer to an error: a sentence where the module, the user or memory is behind it, or else a traceback of ours."""
    from pixelbench.causality.module.origin import is_foreign, origin

    where = origin(error.__cause__ or error, installed=False)
    if _is_memory(error):
        return {"error": _no_memory(request, where)}
    if isinstance(error, UserError):
        return {"error": str(error) if where in str(error) else f"{error} Raised by{where.replace('(', '').replace(')', '')}."}
    if is_foreign(error):
        message = textwrap.shorten(str(error), _MESSAGE, placeholder=" …").rstrip(".") or "no message"
        return {"error": f"Checking '{request.target}' raised {type(error).__name__}{origin(error)}: {message}."}
    return {"fault": "".join(traceback.format_exception(error))}


def _is_memory(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, MemoryError) or _NO_MEMORY.search(str(error)):
            return True
        error = error.__cause__ or error.__context__
    return False


def _no_memory(request: CheckRequest, where: str) -> str:
    if request.memory is None:
        return f"Memory ran out while '{request.target}' was checked{where}: check it on a smaller --shape."
    size = _size_name(request.memory)
    return f"'{request.target}' needs more than the {size} of --memory{where}: allow it more, or check it on a smaller --shape."


def _size_name(size: int) -> str:
    """`4 GiB`, `1.5 GiB`, `300 MiB`."""
    power = 3 if size >= 2**30 else 2
    return f"{round(size / 2 ** (10 * power), 2):g} {'GiB' if power == 3 else 'MiB'}"

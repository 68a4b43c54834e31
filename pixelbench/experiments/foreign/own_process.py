"""Checks somebody else's module in a process of its own, and ends that process in time, whatever the module does. No torch here."""

import contextlib
import json
import math
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from pixelbench.errors import UserError
from pixelbench.experiments.foreign.checking import UNDELIVERED, Answer, CheckRequest

#: Seconds beyond those asked for after which the process is ended: the check itself ends in time, a module that hangs does not.
GRACE = 5.0
#: Seconds for the process to end by itself once it has answered, or no longer can.
_ORDERLY = 1.0
#: Longest time between two looks at whether the process still runs: what it started may hold its pipes open.
_LOOK = 0.2
#: Bytes of what the module printed that are kept.
_KEPT = 2**14
_CHUNK = 2**16
_START = "import sys; sys.path[:] = sys.argv[2:]; from pixelbench.experiments.foreign.foreign_worker import main; main(int(sys.argv[1]))"


class OwnFaultError(Exception):
    """Our own code failed in the module's process; the message is the traceback."""


def answers_from_own_process(
    request: CheckRequest, *, spent: float = 0.0, folder: Path | None = None, stopped: Callable[[], bool] = lambda: False
) -> Iterator[Answer]:
    """The answers of `checking.answers`, from a process in which the module can neither end, hang nor print for this one.

    Once it cannot be checked, a last answer `printed` holds the end of what the module printed, if anything.

    Args:
        spent: seconds of the time asked for that are gone.
        folder: the current folder of that process; this one's by default.
        stopped: asked several times a second; once it is true nobody waits for an answer, and the process is ended.

    Raises:
        UserError: it cannot be checked, it ended its process, or it did not end within the time asked for and `GRACE`.
        OwnFaultError: the fault is ours.
    """
    limited = request.seconds is not None and request.seconds > 0
    ends = time.monotonic() - spent + (request.seconds + GRACE if limited and request.seconds is not None else math.inf)
    child = _Child(request, spent, folder)
    doing = "it was loaded"
    try:
        with _signals_raise():
            child.start()
            for answer in child.answers(ends, stopped):
                if "end" in answer:
                    child.wait(_ORDERLY)
                    return
                if "error" in answer:
                    raise UserError(answer["error"])
                if "fault" in answer:
                    raise OwnFaultError(answer["fault"])
                doing = "it was checked" if "doing" in answer else doing
                yield answer
            raise UserError(child.end_in_words(ends, doing))
    except (UserError, OwnFaultError):
        child.end()
        if child.printed:
            yield {"printed": child.printed.decode(errors="replace")}
        raise
    finally:
        child.end()


class _Child:
    """The process, the pipe of its answers, and the pipe of all that is printed in it."""

    def __init__(self, request: CheckRequest, spent: float, folder: Path | None) -> None:
        self._request, self._spent, self._folder = request, spent, folder
        self.printed = b""
        self._process: subprocess.Popen[bytes] | None = None
        self._ended: int | None = None
        self._selector = selectors.DefaultSelector()

    def start(self) -> None:
        """In a session of its own: Ctrl-C reaches this process alone, and all that the module starts can be ended together."""
        (answers, to_answers), (output, to_output) = os.pipe(), os.pipe()
        command = [sys.executable, "-P", "-c", _START, str(to_answers), *map(os.path.abspath, sys.path)]
        requested = {"request": self._request.to_json(), "spent": self._spent, "parent": os.getpid()}
        try:
            self._process = subprocess.Popen(
                command,
                cwd=self._folder,
                stdin=subprocess.PIPE,
                stdout=to_output,
                stderr=to_output,
                pass_fds=[to_answers],
                start_new_session=True,
            )
        finally:
            os.close(to_answers)
            os.close(to_output)
            for descriptor in (answers, output):
                os.set_blocking(descriptor, False)
                self._selector.register(descriptor, selectors.EVENT_READ, "answers" if descriptor == answers else "output")
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError), self._process.stdin as stdin:
            stdin.write(json.dumps(requested).encode())

    def answers(self, ends: float, stopped: Callable[[], bool]) -> Iterator[Answer]:
        """Each as it arrives, until the process ends, closes the pipe, the time `ends`, or it is stopped."""
        pending, is_open = b"", True
        while is_open:
            left = ends - time.monotonic()
            if left <= 0 or stopped():
                return
            is_open = not self.has_ended()
            for name, data in self._arrived(min(left, _LOOK) if is_open else 0):
                if name == "output":
                    self.printed = (self.printed + data)[-_KEPT:]
                    continue
                is_open = is_open and bool(data)
                *lines, pending = (pending + data).split(b"\n")
                yield from map(json.loads, lines)
        self.wait(_ORDERLY)

    def _arrived(self, wait: float) -> Iterator[tuple[str, bytes]]:
        """The bytes that can be read now; an empty text is the end of a pipe, which is then left out."""
        for key, _ in self._selector.select(wait):
            data = os.read(key.fd, _CHUNK)
            if not data:
                self._close(key.fd)
            yield key.data, data

    def has_ended(self) -> bool:
        """The process is not yet removed: its number, by which all that it started is ended, cannot be another's."""
        assert self._process is not None
        if self._ended is None:
            self._ended = _status(self._process.pid)
        return self._ended is not None

    def wait(self, seconds: float) -> None:
        """For the process to end, at most so long."""
        until = time.monotonic() + seconds
        while not self.has_ended() and time.monotonic() < until:
            time.sleep(0.005)

    def end(self) -> None:
        """End the process and all that it has started, and read what it printed last."""
        if self._process is None or self._process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()  # it may have left its group
        self._process.wait()
        self.printed = (self.printed + b"".join(data for name, data in self._arrived(0) if name == "output"))[-_KEPT:]
        for key in list(self._selector.get_map().values()):
            self._close(key.fd)
        self._selector.close()

    def end_in_words(self, ends: float, doing: str) -> str:
        """Why there is no verdict."""
        name = f"'{self._request.target}'"
        if self._ended is None and time.monotonic() >= ends:
            requested = f"the {self._request.seconds:g} s of --seconds"
            return f"{name} did not end within {requested} and {GRACE:g} s more, and was ended while {doing}: no verdict."
        if self._ended in (None, UNDELIVERED):
            return f"{name} closed the descriptors of the process that it runs in, so that no verdict can arrive."
        if self._ended < 0:
            return f"{name} had its process ended by {_signal_name(-self._ended)} while {doing}: no verdict.{self._advice()}"
        how = f"ended its process (exit code {self._ended}) while {doing}"
        return f"{name} {how}, without a verdict: take out what ends the program, such as sys.exit or os._exit."

    def _advice(self) -> str:
        if b"bad_alloc" in self.printed or self._ended == -signal.SIGKILL:
            return " That is how a lack of memory looks: try a smaller --shape, or more memory."
        return ""

    def _close(self, descriptor: int) -> None:
        self._selector.unregister(descriptor)
        os.close(descriptor)


def _status(process: int) -> int | None:
    """Exit code, or minus the number of the signal; None while it runs. Leaves the process to be waited for."""
    found = os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    if found is None:
        return None
    return found.si_status if found.si_code == os.CLD_EXITED else -found.si_status


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


@contextlib.contextmanager
def _signals_raise() -> Iterator[None]:
    """SIGTERM and SIGHUP end this process by an exception, so that the module's ends before it; what others set for them stays."""
    before: dict[signal.Signals, Any] = {}
    with contextlib.suppress(ValueError):  # not the main thread
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is signal.SIG_DFL:
                before[number] = signal.signal(number, _exit)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _exit(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)

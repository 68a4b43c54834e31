"""The process that executes runs: JSON lines in (jobs, stop, save), JSON lines out (events); it ends with its parent, however that ends.

Beside the run's events it says `{"event": "alive", "longest", "memory"}` now and then: the longest time between two beats of the run's
own loop, in seconds, and the bytes that it holds. That comes from the loop itself: a thread would still talk when the loop hangs.
"""

import contextlib
import ctypes
import faulthandler
import json
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from pixelbench import pulse
from pixelbench.experiments.schedule.job import Job, perform
from pixelbench.experiments.schedule.memory_now import memory_now
from pixelbench.experiments.schedule.pool import SIGNALS

#: Between two signs of life.
_ALIVE_SECONDS = 1.0


def main(executor: str) -> None:
    """Serve jobs until standard input ends."""
    commands, answers = _take_protocol()
    stop = _Stop()
    _take_signals(stop)
    _die_with_parent()
    faulthandler.enable()
    jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(commands, jobs, stop), daemon=True).start()

    def emit(event: dict[str, Any]) -> None:
        try:
            answers.write(json.dumps(event) + "\n")
            answers.flush()
        except BrokenPipeError:
            os._exit(0)

    while True:
        job = jobs.get()
        pulse.listen(_Heart(emit).beat)
        perform(job, executor, stop=stop, emit=emit, begin=lambda job=job: _log_to(job.folder / "work" / "log"))
        with contextlib.suppress(OSError):  # the log's disk is full
            sys.stdout.flush()
            sys.stderr.flush()


class _Stop:
    """Whether the run is to end, and by what where somebody said so; the first reason stays."""

    def __init__(self) -> None:
        self.reason: bool | str = False

    def __call__(self) -> bool | str:
        return self.reason

    def set(self, reason: bool | str) -> None:
        self.reason = self.reason or reason


class _Heart:
    """Tells the parent that the run's loop goes on."""

    def __init__(self, emit: Callable[[dict[str, Any]], None]) -> None:
        self._emit = emit
        self._told = self._last = time.monotonic()
        self._longest = 0.0

    def beat(self) -> None:
        now = time.monotonic()
        self._longest, self._last = max(self._longest, now - self._last), now
        if now - self._told >= _ALIVE_SECONDS:
            self._told = now
            self._emit({"event": "alive", "longest": self._longest, "memory": memory_now()})


def _take_signals(stop: _Stop) -> None:
    """Ctrl-C reaches the whole group, and the parent decides; what is sent to this process ends its run in good order."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # as it is under nohup
            signal.signal(number, lambda number, frame: stop.set(signal.Signals(number).name))
    signal.signal(signal.SIGUSR1, lambda number, frame: pulse.ask_for_checkpoint())
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)  # the parent blocks them until here


def _take_protocol() -> tuple[TextIO, TextIO]:
    """Move the protocol off descriptors 0 and 1: a library may read the one, and C code may print to the other."""
    commands, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return commands, answers


def _log_to(path: Path) -> None:
    """From here on whatever is printed, by Python or below it, goes to the run's log."""
    path.parent.mkdir(parents=True, exist_ok=True)
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o666)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)


def _listen(commands: TextIO, jobs: "queue.SimpleQueue[Job]", stop: _Stop) -> None:
    """Read to the end of input, which is also what a parent's death looks like."""
    for line in commands:
        command = json.loads(line)
        if "stop" in command:
            stop.set(command["stop"])
        elif "save" in command:
            pulse.ask_for_checkpoint()
        else:
            jobs.put(Job.from_json(command))
    os._exit(0)


def _die_with_parent() -> None:
    """Ask Linux for SIGKILL at the parent's death: end of input alone would wait for C code that holds Python's lock."""
    set_death_signal = 1
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(set_death_signal, signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1])

"""The process that makes runs: JSON lines in (jobs, stop), JSON lines out (events); it ends when its parent does, however that ends."""

import contextlib
import ctypes
import faulthandler
import json
import os
import queue
import signal
import sys
import threading
from pathlib import Path
from typing import Any, TextIO

from pixelbench.experiments.job import Job, perform


def main(executor: str) -> None:
    """Serves jobs until standard input ends."""
    commands, answers = _take_protocol()
    stop = threading.Event()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT, signal.SIGTERM))  # the parent blocks them until here
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
        perform(job, executor, stop=stop.is_set, emit=emit, begin=lambda job=job: _log_to(job.folder / "work" / "log"))
        sys.stdout.flush()
        sys.stderr.flush()


def _take_protocol() -> tuple[TextIO, TextIO]:
    """Moves the protocol off descriptors 0 and 1: a library may read the one, and C code may print to the other."""
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


def _listen(commands: TextIO, jobs: "queue.SimpleQueue[Job]", stop: threading.Event) -> None:
    """Reads to the end of input, which is also what a parent's death looks like."""
    for line in commands:
        command = json.loads(line)
        if "stop" in command:
            stop.set()
        else:
            jobs.put(Job.from_json(command))
    os._exit(0)


def _die_with_parent() -> None:
    """Asks Linux for SIGKILL at the parent's death: end of input alone would wait for C code that holds Python's lock."""
    set_death_signal = 1
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(set_death_signal, signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1])

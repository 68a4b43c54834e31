"""The parent's end of a worker process."""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from typing import IO, Any

from pixelbench.experiments.devices import THREAD_VARIABLES
from pixelbench.experiments.schedule.job import Job

#: A worker and its event, None when its output has ended, so its life; or (None, None): a signal has come.
Inbox = queue.SimpleQueue[tuple["WorkerProcess | None", dict[str, Any] | None]]

#: What a worker has a handler for; blocked until it has.
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)


class WorkerProcess:
    """A running `pixelbench.experiments.schedule.worker`. What it says goes to the inbox, from a thread of its own."""

    def __init__(self, executor: str, threads: int, inbox: Inbox) -> None:
        self._early_output = tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as the worker)
        self.early_log = ""  # filled by `end`
        self._process = _spawn(executor, threads, self._early_output)
        self._reader = threading.Thread(target=self._read, args=(inbox,), daemon=True)
        self._reader.start()

    def send(self, job: Job) -> None:
        """Give it a run to execute."""
        self._write(job.to_json())

    def stop(self, reason: bool | str) -> None:
        """Ask it to end its run as interrupted; a text says by what, for the record."""
        self._write({"stop": reason})

    def save(self) -> None:
        """Ask it to store a checkpoint and to go on."""
        self._write({"save": True})

    @property
    def number(self) -> int:
        """Its process."""
        return self._process.pid

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()

    def is_alive(self) -> bool:
        """Whether it can be given a run."""
        return self._process.poll() is None

    def end(self) -> int:
        """Wait a moment for it to end of itself, end it otherwise; returns its exit code.

        Afterwards `early_log` holds what it printed before its first run, for example why it could not start.
        """
        with contextlib.suppress(OSError):
            self._input.close()
        try:
            exit_code = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            exit_code = self._process.wait()
        self._reader.join()
        self._early_output.seek(0)
        self.early_log = self._early_output.read().decode(errors="replace")
        self._early_output.close()
        return exit_code

    @property
    def _input(self) -> IO[str]:
        assert self._process.stdin is not None
        return self._process.stdin

    def _write(self, command: dict[str, Any]) -> None:
        with contextlib.suppress(BrokenPipeError):  # it is dead: the inbox is told by the end of its output
            self._input.write(json.dumps(command) + "\n")
            self._input.flush()

    def _read(self, inbox: Inbox) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as output:
            for line in output:
                if line.endswith("\n"):  # a killed worker may leave half a line
                    inbox.put((self, json.loads(line)))
        inbox.put((self, None))


def _spawn(executor: str, threads: int, early_log: IO[bytes]) -> "subprocess.Popen[str]":
    """Start a worker that sees the same modules as this process, with signals blocked until it has said what it wants to do with them."""
    environment = {
        **os.environ,
        **dict.fromkeys(THREAD_VARIABLES, str(threads)),
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "PYTHONUNBUFFERED": "1",
    }
    command = [sys.executable, "-P", "-m", "pixelbench.experiments.schedule.worker", executor]
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=early_log, text=True, env=environment)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

"""The end of a command before its runs are done: by which signals, since when, and why."""

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator

from pixelbench.experiments.signals import handling

#: For a run to end in good order after the first signal; a worker that hangs must not hold the command for longer than 15 s in all.
GRACE_SECONDS = 12.0
#: A batch job's time is nearly up: an end as any other, but a run that never gets further in that time is not tried for ever.
TIME_IS_UP = signal.SIGUSR2
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, TIME_IS_UP)


class Ending:
    """Whether a command ends its runs; it begins with a signal, or with a reason of the command's own."""

    def __init__(self) -> None:
        self.signals: list[int] = []
        """All that have come, but for requests of checkpoints."""
        self._since: float | None = None

    @property
    def begun(self) -> bool:
        """The runs are being ended."""
        return self._since is not None

    def begin(self) -> bool:
        """Begin; False where it has begun already."""
        if self.begun:
            return False
        self._since = time.monotonic()
        return True

    @property
    def reason(self) -> bool | str:
        """Why runs are stopped, as far as it is no fault of theirs and a record should say it; else True."""
        if not self.signals:
            return True
        return "the time limit of its job" if self.signals[0] == TIME_IS_UP else signal.Signals(self.signals[0]).name

    @property
    def time_is_up(self) -> bool:
        """One of the signals says that the job's time is up."""
        return TIME_IS_UP in self.signals

    @property
    def overdue(self) -> bool:
        """Whoever has not ended yet is not waited for any longer: a second signal has come, or the time for a good order is over."""
        return self._since is not None and (len(self.signals) > 1 or time.monotonic() - self._since > GRACE_SECONDS)


@contextlib.contextmanager
def heeding_signals(take: Callable[[int], None]) -> Iterator[None]:
    """Within, `take` gets Ctrl-C, SIGTERM, SIGHUP and SIGUSR2, which end the runs in good order, and SIGUSR1, which only stores their
    checkpoints (a warning of batch systems).

    Only the main thread of a process may listen to them. Under nohup SIGHUP is ignored, and stays so.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, frame: object) -> None:
        take(number)

    with handling(_SIGNALS, handle):
        yield

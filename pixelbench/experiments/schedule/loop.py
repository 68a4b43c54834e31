"""The loop that executes a plan: cells to idle workers, what they say, and dead workers."""

import queue
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixelbench import pulse
from pixelbench.errors import UserError
from pixelbench.experiments.plan import Plan, PlannedRun
from pixelbench.experiments.run.failure import died, hung, last_lines
from pixelbench.experiments.run.outcome import Outcome
from pixelbench.experiments.schedule.ending import Ending
from pixelbench.experiments.schedule.job import Job, Resources, executed_elsewhere, perform, write_death
from pixelbench.experiments.schedule.liveness import WakingTime, allowed_silence
from pixelbench.experiments.schedule.pool import Inbox, WorkerProcess
from pixelbench.files.locks import RunLock
from pixelbench.files.writable import cannot_write
from pixelbench.store.record import RunError
from pixelbench.store.record_file import RecordError, read_record

OnEvent = Callable[[dict[str, Any]], None]

POLL_SECONDS = 0.5


@dataclass
class _Turn:
    """The present work of a worker."""

    cell: PlannedRun
    began: float
    heard: float
    """Waking time at its last sign of life."""
    started: bool = False
    """It holds the run's lock and writes its log."""
    saved: int = 0
    """The update of the newest checkpoint that it wrote."""
    longest: float = 0.0
    """Seconds of its longest update."""
    memory: int = 0
    """Bytes that it held last."""
    silent: float | None = None
    """Seconds without a sign of life, after which it was ended."""


class Scheduler:
    """The loop: hands cells to idle workers, listens to what they say, and takes back what they cannot finish."""

    def __init__(
        self,
        plan: Plan,
        resources: Resources,
        *,
        fail_fast: bool,
        on_event: OnEvent,
        executor: str,
        patience: float | None = None,
    ) -> None:
        """`patience`: seconds of nothing to do but wait for other processes, after which their runs are left to them."""
        self._patience, self._last_work = patience, time.monotonic()
        self._left: list[PlannedRun] = []
        self._plan, self._resources = plan, resources
        self._fail_fast, self._on_event, self._executor = fail_fast, on_event, executor
        self._pending = sorted(plan.to_run, key=longest_first)
        self._parked: list[PlannedRun] = []
        self._next_look = 0.0
        self._ended: list[tuple[PlannedRun, str, bool]] = []
        self._trouble: str | None = None
        self._inbox: Inbox = queue.SimpleQueue()
        self._working: dict[WorkerProcess, _Turn] = {}
        self._idle: list[WorkerProcess] = []
        self._ending = Ending()
        self._executing_here = False
        self._awake = WakingTime()
        self._resumed: set[str] = set()  # keys of runs that hung once
        self._save_wanted = False

    def run(self, workers: int) -> Outcome:
        """Execute what is due with so many worker processes; 0 works in this one.

        Raises:
            UserError: the store cannot be written any more.
        """
        try:
            while self._is_work_left():
                if not self._ending.begun:
                    self._hand_out(workers)
                self._listen()
                self._heed_signals()
        except OSError as error:
            self._trouble = cannot_write(self._plan.store, error)
        finally:
            self._end_workers()
        if self._trouble:
            raise UserError(f"{self._trouble} What was finished before is kept; the same command goes on from there.")
        return self._outcome()

    def take_signal(self, number: int) -> None:
        """Called in the middle of anything, so it only takes a note and wakes the loop."""
        if number == signal.SIGUSR1:
            self._save_wanted = True
            if self._executing_here:
                pulse.ask_for_checkpoint()
        else:
            self._ending.signals.append(number)
        self._inbox.put((None, None))
        if self._executing_here and len(self._ending.signals) > 1:
            raise KeyboardInterrupt

    def _is_work_left(self) -> bool:
        if self._working or self._ending.begun:
            return bool(self._working)
        return bool(self._pending) or (bool(self._parked) and not self._has_waited_enough())

    def _has_waited_enough(self) -> bool:
        """All that is left is executed by other processes, and that for as long as this one is to wait."""
        if self._patience is None or time.monotonic() - self._last_work <= self._patience:
            return False
        self._left, self._parked = self._parked, []
        return True

    def _hand_out(self, workers: int) -> None:
        if self._parked and len(self._working) < max(1, workers) and time.monotonic() >= self._next_look:
            self._look_after_parked()
            self._next_look = time.monotonic() + POLL_SECONDS
        while self._pending and len(self._working) < max(1, workers) and not self._ending.begun:
            cell = self._pending.pop(0)
            if workers == 0:
                self._execute_here(cell)
                self._heed_signals()
                continue
            worker = self._living_worker()
            self._working[worker] = _Turn(cell, time.monotonic(), self._awake.now())
            worker.send(self._job(cell))

    def _living_worker(self) -> WorkerProcess:
        while self._idle:
            worker = self._idle.pop()
            if worker.is_alive():
                return worker
            worker.end()
        return WorkerProcess(self._executor, self._resources.threads, self._inbox)

    def _execute_here(self, cell: PlannedRun) -> None:
        """`--workers 0`: the run is executed in this process, the events come straight."""
        self._executing_here = True
        try:
            perform(
                self._job(cell),
                self._executor,
                stop=lambda: self._ending.reason if self._ending.signals else self._ending.begun,
                emit=lambda event: self._take(cell, event),
            )
        except KeyboardInterrupt:  # the second Ctrl-C
            self._end_cell(cell, "interrupted", elsewhere=False)
        finally:
            self._executing_here = False

    def _listen(self) -> None:
        try:
            worker, event = self._inbox.get(timeout=POLL_SECONDS)
        except queue.Empty:  # nobody has anything to say, so that who is silent is silent
            self._end_silent()
            return
        if worker is None:
            return  # a signal
        if event is None:
            self._on_worker_death(worker)
            return
        turn = self._working[worker]
        turn.heard = self._awake.now()
        if event["event"] == "alive":
            turn.longest, turn.memory = event["longest"], event["memory"]
        elif event["event"] == "saved":
            turn.saved = event["update"]
        else:
            turn.started |= event["event"] == "start"
            if self._take(turn.cell, event):
                del self._working[worker]
                if event.get("status") == "interrupted":
                    worker.end()  # by a signal, which would interrupt every further run as well, or short of memory
                else:
                    self._idle.append(worker)

    def _end_silent(self) -> None:
        """End the workers that give no sign of life any more."""
        now = self._awake.now()
        for worker, turn in self._working.items():
            silent = now - turn.heard
            if turn.silent is None and not self._ending.begun and silent > allowed_silence(turn.longest):
                said = f"hangs: its worker (process {worker.number}) gave no sign of life for {silent:.0f} s, so that it is ended"
                self._tell(turn.cell, {"event": "note", "text": said})
                turn.silent = silent
                worker.kill()

    def _take(self, cell: PlannedRun, event: dict[str, Any]) -> bool:
        """Whether the event ends the worker's turn with the cell."""
        kind = event["event"]
        if kind == "busy":
            self._parked.append(cell)
            self._tell(cell, {"event": "waiting"})
        elif kind == "broken":
            self._trouble = self._trouble or event["sentence"]
            self._end_cell(cell, "interrupted", elsewhere=False)
            self._stop_all()
        elif kind == "end":
            self._end_cell(cell, event["status"], elsewhere=event["elsewhere"])
        elif kind != "saved":
            self._tell(cell, event)
        return kind in ("busy", "broken", "end")

    def _on_worker_death(self, worker: WorkerProcess) -> None:
        """A worker is dead. Its run is interrupted, unless we killed it, or another process has taken the run up already."""
        turn = self._working.pop(worker, None)
        if turn is None:
            return  # it was idle, and will not be chosen again
        exit_code, cell, job = worker.end(), turn.cell, self._job(turn.cell)
        if self._ending.begun and not self._ending.time_is_up:
            self._end_cell(cell, "interrupted", elsewhere=False)
            return
        if turn.silent is not None and cell.spec.key not in self._resumed:
            self._resumed.add(cell.spec.key)
            self._pending.insert(0, cell)
            return
        with RunLock(job.store, job.spec.key) as lock:
            if not lock.acquire() or executed_elsewhere(job):
                self._parked.append(cell)
                return
            log = ((job.folder / "work" / "log").read_text(errors="replace") if turn.started else worker.early_log).splitlines()
            status = write_death(job, self._error(turn, exit_code, log), time.monotonic() - turn.began, turn.saved)
        self._end_cell(cell, status, elsewhere=False)

    def _error(self, turn: _Turn, exit_code: int, log: list[str]) -> RunError:
        """Of a run whose worker is dead: by itself, or because it hung, or did not come to an end in a job's time."""
        if self._ending.begun:
            return RunError("Stopped", f"Stopped by {self._ending.reason} in the middle of a stage", last_lines(log))
        return died(exit_code, log, turn.memory) if turn.silent is None else hung(turn.silent, log)

    def _look_after_parked(self) -> None:
        """Take up runs that another process was executing: it has finished them, or it has ended without."""
        for cell in list(self._parked):
            job = self._job(cell)
            with RunLock(job.store, job.spec.key) as lock:
                if lock.acquire():
                    self._parked.remove(cell)
                    status = executed_elsewhere(job)
                    if status is None:
                        self._pending.append(cell)
                    else:
                        self._end_cell(cell, status, elsewhere=True)

    def _end_cell(self, cell: PlannedRun, status: str, *, elsewhere: bool) -> None:
        self._last_work = time.monotonic()
        self._ended.append((cell, status, elsewhere))
        self._tell(cell, {"event": "end", "status": status, "elsewhere": elsewhere, **_summary(cell.folder)})
        if self._fail_fast and status in ("failed", "diverged"):
            self._stop_all()

    def _heed_signals(self) -> None:
        if self._save_wanted:
            self._save_wanted = False
            for worker in self._working:
                worker.save()
        if self._ending.signals:
            self._stop_all()
        if self._ending.overdue:
            for worker in self._working:
                worker.kill()

    def _stop_all(self) -> None:
        if self._ending.begin():
            for worker in self._working:
                worker.stop(self._ending.reason)

    def _end_workers(self) -> None:
        for worker in self._working:  # only after an exception in this process
            worker.kill()
        for worker in (*self._working, *self._idle):
            worker.end()

    def _tell(self, cell: PlannedRun, event: dict[str, Any]) -> None:
        self._on_event({**event, "run": cell.spec.label, "key": cell.spec.key})

    def _job(self, cell: PlannedRun) -> Job:
        return Job(cell.spec, self._plan.store, cell.folder, self._resources, cell.seen, cell.request, cell.most_weights)

    def _outcome(self) -> Outcome:
        def those(*statuses: str) -> tuple[PlannedRun, ...]:
            return tuple(cell for cell, status, _ in self._ended if status in statuses)

        return Outcome(
            done=those("done"),
            failed=those("failed", "diverged"),
            timed_out=those("timeout"),
            interrupted=those("interrupted"),
            elsewhere=tuple(cell for cell, _, elsewhere in self._ended if elsewhere),
            remaining=(*self._pending, *self._parked),
            left_to_others=tuple(self._left),
            signal=self._ending.signals[0] if self._ending.signals else None,
        )


def longest_first(cell: PlannedRun) -> tuple[float, int]:
    """The order of execution: what took long goes first, and before it what is not known yet: networks by the sub-pixels they will see."""
    unknown = float("inf") if cell.work else 0.0
    return -(unknown if cell.seconds is None else cell.seconds), -cell.work


def _summary(folder: Path) -> dict[str, Any]:
    try:
        record = read_record(folder)
    except (FileNotFoundError, RecordError):
        return dict.fromkeys(("bits_per_dim", "estimator", "causal", "seconds", "error"))
    return {
        "bits_per_dim": record.likelihood.bits_per_dim if record.likelihood else None,
        "estimator": record.likelihood.estimator if record.likelihood else None,
        "causal": record.causality.status,
        "seconds": record.cost.seconds,
        "error": record.error.message if record.error else None,
    }

"""How long a command waits for others, and the signal that a job's time is nearly up."""

import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from pixelbench.experiments.run.attempts import MOST_DEATHS
from pixelbench.experiments.run.outcome import Outcome
from pixelbench.experiments.schedule import ending
from pixelbench.experiments.schedule.scheduler import run_plan
from pixelbench.files.locks import RunLock
from pixelbench.store.record import RunError
from pixelbench.store.record_file import read_record
from tests.support.fake_executor import NAME
from tests.support.suite_file import tiny_plan


@pytest.mark.parametrize("workers", [0, 1])
def test_a_run_that_others_execute_for_long_is_left_to_them(tmp_path: Path, workers: int) -> None:
    plan = tiny_plan(tmp_path, [1, 2])
    with RunLock(plan.store, plan.cells[0].spec.key) as held:
        held.acquire()
        outcome = run_plan(plan, workers=workers, executor=NAME, patience=0.2)
    assert [cell.spec.seed for cell in outcome.done] == [2]
    assert [cell.spec.seed for cell in outcome.left_to_others] == [1]
    assert outcome.remaining == ()
    assert outcome.advice == "1 of 2 runs are executed by other processes, and left to them."


def test_a_run_that_others_give_up_in_time_is_taken(tmp_path: Path) -> None:
    plan = tiny_plan(tmp_path, [1])
    held = RunLock(plan.store, plan.cells[0].spec.key)
    held.acquire()
    freed = threading.Timer(0.3, held.release)
    freed.start()
    outcome = run_plan(plan, workers=0, executor=NAME, patience=60)
    assert [cell.spec.seed for cell in outcome.done] == [1]
    assert outcome.left_to_others == ()


def signalled(plan: Any, number: int = ending.TIME_IS_UP) -> Outcome:
    """The run, with a signal to its command as soon as it has begun."""

    def on_event(event: dict[str, Any]) -> None:
        if event["event"] == "stage":
            os.kill(os.getpid(), number)

    return run_plan(plan, workers=1, executor=NAME, on_event=on_event)


def error_of(plan: Any) -> RunError:
    error = read_record(plan.cells[0].folder).error
    assert error is not None
    return error


def test_a_job_whose_time_is_up_ends_in_good_order_and_says_why(tmp_path: Path) -> None:
    plan = tiny_plan(tmp_path, [50])
    outcome = signalled(plan)
    assert (outcome.signal, len(outcome.interrupted)) == (signal.SIGUSR2, 1)
    assert error_of(plan).message.startswith("Stopped by the time limit of its job")
    assert tiny_plan(tmp_path, [50]).to_run  # the next job goes on


@pytest.mark.slow
def test_a_run_that_never_comes_to_a_checkpoint_in_a_jobs_time_fails_at_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that hears nothing, as in a long stage that is no training. A cancelled job is no such attempt."""
    monkeypatch.setattr(ending, "GRACE_SECONDS", 0.1)
    plan = tiny_plan(tmp_path, [103])
    for attempt in range(1, MOST_DEATHS + 1):
        plan = tiny_plan(tmp_path, [103])
        assert plan.to_run
        outcome = signalled(plan)
        assert len(outcome.interrupted) == (attempt < MOST_DEATHS)
    assert error_of(plan).message.startswith("Stopped by the time limit of its job in the middle of a stage, for the 3. time without a new")
    assert not tiny_plan(tmp_path, [103]).to_run
    assert tiny_plan(tmp_path, [103], rerun="failed").to_run


@pytest.mark.slow
def test_other_signals_are_no_attempts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ending, "GRACE_SECONDS", 0.1)
    for _ in range(MOST_DEATHS + 1):
        plan = tiny_plan(tmp_path, [103])
        assert plan.to_run
        signalled(plan, signal.SIGTERM)

"""Runs are made once, by whoever gets there first, and survive Ctrl-C, kills and full disks. The executor is a fake."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pixelbench.errors import UserError
from pixelbench.experiments.plan import Plan, make_plan
from pixelbench.experiments.run.outcome import Outcome
from pixelbench.experiments.schedule import scheduler as schedule
from pixelbench.experiments.schedule.job import Job, Resources
from pixelbench.experiments.schedule.loop import longest_first
from pixelbench.experiments.schedule.scheduler import run_plan
from pixelbench.files.locks import RunLock
from pixelbench.store.record import Request, RunError
from pixelbench.store.record_file import read_record
from pixelbench.suites.load import load_suite
from tests.support.fake_executor import NAME
from tests.support.programs import command_of, environment
from tests.support.suite_file import TEXT, tiny_plan, write_suite


def execute(plan: Plan, workers: int, **choices: Any) -> tuple[Outcome, list[dict[str, Any]]]:
    events: list[dict[str, Any]] = []
    return run_plan(plan, workers=workers, executor=NAME, on_event=events.append, **choices), events


def error_of(outcome: Outcome) -> RunError:
    """Of the first run that failed or was interrupted."""
    error = read_record((*outcome.failed, *outcome.interrupted)[0].folder).error
    assert error is not None
    return error


def executions(folder: Path) -> Counter[str]:
    log = folder / "runs" / "executions.txt"
    return Counter(line.split()[0] for line in log.read_text().splitlines())


@contextmanager
def program(folder: Path, workers: int, *seeds: int) -> Iterator["subprocess.Popen[str]"]:
    command = command_of("support.run_tiny", folder, workers, *seeds)
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True) as running:
        try:
            yield running
        finally:
            running.kill()


def next_event(running: "subprocess.Popen[str]", kind: str) -> dict[str, Any]:
    assert running.stdout is not None
    for line in running.stdout:
        event = json.loads(line) if line.startswith("{") else {"event": "printed by the run"}
        if event["event"] == kind:
            return event
    raise AssertionError(f"ended without the event {kind}")


def is_alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.mark.parametrize("workers", [0, 2])
def test_all_runs_are_made_and_then_nothing_is_left(tmp_path: Path, workers: int) -> None:
    outcome, events = execute(tiny_plan(tmp_path, [1, 2, 3, 4]), workers)
    assert len(outcome.done) == 4
    assert outcome.advice is None
    assert Counter(event["event"] for event in events)["end"] == 4
    assert all(event["run"].startswith("digits/uniform seed ") for event in events)
    plan = tiny_plan(tmp_path, [1, 2, 3, 4])
    assert plan.to_run == ()
    assert execute(plan, workers) == (Outcome(), [])
    assert set(executions(tmp_path).values()) == {1}


@pytest.mark.parametrize("workers", [0, 1])
def test_a_failing_run_leaves_a_record_and_the_others_go_on(tmp_path: Path, workers: int) -> None:
    outcome, events = execute(tiny_plan(tmp_path, [100, 1]), workers)
    assert [cell.spec.seed for cell in outcome.failed] == [100]
    assert [cell.spec.seed for cell in outcome.done] == [1]
    assert outcome.advice == "1 of 2 runs failed; `--rerun failed` tries them again."
    error = error_of(outcome)
    assert (error.type, error.message) == ("RuntimeError", "injected")
    assert error.log[-1] == "RuntimeError: injected"
    assert not any(str(Path(__file__).parent) in line for line in error.log)
    assert [event["error"] for event in events if event["event"] == "end" and event["status"] == "failed"] == ["injected"]


def test_a_killed_worker_is_an_interrupted_run_and_the_next_goes_on(tmp_path: Path) -> None:
    outcome, _ = execute(tiny_plan(tmp_path, [101, 1, 2]), 1)
    assert [cell.spec.seed for cell in outcome.interrupted] == [101]
    assert [cell.spec.seed for cell in outcome.done] == [1, 2]
    error = error_of(outcome)
    assert error.type == "WorkerDied"
    assert "SIGKILL" in error.message
    assert error.log[0] == "printed below python"
    assert error.log[1].startswith(f"working on {outcome.interrupted[0].spec.key}")
    assert [(cell.spec.seed, cell.runs) for cell in tiny_plan(tmp_path, [101, 1, 2]).cells] == [(101, True), (1, False), (2, False)]


def test_a_worker_that_gets_sigterm_interrupts_only_its_own_run(tmp_path: Path) -> None:
    outcome, _ = execute(tiny_plan(tmp_path, [104, 1]), 1)
    assert [cell.spec.seed for cell in outcome.interrupted] == [104]
    assert [cell.spec.seed for cell in outcome.done] == [1]
    assert not outcome.stopped
    assert read_record(outcome.interrupted[0].folder).status == "interrupted"


def test_a_worker_that_cannot_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = run_plan(tiny_plan(tmp_path, [1]), workers=1, executor="no_such_module:execute")
    assert "No module named 'no_such_module'" in error_of(outcome).message
    monkeypatch.setattr(sys, "executable", "/bin/false")
    outcome = run_plan(tiny_plan(tmp_path, [2]), workers=1, executor=NAME)
    assert error_of(outcome).message == "The worker ended with exit code 1; the same command runs it again."


def test_fail_fast_leaves_the_rest(tmp_path: Path) -> None:
    outcome, _ = execute(tiny_plan(tmp_path, [100, 1, 2]), 1, fail_fast=True)
    assert (len(outcome.failed), len(outcome.done), len(outcome.remaining)) == (1, 0, 2)
    assert not outcome.stopped
    assert outcome.advice == "2 of 3 runs are left; what is finished is kept, and the same command goes on from there."


@pytest.mark.parametrize("workers", [0, 1])
def test_a_full_disk_ends_everything_with_one_sentence(tmp_path: Path, workers: int) -> None:
    said = r"^Cannot write in results folder '.*runs': No space left on device\. Free some .*DIR\. What was finished"
    with pytest.raises(UserError, match=said):
        execute(tiny_plan(tmp_path, [102, 1]), workers)
    assert sum(executions(tmp_path).values()) == 1


def test_an_unwritable_store_is_said_before_anything_runs(tmp_path: Path) -> None:
    plan = tiny_plan(tmp_path, [1])
    (tmp_path / "runs").touch()
    with pytest.raises(UserError, match="is a file"):
        execute(plan, 1)


def test_what_is_printed_goes_to_the_log_and_threads_are_shared_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "available_cores", lambda: 5)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    outcome, _ = execute(tiny_plan(tmp_path, [1]), 2)
    log = (outcome.done[0].folder / "work" / "log").read_text()
    assert log == f"printed below python\nworking on {outcome.done[0].folder} with 2 threads\n"


def test_threads_do_not_follow_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "available_cores", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert schedule._share_out(None, 100, "cpu") == (8, 1)
    assert schedule._share_out(None, 3, "cpu") == (3, 2)
    assert schedule._share_out(None, 100, "cuda") == (1, 8)
    assert schedule._share_out(0, 100, "cpu") == (0, 8)


@pytest.mark.parametrize(("said", "threads"), [("3", 3), ("1", 1), ("2,4", 2), ("64", 8), ("", 8), ("0", 8), ("many", 8)])
def test_threads_are_never_more_than_the_environment_allows(monkeypatch: pytest.MonkeyPatch, said: str, threads: int) -> None:
    monkeypatch.setattr(schedule, "available_cores", lambda: 8)
    monkeypatch.setenv("OMP_NUM_THREADS", said)
    assert schedule._share_out(1, 100, "cpu") == (1, threads)


def test_longest_first(tmp_path: Path) -> None:
    suite = load_suite(write_suite(tmp_path))
    cells = list(make_plan(suite, tmp_path, seeds=[1]).cells)
    uniform, network = cells
    slow, quick = replace(network, seconds=9.0), replace(uniform, seconds=1.0)
    assert sorted([uniform, quick, slow, network], key=longest_first) == [network, slow, quick, uniform]


@pytest.mark.slow
def test_a_record_that_appeared_meanwhile_is_not_made_again(tmp_path: Path) -> None:
    early, again = tiny_plan(tmp_path, [1, 2]), tiny_plan(tmp_path, [1, 2])
    execute(early, 0)
    outcome, _ = execute(again, 1)
    assert len(outcome.elsewhere) == len(outcome.done) == 2
    assert set(executions(tmp_path).values()) == {1}
    execute(tiny_plan(tmp_path, [1, 2], rerun="all"), 1)
    assert set(executions(tmp_path).values()) == {2}


def test_a_doubted_run_is_failed_and_made_again(tmp_path: Path) -> None:
    """Until somebody says `--rerun failed`, nothing that is stored is touched."""
    execute(tiny_plan(tmp_path, [1, 2]), 0)
    cell = tiny_plan(tmp_path, [1]).cells[0]
    evidence = cell.folder / "nats.npz"
    evidence.write_bytes(evidence.read_bytes() + b"\0")
    assert [(cell.state, cell.runs) for cell in tiny_plan(tmp_path, [1, 2]).cells] == [("failed", False), ("stored", False)]
    assert execute(tiny_plan(tmp_path, [1, 2]), 0) == (Outcome(), [])
    outcome, _ = execute(tiny_plan(tmp_path, [1, 2], rerun="failed"), 0)
    assert [cell.spec.seed for cell in outcome.done] == [1]
    assert not outcome.elsewhere
    plan = tiny_plan(tmp_path, [1, 2])
    assert ([cell.state for cell in plan.cells], plan.problems) == (["stored", "stored"], ())


@pytest.mark.parametrize("workers", [0, 1])
def test_the_request_and_what_may_be_kept_come_to_whoever_makes_the_run(tmp_path: Path, workers: int) -> None:
    write_suite(tmp_path, f"keep_weights = false\n{TEXT}")
    plan = make_plan(load_suite(str(tmp_path / "tiny.toml")), tmp_path / "runs", seeds=[1, 100], only=["uniform"], limit=9)
    outcome, _ = execute(plan, workers)
    request = Request("run", "tiny", "digits", "cpu", limit=9)
    assert [read_record(cell.folder).request for cell in (*outcome.done, *outcome.failed)] == [request, request]
    assert (outcome.done[0].folder / "work" / "weights.txt").read_text() == "at most 0 bytes are kept"


def test_a_micro_batch_that_does_not_fit_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    plan = make_plan(load_suite(write_suite(tmp_path)), tmp_path / "runs", seeds=[1])
    said = r"^digits/gated-pixelcnn seed 1: a batch of 64 images cannot be taken 48 at a time; expected a divisor, such as 32\.$"
    with pytest.raises(UserError, match=said):
        run_plan(plan, workers=0, executor=NAME, micro_batch=48)
    assert not plan.store.exists()
    assert run_plan(tiny_plan(tmp_path, [1]), workers=0, executor=NAME, micro_batch=48).done  # nothing that is trained


def test_a_job_is_the_same_after_its_way_to_a_worker(tmp_path: Path) -> None:
    cell = tiny_plan(tmp_path, [1]).cells[0]
    job = Job(cell.spec, tmp_path, cell.folder, Resources("cpu", 3, 1.5, 4), "ab", cell.request, cell.most_weights)
    assert Job.from_json(json.loads(json.dumps(job.to_json()))) == job


def test_a_run_under_way_elsewhere_is_waited_for(tmp_path: Path) -> None:
    plan = tiny_plan(tmp_path, [1, 2])
    lock = RunLock(plan.store, plan.cells[0].spec.key)
    assert lock.acquire()
    events: list[str] = []

    def listen(event: dict[str, Any]) -> None:
        events.append(f"{event['event']} {event['run'][-1]}")
        if event["event"] == "end":
            lock.release()  # as if the other process had died without a record

    outcome = run_plan(plan, workers=1, executor=NAME, on_event=listen)
    assert len(outcome.done) == 2
    assert events.index("waiting 1") < events.index("end 2") < events.index("start 1")


def test_two_processes_share_the_work(tmp_path: Path) -> None:
    """The first run waits until both processes work, whichever has it."""
    seeds = [105, *range(1, 7)]
    write_suite(tmp_path)
    with program(tmp_path, 1, *seeds) as first, program(tmp_path, 1, *seeds) as second:
        for running in (first, second):
            assert next_event(running, "outcome")["advice"] is None
    assert len(executions(tmp_path)) == len(seeds)
    assert set(executions(tmp_path).values()) == {1}
    assert len({line.split()[1] for line in (tmp_path / "runs" / "executions.txt").read_text().splitlines()}) == 2


@pytest.mark.by_default(1)
@pytest.mark.parametrize(("workers", "sent"), [(1, signal.SIGINT), (0, signal.SIGINT), (1, signal.SIGTERM)])
def test_ctrl_c_interrupts_and_the_same_command_resumes(tmp_path: Path, workers: int, sent: int) -> None:
    with program(tmp_path, workers, 40, 1) as running:
        next_event(running, "progress")
        running.send_signal(sent)
        outcome = next_event(running, "outcome")
        assert running.wait() == 0
    assert outcome["signal"] == sent
    assert outcome["advice"].startswith("2 of 2 runs are left;")
    plan = tiny_plan(tmp_path, [40, 1])
    assert [cell.state for cell in plan.cells] == ["missing", "missing"]
    assert read_record(plan.cells[0].folder).status == "interrupted"
    outcome, events = execute(plan, 1)
    assert len(outcome.done) == 2
    assert next(event["at"] for event in events if event["event"] == "resumed") > 0


def test_the_second_ctrl_c_kills_at_once(tmp_path: Path) -> None:
    with program(tmp_path, 1, 103) as running:
        next_event(running, "start")
        running.send_signal(signal.SIGINT)
        time.sleep(0.3)
        began = time.monotonic()
        running.send_signal(signal.SIGINT)
        assert next_event(running, "outcome")["signal"] == signal.SIGINT
        assert time.monotonic() - began < 5
    assert not any((tmp_path / "runs").rglob("record.json"))


def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    """Those that talk, and those that are deep in something and would not notice a broken pipe."""
    with program(tmp_path, 2, 98, 103) as running:
        next_event(running, "progress")
        while len((tmp_path / "runs" / "executions.txt").read_text().splitlines()) < 2:
            time.sleep(0.01)
        workers = [int(line.split()[1]) for line in (tmp_path / "runs" / "executions.txt").read_text().splitlines()]
        assert all(map(is_alive, workers))
        os.kill(running.pid, signal.SIGKILL)
    deadline = time.monotonic() + 3
    while any(map(is_alive, workers)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(map(is_alive, workers))
    (tmp_path / "runs" / "digits" / "uniform" / tiny_plan(tmp_path, [98]).cells[0].spec.key / ".record.json.ab.tmp").touch()
    outcome, events = execute(tiny_plan(tmp_path, [98]), 1)
    assert len(outcome.done) == 1
    assert next(event["at"] for event in events if event["event"] == "resumed") > 0
    assert not any((tmp_path / "runs").rglob(".*.tmp"))

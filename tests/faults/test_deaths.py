"""Workers that die, hang or run out of memory, and signals to the whole command (storage.md 1 to 5, 17, 18). Workers are fakes."""

import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from pixelbench.cli.main import main
from pixelbench.experiments.run import in_progress
from pixelbench.experiments.run.attempts import Attempts
from pixelbench.experiments.run.failure import is_out_of_memory
from pixelbench.experiments.run.outcome import Outcome
from pixelbench.experiments.schedule import ending, liveness, loop
from pixelbench.experiments.schedule import scheduler as schedule
from pixelbench.experiments.schedule.scheduler import run_plan
from pixelbench.store.record import Record
from pixelbench.store.record_file import read_record
from pixelbench.training.loop import Trainer
from tests.faults.disturbed import cut_off, execute, first_update, folder_in, numbers, often, status_of
from tests.support.fake_executor import NAME
from tests.support.suite_file import tiny_plan, write_suite

#: More often than any test goes on.
ALWAYS = 99


@pytest.fixture
def disturb(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Says which signal the run of a seed sends itself at which step, and how often in all."""
    return lambda **requested: monkeypatch.setenv("FAKE_DISTURBANCES", json.dumps({key[1:]: value for key, value in requested.items()}))


def run(folder: Path, seeds: list[int], workers: int = 1, on_event: Any = None, **choices: Any) -> tuple[Outcome, list[dict[str, Any]]]:
    events: list[dict[str, Any]] = []

    def take(event: dict[str, Any]) -> None:
        events.append(event)
        if on_event:
            on_event(event)

    return run_plan(tiny_plan(folder, seeds, **choices), workers=workers, executor=NAME, on_event=take), events


def sending(number: int, step: int) -> Any:
    """Takes events, and sends this process a signal after a step."""
    return lambda event: event.get("update") == step and os.kill(os.getpid(), number)


def record_of(folder: Path, seed: int) -> Record:
    return read_record(tiny_plan(folder, [seed]).cells[0].folder)


def message_of(folder: Path, seed: int) -> str:
    error = record_of(folder, seed).error
    assert error is not None
    return error.message


def resumed_at(events: list[dict[str, Any]], seed: int) -> list[int]:
    return [event["at"] for event in events if event["event"] == "resumed" and event["run"].endswith(f" {seed}")]


@pytest.mark.by_default(1)
@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM", "SIGHUP", "SIGABRT", "SIGSEGV"])
def test_a_worker_that_a_signal_ends_is_named_and_the_same_command_goes_on(tmp_path: Path, disturb: Any, name: str):
    disturb(_20=[signal.Signals[name], 8, 1])
    outcome, events = run(tmp_path, [20, 12], workers=2)
    assert [cell.spec.seed for cell in outcome.interrupted] == [20]
    assert [cell.spec.seed for cell in outcome.done] == [12]
    assert len(resumed_at(events, 12)) == 1
    record, message = record_of(tmp_path, 20), message_of(tmp_path, 20)
    assert record.status == "interrupted"
    assert name in message
    requested = name in ("SIGTERM", "SIGHUP")
    assert message.endswith("the same command runs it again.") or requested  # the fake keeps a checkpoint of another name
    assert record.error is not None
    assert record.error.type == ("Stopped" if requested else "WorkerDied")
    again, events = run(tmp_path, [20, 12], workers=2)
    assert [cell.spec.seed for cell in again.done] == [20]
    assert resumed_at(events, 20) == [8]


@pytest.mark.slow
def test_three_deaths_without_a_new_checkpoint_are_a_failure_that_can_be_resumed(tmp_path: Path, disturb: Any):
    disturb(_20=[signal.SIGKILL, 8, 4])
    for _ in range(3):  # the first gets as far as 8
        outcome, _ = run(tmp_path, [20])
        assert [cell.spec.seed for cell in outcome.interrupted] == [20]
    outcome, events = run(tmp_path, [20])
    assert [cell.spec.seed for cell in outcome.failed] == [20]
    assert "SIGKILL" in message_of(tmp_path, 20)
    assert "`--rerun failed`" in message_of(tmp_path, 20)
    assert tiny_plan(tmp_path, [20]).to_run == ()
    outcome, events = run(tmp_path, [20], rerun="failed")
    assert len(outcome.done) == 1
    assert resumed_at(events, 20) == [8]


@pytest.mark.slow
def test_deaths_with_a_new_checkpoint_between_them_are_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for step in (2, 4, 6, 8, 10):
        monkeypatch.setenv("FAKE_DISTURBANCES", json.dumps({"12": [signal.SIGKILL, step, step // 2]}))
        outcome, _ = run(tmp_path, [12])
        assert len(outcome.interrupted) == 1, step
    assert len(run(tmp_path, [12])[0].done) == 1


def test_deaths_are_counted_by_new_checkpoints(tmp_path: Path):
    assert Attempts.of(tmp_path) == Attempts()
    first = Attempts().died(700)
    assert (first.deaths, first.hopeless) == (0, False)
    third = first.died(0).died(700).died(300)
    assert (third.deaths, third.hopeless) == (3, True)
    assert third.died(701).deaths == 0
    third.keep(tmp_path)
    assert Attempts.of(tmp_path) == third
    (tmp_path / "work" / "attempts.json").write_text("[")
    assert Attempts.of(tmp_path) == Attempts()


def test_a_worker_that_hangs_is_ended_by_name_and_its_run_resumed_once(tmp_path: Path, disturb: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(liveness, "SILENT_SECONDS", 2.0)
    disturb(_20=[signal.SIGSTOP, 8, 1])
    outcome, events = run(tmp_path, [20])
    (note,) = [event["text"] for event in events if event["event"] == "note"]
    assert note.startswith("hangs: its worker (process ")
    assert resumed_at(events, 20) == [0, 8]
    assert len(outcome.done) == 1


@pytest.mark.slow
def test_a_worker_that_hangs_again_is_interrupted(tmp_path: Path, disturb: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(liveness, "SILENT_SECONDS", 2.0)
    disturb(_20=[signal.SIGSTOP, 8, ALWAYS])
    outcome, events = run(tmp_path, [20])
    assert resumed_at(events, 20) == [0, 8]
    assert len(outcome.interrupted) == 1
    error = record_of(tmp_path, 20).error
    assert error is not None
    assert error.type == "WorkerHung"
    assert "no sign of life for" in error.message


def test_silence_is_what_the_parent_was_awake_for(monkeypatch: pytest.MonkeyPatch):
    now = [100.0]
    monkeypatch.setattr(liveness.time, "monotonic", lambda: now[0])
    awake = liveness.WakingTime()
    for step in (0.5, 3600.0, 0.5):
        now[0] += step
        awake.now()
    assert awake.now() == 1.0 + liveness.LONGEST_STEP


def test_the_allowed_silence_follows_the_longest_update():
    assert liveness.allowed_silence(1.0) == 600
    assert liveness.allowed_silence(60.0) == 1200


@pytest.mark.slow
def test_ctrl_c_ends_a_command_whose_worker_is_stopped(tmp_path: Path, disturb: Any, monkeypatch: pytest.MonkeyPatch):
    assert ending.GRACE_SECONDS + 2 * loop.POLL_SECONDS < 14
    monkeypatch.setattr(ending, "GRACE_SECONDS", 1.0)
    disturb(_20=[signal.SIGSTOP, 8, 1])
    at_8 = sending(signal.SIGINT, 8)
    outcome, _ = run(tmp_path, [20, 12], on_event=at_8)
    assert outcome.signal == signal.SIGINT
    assert [cell.spec.seed for cell in outcome.interrupted] == [20]
    workers = {int(line.split()[1]) for line in (tmp_path / "runs" / "executions.txt").read_text().splitlines()}
    assert not any(Path(f"/proc/{process}").exists() for process in workers)
    again, events = run(tmp_path, [20, 12])
    assert len(again.done) == 2
    assert resumed_at(events, 20) == [8]


@pytest.mark.parametrize("workers", [0, 1])
def test_sigusr1_stores_checkpoints_and_goes_on(tmp_path: Path, workers: int):
    at_3 = sending(signal.SIGUSR1, 3)
    outcome, events = run(tmp_path, [40], workers=workers, on_event=at_3)
    assert len(outcome.done) == 1
    assert [event["text"] for event in events if event["event"] == "note"] == ["stored a checkpoint when asked"]


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command `run` with fake workers."""
    monkeypatch.setattr(schedule, "run_plan", lambda plan, **named: run_plan(plan, executor=NAME, **named))


@pytest.mark.by_default(1)
@pytest.mark.usefixtures("fakes")
@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_each_signal_has_its_exit_code_and_its_name_in_the_record(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, code: int):
    log = tmp_path / "runs" / "executions.txt"

    def send() -> None:
        while not (log.exists() and log.read_text().endswith("\n")):
            time.sleep(0.02)
        time.sleep(0.1)
        os.kill(os.getpid(), signal.Signals[name])

    threading.Thread(target=send, daemon=True).start()
    assert exit_code(tmp_path, "99") == code
    assert "the same command goes on" in capsys.readouterr().err
    assert name in message_of(tmp_path, 99)
    assert list((tmp_path / "runs").rglob("checkpoint.json"))


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_before_anything_runs_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, code: int):
    monkeypatch.setattr("pixelbench.cli.suites.plan_suite", lambda *_, **__: os.kill(os.getpid(), signal.Signals[name]) or time.sleep(5))
    assert exit_code(tmp_path, "1") == code
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_under_nohup_sighup_is_nothing(tmp_path: Path):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        at_3 = sending(signal.SIGHUP, 3)
        assert len(run(tmp_path, [9], on_event=at_3)[0].done) == 1
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.slow
@pytest.mark.usefixtures("fakes")
def test_a_dead_worker_is_exit_code_1_and_a_sentence(tmp_path: Path, disturb: Any, capsys: pytest.CaptureFixture[str]):
    disturb(_20=[signal.SIGKILL, 8, 1])
    assert exit_code(tmp_path, "20") == 1
    said = capsys.readouterr().err
    assert "ended as interrupted: The worker was ended by SIGKILL" in said
    assert "the same command goes on from there" in said
    assert exit_code(tmp_path, "20") == 0


def exit_code(folder: Path, seeds: str) -> int:
    command = ["run", "--suite", write_suite(folder), "--only", "uniform", "--seeds", seeds, "--workers", "1"]
    with pytest.raises(SystemExit) as ended:
        main([*command, "--results", str(folder / "runs")])
    assert isinstance(ended.value.code, int)
    return ended.value.code


NO_MEMORY = RuntimeError("[enforce fail at alloc_cpu.cpp:121] . DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes.")


def breaking(monkeypatch: pytest.MonkeyPatch, fault: Exception, at: int) -> None:
    """The update after `at` raises."""
    genuine = Trainer._step

    def step(trainer: Trainer) -> None:
        if trainer.update == at:
            raise fault
        genuine(trainer)

    monkeypatch.setattr(Trainer, "_step", step)


@pytest.mark.slow
@pytest.mark.parametrize("fault", [MemoryError(), NO_MEMORY])
def test_out_of_memory_says_how_much_there_was_and_what_would_help(store: Path, expected: dict[str, Any], fault: Exception):
    with pytest.MonkeyPatch.context() as patch:
        often(patch)
        breaking(patch, fault, 5)
        assert status_of(execute(store)) == "interrupted"
    error = read_record(folder_in(store)).error
    assert error is not None
    assert error.type == "OutOfMemory"
    assert error.message.startswith("Out of memory: the process held ")
    assert "iB and was given no more (" in error.message
    assert error.message.endswith(
        "fewer --workers, a smaller batch or model, or a machine with more memory would help; the same command goes on from the last "
        "checkpoint."
    )
    again = execute(store)
    assert (status_of(again), first_update(again)) == ("done", 6)
    assert numbers(store) == expected


@pytest.mark.parametrize(
    ("fault", "is_it"),
    [
        (MemoryError("x"), True),
        (RuntimeError("std::bad_alloc"), True),
        (RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB."), True),
        (OSError(12, "Cannot allocate memory"), True),
        (OSError(28, "No space left on device"), False),
        (ValueError("out of memory"), False),
        (RuntimeError("shapes do not fit"), False),
    ],
)
def test_what_a_lack_of_memory_is(fault: Exception, is_it: bool):
    assert is_out_of_memory(fault) is is_it


@pytest.mark.slow
def test_memory_that_is_never_enough_is_a_failure_at_last(store: Path, monkeypatch: pytest.MonkeyPatch):
    often(monkeypatch)
    breaking(monkeypatch, MemoryError(), 5)
    assert [status_of(execute(store)) for _ in range(4)] == ["interrupted"] * 3 + ["failed"]
    monkeypatch.undo()
    again = execute(store, again=True)
    assert (status_of(again), first_update(again)) == ("done", 6)


def test_a_network_that_raises_has_failed_and_begins_at_0(store: Path, expected: dict[str, Any]):
    with pytest.MonkeyPatch.context() as patch:
        often(patch)
        breaking(patch, ValueError("a shape"), 5)
        assert status_of(execute(store)) == "failed"
    again = execute(store, again=True)
    assert (status_of(again), first_update(again)) == ("done", 1)
    assert numbers(store) == expected


def test_a_run_that_began_again_and_was_killed_goes_on_from_there(store: Path, monkeypatch: pytest.MonkeyPatch):
    """Its record is still that of the attempt that failed."""
    often(monkeypatch)
    with pytest.MonkeyPatch.context() as patch:
        breaking(patch, ValueError("a shape"), 5)
        execute(store)

    class Killed(BaseException):
        """Nothing of ours sees it."""

    def kill(event: dict[str, Any]) -> None:
        if event.get("update") == 9 and event["event"] == "progress":
            raise Killed

    with pytest.raises(Killed):
        execute(store, again=True, emit=kill)
    assert read_record(folder_in(store)).status == "failed"
    again = execute(store, again=True)
    assert (status_of(again), first_update(again)) == ("done", 9)


def test_the_reason_of_a_stop_is_in_the_record(store: Path):
    reached = [0]
    execute(store, emit=lambda event: reached.append(event.get("update", 0)), stop=lambda: "SIGTERM" if max(reached) >= 4 else False)
    record = read_record(folder_in(store))
    assert record.status == "interrupted"
    assert record.error is not None
    assert record.error.message == "Stopped by SIGTERM; the same command goes on from the last checkpoint."


def test_the_probe_of_the_trained_model_takes_as_many_positions_after_an_hour(
    store: Path, expected: dict[str, Any], monkeypatch: pytest.MonkeyPatch
):
    """As after SIGSTOP and SIGCONT: the clock has jumped at every look."""
    jumps = iter(range(10**6))
    genuine = in_progress.certify_trained

    def suspended(*arguments: Any) -> Any:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("pixelbench.causality.limits.time_budget.time.monotonic", lambda: 3600.0 * next(jumps))
            return genuine(*arguments)

    monkeypatch.setattr(in_progress, "certify_trained", suspended)
    assert status_of(execute(store)) == "done"
    assert next(jumps) > 0
    assert numbers(store) == expected


def test_cut_off_is_cut_off(store: Path):
    """The helper of these tests does what it says."""
    assert cut_off(store, 4).exists()
    assert read_record(folder_in(store)).cost.updates == 4

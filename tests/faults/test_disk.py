"""The disk is full, over quota, or fails: a run is never marked failed for it, and the same command goes on (storage.md 6 to 11, 20)."""

import errno
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from pixelbench.cli.main import main
from pixelbench.store.record_file import state_of
from pixelbench.training.checkpoint import unpack
from tests.faults.disturbed import (
    CHECKPOINT,
    FAULTS,
    FILES,
    UPDATES,
    DiskFault,
    cut_off,
    execute,
    first_update,
    folder_in,
    notes,
    numbers,
    often,
    status_of,
)


@pytest.mark.by_default(3)
@pytest.mark.parametrize(("call", "number"), FAULTS)
def test_a_checkpoint_on_the_way_that_cannot_be_written_is_a_note_and_the_one_before_stays(
    store: Path, expected: dict[str, Any], monkeypatch: pytest.MonkeyPatch, call: str, number: int
):
    often(monkeypatch)
    fault = DiskFault(monkeypatch, call, number, CHECKPOINT, after=3)
    kept: list[int] = []

    def look(event: dict[str, Any]) -> None:
        if fault.hits and event["event"] in ("note", "progress") and event.get("update") != UPDATES:
            fault.on &= event.get("update") != UPDATES - 1  # the disk is well again before the end
            kept.append(unpack((folder_in(store) / "work" / CHECKPOINT).read_bytes())[1]["update"])

    events = execute(store, emit=look)
    assert fault.hits > 1
    assert status_of(events) == "done"
    (note,) = notes(events)
    assert CHECKPOINT in note
    assert os.strerror(number) in note
    assert set(kept[:4]) == {3}
    assert numbers(store) == expected


@pytest.mark.by_default(1)
@pytest.mark.parametrize("call", ["write", "fsync", "replace"])
def test_the_last_checkpoint_of_all_cannot_be_written(store: Path, expected: dict[str, Any], monkeypatch: pytest.MonkeyPatch, call: str):
    often(monkeypatch)
    fault = DiskFault(monkeypatch, call, errno.ENOSPC, CHECKPOINT, after=7)
    events = execute(store)
    assert_broken(events, store, errno.ENOSPC, CHECKPOINT)
    assert state_of(folder_in(store)) == (None, None)
    fault.on = False
    again = execute(store)
    assert (status_of(again), first_update(again)) == ("done", 8)
    assert numbers(store) == expected


@pytest.mark.by_default(2)
@pytest.mark.parametrize(("name", "fault"), list(zip(FILES, FAULTS[::-1], strict=False)))
def test_what_a_run_leaves_cannot_be_written(
    store: Path, expected: dict[str, Any], monkeypatch: pytest.MonkeyPatch, name: str, fault: tuple[str, int]
):
    call, number = fault
    disk = DiskFault(monkeypatch, call, number, name)
    events = execute(store)
    assert_broken(events, store, number, name)
    assert state_of(folder_in(store)) == (None, None)
    disk.on = False
    again = execute(store)
    assert status_of(again) == "done"
    assert not [event for event in again if event["event"] == "progress"], "the training was whole, and its checkpoint there"
    assert numbers(store) == expected


@pytest.mark.slow
def test_large_weights_that_cannot_be_written(store: Path, monkeypatch: pytest.MonkeyPatch):
    disk = DiskFault(monkeypatch, "write", errno.EDQUOT, "weights.safetensors")
    assert_broken(execute(store, most_weights=0), store, errno.EDQUOT, "weights.safetensors")
    disk.on = False
    assert status_of(execute(store, most_weights=0)) == "done"
    assert (folder_in(store) / "work" / "weights.safetensors").is_file()


@pytest.mark.by_default(2)
@pytest.mark.parametrize("name", [CHECKPOINT, *FILES])
def test_one_error_and_none_after_it(store: Path, expected: dict[str, Any], monkeypatch: pytest.MonkeyPatch, name: str):
    disk = DiskFault(monkeypatch, "fsync", errno.EIO, name, times=1)
    events = execute(store)
    assert (status_of(events), disk.hits) == ("done", 1)
    (note,) = notes(events)
    assert name in note
    assert os.strerror(errno.EIO) in note
    assert numbers(store) == expected


def test_a_run_that_is_stopped_on_a_full_disk_has_not_failed(store: Path, expected: dict[str, Any], monkeypatch: pytest.MonkeyPatch):
    often(monkeypatch)
    disk = DiskFault(monkeypatch, "write", errno.ENOSPC, CHECKPOINT, after=4)
    cut_off(store)
    assert state_of(folder_in(store)) == (None, None)
    disk.on = False
    again = execute(store)
    assert (status_of(again), first_update(again)) == ("done", 5)
    assert numbers(store) == expected


def test_the_log_of_events_is_no_reason_to_end(store: Path, expected: dict[str, Any]):
    work = folder_in(store) / "work"
    (work / "events.jsonl").mkdir(parents=True)  # nothing can be appended to it
    assert status_of(execute(store)) == "done"
    assert numbers(store) == expected


def test_a_folder_that_is_deleted_in_mid_run_is_made_again(store: Path, expected: dict[str, Any], monkeypatch: pytest.MonkeyPatch):
    often(monkeypatch)
    events = execute(store, emit=lambda event: shutil.rmtree(store) if event.get("event") == "progress" and event["update"] == 5 else None)
    assert status_of(events) == "done"
    assert numbers(store) == expected


@pytest.mark.slow
@pytest.mark.usefixtures("undisturbed")
def test_the_command_ends_with_2_and_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    disk = DiskFault(monkeypatch, "write", errno.ENOSPC, "record.json")
    command = ["run", "--suite", "quick", "--only", "digits/uniform", "--only", "digits/histogram", "--budget", "smoke"]
    command += ["--workers", "0", "--results", str(tmp_path / "runs")]
    with pytest.raises(SystemExit) as ended:
        main(command)
    assert ended.value.code == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith(f"Cannot write in results folder '{tmp_path / 'runs'}': No space left on device (at 'digits/")
    assert said.endswith(
        "record.json'). Free some space, or choose another folder with --results DIR. What was finished before is kept; the same command "
        "goes on from there."
    )
    assert not list((tmp_path / "runs").rglob("record.json"))
    assert len(list((tmp_path / "runs").rglob("events.jsonl"))) == 1, "the second run was begun on a full disk"
    disk.on = False
    with pytest.raises(SystemExit) as ended:
        main(command)
    assert ended.value.code == 0


def assert_broken(events: list[dict[str, Any]], store: Path, number: int, name: str) -> None:
    assert status_of(events) == "broken"
    sentence = events[-1]["sentence"]
    assert sentence.startswith(f"Cannot write in results folder '{store}': {os.strerror(number)} (at '")
    assert f"{name}')." in sentence
    assert "choose another folder with --results DIR" in sentence
    assert "Errno" not in sentence

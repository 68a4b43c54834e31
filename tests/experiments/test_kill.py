"""Law: `kill -9` of the whole process group at any moment, then the same command: the records are those of an undisturbed run."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.programs import command_of, environment
from tests.support.quick_run import comparable
from tests.support.run_eager import plan_in


def start(store: Path) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(command_of("support.run_eager", store), env=environment(), start_new_session=True)


def results(store: Path) -> dict[str, dict[str, Any]]:
    """What every run of the plan left, without times and memory."""
    found = {}
    for cell in plan_in(store).cells:
        artifacts: dict[str, Any] = {path.name: path.read_bytes() for path in cell.folder.iterdir() if path.is_file()}
        artifacts["certificate.json"] = json.loads(artifacts["certificate.json"]) | {"seconds": None}
        del artifacts["record.json"]
        found[cell.spec.label] = {"record": comparable(cell.folder), "artifacts": artifacts}
    return found


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    store = tmp_path_factory.mktemp("undisturbed") / "store"
    assert start(store).wait(timeout=120) == 0
    return results(store)


@pytest.mark.slow
def test_killed_runs_resume_and_finished_ones_are_kept(undisturbed: dict[str, dict[str, Any]], tmp_path: Path):
    store = tmp_path / "store"
    kept: dict[Path, bytes] = {}
    for _ in range(3):
        running = start(store)
        wait_for(lambda running=running: running.poll() is not None or any(store.rglob("checkpoint.safetensors")))
        time.sleep(0.3)
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
        assert all(path.read_bytes() == before for path, before in kept.items())
        kept = {path: path.read_bytes() for path in store.rglob("record.json")}
    cut_off = [path for path in store.rglob("checkpoint.safetensors") if not (path.parents[1] / "record.json").exists()]
    assert cut_off, "the kills found nothing half done, so this test shows nothing"
    assert start(store).wait(timeout=120) == 0
    assert all(path.read_bytes() == before for path, before in kept.items())
    assert results(store) == undisturbed
    events = [json.loads(line) for path in store.rglob("events.jsonl") for line in path.read_text().splitlines()]
    assert len([event for event in events if event.get("stage") == "train"]) > 2
    assert not any(event["event"] == "note" for event in events), "a run began again that had a checkpoint"


def wait_for(condition: Any, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)

"""Which checkpoint a run goes on from: its own, of code that computes the same, however that is written."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pixelbench.experiments.run.execute import execute
from pixelbench.experiments.run.resume import Resumption
from pixelbench.store.record_file import read_record
from pixelbench.training import checkpoint
from tests.support.fingerprints import made_up_fingerprint
from tests.support.quick_run import spec_of

SPEC = spec_of("digits/pixelcnn", updates=12)
MINE, OTHER = made_up_fingerprint(1.5, 2.5), made_up_fingerprint(1.5, 2.5001)


@pytest.fixture
def computing(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, Any] | None], None]:
    """Says what the present code computes."""
    return lambda found: monkeypatch.setattr("pixelbench.experiments.run.in_progress.present_behaviour", lambda spec, store: found)


@pytest.fixture
def cut_off(tmp_path: Path, computing: Callable[[dict[str, Any]], None]) -> Path:
    """The folder of a run that was interrupted in the middle of its training."""
    computing(MINE)
    updates: list[int] = []
    execute(SPEC, tmp_path, emit=lambda event: updates.append(event.get("update", 0)), stop=lambda: max(updates, default=0) >= 5)
    assert read_record(tmp_path).cost.updates == 5
    return tmp_path


def goes_on(folder: Path) -> tuple[int, list[str]]:
    """At which update the same command begins, and its notes."""
    events: list[dict[str, Any]] = []
    assert execute(SPEC, folder, emit=events.append) == "done"
    assert read_record(folder).cost.updates == 12
    return min(e["update"] for e in events if e["event"] == "progress"), [e["text"] for e in events if e["event"] == "note"]


def test_a_checkpoint_of_the_same_fingerprint_is_gone_on_from(cut_off: Path):
    assert goes_on(cut_off) == (6, [])


def test_code_that_is_written_otherwise_and_computes_the_same_goes_on(cut_off: Path, monkeypatch: pytest.MonkeyPatch):
    before = read_record(cut_off).provenance.source_digest
    monkeypatch.setattr("pixelbench.experiments.provenance.code_digest", lambda family: "f" * 64)
    assert goes_on(cut_off) == (6, [])
    assert read_record(cut_off).provenance.source_digest == "f" * 64 != before


@pytest.mark.by_default(1)
@pytest.mark.parametrize("present", [OTHER, None])
def test_a_checkpoint_of_another_fingerprint_is_refused_and_that_is_said(
    cut_off: Path, present: dict[str, Any] | None, computing: Callable[[dict[str, Any] | None], None]
):
    computing(present)
    begun, (note,) = goes_on(cut_off)
    assert begun == 1
    assert note == "starting again: the checkpoint is of another run, or of another version of the code"
    assert note in (cut_off / "work" / "events.jsonl").read_text()


@pytest.mark.parametrize(
    ("identity", "accepted"),
    [
        (json.dumps([SPEC.key, MINE]), True),
        (json.dumps([SPEC.key, dict(reversed(MINE.items()))], indent=1), True),
        (json.dumps([SPEC.key, OTHER]), False),
        (json.dumps([spec_of("digits/pixelcnn", updates=13).key, MINE]), False),
        (json.dumps([spec_of("digits/pixelcnn", updates=12, seed=1).key, MINE]), False),
        (json.dumps([SPEC.key, None]), False),
        (json.dumps([SPEC.key]), False),
        (json.dumps({"key": SPEC.key}), False),
        (f"{SPEC.key} {'5' * 64}", False),  # as version 0.1 wrote it
        ("", False),
    ],
)
def test_a_run_accepts_its_own_checkpoints_alone(tmp_path: Path, identity: str, accepted: bool):
    run = Resumption(tmp_path, SPEC.key, lambda text: None, lambda update: None)
    run.behaviour = MINE
    assert run.accepts(identity) is accepted
    run.behaviour = None  # nobody knows what this code computes
    assert run.accepts(identity) is False


def test_a_run_accepts_what_its_own_trainer_writes(cut_off: Path):
    _, header = checkpoint.unpack((cut_off / "work" / "checkpoint.safetensors").read_bytes())
    assert json.loads(header["identity"]) == [SPEC.key, MINE]

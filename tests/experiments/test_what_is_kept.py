"""Which files a run leaves beside its record, and that an earlier attempt's stay until the new record stands."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from pixelbench.experiments.run import in_progress as module
from pixelbench.experiments.run.execute import execute
from pixelbench.experiments.schedule.job import Job, Resources, write_failure
from pixelbench.store.artifacts import NAMES
from pixelbench.store.documents.measurements import QUALITY
from pixelbench.store.documents.proofs import PROOF
from pixelbench.store.record import Record, Request, RunError
from pixelbench.store.record_file import read_record
from tests.support.quick_run import spec_of

pytestmark = pytest.mark.usefixtures("present_code")
SPEC = spec_of("digits/pixelcnn")
WEIGHTS = "weights.safetensors"


def stopping(stage: str) -> dict[str, Any]:
    """Arguments of `execute` that stop a run when it has come to a stage."""
    seen: list[str] = []
    return {"emit": lambda event: seen.append(event.get("stage", "")), "stop": lambda: stage in seen}


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def weights_of(folder: Path) -> tuple[bool, bool]:
    """Whether there are weights beside the record, and in `work`."""
    return (folder / WEIGHTS).exists(), (folder / "work" / WEIGHTS).exists()


@pytest.fixture(scope="module")
def size(tmp_path_factory: pytest.TempPathFactory, present_code: object) -> int:
    """Bytes of the run's weights, which are the same again."""
    folder = tmp_path_factory.mktemp("size")
    execute(SPEC, folder)
    return (folder / WEIGHTS).stat().st_size


@pytest.mark.slow
@pytest.mark.parametrize(("spare", "beside"), [(0, True), (-1, False)])
def test_weights_are_kept_beside_the_record_up_to_the_limit_and_in_work_beyond_it(tmp_path: Path, size: int, spare: int, beside: bool):
    assert execute(SPEC, tmp_path, most_weights=size + spare) == "done"
    assert weights_of(tmp_path) == (beside, not beside)
    assert (WEIGHTS in read_record(tmp_path).artifacts) == beside


@pytest.mark.slow
def test_a_run_that_is_made_again_has_its_weights_in_one_place(tmp_path: Path):
    for most, place in ((0, (False, True)), (1 << 20, (True, False)), (0, (False, True))):
        execute(SPEC, tmp_path, most_weights=most)
        assert weights_of(tmp_path) == place


@pytest.mark.by_default(1)
@pytest.mark.parametrize("before", [0, 1 << 20])
@pytest.mark.parametrize("again", [0, 1 << 20])
def test_a_finished_run_that_is_interrupted_when_it_is_trained_again_keeps_its_weights(tmp_path: Path, before: int, again: int):
    execute(SPEC, tmp_path, most_weights=before)
    where = tmp_path / WEIGHTS if before else tmp_path / "work" / WEIGHTS
    where.write_bytes(where.read_bytes() + b"\0")  # so that one can tell them from those of the second training
    kept, whole = where.read_bytes(), files(tmp_path)
    assert execute(SPEC, tmp_path, most_weights=again, **stopping("evaluate")) == "interrupted"
    assert where.read_bytes() == kept
    assert files(tmp_path) == whole


@pytest.mark.slow
def test_what_an_earlier_attempt_left_is_removed_only_after_the_new_record_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    execute(SPEC, tmp_path)
    there: list[set[str]] = []

    def noted(folder: Path, record: Record) -> None:
        there.append({*files(folder)})
        real(folder, record)

    real = module.write_record
    monkeypatch.setattr(module, "write_record", noted)
    monkeypatch.setattr(module.stages, "evaluate", lambda *arguments, **named: 1 / 0)
    assert execute(SPEC, tmp_path) == "failed"
    assert there == [{"record.json", *NAMES} - {PROOF, QUALITY}]  # which `compress` and `measure` write
    assert {*files(tmp_path)} == {"record.json", "curve.csv", "certificate.json", WEIGHTS}
    assert set(read_record(tmp_path).artifacts) == {"curve.csv", "certificate.json", WEIGHTS}


@pytest.mark.slow
def test_where_the_new_record_cannot_be_written_the_earlier_attempt_keeps_its_evidence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    execute(SPEC, tmp_path)
    before = files(tmp_path)

    def full(folder: Path, record: Record) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "write_record", full)
    monkeypatch.setattr(module.stages, "evaluate", lambda *arguments, **named: 1 / 0)
    with pytest.raises(OSError, match="No space left"):
        execute(SPEC, tmp_path)
    kept = read_record(tmp_path)
    assert {name: hashlib.sha256(before[name]).hexdigest() for name in ("nats.npz", "samples.png")} == {
        name: kept.artifacts[name] for name in ("nats.npz", "samples.png")
    }
    assert all(files(tmp_path)[name] == before[name] for name in ("record.json", "nats.npz", "samples.png"))


def test_a_record_of_a_death_stands_beside_no_file_of_an_earlier_attempt(tmp_path: Path):
    execute(SPEC, tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    request = Request("run", "quick", "digits", "smoke")
    write_failure(Job(SPEC, tmp_path, tmp_path, Resources("cpu", 1), None, request, 0), RunError("WorkerDied", "x"), 1.0)
    assert {*files(tmp_path)} == {"record.json", "notes.txt"}
    record = read_record(tmp_path)
    assert (record.status, record.request, record.artifacts) == ("failed", request, {})

"""Bits flip, files are cut off, fields are missing: nothing is restored from what is damaged, and the numbers are the same (12 to 15)."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save

from pixelbench.cli.main import main
from pixelbench.data import get_task
from pixelbench.errors import UserError
from pixelbench.experiments import stages
from pixelbench.experiments.stored import load_run
from pixelbench.store.record_file import read_record
from pixelbench.store.scan import StoredRun
from pixelbench.training.checkpoint import CheckpointError, pack, unpack
from pixelbench.training.loop import Trainer
from tests.faults.disturbed import (
    CHECKPOINT,
    SPEC,
    UPDATES,
    bits_of,
    cut_off,
    execute,
    first_update,
    flipped,
    folder_in,
    notes,
    numbers,
    often,
    status_of,
)

WEIGHTS = "weights.safetensors"


def state_of(trainer: Trainer) -> tuple[bytes, bytes]:
    """Everything that a checkpoint could change."""
    return trainer.state(), torch.get_rng_state().numpy().tobytes()


@pytest.fixture
def blob(store: Path) -> bytes:
    return cut_off(store).read_bytes()


@pytest.fixture
def trainer() -> Trainer:
    data = stages.limited(get_task("digits").load(), SPEC)
    return stages.trainer(stages.build(SPEC), data, SPEC, redrawn=False, accepts=lambda identity: True)


def without(field: str) -> Callable[[bytes], bytes]:
    def harm(blob: bytes) -> bytes:
        tensors, header = unpack(blob)
        return pack(tensors, {name: value for name, value in header.items() if name != field})

    return harm


def with_field(field: str, value: Any) -> Callable[[bytes], bytes]:
    def harm(blob: bytes) -> bytes:
        tensors, header = unpack(blob)
        return pack(tensors, header | {field: value})

    return harm


def with_tensors(change: Callable[[dict[str, torch.Tensor]], Any]) -> Callable[[bytes], bytes]:
    """With a digest that is right: what somebody else's code may have written."""

    def harm(blob: bytes) -> bytes:
        tensors, header = unpack(blob)
        change(tensors)
        return pack(tensors, header)

    return harm


def name_of(tensors: dict[str, torch.Tensor], prefix: str) -> str:
    return next(name for name in tensors if name.startswith(prefix))


HARMS: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda blob: b"",
    "half": lambda blob: blob[: len(blob) // 2],
    "a byte short": lambda blob: blob[:-1],
    "a byte long": lambda blob: blob + b"\0",
    **{f"without {name}": without(name) for name in ("update", "losses", "seconds", "curve", "identity")},
    "update is a text": with_field("update", "7"),
    "update beyond the end": with_field("update", UPDATES + 1),
    "update below 0": with_field("update", -1),
    "seconds without end": with_field("seconds", float("inf")),
    "a curve of something else": with_field("curve", [{"update": 1}]),
    "a weight less": with_tensors(lambda tensors: tensors.pop(name_of(tensors, "model."))),
    "a weight more": with_tensors(lambda tensors: tensors.update({"model.more": torch.zeros(1)})),
    "a weight of another type": with_tensors(lambda t: t.update({name_of(t, "model."): t[name_of(t, "model.")].double()})),
    "an average of another shape": with_tensors(lambda t: t.update({name_of(t, "ema."): t[name_of(t, "ema.")][:1]})),
    "an optimiser of another shape": with_tensors(lambda t: t.update({"optimiser.0.exp_avg": torch.zeros(1)})),
    "an optimiser that is not whole": with_tensors(lambda tensors: tensors.pop("optimiser.0.exp_avg")),
    "an optimiser of another kind": with_tensors(lambda t: t.update({"optimiser.0.magic": torch.zeros(())})),
    "no random state": with_tensors(lambda tensors: tensors.pop("random.cpu")),
    "a random state that is none": with_tensors(lambda t: t.update({"random.cpu": torch.full_like(t["random.cpu"], 255)})),
}


def test_none_of_64_bits_goes_unseen_and_nothing_is_restored(blob: bytes, trainer: Trainer):
    fresh = state_of(trainer)
    for bit in bits_of(blob, 64):
        with pytest.raises(CheckpointError):
            trainer.restore(flipped(blob, bit))
        assert state_of(trainer) == fresh, bit
    trainer.restore(blob)
    assert state_of(trainer) != fresh
    assert trainer.update == 7


def test_cut_off_at_any_byte(blob: bytes, trainer: Trainer):
    fresh = state_of(trainer)
    for length in [*range(64), *range(64, len(blob), len(blob) // 60)]:
        with pytest.raises(CheckpointError):
            trainer.restore(blob[:length])
    assert state_of(trainer) == fresh


@pytest.mark.by_default(8)
@pytest.mark.parametrize("harm", [name for name in HARMS if name != "without identity"])
def test_a_checkpoint_that_is_not_whole_is_refused_before_anything_is_restored(blob: bytes, trainer: Trainer, harm: str):
    fresh = state_of(trainer)
    with pytest.raises(CheckpointError):
        trainer.restore(HARMS[harm](blob))
    assert state_of(trainer) == fresh


@pytest.mark.by_default(2)
@pytest.mark.parametrize("harm", ["a bit", "empty", "without update", "without identity", "a random state that is none"])
def test_the_run_goes_on_from_the_one_before_with_the_same_numbers(
    store: Path, expected: dict[str, Any], monkeypatch: pytest.MonkeyPatch, harm: str
):
    often(monkeypatch)
    newest = cut_off(store)
    whole = newest.read_bytes()
    newest.write_bytes(flipped(whole, bits_of(whole, 1)[0]) if harm == "a bit" else HARMS[harm](whole))
    events = execute(store)
    (note,) = notes(events)
    assert note.startswith("going on from update ")
    assert ("damaged checkpoint checkpoint.safetensors" in note) == (harm in ("a bit", "empty", "without update"))
    assert status_of(events) == "done"
    assert numbers(store) == expected
    if "damaged" in note:
        assert newest.with_name(f"{CHECKPOINT}.damaged").exists()


def test_without_one_before_the_run_starts_again(store: Path, expected: dict[str, Any], blob: bytes):
    path = folder_in(store) / "work" / CHECKPOINT
    path.write_bytes(flipped(blob, bits_of(blob, 1)[0]))
    events = execute(store)
    (note,) = notes(events)
    assert note.startswith("starting again: damaged checkpoint")
    assert (status_of(events), first_update(events)) == ("done", 1)
    assert numbers(store) == expected


def test_both_are_damaged(store: Path, expected: dict[str, Any], monkeypatch: pytest.MonkeyPatch):
    often(monkeypatch)
    newest = cut_off(store)
    for path in (newest, newest.with_name("checkpoint.before.safetensors")):
        path.write_bytes(path.read_bytes()[:-9])
    events = execute(store)
    (note,) = notes(events)
    assert note.count("damaged checkpoint") == 2
    assert first_update(events) == 1
    assert numbers(store) == expected


def test_a_checkpoint_of_before_there_were_digests_is_of_another_version(store: Path, expected: dict[str, Any], blob: bytes):
    path = folder_in(store) / "work" / CHECKPOINT
    path.write_bytes(as_before(blob))
    events = execute(store)
    (note,) = notes(events)
    assert note == "starting again: it has no SHA-256, so it is damaged or of another version of the code"
    assert numbers(store) == expected


@pytest.mark.parametrize("most_weights", [0, 1 << 20])
def test_weights_of_which_a_bit_flipped_are_not_used(store: Path, most_weights: int):
    execute(store, most_weights=most_weights)
    folder = folder_in(store)
    path = folder / WEIGHTS if most_weights else folder / "work" / WEIGHTS
    whole, run = path.read_bytes(), StoredRun(folder, read_record(folder))
    load_run(run)
    for bit in bits_of(whole, 16):
        path.write_bytes(flipped(whole, bit))
        with pytest.raises(UserError, match="are damaged"):
            load_run(run)


def test_weights_of_before_there_were_digests_are_still_used(store: Path):
    execute(store)
    folder = folder_in(store)
    run, path = StoredRun(folder, read_record(folder)), folder / WEIGHTS
    before = load_run(run).state_dict()
    path.write_bytes(as_before(path.read_bytes()))
    assert all(torch.equal(value, before[name]) for name, value in load_run(run).state_dict().items())


def test_sample_draws_nothing_from_damaged_weights(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    execute(store, most_weights=0)
    path = folder_in(store) / "work" / WEIGHTS
    path.write_bytes(flipped(path.read_bytes(), 8 * path.stat().st_size - 77))
    with pytest.raises(SystemExit) as ended:
        main(["sample", "digits/pixelcnn", "--results", str(store), "--out", str(tmp_path / "a.png"), "-n", "2"])
    assert ended.value.code == 2
    assert "are damaged (its SHA-256 is not that of its contents)" in capsys.readouterr().err
    assert not (tmp_path / "a.png").exists()


def as_before(blob: bytes) -> bytes:
    """As it was written before there were digests."""
    tensors, header = unpack(blob)
    return save(tensors, {"pixelbench": json.dumps(header, sort_keys=True)})

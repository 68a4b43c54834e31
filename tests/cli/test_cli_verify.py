"""`pixelbench verify`: a store that holds, and each thing that does not."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pixelbench.experiments.run.execute import execute
from pixelbench.experiments.verify.adds_up import examined
from pixelbench.experiments.verify.rescoring import rescore
from pixelbench.store.artifacts import NATS, WEIGHTS
from pixelbench.store.record_file import read_record, run_folder, write_record
from pixelbench.training.checkpoint import pack, unpack
from tests.cli.cli_stores import Pixelbench
from tests.support.quick_run import spec_of

SPECS = [spec_of(f"digits/{name}") for name in ("pixelcnn", "gated-residual", "histogram", "png")]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of four short runs: a network, a leak by design, a baseline and a codec."""
    store = tmp_path_factory.mktemp("made")
    for spec in SPECS:
        assert execute(spec, run_folder(store, spec), store=store) == "done"
    return store


@pytest.fixture
def store(made: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    shutil.copytree(made, tmp_path / "store")
    return tmp_path / "store"


def folder_of(store: Path, variant: str) -> Path:
    (found,) = (store / "digits" / variant).iterdir()
    return found


def test_a_genuine_store_holds_in_every_respect(pixelbench: Pixelbench, store: Path) -> None:
    code, out, err = pixelbench("verify", str(store), "--behaviour", "--rescore")
    assert code == 0
    assert "4 runs in" in out
    assert "everything adds up" in out
    assert "4 runs are current" in out
    assert out.count("│ yes") == 3  # a codec has no weights
    assert "does not" not in err


def test_json_is_one_document_with_what_was_found(pixelbench: Pixelbench, store: Path) -> None:
    code, out, _ = pixelbench("verify", str(store), "--rescore", "5", "--json")
    found = json.loads(out)
    assert (code, found["holds"], found["runs"], found["problems"]) == (0, True, 4, [])
    assert {one["images"] for one in found["rescored"]} == {5}
    assert max(one["largest_difference"] for one in found["rescored"]) < 1e-4


@pytest.mark.parametrize(
    ("name", "said"),
    [("record.json", "its digest is not that"), (NATS, "nothing backs its likelihood"), (WEIGHTS, "is not the file that the run left")],
)
def test_one_flipped_bit_is_found(pixelbench: Pixelbench, store: Path, name: str, said: str) -> None:
    path = folder_of(store, "pixelcnn") / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    code, _, err = pixelbench("verify", str(store))
    assert code == 1
    assert said in err
    assert str(path.parent) in err


def test_weights_that_give_other_nats_do_not_hold(pixelbench: Pixelbench, store: Path) -> None:
    """Somebody who knows the format puts other weights there, with their digest in the record."""
    import hashlib

    folder = folder_of(store, "pixelcnn")
    tensors, header = unpack((folder / WEIGHTS).read_bytes())
    name = next(name for name in tensors if name.endswith("weight"))
    other = pack({**tensors, name: tensors[name] * 3}, header)
    (folder / WEIGHTS).write_bytes(other)
    record = read_record(folder)
    write_record(folder, replace(record, artifacts={**record.artifacts, WEIGHTS: hashlib.sha256(other).hexdigest()}))
    assert pixelbench("verify", str(store))[0] == 0
    code, out, _ = pixelbench("verify", str(store), "--rescore", "6", "--json")
    (failed,) = (one for one in json.loads(out)["rescored"] if not one["holds"])
    assert (code, failed["run"]) == (1, "digits/pixelcnn seed 0")
    assert failed["reason"] == "6 of 6 images have another likelihood"


def test_nats_that_vanish_after_the_look_are_said_and_cost_only_their_run(store: Path) -> None:
    found = examined(store)
    (folder_of(store, "pixelcnn") / NATS).unlink()
    reasons = {one.run: (one.holds, one.reason) for one in rescore(found, 2)}
    said = "Its nats are not kept, so there is nothing to compare with."
    assert reasons.pop("digits/pixelcnn seed 0") == (False, said)
    assert len(reasons) == 2
    assert set(reasons.values()) == {(True, "")}


def test_another_behaviour_is_named_with_its_parts(pixelbench: Pixelbench, store: Path) -> None:
    folder = folder_of(store, "pixelcnn")
    record = read_record(folder)
    assert record.behaviour is not None
    numbers = {**record.behaviour["numbers"], "learning rates": [value * 1.001 for value in record.behaviour["numbers"]["learning rates"]]}
    write_record(folder, replace(record, behaviour={**record.behaviour, "numbers": numbers}))
    code, out, _ = pixelbench("verify", str(store), "--behaviour", "--json")
    stale = [one for one in json.loads(out)["behaviour"] if one["verdict"] == "stale"]
    assert code == 1
    assert [(one["runs"], one["differing"]) for one in stale] == [(["digits/pixelcnn seed 0"], ["learning rates"])]


def test_a_run_without_a_fingerprint_is_said_and_no_fault(pixelbench: Pixelbench, store: Path) -> None:
    folder = folder_of(store, "pixelcnn")
    write_record(folder, replace(read_record(folder), behaviour=None))
    code, out, _ = pixelbench("verify", str(store), "--behaviour")
    assert code == 0
    assert "1 keep no fingerprint to look at" in out


def test_nats_of_a_weaker_model_are_found_by_scoring_only(pixelbench: Pixelbench, store: Path) -> None:
    """Nats made up with their mean, error and digest right: nothing but the weights can tell."""
    import hashlib
    import io

    from pixelbench.statistics import clustered_standard_error
    from pixelbench.units import bits_per_dim

    folder = folder_of(store, "pixelcnn")
    record = read_record(folder)
    assert record.likelihood is not None
    with np.load(folder / NATS) as arrays:
        nats, clusters = arrays["nats"].astype(np.float64) * 0.9, arrays["clusters"]
    blob = io.BytesIO()
    np.savez(blob, nats=nats.astype(np.float32), clusters=clusters)
    (folder / NATS).write_bytes(blob.getvalue())
    error, shape = clustered_standard_error(nats, clusters), record.task.shape
    assert error is not None
    bits = {"bits_per_dim": float(bits_per_dim(nats.mean(), shape)), "bits_per_dim_se": float(bits_per_dim(error, shape))}
    likelihood = replace(record.likelihood, nats_per_image=float(nats.mean()), **bits)
    artifacts = {**record.artifacts, NATS: hashlib.sha256(blob.getvalue()).hexdigest()}
    write_record(folder, replace(record, likelihood=likelihood, artifacts=artifacts))
    assert pixelbench("verify", str(store))[0] == 0
    assert pixelbench("verify", str(store), "--rescore")[0] == 1


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: None, "There is no results folder"),
        (lambda path: path.mkdir(), "holds no runs of PixelBench"),
        (lambda path: path.write_text("x"), "is a file"),
    ],
)
def test_what_is_no_store_is_refused_and_left_alone(pixelbench: Pixelbench, tmp_path: Path, make, said: str) -> None:
    path = tmp_path / "other"
    make(path)
    before = sorted(tmp_path.rglob("*"))
    code, out, err = pixelbench("verify", str(path))
    assert (code, out) == (2, "")
    assert said in err
    assert len(err.splitlines()) == 1
    assert sorted(tmp_path.rglob("*")) == before


def test_a_store_of_a_newer_version_is_refused_and_left_alone(pixelbench: Pixelbench, store: Path) -> None:
    path = folder_of(store, "pixelcnn") / "record.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema": 99}))
    shutil.rmtree(store / "work", ignore_errors=True)
    code, _, err = pixelbench("verify", str(store), "--behaviour")
    assert code == 2
    assert "newer PixelBench" in err
    assert not (store / "work").exists()


@pytest.mark.parametrize("number", ["0", "-3", "many"])
def test_a_number_of_images_that_is_none(pixelbench: Pixelbench, store: Path, number: str) -> None:
    code, _, err = pixelbench("verify", str(store), f"--rescore={number}")
    assert code == 2
    assert "--rescore takes a number of test images" in err

"""Proofs beside records: whole, of this run, and in agreement with its nats, or named and left out; never a reason to doubt the run."""

import json
import math
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pixelbench.store.artifacts import NATS, WEIGHTS, remove_others
from pixelbench.store.documents.proofs import PROOF, CodedImages, Proof, parse_proof, write_proof
from pixelbench.store.frame import load_results
from pixelbench.store.record import Record
from pixelbench.store.record_file import run_folder
from pixelbench.store.scan import Scan, scan
from tests.support.record_factory import add_run, rewrite

pytestmark = pytest.mark.quick

BITS = 2.0
N = 10


def proof_of(store: Path, record: Record, n: int = N) -> Proof:
    """A proof that fits the nats of a fabricated run."""
    kept = scan(store, cached=False).examine()[record.run_key].nats()
    assert kept is not None
    ideal = float(kept[0][:n].sum()) / math.log(2)
    coded = CodedImages(math.ceil(ideal * 1.001 / 8) + 8, ideal, 1.5, 1.6)
    return Proof(record.run_key, "ab" * 32, n, coded, 180, 0, "incremental", n, 1, {"torch": "2.13.0"})


@pytest.fixture
def record(tmp_path: Path) -> Record:
    return add_run(tmp_path, "gated-pixelcnn", BITS)


def examined(store: Path) -> Scan:
    return scan(store).examine()


def keep(store: Path, record: Record, change: Callable[[Proof], Proof] = lambda proof: proof) -> Proof:
    proof = change(proof_of(store, record))
    write_proof(run_folder(store, record.spec), proof)
    return proof


def test_a_proof_is_read_as_it_was_written_and_changes_nothing_else(tmp_path: Path, record: Record) -> None:
    before = examined(tmp_path)[record.run_key]
    proof = keep(tmp_path, record)
    found = examined(tmp_path)
    run = found[record.run_key]
    assert (before.proof, run.proof) == (None, proof)
    assert (run.record, run.doubts, dict(run.damaged), found.problems) == (before.record, (), {}, [])
    assert proof.overhead == pytest.approx(8 * proof.coded.coded_bytes / proof.coded.ideal_bits - 1)
    assert proof.times_claim is None


def test_it_is_read_from_the_cache_too(tmp_path: Path, record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    proof = keep(tmp_path, record)
    path = run_folder(tmp_path, record.spec) / PROOF
    os.utime(path, (1e9, 1e9))
    assert examined(tmp_path)[record.run_key].proof == proof
    monkeypatch.setattr("pixelbench.store.artifacts.parse_proof", lambda blob: pytest.fail("read again"))
    assert examined(tmp_path)[record.run_key].proof == proof


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda proof: replace(proof, run_key="0123456789ab"), "is of run 0123456789ab"),
        (lambda proof: replace(proof, n_images=61), "is of 61 images, and the run scored 60"),
        (lambda proof: replace(proof, coded=replace(proof.coded, ideal_bits=1000.0)), "says that its images need 1,000 bits"),
        (lambda proof: replace(proof, coded=replace(proof.coded, difference="image 0")), "says that images did not come back"),
        (lambda proof: replace(proof, claimed=replace(proof.coded, ideal_bits=9.0)), "says that its images need 9 bits"),
    ],
)
def test_a_proof_of_something_else_is_named_and_left_out(
    tmp_path: Path, record: Record, change: Callable[[Proof], Proof], said: str
) -> None:
    keep(tmp_path, record, change)
    found = examined(tmp_path)
    run = found[record.run_key]
    assert (run.proof, run.doubts) == (None, ())
    assert run.damaged[PROOF].startswith(said)
    assert [said in problem and f"{PROOF} " in problem for problem in found.problems] == [True]


def test_a_proof_of_other_weights_is_named(tmp_path: Path, record: Record) -> None:
    folder = run_folder(tmp_path, record.spec)
    (folder / WEIGHTS).write_bytes(b"weights")
    import hashlib

    digest = hashlib.sha256(b"weights").hexdigest()
    rewrite(folder, lambda found: replace(found, artifacts={**found.artifacts, WEIGHTS: digest}))
    keep(tmp_path, record)
    assert examined(tmp_path)[record.run_key].damaged == {PROOF: "is of other weights than the run left"}
    keep(tmp_path, record, lambda proof: replace(proof, weights=digest))
    assert examined(tmp_path)[record.run_key].damaged == {}


def test_a_leaking_models_claim_is_held_against_its_nats(tmp_path: Path, record: Record) -> None:
    proof = keep(tmp_path, record, lambda proof: replace(proof, claimed=proof.coded, coded=replace(proof.coded, coded_bytes=10**6)))
    assert examined(tmp_path)[record.run_key].proof == proof
    assert proof.times_claim == pytest.approx(8 * 10**6 / proof.coded.ideal_bits)


def test_damage_is_found(tmp_path: Path, record: Record) -> None:
    keep(tmp_path, record)
    path = run_folder(tmp_path, record.spec) / PROOF
    blob = path.read_bytes()
    document = json.loads(blob)
    for changed in ({"n_images": 9}, {"sha256": "0" * 64}, {"schema": 2}):
        with pytest.raises(ValueError, match="digest is not that of its contents"):
            parse_proof(json.dumps(document | changed).encode())
    with pytest.raises(ValueError, match="not an object"):
        parse_proof(b"[]")
    path.write_bytes(blob[: len(blob) // 2])
    run = examined(tmp_path)[record.run_key]
    assert run.damaged[PROOF].startswith("is damaged (")
    assert (run.proof, run.doubts) == (None, ())


def test_a_run_that_does_not_add_up_has_no_proof(tmp_path: Path, record: Record) -> None:
    keep(tmp_path, record)
    (run_folder(tmp_path, record.spec) / NATS).unlink()
    run = examined(tmp_path)[record.run_key]
    assert run.doubts
    assert run.proof is None


def test_the_tidy_table_has_it(tmp_path: Path, record: Record) -> None:
    add_run(tmp_path, "pixelcnn", BITS)
    proof = keep(tmp_path, record)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frame = load_results(tmp_path).set_index("variant")
    row = frame.loc["gated-pixelcnn"]
    assert (row.proved_images, row.proved_bytes, row.proved_overhead) == (N, proof.coded.coded_bytes, proof.overhead)
    assert frame.loc["pixelcnn", ["proved_images", "proved_bytes", "proved_overhead"]].isna().all()


def test_it_goes_with_the_run_that_it_is_of(tmp_path: Path, record: Record) -> None:
    keep(tmp_path, record)
    folder = run_folder(tmp_path, record.spec)
    remove_others(folder, record.artifacts)
    assert not (folder / PROOF).exists()
    assert (folder / NATS).exists()

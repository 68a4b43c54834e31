"""Stored runs really coded and decoded in another process; what cannot be is refused in a sentence."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pixelbench.coding.container import Container, pack, unpack
from pixelbench.coding.images import Progress
from pixelbench.data import get_task
from pixelbench.errors import UserError
from pixelbench.experiments.prove import proving
from pixelbench.experiments.prove.decoding import decode_container, read_container, run_of
from pixelbench.experiments.prove.fresh_process import FreshlyDecoded, decode_afresh
from pixelbench.experiments.prove.proving import prove
from pixelbench.experiments.prove.sources import RunSource, Source
from pixelbench.store.artifacts import WEIGHTS
from pixelbench.store.scan import StoredRun
from tests.support.coded_runs import add_model, digest_of
from tests.support.record_factory import add_run, folder_of, nats_file


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decodes in this process, for what has nothing to do with another one."""

    def decode_here(blob: bytes, source: Source, progress: Progress) -> FreshlyDecoded:
        decoded = decode_container(unpack(blob), source)
        return FreshlyDecoded(decoded.images, decoded.right, 0.0)

    monkeypatch.setattr(proving, "decode_afresh", decode_here)


def file_of(run: StoredRun, n: int = 3) -> Container:
    return unpack(prove(run, n).file)


def test_images_come_back_in_another_process_from_the_weights_alone(tmp_path: Path) -> None:
    run, told = add_model(tmp_path, "pixelcnn"), []
    proved = prove(run, 10, lambda *said: told.append(said))
    proof, header = proved.proof, unpack(proved.file).header
    assert (proof.coded.difference, proof.claimed, proof.n_images, proof.method) == (None, None, 10, "incremental")
    assert (header.run_key, header.weights, header.n) == (run.record.run_key, digest_of(run), 10)
    assert proof.header_bytes <= 256
    assert len(proved.file) == proof.header_bytes + proof.coded.coded_bytes
    assert 8 * proof.coded.coded_bytes <= 1.002 * proof.coded.ideal_bits + 128
    nats = run.nats()
    assert nats is not None
    assert proof.coded.ideal_bits == pytest.approx(nats[0][:10].sum() / np.log(2), rel=1e-5)
    decoded = decode_container(unpack(proved.file), RunSource(run))
    assert decoded.right
    assert np.array_equal(decoded.images, get_task("digits").load().test.images[:10])
    assert {what for what, *_ in told} == {"scoring", "coding", "decoding"}


def test_a_leaking_model_takes_many_times_its_claim(tmp_path: Path) -> None:
    run = add_model(tmp_path, "gated-residual", family="gated-pixelcnn", first_layer="residual", scale=4.0)
    proof = prove(run, 4).proof
    assert proof.method == "naive"
    assert proof.claimed is not None
    assert proof.claimed.difference is not None
    assert "was coded" in proof.claimed.difference
    assert proof.coded.difference is None
    assert proof.times_claim == pytest.approx(8 * proof.coded.coded_bytes / proof.claimed.ideal_bits)


def test_the_classes_of_a_conditional_model_are_in_the_file(tmp_path: Path) -> None:
    run = add_model(tmp_path, "gated-class", family="gated-pixelcnn", condition="class", classes=10)
    proved = prove(run, 9)
    labels = get_task("digits").load().test.labels
    assert labels is not None
    assert (proved.proof.coded.difference, proved.proof.label_bytes) == (None, 4)
    decoded = decode_container(unpack(proved.file), RunSource(run))
    assert decoded.labels is not None
    assert decoded.labels.tolist() == labels[:9].tolist()
    assert decoded.right


@pytest.mark.by_default(4)
@pytest.mark.parametrize(
    ("variant", "task", "settings"),
    [
        ("gated-pixelcnn", "photos", {}),
        ("pixelcnn-pp", "photos", {"scales": 1, "layers": 1, "head": "logistic-mixture"}),
        ("histogram", "digits", {}),
        ("uniform", "digits", {}),
        ("fvsbn", "mnist-fixed", {}),
        ("nade", "mnist-fixed", {}),
        ("made", "mnist-fixed", {"order": "random"}),
        ("mixture-of-bernoullis", "mnist-fixed", {"components": 3}),
        ("diagonal-bilstm", "digits", {}),
    ],
)
@pytest.mark.usefixtures("here")
def test_other_families(tmp_path: Path, variant: str, task: str, settings: dict) -> None:
    proof = prove(add_model(tmp_path, variant, task=task, n=4, **settings), 4).proof
    assert (proof.coded.difference, proof.label_bytes, proof.method) == (None, 0, "incremental")
    assert 8 * proof.coded.coded_bytes <= 1.002 * proof.coded.ideal_bits + 128


@pytest.mark.usefixtures("here")
def test_more_images_than_were_scored_are_all_of_them(tmp_path: Path) -> None:
    assert prove(add_model(tmp_path, "histogram", n=5), 100).proof.n_images == 5


@pytest.mark.usefixtures("here")
def test_other_weights_and_another_run_are_named(tmp_path: Path) -> None:
    run, other = add_model(tmp_path / "one", "pixelcnn"), add_model(tmp_path / "one", "gated-pixelcnn")
    file = file_of(run)
    assert run_of(file.header, tmp_path / "one").record.run_key == run.record.run_key
    with pytest.raises(UserError, match=r"coded with other weights of digits/gated-pixelcnn than those in .* \(their SHA-256 differ\)"):
        decode_container(file, RunSource(other))
    add_model(tmp_path / "two", "pixelcnn", scale=1.001)
    with pytest.raises(UserError, match="coded with other weights of digits/pixelcnn"):
        decode_container(file, RunSource(run_of(file.header, tmp_path / "two")))
    add_model(tmp_path / "three", "histogram")
    with pytest.raises(UserError, match=rf"coded by run {run.record.run_key}, which is not in .*; name the folder that holds it"):
        run_of(file.header, tmp_path / "three")


@pytest.mark.usefixtures("here")
def test_images_of_another_size_are_refused(tmp_path: Path) -> None:
    run = add_model(tmp_path, "histogram")
    file = file_of(run)
    wrong = replace(file, header=replace(file.header, shape=(1, 4, 16)))
    with pytest.raises(UserError, match="holds images of 1x4x16 with 17 levels, which digits/histogram is not of"):
        decode_container(wrong, RunSource(run))


@pytest.mark.usefixtures("here")
def test_tables_that_are_not_the_encoders_are_found_by_the_images(tmp_path: Path) -> None:
    """The checksum of the file is right, its content is of another model: nothing but the images' own checksum can tell."""
    run, other = add_model(tmp_path, "pixelcnn", n=10), add_model(tmp_path, "gated-pixelcnn", n=10)
    forged = unpack(pack(replace(file_of(run).header, n=3, batch=3), file_of(other).images))
    assert not decode_container(forged, RunSource(run)).right


@pytest.mark.usefixtures("here")
def test_nats_that_the_weights_do_not_give_are_refused(tmp_path: Path) -> None:
    run = add_model(tmp_path, "pixelcnn")
    kept = run.nats()
    assert kept is not None
    (run.folder / "nats.npz").write_bytes(nats_file(kept[0] * 1.01, kept[1]))
    with pytest.raises(UserError, match="weights of digits/pixelcnn do not give the nats that it has stored"):
        prove(run, 3)


@pytest.mark.parametrize(
    ("variant", "sentence"),
    [
        ("png", "lossless image format: its likelihood is the length of a file already"),
        ("pixelvae", "bits-back coding, which is not done here"),
        ("gated-pixelcnn", "weights of photos/gated-pixelcnn are not in this results folder"),
    ],
)
def test_what_cannot_be_coded_says_why(tmp_path: Path, variant: str, sentence: str) -> None:
    record = add_run(tmp_path, variant, 2.0)
    with pytest.raises(UserError, match=sentence):
        prove(StoredRun(folder_of(tmp_path, record), record), 3)


def test_a_file_that_is_damaged_or_is_none_is_named(tmp_path: Path) -> None:
    path = tmp_path / "images.pbz"
    with pytest.raises(UserError, match=r"images\.pbz' cannot be read \(No such file"):
        read_container(path)
    path.write_bytes(b"GIF89a")
    with pytest.raises(UserError, match=r"images\.pbz' is not a file that `pixelbench compress` wrote"):
        read_container(path)


@pytest.mark.slow
def test_a_fault_in_the_other_process_is_a_sentence_here(tmp_path: Path) -> None:
    run = add_model(tmp_path, "histogram", n=3)
    with pytest.raises(UserError, match="is not a file that `pixelbench compress` wrote"):
        decode_afresh(b"nothing", RunSource(run), lambda done, total: None)
    (run.folder / WEIGHTS).unlink()
    (run.folder / "record.json").unlink()
    with pytest.raises(UserError, match=r"process that decodes the images ended \(exit code 1\).*record\.json"):
        decode_afresh(b"nothing", RunSource(run), lambda done, total: None)

"""The tidy frame: its columns, and what a damaged or doubtful run costs it."""

import math
import os
from pathlib import Path

import numpy as np
import pytest

from pixelbench.store.frame import columns, load_results
from pixelbench.store.record import Diagnosis
from pixelbench.store.record_file import run_folder, write_record
from tests.support.record_factory import add_run, add_seeds, ask, folder_of, record_of, rewrite

pytestmark = pytest.mark.quick


def test_frame_is_tidy(tmp_path: Path) -> None:
    found = (Diagnosis("black-samples", "s"), Diagnosis("uncoordinated-colours", "s"))
    add_run(tmp_path, "pixelcnn", 1.9, task="digits", seed=1, statistics={"zeros": 0.4}, diagnoses=found)
    add_run(tmp_path, "pixelcnn", task="digits", seed=0, status="failed")
    frame = load_results(tmp_path)
    assert list(frame.columns) == list(columns())
    assert {name: str(kind) for name, kind in frame.dtypes.items()} == columns()
    assert list(frame.seed) == [0, 1]
    assert math.isnan(frame.bits_per_dim[0])
    assert frame.n_images.isna().tolist() == [True, False]
    assert frame.iloc[1][["bits_per_dim", "zeros", "causal", "levels"]].tolist() == [1.9, 0.4, "complete", 17]
    assert frame.diagnoses.tolist() == ["", "black-samples, uncoordinated-colours"]
    assert frame.folder[1] == f"digits/pixelcnn/{ask('pixelcnn', task='digits', seed=1).key}"
    assert frame.cell.tolist() == [ask("pixelcnn", task="digits").cell_key] * 2
    assert frame.doubts.tolist() == ["", ""]
    assert frame.code.tolist() == ["text 555555555555"] * 2
    assert frame.torch.tolist() == ["2.11.0"] * 2
    assert frame.trained_positions.isna().tolist() == [True, False]


def test_the_estimator_column_follows_the_records(tmp_path: Path) -> None:
    add_run(tmp_path, "pixelcnn", 1.0)
    add_run(tmp_path, "png", 1.7)
    add_run(tmp_path, "pixelvae", 0.15, task="mnist-fixed")
    add_run(tmp_path, "vae-8", 0.15, family="pixelvae", task="mnist-fixed", evaluation={"importance_samples": 8})
    frame = load_results(tmp_path)
    assert dict(zip(frame.variant, frame.estimator, strict=True)) == {
        "pixelcnn": "exact",
        "png": "code-length",
        "pixelvae": "elbo",
        "vae-8": "iwae-8",
    }


def test_the_selected_update_is_a_column(tmp_path: Path) -> None:
    add_run(tmp_path, "pixelcnn", 1.0)
    add_run(tmp_path, "row-lstm", 1.0, recipe={"select": "best-validation"}, selected_update=475)
    frame = load_results(tmp_path)
    assert frame.selected_update.isna().tolist() == [True, False]
    assert (frame.updates[1], frame.selected_update[1]) == (500, 475)


def test_frame_of_an_empty_store(tmp_path: Path) -> None:
    frame = load_results(tmp_path)
    assert len(frame) == 0
    assert {name: str(kind) for name, kind in frame.dtypes.items()} == columns()


def test_load_results_warns_of_damage(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, add_run(tmp_path, "pixelcnn", 1.0))
    (folder / "record.json").write_text("{")
    with pytest.warns(UserWarning, match="is damaged"):
        assert len(load_results(tmp_path)) == 0


def test_a_run_that_does_not_add_up_is_there_without_its_likelihood_and_with_the_reason(tmp_path: Path) -> None:
    genuine, edited = add_seeds(tmp_path, "pixelcnn", 1.0, 1.1)
    rewrite(folder_of(tmp_path, edited), lambda record: record_of(record.spec, likelihood=genuine.likelihood))
    with pytest.warns(UserWarning, match=r"record\.json does not add up, so it is not ranked, compared or judged: the mean of nats\.npz"):
        frame = load_results(tmp_path)
    assert frame.seed.tolist() == [0, 1]
    assert frame.bits_per_dim.tolist() == [1.0, pytest.approx(np.nan, nan_ok=True)]
    assert frame.nats_per_image.isna().tolist() == frame.estimator.isna().tolist() == frame.n_images.isna().tolist() == [False, True]
    assert frame.doubts[0] == ""
    assert "the mean of nats.npz is 585" in frame.doubts[1]


def test_loading_two_thousand_records(benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Recorded, not asserted: a second is what a report of so many runs may cost."""
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        for seed in range(2000):
            spec = ask("pixelcnn", seed=seed)
            write_record(run_folder(tmp_path, spec), record_of(spec, status="timeout"))
    frame = benchmark.pedantic(load_results, (tmp_path,), rounds=2, iterations=1)
    assert len(frame) == 2000
    assert frame["cell"].nunique() == 1

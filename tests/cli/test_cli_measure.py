"""`measure`: real samples of stored weights against real images, kept beside the record; what cannot be measured is named."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pixelbench.errors import UserError
from pixelbench.experiments.measuring import real
from pixelbench.experiments.measuring.drawing import draw_many
from pixelbench.experiments.stored import load_run
from pixelbench.store.documents.measurements import QUALITY, parse_measurements
from pixelbench.store.scan import StoredRun
from tests.cli.cli_stores import Pixelbench, only_json
from tests.support.coded_runs import add_model
from tests.support.record_factory import rewrite

MEASURE = ("measure", "runs", "-n", "40", "--features", "pixels")


@pytest.fixture
def few_halves(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is measured matters here, and not how well."""
    monkeypatch.setattr("pixelbench.evaluation.measures.halves.HALVES", 4)


@pytest.fixture
def run(tmp_path: Path, few_halves: None) -> StoredRun:
    return add_model(tmp_path / "runs", "pixelcnn")


def kept(run: StoredRun):
    return parse_measurements((run.folder / QUALITY).read_bytes())


def test_measurements_lie_beside_the_record_and_change_nothing_of_it(pixelbench: Pixelbench, run: StoredRun, tmp_path: Path) -> None:
    before = (run.folder / "record.json").read_bytes()
    code, out, err = pixelbench(*MEASURE)
    assert code == 0
    assert "sample quality in pixels" in out
    assert "independent pixels (control)" in out
    assert "40 samples drawn in" in err
    (one,) = kept(run).measured
    assert (one.features, one.n, one.requested, one.seed, one.method) == ("pixels", 40, 40, 0, "cached")
    assert {"kid", "precision", "recall", "memorisation", "spectrum", "zeros"} <= set(one.values) == set(one.floor)
    assert set(one.controls) == {"independent-pixels", "copies", "repeated"}
    assert (run.folder / "record.json").read_bytes() == before
    assert sorted(path.name for path in run.folder.iterdir()) == ["nats.npz", "quality.json", "record.json", "weights.safetensors"]
    code, out, _ = pixelbench("verify", "runs")
    assert (code, "everything adds up" in out) == (0, True)
    blob = (run.folder / QUALITY).read_bytes()
    (run.folder / QUALITY).write_bytes(blob.replace(b'"n": 40', b'"n": 41', 1))
    code, out, err = pixelbench("verify", "runs")
    assert code == 1
    assert f"{QUALITY} is damaged" in err


def test_what_is_measured_is_skipped_until_it_is_asked_for_again(pixelbench: Pixelbench, run: StoredRun) -> None:
    assert pixelbench(*MEASURE, "--statistic", "kid")[0] == 0
    first = (run.folder / QUALITY).read_bytes()
    code, out, _ = pixelbench(*MEASURE, "--statistic", "kid", "--json")
    told = only_json(out)
    assert (code, len(told["skipped"]), told["measured"], told["left_out"]) == (0, 1, [], [])
    assert (run.folder / QUALITY).read_bytes() == first
    code, out, _ = pixelbench(*MEASURE, "--statistic", "precision", "--json")  # a new measure of the same images
    assert [sorted(one["values"]) for one in only_json(out)["measured"]] == [["precision"]]
    (one,) = kept(run).measured
    assert set(one.values) == {"kid", "precision"}
    code, out, _ = pixelbench(*MEASURE, "--statistic", "kid", "--rerun", "--json")
    assert len(only_json(out)["measured"]) == 1
    assert kept(run).measured[0].values == one.values  # the same seed, the same images


def test_another_seed_draws_others_and_stands_beside(pixelbench: Pixelbench, run: StoredRun) -> None:
    for seed in ("0", "1"):
        assert pixelbench(*MEASURE, "--statistic", "kid", "--seed", seed)[0] == 0
    one, other = kept(run).measured
    assert (one.seed, other.seed) == (0, 1)
    assert one.values != other.values


def test_a_damaged_file_is_replaced(pixelbench: Pixelbench, run: StoredRun) -> None:
    (run.folder / QUALITY).write_text("{")
    assert pixelbench(*MEASURE, "--statistic", "kid")[0] == 0
    assert set(kept(run).measured[0].values) == {"kid"}


def test_runs_without_weights_and_features_that_a_task_lacks_are_named(pixelbench: Pixelbench, run: StoredRun) -> None:
    (run.folder / "weights.safetensors").unlink()
    code, out, err = pixelbench(*MEASURE, "--json")
    assert code == 0
    assert "not in this results folder" in only_json(out)["left_out"][0]["reason"]
    assert "digits/pixelcnn seed 0 is not measured" in err
    assert not (run.folder / QUALITY).exists()


def test_a_baseline_without_weights_is_fitted_again(pixelbench: Pixelbench, tmp_path: Path, few_halves: None) -> None:
    run = add_model(tmp_path / "runs", "histogram")
    (run.folder / "weights.safetensors").unlink()
    rewrite(run.folder, lambda found: replace(found, artifacts={"nats.npz": found.artifacts["nats.npz"]}))
    assert pixelbench(*MEASURE, "--statistic", "coverage", "--statistic", "spectrum", "--statistic", "memorisation")[0] == 0
    found = kept(run)
    assert found.weights is None
    assert "noise" in pixelbench("report", "--results", "runs", "--format", "terminal")[1]


def test_a_leaking_model_is_drawn_from_as_its_run_was(pixelbench: Pixelbench, tmp_path: Path, few_halves: None) -> None:
    run = add_model(tmp_path / "runs", "pixelcnn", first_layer="residual")
    assert pixelbench(*MEASURE, "--statistic", "recall")[0] == 0
    assert kept(run).measured[0].method == "naive"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("runs", "digits/pixelcn"), "digits/pixelcnn"),
        (("runs", "--statistic", "kidd"), "kid"),
        (("runs", "--features", "pixel"), "pixels"),
        (("runs", "-n", "3"), "24"),
        (("nowhere",), "There is no results folder"),
    ],
)
def test_what_is_wrong_is_one_sentence(pixelbench: Pixelbench, run: StoredRun, arguments: tuple[str, ...], said: str) -> None:
    code, out, err = pixelbench("measure", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said in err


def test_the_first_images_are_the_same_however_many_are_drawn(run: StoredRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pixelbench.experiments.measuring.drawing.BATCH", 4)
    model = load_run(run)
    few, many = (draw_many(model, n, 3, "cached") for n in (6, 9))
    np.testing.assert_array_equal(few, many[:6])
    assert (draw_many(model, 6, 4, "cached") != few).any()


def test_real_images_are_those_of_the_seed_and_no_floor_is_in_training(run: StoredRun) -> None:
    from pixelbench.data import get_task
    from pixelbench.evaluation.features import feature_set

    task = get_task("digits")
    one, same, other = (real.RealImages(task, feature_set("pixels", task), 30, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one.reference.images, same.reference.images)
    assert (one.reference.images != other.reference.images).any()
    assert (one._floor_set().to_train > 0).all()
    assert (one._copies(one._train[:9]).to_train == 0).all()
    assert one.n == 30


def test_thousands_of_samples_go_into_an_array(pixelbench: Pixelbench, run: StoredRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pixelbench.cli.commands.sample._MOST_SHOWN", 5)
    code, out, err = pixelbench("sample", "digits/pixelcnn", "-n", "12", "--out", "many.npz", "--json")
    assert (code, only_json(out)["n"]) == (0, 12)
    with np.load("many.npz", allow_pickle=False) as file:
        many, about = file["images"], str(file["run_key"])
    assert (many.shape, many.dtype, about) == ((12, 1, 8, 8), np.uint8, run.record.run_key)
    assert pixelbench("sample", "digits/pixelcnn", "-n", "4", "--out", "few.npz")[0] == 0
    np.testing.assert_array_equal(np.load("few.npz")["images"], many[:4])
    code, _, err = pixelbench("sample", "digits/pixelcnn", "-n", "12", "--out", "many.png")
    assert (code, err.count("\n")) == (2, 1)
    assert "at most 5 images" in err
    code, _, err = pixelbench("sample", "digits/pixelcnn", "-n", "12")
    assert err.strip().endswith(".npz")


def test_json_is_one_document(pixelbench: Pixelbench, run: StoredRun) -> None:
    code, out, _ = pixelbench(*MEASURE, "--statistic", "kid", "--json")
    (one,) = json.loads(out)["measured"]
    assert (code, one["task"], one["features"], one["run_key"]) == (0, "digits", "pixels", run.record.run_key)


def test_measures_are_listed_with_direction_and_source(pixelbench: Pixelbench) -> None:
    code, out, _ = pixelbench("list", "measures", "--json")
    entries = {entry["name"]: entry for entry in json.loads(out)}
    assert code == 0
    assert (entries["kid"]["better"], entries["kid"]["unit"]) == ("lower", "distance")
    assert "Kynkäänniemi" in entries["recall"]["source"]
    assert "tried on copies" in pixelbench("list", "measures")[1]


def test_a_model_that_nothing_draws_from_is_left_out(run: StoredRun, monkeypatch: pytest.MonkeyPatch) -> None:
    from pixelbench.experiments.measuring.measure import method_of

    model = load_run(run)
    assert method_of(run, model) == "cached"
    monkeypatch.setattr(type(model), "factorised", False)
    with pytest.raises(UserError, match="nothing that draws"):
        method_of(run, model)
    with pytest.raises(UserError, match="no method of its own"):
        draw_many(model, 2, 0, "own")

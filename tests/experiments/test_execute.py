"""One run, whatever its end: record, artifacts, going on after a cut, failure as a record."""

import csv
import hashlib
import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pixelbench import pulse
from pixelbench.data import get_task, relabel
from pixelbench.evaluation.likelihood import score, summarise
from pixelbench.experiments import stages
from pixelbench.experiments.code_digest import code_digest
from pixelbench.experiments.plan import make_plan
from pixelbench.experiments.run import in_progress as module
from pixelbench.experiments.run.execute import execute
from pixelbench.experiments.stored import load_run
from pixelbench.key_fields import key_values
from pixelbench.store.artifacts import read_summary
from pixelbench.store.integrity import Finding, examine
from pixelbench.store.record import Request, Stretch
from pixelbench.store.record_file import read_record
from pixelbench.store.scan import StoredRun
from pixelbench.suites.load import load_suite
from pixelbench.training import loop
from pixelbench.training.recipe import Recipe
from tests.support.quick_run import comparable, spec_of

pytestmark = pytest.mark.usefixtures("present_code")


REQUEST = Request("run", "quick", "digits", "smoke", limit=7)


def certificate(folder: Path) -> dict[str, Any]:
    """A certificate without the time it took."""
    document = json.loads((folder / "certificate.json").read_text())
    return {name: value for name, value in document.items() if name != "seconds"}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, present_code: dict[str, Any]) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    assert execute(spec_of("digits/gated-pixelcnn", updates=12), folder, request=REQUEST) == "done"
    return folder


def test_a_run_leaves_a_record_and_what_a_report_needs(undisturbed: Path):
    record = read_record(undisturbed)
    assert (record.status, record.schema, record.error) == ("done", 2, None)
    assert (record.causality.status, record.causality.trained_positions) == ("complete", 16)
    assert record.likelihood is not None
    assert record.likelihood.estimator == "exact"
    assert record.recipe is not None
    assert (record.cost.updates, record.cost.images_seen) == (12, 12 * record.recipe.batch)
    assert record.samples is not None
    assert (record.samples.method, record.samples.canvas_agreement) == ("cached", 1.0)
    nats = np.load(undisturbed / "nats.npz")
    assert nats["nats"].dtype == np.float32
    assert len(nats["nats"]) == record.likelihood.n_images == 16
    assert nats["nats"].mean() == pytest.approx(record.likelihood.nats_per_image, rel=1e-6)
    assert certificate(undisturbed)["verdict"] == "causal"
    assert record.causality.faults == ()
    assert record.causality.probes == certificate(undisturbed)["method"]["probes"]
    rows = list(csv.DictReader((undisturbed / "curve.csv").read_text().splitlines()))
    assert int(rows[-1]["update"]) == 12
    assert float(rows[-1]["validation_bits_per_dim"]) == pytest.approx(record.likelihood.validation_bits_per_dim)
    assert (undisturbed / "samples.png").stat().st_size <= 200_000
    assert [path.name for path in (undisturbed / "work").iterdir()] == ["events.jsonl"]


def test_a_record_says_what_was_asked_by_which_command_of_which_code_and_what_it_left(undisturbed: Path, present_code: dict[str, Any]):
    spec, record = spec_of("digits/gated-pixelcnn", updates=12), read_record(undisturbed)
    assert (record.spec, record.run_key) == (spec, spec.key)
    assert (record.request, record.behaviour) == (REQUEST, present_code)
    assert record.provenance.source_digest == code_digest("gated-pixelcnn")
    left = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in undisturbed.iterdir() if path.is_file()}
    assert record.artifacts == {name: digest for name, digest in left.items() if name != "record.json"}
    assert set(record.artifacts) == {"nats.npz", "curve.csv", "certificate.json", "samples.png", "weights.safetensors"}
    summaries = {name: read_summary(undisturbed / name) for name in record.artifacts}
    assert examine(record, summaries) == Finding((), {})


@pytest.mark.slow
def test_selected_weights_are_scored_kept_and_named_also_after_a_cut(tmp_path: Path):
    plain = spec_of("digits/gated-pixelcnn", updates=12)
    uneven = Recipe(optimiser="rmsprop", learning_rate=0.1, warmup=50, schedule="constant", precision="fp32", select="best-validation")
    spec = replace(plain, recipe=key_values(uneven))
    whole, cut, requested = tmp_path / "whole", tmp_path / "cut", itertools.count()
    assert execute(spec, whole) == "done"
    record = read_record(whole)
    curve = list(csv.DictReader((whole / "curve.csv").read_text().splitlines()))
    scores = {int(row["update"]): float(row["validation_bits_per_dim"]) for row in curve}
    selected = min(scores, key=scores.__getitem__)
    assert record.selected_update == selected < 12
    assert record.likelihood is not None
    assert record.likelihood.validation_bits_per_dim == pytest.approx(min(scores.values()))
    assert record.likelihood.validation_bits_per_dim != pytest.approx(scores[12])
    assert (record.cost.updates, record.spec.key) == (12, spec.key)
    assert examine(record, {name: read_summary(whole / name) for name in record.artifacts}) == Finding((), {})
    model, test = load_run(StoredRun(whole, record)), get_task("digits").load().test[:16]
    nats = score(model, torch.from_numpy(test.images), test.clusters).nats_per_image
    assert nats == pytest.approx(record.likelihood.nats_per_image, rel=1e-6)
    assert execute(spec, cut, stop=lambda: next(requested) >= selected + 3) == "interrupted"
    assert (read_record(cut).selected_update, read_record(cut).status) == (record.selected_update, "interrupted")
    assert execute(spec, cut) == "done"
    assert comparable(cut) == comparable(whole)


@pytest.mark.slow
def test_a_run_in_micro_batches_is_the_same_run_and_says_so(tmp_path: Path):
    spec = spec_of("digits/gated-pixelcnn", updates=3)
    whole, parts, odd = tmp_path / "whole", tmp_path / "parts", tmp_path / "odd"
    assert execute(spec, whole, micro_batch=64) == execute(spec, parts, micro_batch=16) == "done"
    one, other = read_record(whole), read_record(parts)
    assert (one.provenance.micro_batch, other.provenance.micro_batch) == (None, 16)
    assert (one.run_key, one.cost.images_seen) == (other.run_key, other.cost.images_seen)
    assert one.likelihood is not None
    assert other.likelihood is not None
    assert one.likelihood.nats_per_image == pytest.approx(other.likelihood.nats_per_image, rel=1e-5)
    assert execute(spec, odd, micro_batch=48) == "failed"
    error = read_record(odd).error
    assert error is not None
    said = "a batch of 64 images cannot be taken 48 at a time; expected a divisor, such as 32"
    assert error.message == f"digits/gated-pixelcnn seed 0: {said}."
    assert not (odd / "certificate.json").exists()


def test_selection_without_validation_images_fails_before_anything_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    spec = spec_of("digits/gated-pixelcnn")
    spec = replace(spec, recipe=spec.recipe | {"select": "best-validation"})
    events: list[dict[str, Any]] = []
    limited = stages.limited
    monkeypatch.setattr(stages, "limited", lambda data, spec: replace(limited(data, spec), validation=data.validation[:0]))
    assert execute(spec, tmp_path, emit=events.append) == "failed"
    error = read_record(tmp_path).error
    assert error is not None
    said = "select = 'best-validation' needs validation images, and there are none; expected 'last'"
    assert error.message == f"digits/gated-pixelcnn seed 0: {said}."
    assert not any(event["event"] == "stage" for event in events)


def test_a_record_names_no_host_and_no_path(undisturbed: Path):
    text = (undisturbed / "record.json").read_text()
    assert str(undisturbed) not in text
    assert str(Path(__file__).parents[2]) not in text


def test_an_interrupted_run_goes_on_and_ends_with_the_very_same_record(undisturbed: Path, tmp_path: Path):
    spec, requested = spec_of("digits/gated-pixelcnn", updates=12), itertools.count()
    assert execute(spec, tmp_path, stop=lambda: next(requested) >= 7) == "interrupted"
    assert 0 < read_record(tmp_path).cost.updates < 12
    assert (tmp_path / "work" / "checkpoint.safetensors").exists()
    events: list[dict[str, Any]] = []
    assert execute(spec, tmp_path, emit=events.append, request=REQUEST) == "done"
    assert min(event["update"] for event in events if event["event"] == "progress") > 1
    assert not any(event["event"] == "note" for event in events)
    assert comparable(tmp_path) == comparable(undisturbed)
    for name in ("curve.csv", "samples.png", "nats.npz", "weights.safetensors"):
        assert (tmp_path / name).read_bytes() == (undisturbed / name).read_bytes()
    assert certificate(tmp_path) == certificate(undisturbed)


@pytest.mark.slow
def test_a_run_that_went_on_elsewhere_says_what_was_done_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    spec, collect, requested = spec_of("digits/gated-pixelcnn", updates=12), module.collect_provenance, itertools.count()
    there = {"device": "cuda (NVIDIA H200)", "git_commit": "f" * 40, "git_dirty": True}
    monkeypatch.setattr(module, "collect_provenance", lambda *given, **named: replace(collect(*given, **named), **there))
    assert execute(spec, tmp_path, stop=lambda: next(requested) >= 7) == "interrupted"
    until = read_record(tmp_path).cost.updates
    assert read_record(tmp_path).provenance.earlier == ()
    monkeypatch.undo()
    assert execute(spec, tmp_path) == "done"
    made = read_record(tmp_path).provenance
    same = {"threads": made.threads, "compiled": False, "source_digest": made.source_digest, "torch": torch.__version__}
    assert made.earlier == (Stretch(until, **same, **there),)
    assert made.devices == ["cpu", "cuda (NVIDIA H200)"]
    assert (made.device, made.git_commit == "f" * 40) == ("cpu", False)


def test_a_checkpoint_that_does_not_fit_is_left_aside_and_the_run_starts_again(undisturbed: Path, tmp_path: Path):
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "checkpoint.safetensors").write_bytes(b"half a file")
    events: list[dict[str, Any]] = []
    assert execute(spec_of("digits/gated-pixelcnn", updates=12), tmp_path, emit=events.append, request=REQUEST) == "done"
    assert next(event["text"] for event in events if event["event"] == "note").startswith(
        "starting again: damaged checkpoint checkpoint.safetensors (not a PixelBench checkpoint"
    )
    assert (tmp_path / "work" / "checkpoint.safetensors.damaged").read_bytes() == b"half a file"
    assert comparable(tmp_path) == comparable(undisturbed)


def test_a_run_that_had_ended_starts_again(tmp_path: Path):
    spec = spec_of("digits/pixelcnn")
    for _ in range(2):
        events: list[dict[str, Any]] = []
        assert execute(spec, tmp_path, emit=events.append) == "done"
        assert [event["update"] for event in events if event["event"] == "progress"] == [1, 2, 3, 4]


def test_a_finished_run_that_is_made_again_and_interrupted_keeps_what_it_had(tmp_path: Path):
    spec = spec_of("digits/pixelcnn")
    assert execute(spec, tmp_path) == "done"
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    requested = itertools.count()
    assert execute(spec, tmp_path, stop=lambda: next(requested) >= 4) == "interrupted"
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


def test_a_leak_by_design_is_marked_scored_in_sequence_and_sampled_from_two_canvases(tmp_path: Path):
    assert execute(spec_of("digits/gated-residual"), tmp_path) == "done"
    record = read_record(tmp_path)
    assert record.causality.status == "leaky"
    assert record.causality.counter_example
    assert record.samples is not None
    assert record.samples.method == "naive"
    assert record.sequential is not None
    assert record.likelihood is not None
    assert record.sequential.n_images == 2
    assert record.sequential.bits_per_dim != record.likelihood.bits_per_dim


@pytest.mark.parametrize("cell", ["photos/histogram", "photos/png", "digits/webp"])
def test_baselines_are_runs_like_others(cell: str, tmp_path: Path):
    estimator = "exact" if cell.endswith("histogram") else "code-length"
    assert execute(spec_of(cell), tmp_path) == "done"
    record = read_record(tmp_path)
    likelihood = record.likelihood
    assert likelihood is not None
    assert likelihood.estimator == estimator
    assert 0 < likelihood.bits_per_dim < 5
    assert (likelihood.bits_per_dim_se is None) == (estimator == "code-length")
    assert (record.recipe, record.cost.updates) == (None, 0)
    assert ("nats.npz" in record.artifacts) == (estimator == "exact")


def test_patches_are_scored_by_photograph_and_not_by_region(tmp_path: Path):
    spec = spec_of("photos/histogram", evaluation=spec_of("photos/histogram").evaluation | {"test_images": None})
    assert execute(spec, tmp_path) == "done"
    likelihood = read_record(tmp_path).likelihood
    assert likelihood is not None
    assert (likelihood.n_images, likelihood.n_clusters) == (273, 7)
    with np.load(tmp_path / "nats.npz") as kept:
        nats, units = kept["nats"].astype(np.float64), kept["clusters"]
    regions = get_task("photos").load().test.clusters
    np.testing.assert_array_equal(units, relabel("photos", regions))
    over_photographs, over_regions = (summarise(nats, clusters, (3, 16, 16)).bits_per_dim_se for clusters in (units, regions))
    assert likelihood.bits_per_dim_se == pytest.approx(over_photographs, rel=1e-5)
    assert likelihood.bits_per_dim_se != pytest.approx(over_regions, rel=0.05)


def test_a_run_that_fails_says_what_and_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def burst(*arguments: Any, **named: Any) -> None:
        raise RuntimeError("CUDA error: device-side assert triggered")

    monkeypatch.setattr(module.stages, "evaluate", burst)
    assert execute(spec_of("digits/pixelcnn"), tmp_path) == "failed"
    record = read_record(tmp_path)
    assert record.error is not None
    assert (record.error.type, record.error.message) == ("RuntimeError", "CUDA error: device-side assert triggered")
    assert any("burst" in line for line in record.error.log)
    assert record.likelihood is None


def test_a_diverged_run_says_so(tmp_path: Path):
    spec = spec_of("digits/pixelcnn", updates=60)
    spec = replace(spec, recipe=spec.recipe | {"learning_rate": 1e6, "clip": 0.0, "optimiser": "rmsprop", "constants": {}})
    assert execute(spec, tmp_path) == "diverged"
    assert (tmp_path / "curve.csv").exists()


@pytest.mark.slow
def test_the_cap_ends_a_run_as_timeout_and_a_second_attempt_goes_on(tmp_path: Path):
    spec = spec_of("digits/pixelcnn", updates=400)
    assert execute(spec, tmp_path, max_seconds=0.3) == "timeout"
    reached = read_record(tmp_path).cost.updates
    assert 0 < reached < 400
    events: list[dict[str, Any]] = []
    execute(spec, tmp_path, max_seconds=0.3, emit=events.append)
    assert min(event["update"] for event in events if event["event"] == "progress") > reached


def test_another_digest_than_the_task_has_is_a_failed_run(tmp_path: Path):
    spec = spec_of("digits/pixelcnn")
    assert execute(replace(spec, task=spec.task | {"digest": "0" * 64}), tmp_path) == "failed"
    error = read_record(tmp_path).error
    assert error is not None
    assert "another digest" in error.message


def test_checkpoints_are_written_while_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(loop, "CHECKPOINT_SHARE", 1e9)
    seen: list[bool] = []
    checkpoint = tmp_path / "work" / "checkpoint.safetensors"
    execute(spec_of("digits/pixelcnn"), tmp_path, emit=lambda event: seen.append(checkpoint.exists()))
    assert any(seen)
    assert not checkpoint.exists()


@pytest.mark.parametrize("variant", ["fvsbn", "diagonal-bilstm-1"])
def test_every_drawn_pixel_is_a_sign_of_life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variant: str):
    """Also of a family that has an order of its own; a worker whose nets take a second a pixel was taken for one that hangs."""
    beats: list[str] = []

    def drawn(*given: Any, draw: Callable[..., Any] = stages.draw, **named: Any) -> Any:
        monkeypatch.setattr(pulse, "_listener", lambda: beats.append("draw"))
        try:
            return draw(*given, **named)
        finally:
            monkeypatch.setattr(pulse, "_listener", lambda: None)

    monkeypatch.setattr(stages, "draw", drawn)
    (cell,) = make_plan(load_suite("table4"), tmp_path / "none", only=[variant], budget="smoke", limit=2, seeds=[0]).cells
    assert execute(cell.spec, tmp_path / "run", request=REQUEST) == "done"
    assert len(beats) >= 2 * 28 * 28  # naively from two canvases


def test_a_conditional_run_is_scored_and_sampled_with_its_classes(tmp_path: Path):
    plain = spec_of("digits/gated-pixelcnn")
    spec = replace(plain, settings=plain.settings | {"condition": "class", "classes": 10}, evaluation=plain.evaluation | {"samples": 24})
    assert execute(spec, tmp_path) == "done"
    record = read_record(tmp_path)
    assert record.samples is not None
    assert record.likelihood is not None
    assert (record.causality.status, record.latent, record.samples.canvas_agreement) == ("complete", None, 1.0)
    assert (tmp_path / "samples.png").stat().st_size > 0
    data, model = get_task("digits").load(), load_run(StoredRun(tmp_path, record))
    test = stages.limited(data, spec).test
    again = score(model, torch.from_numpy(test.images), test.clusters, stages.condition_of(model, test))
    assert again.nats_per_image == pytest.approx(record.likelihood.nats_per_image, rel=1e-6)
    others = score(model, torch.from_numpy(test.images), test.clusters, torch.zeros(16, dtype=torch.long))
    assert others.nats_per_image != pytest.approx(again.nats_per_image, rel=1e-4)


def test_a_conditional_leak_is_scored_in_sequence_for_the_same_classes(tmp_path: Path):
    spec = spec_of("digits/gated-residual")
    spec = replace(spec, settings=spec.settings | {"condition": "class", "classes": 10})
    assert execute(spec, tmp_path) == "done"
    sequential = read_record(tmp_path).sequential
    assert sequential is not None
    assert sequential.n_images == 2


def test_a_run_without_a_finite_likelihood_failed_and_is_a_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where a network gives one test image the probability 0."""
    scored = stages.score

    def spoiled(*arguments: Any, **options: Any) -> Any:
        found = scored(*arguments, **options)
        return summarise(np.where(np.arange(found.n_images) == 0, np.inf, found.nats), found.clusters, (1, 8, 8))

    monkeypatch.setattr(stages, "score", spoiled)
    assert execute(spec_of("digits/uniform"), tmp_path) == "failed"
    record = read_record(tmp_path)
    assert record.likelihood is None
    assert record.error is not None
    assert "gives 1 of" in record.error.message
    assert "no finite likelihood" in record.error.message

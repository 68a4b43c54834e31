"""The project's own guard: one certificate for all runs that it holds for, made again when anything it depends on has changed."""

import dataclasses
import itertools
import json
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixelbench.causality import CausalityReport
from pixelbench.causality.probing.positions import by_importance
from pixelbench.experiments import stages
from pixelbench.experiments.code_digest import certificate_digest
from pixelbench.experiments.run import certify as module
from pixelbench.experiments.run.certify import artifact_of, certificate_key, certify, certify_trained, narrow
from pixelbench.experiments.run.execute import execute
from pixelbench.models.families import Family, get_family
from pixelbench.store.record_file import read_record
from pixelbench.store.spec import RunSpec
from tests.support.quick_run import spec_of


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The targets of all checks that are really made."""
    made: list[str] = []

    def counted(*arguments: Any, **named: Any) -> CausalityReport:
        made.append(named["target"])
        return real(*arguments, **named)

    real = module.check_causality
    monkeypatch.setattr(module, "check_causality", counted)
    return made


def test_a_certificate_is_shared_by_all_seeds(tmp_path: Path, checks: list[str]):
    first = certify(spec_of("digits/gated-pixelcnn"), stages.build, tmp_path)
    again = certify(spec_of("digits/gated-pixelcnn", seed=5), stages.build, tmp_path)
    assert checks == ["gated-pixelcnn, narrow copy"]
    assert (again, again.verdict) == (first, "causal")


def test_a_model_with_an_order_of_its_own_is_certified_laid_out_in_it(checks: list[str]):
    """The narrow copy keeps the masks' degrees, which decide what is seen, and has few masks."""
    spec = spec_of("digits/gated-pixelcnn")
    settings = get_family("made").parse({"hidden": 60, "masks": 5, "order": "random", "mask_seed": 3}).as_dict()
    task = {**spec.task, "levels": 2, "height": 6, "width": 5}
    made = dataclasses.replace(spec, family="made", task=task, settings=settings)
    assert narrow(made) == {"levels": 2, "masks": 2}
    report = certify(made, stages.build, None)
    assert (report.verdict, report.order, report.unresolved) == ("causal", "raster", 0)
    trained = certify_trained(stages.build(made), made)
    assert not trained.leaky
    assert checks == [f"made, {which}, its sub-pixels laid out in its own order" for which in ("narrow copy", "trained")]


@pytest.mark.by_default(1)
@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'{"schema": 1}', b'{"schema": 99}'])
def test_a_damaged_certificate_is_made_again(content: bytes, tmp_path: Path, checks: list[str]):
    spec = spec_of("digits/gated-residual")
    stored = tmp_path / f"{certificate_key(spec)}.json"
    stored.write_bytes(content)
    report = certify(spec, stages.build, tmp_path)
    assert (len(checks), report.verdict, report.sees_itself) == (1, "leaky", True)
    assert certify(spec, stages.build, tmp_path) == report
    assert len(checks) == 1


@pytest.mark.slow
def test_a_certificate_that_is_json_but_not_whole_is_made_again(tmp_path: Path, checks: list[str]):
    spec = spec_of("digits/gated-residual")
    whole = certify(spec, stages.build, tmp_path).to_json()
    (leak, *others) = whole["leaks"]
    halves = [
        {name: value for name, value in whole.items() if name != "map"},
        whole | {"leaks": [leak | {"example": None}, *others]},
        whole | {"shape": [1, 8]},
    ]
    for number, half in enumerate(halves, start=2):
        (tmp_path / f"{certificate_key(spec)}.json").write_text(json.dumps(half))
        assert certify(spec, stages.build, tmp_path).sees_itself
        assert len(checks) == number


def test_a_certificate_of_other_source_is_not_used(tmp_path: Path, checks: list[str], monkeypatch: pytest.MonkeyPatch):
    spec = spec_of("digits/pixelcnn")
    certify(spec, stages.build, tmp_path)
    real = module.certificate_digest
    monkeypatch.setattr(module, "certificate_digest", lambda family: real(family) + "changed")
    certify(spec, stages.build, tmp_path)
    assert (len(checks), len(list(tmp_path.iterdir()))) == (2, 2)


def test_without_a_folder_nothing_is_kept(checks: list[str]):
    for _ in range(2):
        certify(spec_of("digits/pixelcnn"), stages.build, None)
    assert len(checks) == 2


def test_the_key_follows_code_settings_and_shape_but_neither_seed_nor_data(monkeypatch: pytest.MonkeyPatch):
    spec = spec_of("photos/gated-pixelcnn", "quick")
    key = certificate_key(spec)
    wider = spec.settings | {"maps": spec.settings["maps"] * 2}
    for same in ({"seed": 9}, {"task": spec.task | {"digest": "0" * 64}}, {"settings": wider}):
        assert certificate_key(dataclasses.replace(spec, **same)) == key  # a wider net has the same narrow copy
    for other in ({"settings": spec.settings | {"layers": 7}}, {"task": spec.task | {"height": 9}}, {"task": spec.task | {"levels": 4}}):
        assert certificate_key(dataclasses.replace(spec, **other)) != key
    monkeypatch.setattr(module, "certificate_digest", lambda family: f"other code of {family}")
    assert certificate_key(spec) != key


@pytest.mark.by_default(2)
@pytest.mark.parametrize(
    ("source", "counts"),
    [
        ("models/families/gated_pixelcnn.py", True),
        ("models/layers/causal.py", True),
        ("causality/check.py", True),
        ("causality/probing/positions.py", True),
        ("models/families/pixelsnail.py", False),
        ("training/loop.py", False),
        ("evaluation/likelihood.py", False),
        ("reports/report.py", False),
    ],
)
def test_the_code_of_a_certificate_is_the_familys_and_the_checkers(tmp_path: Path, source: str, counts: bool):
    packages = [tmp_path / name / "pixelbench" for name in ("before", "after")]
    for package in packages:
        shutil.copytree(Path(module.__file__).parents[2], package, ignore=shutil.ignore_patterns("__pycache__", "*.toml"))
    changed = packages[1] / source
    changed.write_text(changed.read_text() + "\nchanged = True\n")
    before, after = (certificate_digest("gated-pixelcnn", package) for package in packages)
    assert (before != after) == counts


def test_the_narrow_copy_is_narrow_in_maps_and_levels():
    assert narrow(spec_of("photos/gated-pixelcnn", "quick")) == {"levels": 16, "maps": 12, "head_maps": 12, "components": 2}
    eight_bit = spec_of("photos/gated-pixelcnn")
    assert narrow(dataclasses.replace(eight_bit, task=eight_bit.task | {"levels": 256}))["levels"] == 17
    assert narrow(spec_of("digits/uniform")) == {"levels": 17}


@pytest.fixture
def probed(monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """The positions at which each model was asked to be probed."""
    requested: list[np.ndarray] = []

    def noted(*arguments: Any, positions: np.ndarray, **named: Any) -> CausalityReport:
        requested.append(positions)
        return real(*arguments, positions=positions, **named)

    real = module.check_causality
    monkeypatch.setattr(module, "check_causality", noted)
    return requested


def sized(spec: RunSpec, channels: int, height: int, width: int) -> RunSpec:
    return dataclasses.replace(spec, task=spec.task | {"channels": channels, "height": height, "width": width})


@pytest.mark.by_default(3)
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 16, 16), (1, 4, 4), (1, 17, 1), (1, 3, 5), (3, 2, 2), (1, 1, 2)])
def test_a_trained_model_is_probed_at_sixteen_different_positions_or_at_all_there_are(shape: tuple[int, int, int], probed: list[Any]):
    spec = sized(spec_of("digits/gated-pixelcnn"), *shape)
    report, count = certify_trained(stages.build(spec), spec), int(np.prod(shape))
    (positions,) = probed
    assert report.positions_probed == len(positions) == len(set(positions.tolist())) == min(16, count)
    assert set(positions.tolist()) <= set(range(count))
    assert report.verdict == ("partial" if count > 16 else "causal")


@pytest.mark.slow
def test_how_many_positions_are_probed_is_never_a_matter_of_time(monkeypatch: pytest.MonkeyPatch, probed: list[Any]):
    """On a machine on which every look at the clock comes an hour after the one before, the report is the same."""
    spec = spec_of("photos/gated-pixelcnn")
    quick = certify_trained(stages.build(spec), spec)
    hours = itertools.count(0, 3600)
    monkeypatch.setattr(time, "monotonic", lambda: float(next(hours)))
    slow = certify_trained(stages.build(spec), spec)
    assert slow.seconds > 3600 > quick.seconds, "the clock was not slow, so this test shows nothing"
    assert np.array_equal(*probed)
    assert dataclasses.replace(slow, seconds=quick.seconds) == quick
    assert slow.positions_probed == 16


@pytest.mark.slow
def test_half_of_the_positions_are_the_telling_ones_and_the_seed_chooses_the_others(probed: list[Any]):
    for seed in (0, 0, 1):
        spec = spec_of("digits/gated-pixelcnn", seed=seed)
        certify_trained(stages.build(spec), spec)
    first, again, other = (set(positions.tolist()) for positions in probed)
    assert first == again != other
    assert set(by_importance(np.arange(64), (1, 8, 8), 0)[:8].tolist()) <= first & other


def test_a_leak_of_the_trained_model_is_found_at_these_positions():
    leaky = spec_of("digits/gated-residual")
    assert certify_trained(stages.build(leaky), leaky).faults == ("sees-itself",)


@pytest.mark.slow
def test_a_leak_that_only_the_narrow_copy_has_counts_and_speaks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    leaky = certify(spec_of("digits/gated-residual"), stages.build, None)
    monkeypatch.setattr("pixelbench.experiments.run.in_progress.certify", lambda *arguments: leaky)
    assert execute(spec_of("digits/gated-pixelcnn"), tmp_path) == "done"
    record = read_record(tmp_path)
    assert (record.causality.status, record.causality.faults) == ("leaky", ("sees-itself",))
    assert record.causality.counter_example == leaky.counter_example
    assert record.sequential is not None
    assert record.sequential.n_images == 2


def test_a_leak_that_only_the_trained_model_has_counts_and_speaks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    sound = certify(spec_of("digits/gated-pixelcnn"), stages.build, None)
    monkeypatch.setattr("pixelbench.experiments.run.in_progress.certify", lambda *arguments: sound)
    assert execute(spec_of("digits/gated-residual"), tmp_path) == "done"
    record = read_record(tmp_path)
    assert (record.causality.status, record.causality.faults) == ("leaky", ("sees-itself",))
    assert record.samples is not None
    assert record.samples.method == "naive"
    assert "the model sees the pixel it predicts" in " ".join(diagnosis.sentence for diagnosis in record.diagnoses)


def test_a_runs_certificate_keeps_the_blind_spots_and_the_count_of_all_that_is_missing(tmp_path: Path):
    report = certify(spec_of("digits/pixelcnn", "quick"), stages.build, None)
    (tmp_path / "certificate.json").write_bytes(artifact_of(report))
    kept = CausalityReport.read(tmp_path / "certificate.json")
    assert kept is not None
    assert 0 < len(kept.missing) == report.blind_spots < report.missing_kinds == kept.missing_kinds
    assert dataclasses.replace(kept, missing=report.missing) == report


@pytest.mark.slow
def test_the_narrow_copy_of_a_conditional_model_is_certified_for_some_class(checks: list[str]):
    conditional = {"condition": "class", "classes": 10}
    spec = spec_of("digits/gated-pixelcnn")
    spec = dataclasses.replace(spec, settings=spec.settings | conditional)
    assert certify(spec, stages.build, None).verdict == "causal"
    assert certify_trained(stages.build(spec), spec).verdict in ("causal", "partial")
    assert checks == ["gated-pixelcnn, narrow copy", "gated-pixelcnn, trained"]


def test_only_widths_are_narrowed_and_only_as_far_as_the_family_allows(monkeypatch: pytest.MonkeyPatch):
    spec = spec_of(
        "photos/gated-pixelcnn", settings=spec_of("photos/gated-pixelcnn").settings | {"maps": 96, "head_maps": 4, "components": 9}
    )
    assert narrow(spec) == {"levels": 16, "maps": 12, "components": 2}
    monkeypatch.setattr(Family, "_fits", lambda family, settings, *shape: settings["components"] > 2)
    assert narrow(spec) == {"levels": 16, "maps": 12}

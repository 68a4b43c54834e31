"""The project's own guard: one certificate for all runs that it holds for, made anew when anything it depends on has changed."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from pixelbench.causality import CausalityReport
from pixelbench.experiments import certify as module
from pixelbench.experiments import stages
from pixelbench.experiments.certify import certificate_key, certify, certify_trained, companion, narrow
from pixelbench.experiments.execute import execute
from pixelbench.experiments.plan import make_plan
from pixelbench.store.record import read_record
from pixelbench.store.spec import RunSpec
from pixelbench.suites.load import load_suite


def spec_of(cell: str, budget: str = "smoke", **changes: Any) -> RunSpec:
    plan = make_plan(load_suite("quick"), Path("unused"), budget=budget, only=[cell])
    return dataclasses.replace(plan.cells[0].spec, **changes)


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


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'{"schema": 1}', b'{"schema": 99}'])
def test_a_damaged_certificate_is_made_anew(content: bytes, tmp_path: Path, checks: list[str]):
    spec = spec_of("digits/gated-residual")
    stored = tmp_path / f"{certificate_key(spec)}.json"
    stored.write_bytes(content)
    report = certify(spec, stages.build, tmp_path)
    assert (len(checks), report.verdict, report.sees_itself) == (1, "leaky", True)
    assert certify(spec, stages.build, tmp_path) == report
    assert len(checks) == 1


def test_a_certificate_that_is_json_but_not_whole_is_made_anew(tmp_path: Path, checks: list[str]):
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
    real = module.source_digest
    monkeypatch.setattr(module, "source_digest", lambda names: real(names) + "changed")
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
    real = module.source_digest
    for part in ("pixelbench.causality.check", "pixelbench.models.causal"):
        monkeypatch.setattr(module, "source_digest", lambda names, part=part: real(names) + "changed" * (part in names))
        assert certificate_key(spec) != key


def test_the_narrow_copy_is_narrow_in_maps_and_levels():
    assert narrow(spec_of("photos/gated-pixelcnn", "quick")) == {"levels": 16, "maps": 12, "head_maps": 12, "components": 2}
    eight_bit = spec_of("photos/gated-pixelcnn")
    assert narrow(dataclasses.replace(eight_bit, task=eight_bit.task | {"levels": 256}))["levels"] == 17
    assert narrow(spec_of("digits/uniform")) == {"levels": 17}


def test_the_trained_model_is_probed_at_telling_positions_and_some_of_the_seeds():
    spec = spec_of("digits/gated-pixelcnn")
    report = certify_trained(stages.build(spec), spec)
    assert report.verdict == "partial"
    assert 8 <= report.positions_probed <= 16
    leaky = spec_of("digits/gated-residual")
    assert certify_trained(stages.build(leaky), leaky).faults == ("sees-itself",)


def test_a_leak_that_only_the_narrow_copy_has_counts_and_speaks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    leaky = certify(spec_of("digits/gated-residual"), stages.build, None)
    monkeypatch.setattr("pixelbench.experiments.execute.certify", lambda *arguments: leaky)
    assert execute(spec_of("digits/gated-pixelcnn"), tmp_path) == "done"
    record = read_record(tmp_path)
    assert record["causality"]["status"] == "leaky"
    assert record["causality"]["faults"] == ["sees-itself"]
    assert record["causality"]["counter_example"] == leaky.counter_example
    assert record["sequential"]["n_images"] == 2


def test_a_leak_that_only_the_trained_model_has_counts_and_speaks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    sound = certify(spec_of("digits/gated-pixelcnn"), stages.build, None)
    monkeypatch.setattr("pixelbench.experiments.execute.certify", lambda *arguments: sound)
    assert execute(spec_of("digits/gated-residual"), tmp_path) == "done"
    record = read_record(tmp_path)
    assert record["causality"]["status"] == "leaky"
    assert record["causality"]["faults"] == ["sees-itself"]
    assert record["samples"]["method"] == "naive"
    assert "the model sees the pixel it predicts" in " ".join(diagnosis["sentence"] for diagnosis in record["diagnoses"])


def test_a_runs_certificate_keeps_the_blind_spots_and_the_count_of_all_that_is_missing(tmp_path: Path):
    report = certify(spec_of("digits/pixelcnn", "quick"), stages.build, None)
    (tmp_path / "certificate.json").write_bytes(companion(report))
    kept = CausalityReport.read(tmp_path / "certificate.json")
    assert kept is not None
    assert 0 < len(kept.missing) == report.blind_spots < report.missing_kinds == kept.missing_kinds
    assert dataclasses.replace(kept, missing=report.missing) == report


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
    monkeypatch.setattr(module, "_is_valid", lambda family, settings, shape, levels: settings["components"] > 2)
    assert narrow(spec) == {"levels": 16, "maps": 12}

"""The runs that a suite asks for: one row at every budget and precision, and the keys under which this repository stores its own."""

from dataclasses import replace
from pathlib import Path

import pytest

from pixelbench.errors import NothingMatched, UserError
from pixelbench.store.record_file import read_record
from pixelbench.store.spec import RunSpec
from pixelbench.suites.load import ablation_names, load_suite, suite_names
from pixelbench.suites.resolve import pairs
from pixelbench.suites.schema import Suite
from pixelbench.suites.setting_origins import setting_origins
from pixelbench.suites.specs import row_specs, specs_of, without_twins
from tests.support.suite_file import TEXT, write_suite

_RESULTS = Path(__file__).parents[2] / "results"
#: The keys of the first stored runs; a run is found by its key, so none of these may ever come out different.
_KEYS = Path(__file__).with_name("stored_keys.txt").read_text().split()


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    return load_suite(write_suite(tmp_path))


@pytest.fixture(scope="module")
def stored() -> dict[str, RunSpec]:
    """The key under which a run is stored → what its record says was asked for."""
    return {path.parent.name: read_record(path.parent).spec for path in _RESULTS.glob("*/*/*/record.json")}


def test_every_stored_run_has_the_key_of_what_its_record_says(stored: dict[str, RunSpec]) -> None:
    assert _KEYS
    assert set(_KEYS) <= set(stored)
    assert {key: spec.key for key, spec in stored.items()} == {key: key for key in stored}


def test_the_shipped_suites_ask_for_the_stored_runs_by_their_keys(stored: dict[str, RunSpec]) -> None:
    """So that a newer version executes no stored run again. Only baselines on cifar10-16 were executed with a suite that does not ship."""
    seeds = sorted({spec.seed for spec in stored.values()})
    requested = {
        spec.key
        for suite in map(load_suite, (*suite_names(), *ablation_names()))
        for budget in suite.budgets
        for device in ("cpu", "cuda")
        for spec in specs_of(suite, seeds=seeds, budget=budget, device=device)
    }
    others = {stored[key].label for key in set(_KEYS) - requested}
    assert others == {f"cifar10-16/{name} seed 0" for name in ("uniform", "histogram", "png", "webp")}


@pytest.mark.parametrize("name", [*suite_names(), *ablation_names()])
def test_every_cell_of_every_suite_that_ships_says_where_its_settings_come_from(name: str) -> None:
    suite = load_suite(name)
    for budget in suite.budgets:
        updates = {(spec.task["name"], spec.variant): spec.updates for spec in specs_of(suite, budget=budget)}
        for task, variant in pairs(suite):
            said = setting_origins(suite, task, variant, budget)
            trained = updates[task.name, variant.name]
            assert (said.updates.value if said.updates else 0) == trained
            assert bool(said.recipe) == bool(trained)


def test_a_key_knows_what_was_asked_and_no_names(stored: dict[str, RunSpec]) -> None:
    spec = stored[_KEYS[0]]
    assert replace(spec, variant="other", budget="other", expect="leaky").key == spec.key
    changed = [
        replace(spec, seed=spec.seed + 1),
        replace(spec, updates=spec.updates + 1),
        replace(spec, recipe={**spec.recipe, "accumulation": 2}),
        replace(spec, settings={**spec.settings, "other": 1}),
        replace(spec, evaluation={**spec.evaluation, "test_images": 7}),
        replace(spec, task={**spec.task, "digest": "0" * 64}),
    ]
    assert spec.key not in {other.key for other in changed}
    assert len({other.key for other in changed}) == len(changed)


def test_a_row_at_every_budget_and_at_the_precisions_of_cpu_and_cuda(suite: Suite) -> None:
    row = row_specs(suite, "digits", "gated-pixelcnn")
    assert set(row) == {(budget, precision) for budget in ("cpu", "smoke") for precision in ("fp32", "bf16")}
    for (budget, precision), spec in row.items():
        device = {"fp32": "cpu", "bf16": "cuda"}[precision]
        assert [spec] == specs_of(suite, only=["digits/gated-pixelcnn"], seeds=[0], budget=budget, device=device)
        assert (spec.budget, spec.recipe["precision"], spec.seed) == (budget, precision, 0)
    assert row["cpu", "fp32"].settings["maps"] == 8
    assert row["smoke", "fp32"].settings["maps"] == 4
    assert len({spec.key for spec in row.values()}) == 4


def test_a_row_whose_recipe_says_the_precision_or_that_is_not_trained_has_one(tmp_path: Path) -> None:
    suite = load_suite(write_suite(tmp_path, TEXT + 'recipe = { precision = "fp32" }\n'))
    assert list(row_specs(suite, "digits", "gated-pixelcnn")) == [("cpu", "fp32"), ("smoke", "fp32")]
    assert list(row_specs(suite, "digits", "uniform")) == [("cpu", "fp32"), ("smoke", "fp32")]
    assert row_specs(suite, "digits", "uniform")["cpu", "fp32"].recipe == {}


def test_a_row_that_the_suite_has_not_is_empty(tmp_path: Path) -> None:
    suite = load_suite(write_suite(tmp_path, TEXT.replace('name = "digits"', 'name = "photos"')))
    assert row_specs(suite, "digits", "uniform") == {}
    assert row_specs(suite, "photos", "unifrom") == {}
    assert row_specs(suite, "photos", "uniform") != {}
    elsewhere = TEXT + 'tasks = ["digits"]\n' + '[[task]]\nname = "photos"\n'
    assert row_specs(load_suite(write_suite(tmp_path, elsewhere)), "photos", "gated-pixelcnn") == {}


def test_choices_of_specs(suite: Suite) -> None:
    specs = specs_of(suite)
    assert [spec.label for spec in specs] == [f"digits/{name} seed {seed}" for name in ("uniform", "gated-pixelcnn") for seed in (1, 2)]
    assert {spec.budget for spec in specs} == {"cpu"}
    limited = specs_of(suite, limit=5, seeds=[0], only=["gated*"])
    assert [(spec.evaluation["test_images"], spec.evaluation["importance_samples"]) for spec in limited] == [(5, 1)]
    with pytest.raises(NothingMatched, match="did you mean 'digits'"):
        specs_of(suite, only=["digit"])
    with pytest.raises(UserError, match="Unknown budget 'cpuu'"):
        specs_of(suite, budget="cpuu")
    with pytest.raises(UserError, match="Unknown precision 'fp16'"):
        specs_of(suite, precision="fp16")
    with pytest.raises(UserError, match="at least 1, got 0"):
        specs_of(suite, limit=0)


def test_twins_are_one_run_under_the_first_name(tmp_path: Path) -> None:
    suite = load_suite(write_suite(tmp_path, TEXT + '[[variant]]\nname = "other"\nfamily = "gated-pixelcnn"\n'))
    specs = specs_of(suite, seeds=[0])
    kept, problems = without_twins(specs)
    assert [spec.variant for spec in kept] == ["uniform", "gated-pixelcnn"]
    assert problems == ["digits/other seed 0 asks for the same run as digits/gated-pixelcnn seed 0; it is executed once, under that name."]
    assert without_twins(kept) == (kept, [])

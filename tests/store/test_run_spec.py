"""The run key: pinned, and blind to names; and the cell key, blind to the seed besides."""

import json
from pathlib import Path
from typing import Any

import pytest

from pixelbench.store.scan import scan
from pixelbench.store.spec import RunSpec

pytestmark = pytest.mark.quick

ROOT = Path(__file__).parents[2]


def make_spec(**changes: Any) -> RunSpec:
    values: dict[str, Any] = {
        "task": {"name": "digits", "digest": "ab" * 32, "preprocessing": "none", "channels": 1, "height": 8, "width": 8, "levels": 17},
        "variant": "gated-pixelcnn",
        "family": "gated-pixelcnn",
        "model_version": 1,
        "settings": {"layers": 3, "maps": 24, "colour_conditioning": True},
        "recipe": {"optimiser": "adamw", "learning_rate": 0.004, "precision": "fp32"},
        "budget": "cpu",
        "updates": 400,
        "evaluation": {"test_images": None, "validation_images": None, "samples": 16, "sequential_images": 8},
        "seed": 0,
    }
    return RunSpec(**{**values, **changes})


@pytest.fixture
def spec() -> RunSpec:
    return make_spec()


def test_keys_are_pinned(spec: RunSpec) -> None:
    """A change here orphans every stored run: raise a model_version instead."""
    assert spec.key == "94003110fd5d"
    assert spec.cell_key == "435b7d04f1f4"


@pytest.mark.parametrize("change", [{"variant": "mine"}, {"budget": "other"}, {"expect": "leaky"}])
def test_keys_ignore_names(spec: RunSpec, change: dict) -> None:
    assert (make_spec(**change).key, make_spec(**change).cell_key) == (spec.key, spec.cell_key)


def test_keys_ignore_the_order_of_settings(spec: RunSpec) -> None:
    again = make_spec(settings=dict(reversed(spec.settings.items())))
    assert (again.key, again.cell_key) == (spec.key, spec.cell_key)


@pytest.mark.parametrize(
    "change",
    [
        {"updates": 401},
        {"model_version": 2},
        {"family": "pixelcnn"},
        {"settings": {"layers": 4}},
        {"recipe": {}},
        {"evaluation": {}},
        *({"task": {**make_spec().task, name: "x"}} for name in ("digest", "preprocessing", "name")),
        *({"task": {**make_spec().task, name: 9}} for name in ("channels", "height", "width", "levels")),
    ],
)
def test_keys_follow_what_decides_the_result(spec: RunSpec, change: dict) -> None:
    other = make_spec(**change)
    assert other.key != spec.key
    assert other.cell_key != spec.cell_key


def test_a_cell_is_all_of_a_run_but_its_seed(spec: RunSpec) -> None:
    seeds = [make_spec(seed=seed) for seed in range(5)]
    assert len({one.key for one in seeds}) == 5
    assert {one.cell_key for one in seeds} == {spec.cell_key}


def test_json_round_trip(spec: RunSpec) -> None:
    again = RunSpec.from_json(json.loads(json.dumps(spec.to_json())))
    assert again == spec
    assert again.key == spec.key


def test_what_the_committed_records_say_hashes_to_their_keys() -> None:
    found = scan(ROOT / "results")
    assert len(found) > 50
    assert {key: run.record.spec.key for key, run in found.items()} == {key: key for key in found}

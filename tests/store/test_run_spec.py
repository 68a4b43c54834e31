"""The run key: pinned, and blind to names."""

import json

import pytest
from store_samples import make_spec

from pixelbench.store import RunSpec


@pytest.fixture
def spec() -> RunSpec:
    return make_spec()


def test_key_is_pinned(spec: RunSpec) -> None:
    """A change here orphans every stored run: raise a model_version instead."""
    assert spec.key == "94003110fd5d"


@pytest.mark.parametrize("change", [{"variant": "mine"}, {"budget": "other"}, {"expect": "leaky"}])
def test_key_ignores_names(spec: RunSpec, change: dict) -> None:
    assert make_spec(**change).key == spec.key


def test_key_ignores_the_order_of_settings(spec: RunSpec) -> None:
    assert make_spec(settings=dict(reversed(spec.settings.items()))).key == spec.key


@pytest.mark.parametrize(
    "change",
    [{"seed": 1}, {"updates": 401}, {"model_version": 2}, {"settings": {"layers": 4}}, {"recipe": {}}, {"evaluation": {}}],
)
def test_key_follows_what_decides_the_result(spec: RunSpec, change: dict) -> None:
    assert make_spec(**change).key != spec.key


def test_key_follows_digest_and_preprocessing(spec: RunSpec) -> None:
    keys = {make_spec(task={**spec.task, name: "x"}).key for name in ("digest", "preprocessing", "name")}
    assert len(keys | {spec.key}) == 4


def test_json_round_trip(spec: RunSpec) -> None:
    again = RunSpec.from_json(json.loads(json.dumps(spec.to_json())))
    assert again == spec
    assert again.key == spec.key

"""A field that is added later changes no run key until somebody uses it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pixelbench.key_fields import added_later, key_values
from pixelbench.suites import resolve
from pixelbench.suites.load import load_suite
from pixelbench.suites.specs import specs_of
from pixelbench.training.recipe import Recipe
from tests.support.suite_file import TEXT, write_suite

pytestmark = pytest.mark.quick


@dataclass(frozen=True)
class _Newer(Recipe):
    accumulation: int = added_later(1)
    selection: str | None = added_later(None)
    usual: int = 1


@dataclass(frozen=True)
class _Nested:
    sizes: tuple[int, ...] = (1, 2)
    constants: dict[str, float] = field(default_factory=lambda: {"beta": 0.5})


def test_a_later_field_is_left_out_at_its_default_and_only_there() -> None:
    before = key_values(Recipe()) | {"usual": 1}
    assert key_values(_Newer()) == before
    assert key_values(_Newer(accumulation=1, selection=None)) == before
    assert key_values(_Newer(accumulation=2)) == before | {"accumulation": 2}
    assert key_values(_Newer(accumulation=2, selection="best")) == before | {"accumulation": 2, "selection": "best"}


@pytest.mark.parametrize("recipe", [_Newer(), _Newer(accumulation=4), _Newer(selection="best", learning_rate=0.5)])
def test_what_is_rebuilt_from_the_values_is_the_same(recipe: _Newer) -> None:
    assert _Newer(**key_values(recipe)) == recipe


def test_values_are_plain_copies() -> None:
    nested = _Nested()
    values: dict[str, Any] = key_values(nested)
    assert values == {"sizes": [1, 2], "constants": {"beta": 0.5}}
    values["constants"]["beta"] = 1.0
    assert nested.constants == {"beta": 0.5}


def test_the_keys_of_a_suite_change_where_a_later_field_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    @dataclass(frozen=True)
    class Later(Recipe):
        accumulation: int = added_later(1)

    def keys(text: str) -> list[str]:
        return [spec.key for spec in specs_of(load_suite(write_suite(tmp_path, text)), seeds=[0])]

    uniform, gated = keys(TEXT)
    monkeypatch.setattr(resolve, "Recipe", Later)
    assert keys(TEXT) == [uniform, gated]
    assert keys(TEXT + "recipe.accumulation = 1\n") == [uniform, gated]
    same, other = keys(TEXT + "recipe.accumulation = 2\n")
    assert same == uniform
    assert other != gated

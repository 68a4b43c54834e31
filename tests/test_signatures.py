"""Arguments that stand twice, so that editors and type checkers know them in both places, are the same in both."""

import inspect
from collections.abc import Callable
from dataclasses import fields
from typing import Any

from pixelbench.causality.check import check_causality
from pixelbench.causality.options import Options
from pixelbench.models import sampling
from pixelbench.models.base import AutoregressiveModel
from pixelbench.models.families.latent_variable import LatentVariableModel
from pixelbench.testing import assert_causal

Arguments = dict[str, tuple[Any, Any]]


def arguments_of(function: Callable[..., Any]) -> Arguments:
    """Name → default and type, of those that are given by name alone."""
    named = (one for one in inspect.signature(function).parameters.values() if one.kind is one.KEYWORD_ONLY)
    return {one.name: (one.default, one.annotation) for one in named}


def test_a_check_takes_its_options() -> None:
    arguments = arguments_of(check_causality)
    del arguments["target"]  # a name for the report alone
    assert arguments == {field.name: (field.default, field.type) for field in fields(Options)}


def test_an_assertion_takes_what_a_check_takes_but_for_what_is_its_own() -> None:
    check, assertion = arguments_of(check_causality), arguments_of(assert_causal)
    assert set(assertion) - set(check) == {"context", "sampler"}
    assert set(check) - set(assertion) == {"positions", "target"}
    assert {name: assertion[name] for name in check if name in assertion} == {name: check[name] for name in check if name in assertion}


def test_models_are_sampled_as_the_sampler_says() -> None:
    assert arguments_of(AutoregressiveModel.sample) == arguments_of(LatentVariableModel.sample) == arguments_of(sampling.sample)


def test_another_default_is_found() -> None:
    def other(*, generator: object = None, temperature: float = 0.9) -> None: ...

    assert arguments_of(other)["temperature"] != arguments_of(sampling.sample)["temperature"]

"""Where what a run is asked for comes from: the places of a suite that speak of it, the most general first. No torch."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Protocol

from pixelbench.models.families import FAMILIES, Family
from pixelbench.suites.parsing import Override
from pixelbench.suites.schema import Budget, OnTask, Suite, SuiteTask, SuiteVariant


@dataclass(frozen=True)
class Overrides:
    """For each part of a run the places that speak of it, each with its dotted name; a later one wins. So do later `updates`."""

    settings: list[Override]
    recipe: list[Override]
    evaluation: list[Override]
    updates: list[tuple[str, int]]


def overrides_of(suite: Suite, task: SuiteTask, variant: SuiteVariant, budget: str) -> Overrides:
    """The places that speak of a cell.

    First the suite's (recipe and evaluation), the task's, the variant's, the variant's on this task; then what each of the four says of the
    budget, in the same order. Suite and task speak to many families, so each of these takes the settings that it knows; a variant's must
    all be its family's.
    """
    family, on = FAMILIES[variant.family], variant.on.get(task.name, OnTask())
    own = f"variant.{variant.name}"
    homes = [(f"task.{task.name}", task), (own, variant), (f"{own}.on.{task.name}", on)]
    places: list[tuple[str, _Speaks]] = [*homes, (f"budget.{budget}", suite.budgets[budget])]
    places += [(f"{name}.budget.{budget}", home.budgets[budget]) for name, home in homes if budget in home.budgets]
    settings = [
        (f"{name}.settings", dict(place.settings) if name.startswith(own) else known_settings(family, place.settings))
        for name, place in places
    ]
    return Overrides(
        settings,
        [("recipe", suite.recipe), *((f"{name}.recipe", place.recipe) for name, place in places)],
        [("evaluation", suite.evaluation), *((f"{name}.evaluation", place.evaluation) for name, place in places)],
        [(f"{name}.updates", place.updates) for name, place in places if isinstance(place, Budget) and place.updates],
    )


def origin(overrides: list[Override], name: str) -> str | None:
    """The dotted name of the place that decides the setting `name`; None where none speaks of it, so that its default holds."""
    return next((place for place, given in reversed(overrides) if name in given), None)


def known_settings(family: Family, given: Mapping[str, Any]) -> dict[str, Any]:
    """Those of `given` that the family has."""
    names = setting_names(family)
    return {name: value for name, value in given.items() if name in names}


def setting_names(family: Family) -> list[str]:
    """The names of all settings of a family."""
    return [field.name for field in fields(family.settings)]


class _Speaks(Protocol):
    """A task, a variant, a variant on a task, or a budget of one of these."""

    @property
    def settings(self) -> dict[str, Any]: ...
    @property
    def recipe(self) -> dict[str, Any]: ...
    @property
    def evaluation(self) -> dict[str, Any]: ...

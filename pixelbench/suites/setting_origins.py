"""Every setting of a run with its value and where that comes from. No torch."""

from dataclasses import asdict, dataclass
from typing import Any

from pixelbench.suites.overrides import origin, overrides_of
from pixelbench.suites.parsing import Override
from pixelbench.suites.resolve import resolve
from pixelbench.suites.schema import Suite, SuiteTask, SuiteVariant


@dataclass(frozen=True)
class Choice:
    """A value, and the dotted name of the place in the suite that decides it, or `default of gated-pixelcnn`, `default`."""

    value: Any
    origin: str


@dataclass(frozen=True)
class SettingOrigins:
    """A cell of a suite at a budget. `updates` is None and `recipe` empty where nothing is trained."""

    task: str
    variant: str
    family: str
    budget: str
    expect: str
    updates: Choice | None
    settings: dict[str, Choice]
    recipe: dict[str, Choice]
    evaluation: dict[str, Choice]
    seeds: tuple[int, ...]
    assumed: tuple[str, ...]
    deviations: tuple[str, ...]


def setting_origins(suite: Suite, task: SuiteTask, variant: SuiteVariant, budget: str) -> SettingOrigins:
    """The settings of a cell of a loaded suite, and where each comes from."""
    overrides, resolved = overrides_of(suite, task, variant, budget), resolve(suite, task, variant, budget, [])
    assert resolved is not None, "load_suite has resolved every cell"
    recipe = resolved.recipe.as_dict() if resolved.recipe else {}
    on = [variant.on[task.name]] if task.name in variant.on else []
    speakers = [*([task] if recipe else []), variant, *on]  # what a task says is of trained variants
    return SettingOrigins(
        task=task.name,
        variant=variant.name,
        family=variant.family,
        budget=budget,
        expect=variant.expect,
        updates=_updates(overrides.updates) if recipe else None,
        settings=_choices(resolved.settings.as_dict(), overrides.settings, f"default of {variant.family}"),
        recipe=_choices(recipe, overrides.recipe, "default"),
        evaluation=_choices(asdict(resolved.evaluation), overrides.evaluation, "default"),
        seeds=suite.seeds_of(task, variant),
        assumed=tuple(said for speaker in speakers for said in speaker.assumed),
        deviations=tuple(said for speaker in speakers for said in speaker.deviations),
    )


def _updates(overrides: list[tuple[str, int]]) -> Choice:
    place, updates = overrides[-1]
    return Choice(updates, place.removesuffix(".updates"))


def _choices(values: dict[str, Any], overrides: list[Override], default: str) -> dict[str, Choice]:
    return {name: Choice(value, origin(overrides, name) or default) for name, value in values.items()}

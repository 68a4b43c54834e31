"""One cell of a suite: what task, variant and budget together come to. No torch."""

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from pixelbench.data import Task, get_task, task_names
from pixelbench.errors import UserError
from pixelbench.evaluation.protocol import Evaluation
from pixelbench.models.families import FAMILIES, Family
from pixelbench.models.foreign.family import ModuleSettings
from pixelbench.models.settings.common import Settings
from pixelbench.suites.overrides import overrides_of, setting_names
from pixelbench.suites.parsing import parse
from pixelbench.suites.schema import Suite, SuiteTask, SuiteVariant
from pixelbench.training.recipe import Recipe


@dataclass(frozen=True)
class Resolved:
    """Everything of a run but seed, precision and limit. `recipe` is None and `updates` 0 where nothing is trained."""

    settings: Settings
    recipe: Recipe | None
    evaluation: Evaluation
    updates: int

    @property
    def split(self) -> str:
        """The part of the task that training sees."""
        return "held-out" if self.recipe is None else self.recipe.split


def resolve(suite: Suite, task: SuiteTask, variant: SuiteVariant, budget: str, errors: list[str]) -> Resolved | None:
    """The cell with all its settings, or None after adding its errors. Which place of the suite wins: see `overrides_of`."""
    family, overrides = FAMILIES[variant.family], overrides_of(suite, task, variant, budget)
    settings = parse(family.settings, overrides.settings, errors)
    recipe = parse(Recipe, overrides.recipe, errors)
    evaluation = parse(Evaluation, overrides.evaluation, errors)
    trained = family.kind == "network"
    updates = (overrides.updates[-1][1] if overrides.updates else None) if trained else 0
    at_task = f"task.{task.name}"
    if updates is None:
        errors.append(f"budget.{budget}.updates: is missing, and so is {at_task}.budget.{budget}.updates")
    if settings is None or recipe is None or evaluation is None or updates is None:
        return None
    images = task_or_error(task.name)
    # an unknown task is an error of its own
    incompatibility = None if isinstance(images, str) else _incompatibility(family, settings, images)
    if incompatibility:
        errors.append(f"variant.{variant.name}.settings: on {at_task}, {incompatibility}")
        return None
    if trained and not isinstance(images, str) and (incompatibility := _training_incompatibility(images, recipe)):
        errors.append(f"variant.{variant.name}.recipe: on {at_task}, {incompatibility}")
        return None
    return Resolved(settings, recipe if trained else None, evaluation, updates)


def pairs(suite: Suite) -> Iterator[tuple[SuiteTask, SuiteVariant]]:
    """The suite's tasks and variants, in its order."""
    for task in suite.tasks:
        for variant in suite.variants:
            if variant.tasks is None or task.name in variant.tasks:
                yield task, variant


def expand_axes(suite: Suite) -> Suite:
    """Multiply the axes out: `x` becomes `x+gates=true` and `x+gates=false`; a variant that fixes a setting itself keeps it."""
    variants = [made for variant in suite.variants for made in _along_axes(variant, suite.axes)]
    return replace(suite, variants=tuple(variants), axes={})


def task_or_error(name: str) -> Task | str:
    """The task, or why there is none of this name or in that folder."""
    try:
        return get_task(name)
    except UserError as error:
        return str(error)


def axes_of(variant: SuiteVariant, axes: dict[str, tuple[Any, ...]]) -> list[str]:
    """Those axes that a variant is multiplied along: of settings that its family has, and that it does not fix itself."""
    family = FAMILIES.get(variant.family)
    fixed = {*variant.settings, *(name for there in variant.on.values() for name in there.settings)}
    return [name for name in axes if family and name in setting_names(family) and name not in fixed]


def _along_axes(variant: SuiteVariant, axes: dict[str, tuple[Any, ...]]) -> Iterator[SuiteVariant]:
    own = axes_of(variant, axes)
    for values in itertools.product(*(axes[name] for name in own)):
        chosen = dict(zip(own, values, strict=True))
        suffix = "".join(f"+{name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in chosen.items())
        yield replace(variant, name=variant.name + suffix, settings={**variant.settings, **chosen})


def _training_incompatibility(task: Task, recipe: Recipe) -> str | None:
    """Why the task's images cannot be split, or select weights, as the recipe says; None where they can."""
    try:
        images = task.with_split(recipe.split)
    except ValueError as error:
        return str(error)
    return None if images.sizes is None else recipe.incompatibility(validation_images=images.sizes[1])


def _incompatibility(family: Family, settings: Settings, task: Task) -> str | None:
    """Why the variant cannot be trained on the task's images, or their labels; None where it can."""
    incompatibility = family.incompatibility(settings, *task.shape, task.levels)
    if incompatibility:
        return incompatibility
    if isinstance(settings, ModuleSettings) and settings.weights is not None:
        return "weights that are trained already are given to `pixelbench eval --weights`, not to a suite"
    condition, classes = (settings.as_dict().get(name) for name in ("condition", "classes"))
    if condition in (None, "none"):
        return None
    if condition != "class":
        return f"condition = '{condition}' has nothing to come from, since tasks have labels only; expected 'none' or 'class'"
    if not task.classes:
        labelled = [name for name in task_names() if get_task(name).classes]
        return f"condition = 'class' needs labels, which these images do not have; tasks with labels: {', '.join(labelled)}"
    return None if classes == task.classes else f"classes must be {task.classes}, as many as its labels have, got {classes}"

"""One cell of a suite: what task, variant and budget together come to, and every mistake on the way there."""

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from pixelbench.data import Task, get_task, task_names
from pixelbench.errors import UserError, unknown
from pixelbench.experiments.grid import Evaluation, Suite, SuiteTask, SuiteVariant
from pixelbench.experiments.layers import layers_of, setting_names
from pixelbench.experiments.mistakes import parse
from pixelbench.models.families import FAMILIES, Family
from pixelbench.models.settings.common import Settings
from pixelbench.training.recipe import Recipe


@dataclass(frozen=True)
class Resolved:
    """Everything of a run but seed, precision and limit. `recipe` is None and `updates` 0 where nothing is trained."""

    settings: dict[str, Any]
    recipe: Recipe | None
    evaluation: Evaluation
    updates: int


def resolve(suite: Suite, task: SuiteTask, variant: SuiteVariant, budget: str, mistakes: list[str]) -> Resolved | None:
    """What the cell asks for, or None after adding its mistakes. Which place of the suite wins: see `layers_of`."""
    family, layers = FAMILIES[variant.family], layers_of(suite, task, variant, budget)
    settings = parse(family.settings, layers.settings, mistakes)
    recipe = parse(Recipe, layers.recipe, mistakes)
    evaluation = parse(Evaluation, layers.evaluation, mistakes)
    updates = layers.updates[-1][1] if layers.updates else None
    at_task = f"task.{task.name}"
    if updates is None:
        mistakes.append(f"budget.{budget}.updates: is missing, and so is {at_task}.budget.{budget}.updates")
    if settings is None or recipe is None or evaluation is None or updates is None:
        return None
    images = _task(task.name)
    misfit = None if isinstance(images, str) else _misfit(family, settings, images)  # an unknown task is a mistake of its own
    if misfit:
        mistakes.append(f"variant.{variant.name}.settings: on {at_task}, {misfit}")
        return None
    trained = family.kind == "network"
    return Resolved(settings.as_dict(), recipe if trained else None, evaluation, updates if trained else 0)


def pairs(suite: Suite) -> Iterator[tuple[SuiteTask, SuiteVariant]]:
    """The suite's tasks and variants, in its order."""
    for task in suite.tasks:
        for variant in suite.variants:
            if variant.tasks is None or task.name in variant.tasks:
                yield task, variant


def expand_axes(suite: Suite) -> Suite:
    """Multiplies the axes out: `x` becomes `x+gates=true` and `x+gates=false`; a variant that fixes a setting itself keeps it."""
    variants = [made for variant in suite.variants for made in _along_axes(variant, suite.axes)]
    return replace(suite, variants=tuple(variants), axes={})


def axis_mistakes(suite: Suite) -> list[str]:
    """Axes that would change nothing: empty, or of a setting that no family of the suite has."""
    known = _all_setting_names(suite)
    found = [f"axes.{name}: {unknown('setting', name, known)}" for name in suite.axes if name not in known]
    return found + [f"axes.{name}: expected at least one value" for name, values in suite.axes.items() if not values]


def find_mistakes(suite: Suite) -> list[str]:
    """Every mistake that shows only when names are looked up and cells are put together."""
    mistakes = _unknown_names(suite)
    if all(variant.family in FAMILIES for variant in suite.variants):
        mistakes += _settings_of_nobody(suite)
    for task, variant in pairs(suite):
        if variant.family in FAMILIES:
            for budget in suite.budgets:
                resolve(suite, task, variant, budget, mistakes)
    return mistakes


def _along_axes(variant: SuiteVariant, axes: dict[str, tuple[Any, ...]]) -> Iterator[SuiteVariant]:
    family = FAMILIES.get(variant.family)
    fixed = {*variant.settings, *(name for there in variant.on.values() for name in there.settings)}
    own = [name for name in axes if family and name in setting_names(family) and name not in fixed]
    for values in itertools.product(*(axes[name] for name in own)):
        chosen = dict(zip(own, values, strict=True))
        suffix = "".join(f"+{name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in chosen.items())
        yield replace(variant, name=variant.name + suffix, settings={**variant.settings, **chosen})


def _unknown_names(suite: Suite) -> list[str]:
    own_tasks = [task.name for task in suite.tasks]
    found = [f"task.{name}: {said}" for name in own_tasks if isinstance(said := _task(name), str)]
    for variant in suite.variants:
        at = f"variant.{variant.name}"
        if variant.family not in FAMILIES:
            found.append(f"{at}.family: {unknown('model', variant.family, FAMILIES)}")
        found += [f"{at}.tasks: {unknown('task of this suite', name, own_tasks)}" for name in variant.tasks or () if name not in own_tasks]
        elsewhere = variant.tasks or own_tasks
        found += [f"{at}.on: {unknown('task of this variant', name, elsewhere)}" for name in variant.on if name not in elsewhere]
    found += [f"{at}.budget: {unknown('budget', name, suite.budgets)}" for at, name in _budgets(suite) if name not in suite.budgets]
    if suite.default_budget not in suite.budgets:
        found.append(f"default_budget: {unknown('budget', suite.default_budget, suite.budgets)}")
    for kind, names in (("task", own_tasks), ("variant", [variant.name for variant in suite.variants])):
        found += [f"{kind}.{name}: there are two of this name" for name in dict.fromkeys(names) if names.count(name) > 1]
    return found + _ablation_mistakes(suite)


def _budgets(suite: Suite) -> Iterator[tuple[str, str]]:
    """What names a budget to say something of its own about it, and the budget's name."""
    yield from ((f"task.{task.name}", name) for task in suite.tasks for name in task.budgets)
    for variant in suite.variants:
        yield from ((f"variant.{variant.name}", name) for name in variant.budgets)
        yield from ((f"variant.{variant.name}.on.{task}", name) for task, there in variant.on.items() for name in there.budgets)


def _ablation_mistakes(suite: Suite) -> list[str]:
    asked = suite.ablation
    if asked is None:
        return []
    variants, tasks = [variant.name for variant in suite.variants], [task.name for task in suite.tasks]
    found = [] if asked.baseline in variants else [f"ablation.baseline: {unknown('variant', asked.baseline, variants)}"]
    if asked.task not in tasks:
        return [*found, f"ablation.task: {unknown('task of this suite', asked.task, tasks)}"]
    there = {variant.name for task, variant in pairs(suite) if task.name == asked.task}
    if asked.baseline in variants and (asked.baseline not in there or len(there) < 2):
        found.append(f"ablation.task: on '{asked.task}' there must be '{asked.baseline}' and a variant beside it")
    return found


def _settings_of_nobody(suite: Suite) -> list[str]:
    """A task's or a budget's setting that no family of the suite has: a slip of the pen, or it would change nothing."""
    known = _all_setting_names(suite)
    places = [(f"budget.{name}.settings", budget.settings) for name, budget in suite.budgets.items()]
    for task in suite.tasks:
        places.append((f"task.{task.name}.settings", task.settings))
        places += [(f"task.{task.name}.budget.{name}.settings", budget.settings) for name, budget in task.budgets.items()]
    found = [f"{path}: {unknown('setting', name, known)}" for path, given in places for name in given if name not in known]
    return found + [
        f"variant.{variant.name}.recipe: {variant.family} is not trained, so it has no recipe"
        for variant in suite.variants
        if any(_recipes(variant)) and FAMILIES[variant.family].kind != "network"
    ]


def _recipes(variant: SuiteVariant) -> Iterator[dict[str, Any]]:
    for place in (variant, *variant.on.values()):
        yield place.recipe
        yield from (budget.recipe for budget in place.budgets.values())


def _all_setting_names(suite: Suite) -> list[str]:
    return sorted({name for variant in suite.variants if variant.family in FAMILIES for name in setting_names(FAMILIES[variant.family])})


def _misfit(family: Family, settings: Settings, task: Task) -> str | None:
    """Why the variant cannot be trained on the task's images, or their labels; None where it can."""
    misfit = family.misfit(settings, *task.shape, task.levels)
    if misfit:
        return misfit
    condition, classes = (settings.as_dict().get(name) for name in ("condition", "classes"))
    if condition in (None, "none"):
        return None
    if condition != "class":
        return f"condition = '{condition}' has nothing to come from, since tasks have labels only; expected 'none' or 'class'"
    if not task.classes:
        labelled = [name for name in task_names() if get_task(name).classes]
        return f"condition = 'class' needs labels, which these images do not have; tasks with labels: {', '.join(labelled)}"
    return None if classes == task.classes else f"classes must be {task.classes}, as many as its labels have, got {classes}"


def _task(name: str) -> Task | str:
    """The task, or why there is none of this name or in that folder."""
    try:
        return get_task(name)
    except UserError as error:
        return str(error)

"""Errors in a suite beyond the shape of its file: names of nothing, settings of no family, cells that cannot be. No torch."""

import itertools
import math
from collections import Counter
from collections.abc import Iterator
from typing import Any

from pixelbench.errors import UserError, shortened, unknown
from pixelbench.models.families import FAMILIES, get_family
from pixelbench.suites.claims import claim_errors
from pixelbench.suites.overrides import setting_names
from pixelbench.suites.resolve import axes_of, pairs, resolve, task_or_error
from pixelbench.suites.schema import Suite, SuiteVariant

#: Cells at a budget each. The largest suite that ships has 195; to look at so many takes half a second, and to train them years.
MOST_CELLS = 5_000
#: So many are reported at most.
MOST_ERRORS = 100


def axis_errors(suite: Suite) -> list[str]:
    """Axes that would change nothing: empty, or of a setting that no family of the suite has."""
    known = _all_setting_names(suite)
    found = [f"axes.{name}: {unknown('setting', name, known)}" for name in suite.axes if name not in known]
    return found + [f"axes.{name}: expected at least one value" for name, values in suite.axes.items() if not values]


def unknown_names(suite: Suite) -> list[str]:
    """Names of no task, model or budget, wherever the suite uses one: all that can be looked up before the axes are multiplied out."""
    return list(itertools.islice(_unknown_names(suite), MOST_ERRORS))


def _unknown_names(suite: Suite) -> Iterator[str]:
    own_tasks = [task.name for task in suite.tasks]
    yield from (f"task.{shortened(name)}: {said}" for name in own_tasks if isinstance(said := task_or_error(name), str))
    for variant in suite.variants:
        at = f"variant.{shortened(variant.name)}"
        try:
            get_family(variant.family)
        except UserError as error:
            yield f"{at}.family: {error}"
        elsewhere = variant.tasks or own_tasks
        yield from (f"{at}.tasks: {unknown('task of this suite', name, own_tasks)}" for name in elsewhere if name not in own_tasks)
        yield from (f"{at}.on: {unknown('task of this variant', name, elsewhere)}" for name in variant.on if name not in elsewhere)
    yield from (f"{at}.budget: {unknown('budget', name, suite.budgets)}" for at, name in _budgets(suite) if name not in suite.budgets)
    if suite.default_budget not in suite.budgets:
        yield f"default_budget: {unknown('budget', suite.default_budget, suite.budgets)}"


def size_errors(suite: Suite) -> list[str]:
    """A suite of more cells than anybody can mean; counted, not made."""
    count, tasks = 0, [task.name for task in suite.tasks]
    for variant in suite.variants:
        on = len(tasks) if variant.tasks is None else sum(name in variant.tasks for name in tasks)
        count += on * math.prod(len(suite.axes[name]) for name in axes_of(variant, suite.axes))
    count *= max(len(suite.budgets), 1)
    if count <= MOST_CELLS:
        return []
    requested = "axes" if suite.axes else "variant"
    return [f"{requested}: the suite comes to {count:,} cells (variants on tasks at budgets), and no suite has more than {MOST_CELLS:,}"]


def find_errors(suite: Suite) -> list[str]:
    """Every error that shows only when variants are there and cells are put together, beside unknown names."""
    found = dict.fromkeys(_twins(suite) + _ablation_errors(suite) + list(itertools.islice(claim_errors(suite), MOST_ERRORS)))
    if all(variant.family in FAMILIES for variant in suite.variants):
        found |= dict.fromkeys(_unused_settings(suite))
    for task, variant in pairs(suite):
        if variant.family in FAMILIES:
            for budget in suite.budgets:
                errors: list[str] = []
                resolve(suite, task, variant, budget, errors)
                found |= dict.fromkeys(errors)
                if len(found) > MOST_ERRORS:
                    return list(found)
    return list(found)


def _twins(suite: Suite) -> list[str]:
    """Names that two tasks, or two variants, have."""
    named = [("task", [task.name for task in suite.tasks]), ("variant", [variant.name for variant in suite.variants])]
    return [f"{kind}.{name}: there are two of this name" for kind, names in named for name, n in Counter(names).items() if n > 1]


def _budgets(suite: Suite) -> Iterator[tuple[str, str]]:
    """Everything that says something of its own about a budget, and the budget's name."""
    yield from ((f"task.{task.name}", name) for task in suite.tasks for name in task.budgets)
    for variant in suite.variants:
        yield from ((f"variant.{variant.name}", name) for name in variant.budgets)
        yield from ((f"variant.{variant.name}.on.{task}", name) for task, there in variant.on.items() for name in there.budgets)


def _ablation_errors(suite: Suite) -> list[str]:
    requested = suite.ablation
    if requested is None:
        return []
    variants, tasks = [variant.name for variant in suite.variants], [task.name for task in suite.tasks]
    found = [] if requested.baseline in variants else [f"ablation.baseline: {unknown('variant', requested.baseline, variants)}"]
    if requested.task not in tasks:
        return [*found, f"ablation.task: {unknown('task of this suite', requested.task, tasks)}"]
    found += [f"ablation.words: {unknown('variant', name, variants)}" for name in requested.words if name not in variants]
    if requested.setting is not None and requested.setting not in (known := _all_setting_names(suite)):
        found.append(f"ablation.setting: {unknown('setting', requested.setting, known)}")
    there = {variant.name for task, variant in pairs(suite) if task.name == requested.task}
    if requested.baseline in variants and (requested.baseline not in there or len(there) < 2):
        found.append(f"ablation.task: on '{requested.task}' there must be '{requested.baseline}' and a variant beside it")
    return found


def _unused_settings(suite: Suite) -> list[str]:
    """A task's or a budget's setting that no family of the suite has: misspelt, or it would change nothing."""
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

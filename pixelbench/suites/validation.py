"""What is wrong with a suite beyond the shape of its file: names of nothing, settings of no family, cells that cannot be. No torch."""

from collections.abc import Iterator
from typing import Any

from pixelbench.errors import unknown
from pixelbench.models.families import FAMILIES
from pixelbench.suites.claims import claim_mistakes
from pixelbench.suites.overrides import setting_names
from pixelbench.suites.resolve import pairs, resolve, task_or_mistake
from pixelbench.suites.schema import Suite, SuiteVariant


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


def _unknown_names(suite: Suite) -> list[str]:
    own_tasks = [task.name for task in suite.tasks]
    found = [f"task.{name}: {said}" for name in own_tasks if isinstance(said := task_or_mistake(name), str)]
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
    return found + _ablation_mistakes(suite) + list(claim_mistakes(suite))


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

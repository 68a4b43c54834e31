"""One design choice at a time: the ablations, where each makes sense, and each on one task. No torch."""

import math
from collections.abc import Sequence
from dataclasses import replace

from pixelbench.data import Task, get_task
from pixelbench.errors import UserError, unknown
from pixelbench.suites.load import ablation_names, is_path, load_suite
from pixelbench.suites.resolve import pairs
from pixelbench.suites.schema import Ablation, OnTask, Suite, SuiteTask, SuiteVariant
from pixelbench.suites.validation import find_errors


def load_ablation(name_or_path: str) -> tuple[Suite, Ablation]:
    """A shipped ablation by name, or a suite file with a table `[ablation]` by path.

    Raises:
        UserError: no such ablation, an error in the file, or a suite that is none.
    """
    if not is_path(name_or_path) and name_or_path not in ablation_names():
        raise unknown("ablation", name_or_path, ablation_names())
    suite = load_suite(name_or_path)
    if suite.ablation is None:
        raise UserError(
            f"Suite '{name_or_path}' has no table [ablation], so it is no ablation; execute its runs with `pixelbench run --suite`."
        )
    return suite, suite.ablation


def tasks_of(suite: Suite) -> list[str]:
    """The tasks with the ablation's baseline and a variant beside it."""
    return [task.name for task in suite.tasks if len(_variants_on(suite, task)) > 1]


def on_task(suite: Suite, ablation: Ablation, name: str | None = None) -> tuple[Suite, str | None]:
    """The ablation on one task alone, its own where none is named.

    A task that it does not have (another, or `folder:PATH`) gets the settings of the one it has that is most alike; the second value is a
    sentence that says so, None otherwise.

    Raises:
        UserError: no such task, a folder that cannot be used, or a task on which the ablation makes no sense.
    """
    name = name or ablation.task
    images = get_task(name)
    own = next((task for task in suite.tasks if task.name == name), None)
    like = own or min(suite.tasks, key=lambda task: _unlikeness(images, get_task(task.name)))
    variants = _variants_on(suite, like)
    if len(variants) < 2:
        raise UserError(f"Ablation '{suite.name}' makes no sense on '{name}'; it is for {_listed(tasks_of(suite))}, and tasks like them.")
    alone = replace(
        suite,
        tasks=(replace(like, name=name),),
        variants=tuple(replace(variant, tasks=None, on=_moved(variant, like.name, name)) for variant in variants),
        ablation=replace(ablation, task=name, words={one.name: ablation.words[one.name] for one in variants if one.name in ablation.words}),
        claims=tuple(claim for claim in suite.claims if claim.task == name),
    )
    errors = find_errors(alone)
    if errors:
        raise UserError(f"Ablation '{suite.name}' cannot be run on '{name}': {errors[0].removesuffix('.')}.")
    return alone, None if own else f"Ablation '{suite.name}' has no settings for '{name}'; it takes those for '{like.name}'."


def _moved(variant: SuiteVariant, like: str, name: str) -> dict[str, OnTask]:
    """The variant's own words on the task `like`, for another one."""
    return {name: variant.on[like]} if like in variant.on else {}


def _variants_on(suite: Suite, chosen: SuiteTask) -> list[SuiteVariant]:
    """The variants on a task; none where the baseline is not among them."""
    found = [variant for task, variant in pairs(suite) if task is chosen]
    baseline = suite.ablation.baseline if suite.ablation else None
    return found if baseline in [variant.name for variant in found] else []


def _unlikeness(one: Task, other: Task) -> tuple[float, ...]:
    """Colours first, then levels, then size: what settings depend on."""
    levels, area = math.log2(one.levels / other.levels), math.log2(one.height * one.width / (other.height * other.width))
    return float((one.channels > 1) != (other.channels > 1)), abs(levels), abs(area)


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]

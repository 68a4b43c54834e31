"""The runs that a suite asks for, fully resolved, without asking what any store has. No torch."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from fnmatch import fnmatchcase

from pixelbench.data import get_task
from pixelbench.errors import NothingMatched, UserError, nearest, unknown
from pixelbench.evaluation.protocol import Evaluation
from pixelbench.key_fields import key_values
from pixelbench.models.families import get_family
from pixelbench.store.record import task_fields
from pixelbench.store.spec import RunSpec
from pixelbench.suites.resolve import Resolved, pairs, resolve
from pixelbench.suites.schema import Suite, SuiteTask, SuiteVariant

PRECISIONS = ("auto", "fp32", "bf16")
#: The kinds of device that `auto` tells apart.
_DEVICES = ("cpu", "cuda")
#: To plan so many takes seconds, to execute them years.
MOST_RUNS = 10_000


def specs_of(
    suite: Suite,
    *,
    only: Sequence[str] = (),
    seeds: Sequence[int] | None = None,
    budget: str | None = None,
    limit: int | None = None,
    device: str = "cpu",
    precision: str = "auto",
) -> list[RunSpec]:
    """The runs in the order of the suite; two variants may ask for the same one, see `without_twins`.

    Args:
        suite: from `load_suite`.
        only: glob patterns for `task/variant`, a task or a variant; a cell stays if one matches.
        seeds: of every cell, instead of those the suite names for it.
        budget: instead of the suite's default.
        limit: at most so many test, validation, sequential and drawn images.
        device: resolved; it decides what the precision `auto` becomes.
        precision: `auto` leaves it to the recipe.

    Raises:
        UserError: unknown budget or precision, a limit out of range.
        NothingMatched: `only` leaves no cell.
    """
    budget = budget or suite.default_budget
    _check_choices(suite, budget, limit, precision)
    cells = [(task, variant, seeds or suite.seeds_of(task, variant)) for task, variant in choose(suite, only)]
    requested = sum(len(own) for *_, own in cells)
    if requested > MOST_RUNS:
        said = f"{requested:,}, of {len(cells):,} {'cell' if len(cells) == 1 else 'cells'}"
        raise UserError(f"At most {MOST_RUNS:,} runs can be planned at once, and these are {said}; choose fewer with --only or --seeds.")
    return [
        _spec(task, variant, resolved, seed=seed, budget=budget, limit=limit, precision=_precision(resolved, precision, device))
        for task, variant, own in cells
        if (resolved := resolve(suite, task, variant, budget, [])) is not None
        for seed in own
    ]


def row_specs(suite: Suite, task_name: str, variant_name: str, limit: int | None = None) -> dict[tuple[str, str], RunSpec]:
    """The runs of one of the suite's rows with seed 0: (budget, precision) → the run; empty where it has no such row.

    The precisions are those that `auto` becomes on a CPU and on CUDA; what is not trained has `fp32` alone.
    """
    rows = [pair for pair in pairs(suite) if (pair[0].name, pair[1].name) == (task_name, variant_name)]
    return {
        (budget, precision): _spec(task, variant, resolved, seed=0, budget=budget, limit=limit, precision=precision)
        for task, variant in rows
        for budget in suite.budgets
        if (resolved := resolve(suite, task, variant, budget, [])) is not None
        for precision in (_precision(resolved, "auto", device) for device in _DEVICES)
    }


def choose(suite: Suite, only: Sequence[str]) -> list[tuple[SuiteTask, SuiteVariant]]:
    """The suite's cells that one of the glob patterns `only` matches, all without any.

    Raises:
        NothingMatched: there is none.
    """
    chosen = [pair for pair in pairs(suite) if _matches(only, *pair)]
    if not chosen:
        raise _nothing_matched(suite, only)
    return chosen


def resolve_precision(requested: str, of_recipe: str, device: str) -> str:
    """`fp32` or `bf16`: what was asked for, else what the recipe says, else bf16 on CUDA and fp32 elsewhere."""
    wanted = of_recipe if requested == "auto" else requested
    return ("bf16" if device.startswith("cuda") else "fp32") if wanted == "auto" else wanted


def without_twins(specs: Iterable[RunSpec]) -> tuple[list[RunSpec], list[str]]:
    """A run that two variants ask for (a budget that shrinks both to the same) once, under the first name; and a sentence for each."""
    first: dict[str, RunSpec] = {}
    problems = []
    for spec in specs:
        twin = first.setdefault(spec.key, spec)
        if twin is not spec:
            problems.append(f"{spec.label} asks for the same run as {twin.label}; it is executed once, under that name.")
    return list(first.values()), problems


def _check_choices(suite: Suite, budget: str, limit: int | None, precision: str) -> None:
    for kind, name, known in (("budget", budget, suite.budgets), ("precision", precision, PRECISIONS)):
        if name not in known:
            raise unknown(kind, name, known)
    if limit is not None and limit < 1:
        raise UserError(f"--limit must be at least 1, got {limit}.")


def _precision(resolved: Resolved, requested: str, device: str) -> str:
    return "fp32" if resolved.recipe is None else resolve_precision(requested, resolved.recipe.precision, device)


def _spec(
    suite_task: SuiteTask, variant: SuiteVariant, resolved: Resolved, *, seed: int, budget: str, limit: int | None, precision: str
) -> RunSpec:
    task, family = get_task(suite_task.name).with_split(resolved.split), get_family(variant.family)
    return RunSpec(
        task=task_fields(task),
        variant=variant.name,
        family=family.name,
        model_version=family.version,
        settings=key_values(resolved.settings),
        recipe={} if resolved.recipe is None else key_values(replace(resolved.recipe, precision=precision)),
        budget=budget,
        updates=resolved.updates,
        evaluation=key_values(_limited(resolved.evaluation, limit)),
        seed=seed,
        expect=variant.expect,
    )


def _limited(evaluation: Evaluation, limit: int | None) -> Evaluation:
    if limit is None:
        return evaluation
    images = {name: value for name, value in asdict(evaluation).items() if name != "importance_samples"}
    return replace(evaluation, **{name: limit if value is None else min(limit, value) for name, value in images.items()})


def _matches(only: Sequence[str], task: SuiteTask, variant: SuiteVariant) -> bool:
    names = (f"{task.name}/{variant.name}", task.name, variant.name)
    return not only or any(fnmatchcase(name, pattern) for pattern in only for name in names)


def _nothing_matched(suite: Suite, only: Sequence[str]) -> NothingMatched:
    names = {name for task, variant in pairs(suite) for name in (f"{task.name}/{variant.name}", task.name, variant.name)}
    near = nearest(only[0] if only else "", names)
    hint = f"did you mean '{near}'?" if near else f"`pixelbench show {suite.name}` lists its runs."
    return NothingMatched(f"No run of suite '{suite.name}' matches {', '.join(repr(pattern) for pattern in only)}; {hint}")

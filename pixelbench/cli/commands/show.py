"""`pixelbench show SUITE`."""

import dataclasses
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pixelbench.cli.arguments import completing
from pixelbench.cli.arguments.options import BudgetOption, JsonOption, OnlyOption
from pixelbench.cli.commands.resolved import print_runs, resolved_runs, runs_json, seeds_line
from pixelbench.cli.output import print_json, print_table, stdout
from pixelbench.errors import UserError
from pixelbench.visible import visible

if TYPE_CHECKING:
    from pixelbench.suites.schema import Claim, Suite, SuiteVariant


_EXAMPLES = """Example: pixelbench show quick

Example: pixelbench show paper --resolved --only 'cifar10/pixelcnn'

Example: pixelbench show blind-spot --toml > mine.toml"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=_EXAMPLES)(show)


def show(
    suite: Annotated[
        str, typer.Argument(metavar="SUITE", help="A suite's or an ablation's name, or a path.", autocompletion=completing.suites)
    ],
    toml: Annotated[bool, typer.Option("--toml", help="The file itself, to copy and change.")] = False,
    resolved: Annotated[
        bool, typer.Option("--resolved", help="Every setting of every run, where it comes from, what is assumed, and what deviates.")
    ] = False,
    only: OnlyOption = None,
    budget: BudgetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a suite asks for: tasks, variants with their settings, budgets, seeds, recipe."""
    from pixelbench.suites.load import load_suite, suite_text

    if toml and (as_json or resolved):
        raise UserError("--toml is the file as it is written, --json and --resolved what it comes to; leave one of the two out.")
    if (only or budget) and not resolved:
        raise UserError("--only and --budget choose runs, which --resolved shows; add it, or leave them out.")
    if toml:
        text = suite_text(suite)
        sys.stdout.write(visible(text) if sys.stdout.isatty() else text)
        return
    loaded = load_suite(suite)
    if resolved:
        runs = resolved_runs(loaded, only or (), budget)
        print_json(runs_json(loaded, runs)) if as_json else print_runs(loaded, runs)
    elif as_json:
        print_json(dataclasses.asdict(loaded))
    else:
        _print(loaded)


def _print(suite: "Suite") -> None:
    from rich.text import Text

    stdout().print(Text(f"{suite.name}: {suite.description}".rstrip(": ")))
    if suite.ablation is not None:
        requested = suite.ablation
        stdout().print(Text(f"{requested.question} Compared with {requested.baseline}, on {requested.task} unless another task is named."))
    budgets = [
        (f"{name} (default)" if name == suite.default_budget else name, str(budget.updates or ""), _lines(budget.settings))
        for name, budget in suite.budgets.items()
    ]
    print_table(("budget", "updates", "settings"), budgets, right=("updates",))
    tasks = [
        (task.name, _lines(task.settings), _lines(task.recipe), _lines({n: b.updates for n, b in task.budgets.items() if b.updates}))
        for task in suite.tasks
    ]
    print_table(("task", "settings", "recipe", "updates by budget"), tasks)
    variants = [
        (
            variant.name,
            variant.family,
            "\n".join([*_pairs(variant.settings), *_elsewhere(variant)]),
            _lines(variant.recipe),
            "\n".join(variant.tasks) if variant.tasks else "all",
            "a leak by design" if variant.expect == "leaky" else "no leak",
        )
        for variant in suite.variants
    ]
    print_table(("variant", "model", "settings", "recipe", "tasks", "expected"), variants)
    stdout().print(Text(seeds_line(suite)))
    for line in (_verdict_seeds(suite), *_kept_weights(suite)):
        stdout().print(Text(line))
    if suite.claims:
        print_table(("claim", "value", "tolerance", "source"), [_claim(claim) for claim in suite.claims], right=("tolerance",))
    for title, values in (("recipe", suite.recipe), ("evaluation", suite.evaluation)):
        if values:
            stdout().print(Text(f"{title}: {_settings(values)}"))
    if any(place.assumed or place.deviations for place in (*suite.tasks, *suite.variants)):
        stdout().print(Text(f"What is assumed and what deviates, run by run: pixelbench show {suite.name} --resolved"))


def _verdict_seeds(suite: "Suite") -> str:
    own = [f"of {variant.name} 0 to {variant.verdict_seeds - 1}" for variant in suite.variants if variant.verdict_seeds]
    return "; ".join((f"a verdict is by the seeds 0 to {suite.verdict_seeds - 1}", *own))


def _kept_weights(suite: "Suite") -> list[str]:
    """A line for those variants whose weights are always kept, and one for those where they never are."""
    kept = {variant.name: suite.keep_weights_of(variant) for variant in suite.variants}
    lines = []
    for wanted, word in ((True, "always"), (False, "never")):
        names = [name for name, value in kept.items() if value is wanted]
        if names:
            lines.append(f"weights {word} kept: {'all variants' if len(names) == len(kept) else ', '.join(names)}")
    return lines


def _claim(claim: "Claim") -> tuple[str, str, str, str]:
    tolerance = "usual" if claim.tolerance is None else f"{claim.tolerance:g}"
    return f"{claim.task}/{claim.variant}", f"{claim.printed} {claim.unit}", tolerance, claim.source


def _elsewhere(variant: "SuiteVariant") -> list[str]:
    """The settings that it has on one task alone, a line a task."""
    return [f"on {task}: {_settings(there.settings)}" for task, there in variant.on.items() if there.settings]


def _lines(values: dict[str, Any]) -> str:
    """A setting a line, so that a narrow table breaks no name."""
    return "\n".join(_pairs(values))


def _settings(values: dict[str, Any]) -> str:
    return ", ".join(_pairs(values))


def _pairs(values: dict[str, Any]) -> list[str]:
    return [f"{name} = {_value(value)}" for name, value in values.items()]


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return f"{{ {_settings(value)} }}"
    return str(value).lower() if isinstance(value, bool) else str(value)

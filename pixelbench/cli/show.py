"""`pixelbench show SUITE`."""

import dataclasses
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pixelbench.cli.options import JsonOption
from pixelbench.cli.output import print_json, print_table, stdout
from pixelbench.errors import UserError

if TYPE_CHECKING:
    from pixelbench.experiments.suite import Suite


_EXAMPLES = """Example: pixelbench show quick

Example: pixelbench show blind-spot --toml > mine.toml"""


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(epilog=_EXAMPLES)(show)


def show(
    suite: Annotated[str, typer.Argument(metavar="SUITE", help="A suite's or an ablation's name, or a path.")],
    toml: Annotated[bool, typer.Option("--toml", help="The file itself, to copy and change.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Shows what a suite asks for: tasks, variants with their settings, budgets, seeds, recipe."""
    from pixelbench.experiments.suite import load_suite, suite_text

    if toml and as_json:
        raise UserError("--toml is the file as it is written and --json what it comes to; leave one of the two out.")
    if toml:
        sys.stdout.write(suite_text(suite))
        return
    loaded = load_suite(suite)
    if as_json:
        print_json(dataclasses.asdict(loaded))
    else:
        _print(loaded)


def _print(suite: "Suite") -> None:
    from rich.text import Text

    stdout().print(Text(f"{suite.name}: {suite.description}".rstrip(": ")))
    if suite.ablation is not None:
        asked = suite.ablation
        stdout().print(Text(f"{asked.question} Compared with {asked.baseline}, on {asked.task} unless another task is named."))
    budgets = [
        (f"{name} (default)" if name == suite.default_budget else name, str(budget.updates or ""), _settings(budget.settings))
        for name, budget in suite.budgets.items()
    ]
    print_table(("budget", "updates", "settings"), budgets, right=("updates",))
    tasks = [
        (task.name, _settings(task.settings), _settings(task.recipe), _settings({n: b.updates for n, b in task.budgets.items()}))
        for task in suite.tasks
    ]
    print_table(("task", "settings", "recipe", "updates by budget"), tasks)
    variants = [
        (
            variant.name,
            variant.family,
            _settings(variant.settings),
            _settings(variant.recipe),
            ", ".join(variant.tasks) if variant.tasks else "all",
            "a leak, planted" if variant.expect == "leaky" else "no leak",
        )
        for variant in suite.variants
    ]
    print_table(("variant", "model", "settings", "recipe", "tasks", "expected"), variants)
    stdout().print(Text(f"seeds: {', '.join(map(str, suite.seeds))}"))
    for title, values in (("recipe", suite.recipe), ("evaluation", suite.evaluation)):
        if values:
            stdout().print(Text(f"{title}: {_settings(values)}"))


def _settings(values: dict[str, Any]) -> str:
    return ", ".join(f"{name} = {str(value).lower() if isinstance(value, bool) else value}" for name, value in values.items())

"""`pixelbench list suites|tasks|models`."""

import dataclasses
from typing import Annotated, Any

import typer

from pixelbench.cli.options import JsonOption
from pixelbench.cli.output import print_json, print_table
from pixelbench.errors import unknown


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("list", epilog="Example: pixelbench list models")(list_names)


def list_names(kind: Annotated[str, typer.Argument(help="suites, tasks or models.")], as_json: JsonOption = False) -> None:
    """Lists what there is to run: suites, tasks, or models with their settings."""
    kinds = {"suites": _suites, "tasks": _tasks, "models": _models}
    if kind not in kinds:
        raise unknown("list", kind, kinds)
    entries = kinds[kind]()
    if as_json:
        print_json(entries)
    else:
        print_table(tuple(entries[0]), [[_text(value) for value in entry.values()] for entry in entries])


def _suites() -> list[dict[str, Any]]:
    from pixelbench.experiments.suite import load_suite, suite_names

    return [
        {
            "name": suite.name,
            "description": suite.description,
            "tasks": [task.name for task in suite.tasks],
            "variants": len(suite.variants),
            "seeds": list(suite.seeds),
            "budgets": sorted(suite.budgets),
        }
        for suite in map(load_suite, suite_names())
    ]


def _tasks() -> list[dict[str, Any]]:
    from pixelbench.data import get_task, task_names

    tasks = [get_task(name) for name in task_names()]
    return [
        {
            "name": task.name,
            "title": task.title,
            "size": f"{task.height}x{task.width}x{task.channels}",
            "levels": task.levels,
            "preprocessing": task.preprocessing,
            "split": task.split_rule,
            "source": task.source,
        }
        for task in tasks
    ]


def _models() -> list[dict[str, Any]]:
    from pixelbench.models.families import FAMILIES

    return [
        {
            "name": family.name,
            "title": family.title,
            "kind": family.kind,
            "paper": family.paper,
            "settings": {field.name: field.default for field in dataclasses.fields(family.settings)},
        }
        for family in FAMILIES.values()
    ]


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} = {_text(setting)}" for name, setting in value.items())
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)

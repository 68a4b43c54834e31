"""The output of `show --resolved`: every setting of a run with its value and the place in the suite that decides it."""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pixelbench.cli.output import print_table, stdout
from pixelbench.errors import unknown

if TYPE_CHECKING:
    from pixelbench.suites.schema import Suite
    from pixelbench.suites.setting_origins import Choice, SettingOrigins


def resolved_runs(suite: "Suite", only: Sequence[str], budget: str | None) -> "list[SettingOrigins]":
    """The cells that `only` matches, at a budget or the suite's default one.

    Raises:
        UserError: no such budget.
        NothingMatched: `only` leaves no cell.
    """
    from pixelbench.suites.setting_origins import setting_origins
    from pixelbench.suites.specs import choose

    name = budget or suite.default_budget
    if name not in suite.budgets:
        raise unknown("budget", name, suite.budgets)
    return [setting_origins(suite, task, variant, name) for task, variant in choose(suite, only)]


def runs_json(suite: "Suite", runs: "Sequence[SettingOrigins]") -> dict[str, Any]:
    """As plain values."""
    return {"suite": suite.name, "seeds": list(suite.seeds), "runs": [dataclasses.asdict(run) for run in runs]}


def print_runs(suite: "Suite", runs: "Sequence[SettingOrigins]") -> None:
    """A table a run, then what is assumed and what deviates, a line each."""
    from rich.padding import Padding
    from rich.text import Text

    for run in runs:
        said = ", a leak by design" if run.expect == "leaky" else ""
        stdout().print(Text(f"{run.task}/{run.variant}: {run.family}, budget {run.budget}{said}", style="bold"))
        print_table(("setting", "value", "from"), _rows(run))
        for title, sentences in (("Assumed, since the paper does not say it", run.assumed), ("Deviations from the paper", run.deviations)):
            if sentences:
                stdout().print(Text(f"{title}:"))
            for sentence in sentences:
                stdout().print(Padding(Text(f"- {sentence}"), (0, 0, 0, 2)))
        stdout().print()
    stdout().print(Text(seeds_line(suite)))


def seeds_line(suite: "Suite") -> str:
    """`seeds: 0; of fvsbn 0, 1, 2`: those of the suite, and of the cells that have their own."""
    own: dict[str, list[str]] = {}
    for variant in suite.variants:
        there = {f"{task}/{variant.name}": on.seeds for task, on in variant.on.items()}
        for name, seeds in {variant.name: variant.seeds, **there}.items():
            if seeds is not None:
                own.setdefault(", ".join(map(str, seeds)), []).append(name)
    said = [f"of {', '.join(names)} {seeds}" for seeds, names in own.items()]
    return "; ".join([f"seeds: {', '.join(map(str, suite.seeds))}", *said])


def _rows(run: "SettingOrigins") -> list[tuple[str, str, str]]:
    rows = [] if run.updates is None else [_row("updates", run.updates, "updates")]
    rows += [_row(name, choice, "settings") for name, choice in run.settings.items()]
    rows += [_row(f"recipe.{name}", choice, "recipe") for name, choice in run.recipe.items()]
    return rows + [_row(f"evaluation.{name}", choice, "evaluation") for name, choice in run.evaluation.items()]


def _row(name: str, choice: "Choice", part: str) -> tuple[str, str, str]:
    """`variant.pixelvae.settings` is said without its last word, which the row's name says."""
    return name, _value(choice.value), choice.origin.removesuffix(f".{part}")


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_value(inside)}" for name, inside in value.items())
    if isinstance(value, list):
        return ", ".join(map(_value, value))
    return (
        "all"
        if value is None
        else str(value).lower()
        if isinstance(value, bool)
        else f"{value:,}"
        if isinstance(value, int)
        else str(value)
    )

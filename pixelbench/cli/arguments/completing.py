"""Candidates of shell completion: suites, families, tasks, ablations and the like, by names alone, so that the Tab key loads no torch.

A completion that fails must not disturb the line that is being typed: what cannot be found is left out.
"""

from collections.abc import Callable, Iterable
from pathlib import Path

import typer

from pixelbench.errors import UserError

#: What `pixelbench list` lists.
KINDS = ("suites", "ablations", "tasks", "models", "statistics", "measures", "figures")
Complete = Callable[[str], list[str]]


def _beginning(names: Callable[[], Iterable[str]]) -> Complete:
    """The names that begin as what is typed does; none where they cannot be had."""

    def complete(incomplete: str) -> list[str]:
        try:
            return [name for name in names() if name.startswith(incomplete)]
        except (UserError, OSError):
            return []

    return complete


@_beginning
def suites() -> Iterable[str]:
    """Suites that ship; the shell itself knows files."""
    from pixelbench.suites.load import suite_names

    return suite_names()


@_beginning
def ablations() -> Iterable[str]:
    """Ablations that ship."""
    from pixelbench.suites.load import ablation_names

    return ablation_names()


@_beginning
def tasks() -> Iterable[str]:
    """Tasks by name."""
    from pixelbench.data import task_names

    return task_names()


@_beginning
def targets() -> Iterable[str]:
    """Families; the shell itself knows files."""
    from pixelbench.models.families import FAMILIES

    return FAMILIES


@_beginning
def kinds() -> Iterable[str]:
    """What `pixelbench list` lists."""
    return KINDS


def runs(context: typer.Context, incomplete: str) -> list[str]:
    """`task/variant` by the folders of the store that --results names before it, else of the default one; no file is read."""
    from pixelbench.cli.arguments.options import DEFAULT_RESULTS

    store = Path(context.params.get("results") or DEFAULT_RESULTS)
    folders = (path for path in sorted(store.glob("*/*")) if path.is_dir() and not path.parent.name.startswith("."))
    return _beginning(lambda: [path.relative_to(store).as_posix() for path in folders])(incomplete)

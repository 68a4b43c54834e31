"""`status --watch`: the runs of a store until they have ended, a table on a terminal, elsewhere a line whenever something changes."""

from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from time import sleep
from typing import TYPE_CHECKING

from pixelbench.cli.output import say, stderr
from pixelbench.visible import visible

if TYPE_CHECKING:
    from rich.table import Table

    from pixelbench.experiments.cluster.live import LiveRun

#: Between two looks; every one asks Slurm's controller, which all users of a cluster share.
EVERY_SECONDS = 5.0
#: Rows of a table on a terminal that does not say how high it is.
_MOST_ROWS = 40


def watch(store: Path, keys: Collection[str] | None = None, jobs: Collection[str] | None = None) -> list["LiveRun"]:
    """Show the runs until all have ended, or no job of theirs is left; returns them as they were last. Ctrl-C ends it earlier.

    Args:
        store: the results folder.
        keys: only these runs.
        jobs: only those of these arrays.
    """
    from rich.live import Live

    from pixelbench.experiments.cluster.live import Watch

    looking = Watch(store, keys, jobs)
    console = stderr()
    lines = _Lines()
    with Live(console=console, auto_refresh=False, transient=False) if console.is_terminal else lines as shown:
        while True:
            runs = looking.look()
            if isinstance(shown, _Lines):
                shown.tell(runs, looking.silent)
            else:
                shown.update(_table(runs, looking.silent, most=max(5, console.height - 4)), refresh=True)
            if not looking.silent and (looking.over if looking.has_arrays else all(run.ended for run in runs)):
                return runs
            sleep(EVERY_SECONDS)


class _Lines:
    """A line for each run whose state has changed."""

    def __init__(self) -> None:
        self._before: dict[str, tuple[str, str]] = {}
        self._silent = ""

    def __enter__(self) -> "_Lines":
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def tell(self, runs: Sequence["LiveRun"], silent: str) -> None:
        for run in runs:
            if self._before.get(run.key) != (run.state, run.where):
                self._before[run.key] = (run.state, run.where)
                say(f"{run.label}: {' '.join(filter(None, (run.state, _place(run))))}")
        if silent and silent != self._silent:
            say(silent)
        self._silent = silent


def _table(runs: Sequence["LiveRun"], silent: str, most: int = _MOST_ROWS) -> "Table":
    """Those under way first; where there are more than `most`, the rest is counted."""
    from rich.table import Table
    from rich.text import Text

    order = {state: place for place, state in enumerate(("running", "starting", "begun", "interrupted", "failed", "queued", "not begun"))}
    shown = sorted(runs, key=lambda run: order.get(run.state, len(order)))[:most]
    counts = ", ".join(f"{number} {state}" for state, number in Counter(run.state for run in runs).most_common())
    table = Table(title=Text(visible(silent or counts)), title_justify="left")
    for name in ("run", "state", "where", "progress"):
        table.add_column(name, overflow="fold")
    for run in shown:
        table.add_row(*(Text(visible(part)) for part in (run.label, run.state, _place(run), _progress(run))))
    if len(shown) < len(runs):
        table.caption = Text(f"and {len(runs) - len(shown)} more")
    return table


def _place(run: "LiveRun") -> str:
    if run.where in ("", "None"):
        return ""
    return f"on {run.where}" if run.state in ("starting", "running") else f"({run.where})"


def _progress(run: "LiveRun") -> str:
    """`120 of 400 updates, 1.93 bits/dim on validation images`, or the stage."""
    from pixelbench.cli.progress import training_note

    event = run.progress
    if event is None or run.state == "done":
        return ""
    if event["event"] == "stage":
        return str(event.get("stage", ""))
    return f"{event.get('update')} of {event.get('updates')} updates{training_note(dict(event))}"

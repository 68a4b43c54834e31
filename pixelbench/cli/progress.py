"""Progress of runs on stderr: bars on a terminal, plain lines elsewhere."""

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

from pixelbench.analysis import format as words
from pixelbench.cli.output import say, stderr
from pixelbench.visible import visible

Show = Callable[[dict[str, Any]], None]

#: Between two plain lines of one run's training.
EVERY_SECONDS = 10.0


@contextlib.contextmanager
def progress(suite: str, total: int) -> Iterator[Show]:
    """Take the events of `run_plan` and show them until the block ends."""
    console = stderr()
    if not console.is_terminal:
        yield PlainLines(total)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    name, note = TextColumn("{task.description}", markup=False), TextColumn("{task.fields[note]}", markup=False)
    with Progress(name, BarColumn(bar_width=24), MofNCompleteColumn(), TimeElapsedColumn(), note, console=console) as bars:
        yield Bars(bars, suite, total)


@contextlib.contextmanager
def counted(title: str) -> Iterator[Callable[[str, int, int], None]]:
    """Take the current piece of work, how many are done and how many there are, and show it until the block ends."""
    with _shown(title, lambda what, done, total: say(f"{title}: {done + 1} of {total}, {what}")) as show:
        yield show


@contextlib.contextmanager
def steady(title: str) -> Iterator[Callable[[str, int, int], None]]:
    """As `counted`, of work in many small steps: elsewhere than on a terminal a line only now and then."""
    spoke = time.monotonic()

    def now_and_then(what: str, done: int, total: int) -> None:
        nonlocal spoke
        if time.monotonic() - spoke >= EVERY_SECONDS:
            spoke = time.monotonic()
            say(f"{title}: {what}, {done:,} of {total:,}")

    with _shown(title, now_and_then) as show:
        yield show


@contextlib.contextmanager
def _shown(title: str, plainly: Callable[[str, int, int], None]) -> Iterator[Callable[[str, int, int], None]]:
    """One bar on a terminal; elsewhere what `plainly` says."""
    console = stderr()
    if not console.is_terminal:
        yield plainly
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = TextColumn("{task.description}", markup=False), BarColumn(bar_width=24), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, TextColumn("{task.fields[note]}", markup=False), console=console) as bars:
        row = bars.add_task(title, total=None, note="")
        yield lambda what, done, total: bars.update(row, completed=done, total=total, note=what)


class PlainLines:
    """A line when a run starts, now and then while it trains, and when it ends."""

    def __init__(self, total: int) -> None:
        self._total, self._ended = total, 0
        self._spoke: dict[str, float] = {}

    def __call__(self, event: dict[str, Any]) -> None:
        kind, run, now = event["event"], event["run"], time.monotonic()
        if kind == "start":
            self._spoke[run] = now
            say(f"{run}: started")
        elif kind == "waiting":
            say(f"{run}: another process executes it")
        elif kind == "note":
            say(f"{run}: {event['text']}")
        elif kind == "progress" and now - self._spoke.get(run, 0.0) >= EVERY_SECONDS:
            self._spoke[run] = now
            say(f"{run}: {event['update']} of {event['updates']} updates{training_note(event)}")
        elif kind == "end":
            self._ended += 1
            say(f"[{self._ended}/{self._total}] {run}: {ending(event)}")


class Bars:
    """The whole suite on the first line, below it one bar for each run under way."""

    def __init__(self, bars: Any, suite: str, total: int) -> None:
        self.bars = bars
        self._rows: dict[str, Any] = {}
        self._all = bars.add_task(visible(suite), total=total, note="runs")

    def __call__(self, event: dict[str, Any]) -> None:
        kind, run = event["event"], event["run"]
        if kind == "end":
            self._drop(run)
            self.bars.advance(self._all)
            self.bars.console.print(visible(f"{run}: {ending(event)}"), markup=False)
        elif kind == "progress":
            self.bars.update(self._row(run), completed=event["update"], total=event["updates"], note=training_note(event).lstrip(", "))
        elif kind == "note":  # what is worth a note is to stay
            self.bars.console.print(visible(f"{run}: {event['text']}"), markup=False)
        elif kind in ("start", "stage", "waiting"):
            note = {"start": "", "waiting": "another process executes it"}.get(kind) or event.get("stage", "")
            self.bars.update(self._row(run), note=visible(note))

    def _row(self, run: str) -> Any:
        if run not in self._rows:
            self._rows[run] = self.bars.add_task(visible(run), total=None, note="")
        return self._rows[run]

    def _drop(self, run: str) -> None:
        if run in self._rows:
            self.bars.remove_task(self._rows.pop(run))


def training_note(event: dict[str, Any]) -> str:
    """`, 1.23 bits/dim on validation images`, or on training images before the first validation."""
    for name, split in (("validation_bits_per_dim", "validation"), ("train_bits_per_dim", "training")):
        if event.get(name) is not None:
            return f", {words.bits(event[name])} bits/dim on {split} images"
    return ""


def ending(event: dict[str, Any]) -> str:
    """`done, 0.943 bits/dim, 36 s`; a leaking variant's number is marked."""
    parts = [event["status"] + (" by another process" if event.get("elsewhere") else "")]
    if event.get("bits_per_dim") is not None:
        said = words.measured(event["bits_per_dim"], event.get("estimator"))
        parts.append(f"{said} bits/dim{' (not causal)' if event.get('causal') == 'leaky' else ''}")
    if event.get("seconds") is not None:
        parts.append(f"{words.seconds(event['seconds'])} s")
    if event.get("error"):
        parts.append(event["error"])
    return ", ".join(parts)

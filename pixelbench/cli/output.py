"""Where things are printed: results and JSON on stdout, everything else on stderr."""

import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from pixelbench.visible import visible, visible_json

if TYPE_CHECKING:
    from rich.console import Console

FINE, FAILED, WRONG_USE, NOTHING, REGRESSION = 0, 1, 2, 3, 4
INTERRUPTED = 130
#: Columns of a terminal on which a space beside every cell is too much.
_NARROW = 100


def ended_by(number: int) -> int:
    """The exit code after a signal, as shells have it: 130 after Ctrl-C, 143 after SIGTERM, 129 after SIGHUP, 140 after SIGUSR2."""
    return 128 + number


def duration(seconds: float) -> str:
    """`90 seconds`, `12 minutes`, `3.2 hours`."""
    if seconds < 120:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.1f} hours"


def print_json(value: Any) -> None:
    """The one JSON document of a `--json` command. Paths become POSIX text."""
    document = json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False, default=_plain)
    sys.stdout.write(visible_json(document) + "\n")


def say(line: str) -> None:
    """One line for people, on stderr: progress, notes, where files are."""
    sys.stderr.write(visible(line) + "\n")
    sys.stderr.flush()


def stdout() -> "Console":
    """The console for results. Its width is the terminal's; piped, wide enough that no table is cut."""
    return _console() if sys.stdout.isatty() else _console(piped=True, width=_piped_width())


def stderr() -> "Console":
    """The console for progress displays."""
    return _console(stderr=True)


def _console(*, piped: bool = False, **options: Any) -> "Console":
    """A console that shows whatever it is given: its escape sequences come from styles, never from text."""
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment

    class Shown(Console):
        def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
            for segment in super().render(renderable, options):
                yield segment if segment.control else segment._replace(text=visible(segment.text))

        def on_broken_pipe(self) -> None:
            if not piped:
                super().on_broken_pipe()
            raise  # rich would exit with 1, which here says that a run failed; `main` knows that `| head` is no failure

    return Shown(highlight=False, emoji=False, **options)


def print_table(titles: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[str] = (), whole: int = 1) -> None:
    """A plain table on stdout; `right` names the columns of numbers. These and the first `whole` columns, names to copy, are never broken.
    On a narrow terminal the columns move together."""
    from rich.table import Table
    from rich.text import Text

    console = stdout()
    table = Table(padding=(0, 1) if console.width >= _NARROW else (0, 0))
    cells = [[visible(cell) for cell in row] for row in rows]
    for index, name in enumerate(titles):
        number = name in right
        longest = max((len(line) for row in cells for line in row[index].split("\n")), default=0) if index < whole else None
        table.add_column(name, justify="right" if number else "left", overflow="fold", no_wrap=number or index < whole, min_width=longest)
    for row in cells:
        table.add_row(*map(Text, row))
    console.print(table)


def _piped_width() -> int:
    """COLUMNS, if somebody set it; else wide."""
    columns = os.environ.get("COLUMNS", "")
    return int(columns) if columns.isdigit() and int(columns) > 0 else 160


def _plain(value: Any) -> Any:
    if hasattr(value, "as_posix"):
        return value.as_posix()
    raise TypeError(f"{type(value).__name__} is not JSON")

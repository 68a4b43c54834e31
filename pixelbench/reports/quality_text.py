"""Sample quality as text: one table a task and feature set, the same in Markdown, on a terminal and on the page."""

from dataclasses import dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pixelbench.analysis import format as words
from pixelbench.analysis.quality.findings import REAL, QualityRow, QualityTable, sentences_of
from pixelbench.evaluation.measures import MEASURES
from pixelbench.evaluation.quality import STATISTICS
from pixelbench.reports import escape
from pixelbench.reports.report import Report
from pixelbench.visible import visible

_STATISTICS_WEIGHT = 7


@dataclass(frozen=True)
class QualityColumn:
    """`name`: of a measure or statistic, empty of what says whose images these are. `weight` as in `columns.Column`."""

    title: str
    cells: tuple[str, ...]
    right: bool = True
    weight: int = 0


@dataclass(frozen=True)
class QualityGrid:
    """A table: real images first, then runs, then controls. `marks` has an entry for each row: `floor`, `control`, `leaking` or empty."""

    title: str
    columns: tuple[QualityColumn, ...]
    marks: tuple[str, ...]
    sentences: tuple[str, ...]

    @property
    def lines(self) -> list[tuple[str, ...]]:
        """The cells row by row."""
        return list(zip(*(column.cells for column in self.columns), strict=True))


def quality_grid(table: QualityTable) -> QualityGrid:
    """The table with its titles, in words."""
    rows = table.all_rows
    first = [
        QualityColumn("images", tuple(_label(row) for row in rows), right=False),
        QualityColumn("how many", tuple(f"{row.n:,}" for row in rows), weight=6),
        QualityColumn("bits/dim", tuple(_bits(row) for row in rows), weight=5),
    ]
    measured = [
        QualityColumn(_title(name, table), tuple(words.with_error(row.values.get(name), _most(name)) for row in rows), weight=_weight(name))
        for name in table.measures
    ]
    named = QualityColumn("called", tuple(_failures(row) for row in rows), right=False, weight=1)
    columns = [*first, *measured, *([named] if any(row.failures for row in rows) else [])]
    return QualityGrid(f"Sample quality in {table.features}", tuple(columns), tuple(map(_mark, rows)), tuple(sentences_of(table)))


def quality_markdown(table: QualityTable) -> list[str]:
    """The parts of a Markdown page."""
    grid = quality_grid(table)
    shown = [[escape.text(cell) for cell in line] for line in grid.lines]
    for line, mark in zip(shown, grid.marks, strict=True):
        line[0] = f"*{line[0]}*" if mark in ("floor", "control") else line[0]
    parts = [f"### {escape.text(grid.title)}"]
    parts.append(escape.table([escape.text(one.title) for one in grid.columns], [one.right for one in grid.columns], shown))
    return [*parts, *(["\n".join(f"- {escape.text(said)}" for said in grid.sentences)] if grid.sentences else [])]


def print_quality(report: Report, console: Console) -> None:
    """All tables on a terminal."""
    if not report.quality:
        console.print("Nothing is measured of these runs yet; `pixelbench measure RESULTS` does that.")
    for table in report.quality:
        print_table(table, console)


def print_table(table: QualityTable, console: Console) -> None:
    """One table, with as many columns as fit, and its sentences."""
    grid = quality_grid(table)
    shown, left_out = list(grid.columns), []
    while len(shown) > 2 and endless_width(built := _built(grid, shown, table.task), console) > console.width:
        heaviest = max(reversed(shown), key=lambda column: column.weight)
        if heaviest.weight == 0:
            break
        shown.remove(heaviest)
        left_out.append(heaviest.title)
    else:
        built = _built(grid, shown, table.task)
    console.print(built)
    if left_out:
        console.print(Text(f"  Not shown in this width: {', '.join(reversed(left_out))}.", style="dim"))
    for said in grid.sentences:
        console.print(Text(visible(f"  {said}")))
    console.print()


def _built(grid: QualityGrid, shown: list[QualityColumn], task: str) -> Table:
    built = Table(title=Text(visible(f"{task}: {grid.title[0].lower()}{grid.title[1:]}"), style="bold"), title_justify="left")
    for column in shown:
        built.add_column(column.title.replace(" (", "\n("), justify="right" if column.right else "left", overflow="fold")
    kinds = [_kind(mark) for mark in grid.marks]
    for index, mark in enumerate(grid.marks):
        style = {"floor": "italic", "control": "dim", "leaking": "red"}.get(mark)
        built.add_row(*(Text(visible(column.cells[index])) for column in shown), style=style)
        if kinds[index] != kinds[min(index + 1, len(kinds) - 1)]:
            built.add_section()
    return built


def endless_width(table: Table, console: Console) -> int:
    """How wide it would be on endless paper."""
    return console.measure(table, options=console.options.update(max_width=1000)).maximum


def _kind(mark: str) -> str:
    return mark if mark in ("floor", "control") else "run"


def _mark(row: QualityRow) -> str:
    if row.run_key:
        return "leaking" if row.category == "leaking" else ""
    return "floor" if row.label == REAL else "control"


def _label(row: QualityRow) -> str:
    """A run's label; `real images (floor)`, `independent pixels (control)`."""
    return row.label if row.run_key else f"{row.label.replace('-', ' ')} ({_mark(row)})"


def _failures(row: QualityRow) -> str:
    return ", ".join(one.name.removesuffix("-samples") for one in row.failures) or words.NONE


def _bits(row: QualityRow) -> str:
    if not row.run_key:
        return words.NONE
    if row.category == "leaking":
        return "not causal"
    return f"{words.AT_MOST if row.category == 'bound' else ''}{words.bits(row.bits_per_dim)}"


def _title(name: str, table: QualityTable) -> str:
    """A measure of features bears their name; what does not separate says so."""
    if name not in MEASURES:
        return STATISTICS[name].title
    measure = MEASURES[name]
    title = f"{measure.title}/{table.features}" if name == "kid" else measure.title
    title += f", {measure.unit}" if measure.unit == "dB" else ""
    return f"{title} (does not separate)" if name in table.blind else title


def _most(name: str) -> int:
    return words.most_decimals(MEASURES[name].unit if name in MEASURES else "")


def _weight(name: str) -> int:
    return MEASURES[name].weight if name in MEASURES else _STATISTICS_WEIGHT

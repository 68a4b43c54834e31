"""The report on a terminal, by rich: the same tables and sentences as `report.md`, as many columns as fit."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from pixelbench.reports import columns, words
from pixelbench.reports.report import Report
from pixelbench.reports.tables import Row, TaskTable


def print_report(report: Report, console: Console) -> None:
    """Tables, order and lessons; colours only where the console has them (NO_COLOR is rich's own business)."""
    if not report.tables:
        console.print("No runs are stored here yet.")
    for table in report.tables:
        console.print(_table(table, console))
        for step in report.order_of(table.task):
            console.print(Text(f"  {'✓' if step.holds else '?'} {step.sentence}"))
        console.print()
    for title in dict.fromkeys(lesson.title for lesson in report.lessons):
        console.print(f"[bold]Lesson: {escape(title)}[/bold]")
        for lesson in (lesson for lesson in report.lessons if lesson.title == title):
            console.print(Text(f"  {lesson.task}: {' '.join(lesson.sentences)}"))
        console.print()
    for problem in report.problems:
        console.print(Text(f"Not used: {problem}", style="yellow"))


def _table(table: TaskTable, console: Console) -> Table:
    all_done = all(row.status == "done" for row in table.rows)

    def weight(column: columns.Column) -> int:
        return 9 if all_done and column is columns.STATUS else column.weight

    shown = columns.columns_of(table)
    grid = _grid(table, shown)
    while console.measure(grid).minimum > console.width or _natural_width(grid, console) > console.width:
        first_to_go = max(shown, key=weight)
        if weight(first_to_go) == 0:
            break
        shown = [column for column in shown if column is not first_to_go]
        grid = _grid(table, shown)
    return grid


def _natural_width(grid: Table, console: Console) -> int:
    """How wide the table would be on endless paper."""
    return console.measure(grid, options=console.options.update(max_width=1000)).maximum


def _grid(table: TaskTable, shown: list[columns.Column]) -> Table:
    grid = Table(title=Text(f"{table.task}: {columns.caption(table)}"), title_justify="left", title_style="bold")
    for column in shown:
        grid.add_column(column.title, justify="right" if column.right else "left", overflow="fold")
    for row in table.rows:
        grid.add_row(*(_cell(column, row) for column in shown), style="dim" if row.standing in ("reference", "unscored") else None)
    if table.real["zeros"] is not None:
        grid.add_section()
        grid.add_row(*(Text(column.real(table), style="italic") for column in shown))
    return grid


def _cell(column: columns.Column, row: Row) -> Text:
    text = column.cell(row)
    if row.standing == "leaking" and column is columns.SCORE:
        return Text.assemble((text, "strike"), (" not causal", "red"))  # in words too: not every terminal strikes through
    if column is columns.CAUSAL and row.causal == "leaky":
        return Text(text, style="bold red")
    if column is columns.SCORE and words.estimated(row):
        return Text(f"{text} ({words.estimated(row)})")
    return Text(text, style="red" if column is columns.STATUS and row.status != "done" else "")

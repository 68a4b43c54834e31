"""The report on a terminal, by rich: the same tables and sentences as `report.md`, as many columns as fit."""

from textwrap import wrap

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pixelbench.analysis import format as words
from pixelbench.analysis.tables import Row, TaskTable
from pixelbench.reports import columns
from pixelbench.reports.quality_text import endless_width, print_table
from pixelbench.reports.report import Report
from pixelbench.visible import visible

#: Where a terminal is narrow, a longer name is broken, and words from this length on.
MOST_OF_A_NAME, LEAST_OF_WORDS = 20, 10


def print_report(report: Report, console: Console) -> None:
    """Tables with order and verdicts, ablations and lessons; colours only where the console has them (NO_COLOR is rich's own business)."""
    if not report.tables:
        console.print("No runs are stored here yet.")
    for table in report.tables:
        title = f"{table.task}: {columns.caption(table)}"
        _print_table(table, columns.columns_of(table), title, console)
        for step in report.order_of(table.task):
            console.print(_text(f"  {'✓' if step.holds else '?'} {step.sentence}"))
        for row in table.rows:
            if row.published is not None:
                console.print(_text(f"  {row.published.sign} {row.label}: {row.published.sentence} ({row.published.figure.paper})"))
        console.print()
        for measured in report.quality_of(table.task):
            print_table(measured, console)
    ablations = [(f"Ablation: {one.choice.title}", one.task, one.sentences) for one in report.ablations]
    lessons = [(f"Lesson: {one.title}", one.task, [" ".join(one.sentences)]) for one in report.remaining_lessons]
    shown = [*ablations, *lessons]
    for title in dict.fromkeys(title for title, *_ in shown):
        console.print(_text(title, style="bold"))
        for task, said in ((task, said) for entry, task, said in shown if entry == title):
            for sentence in said:
                console.print(_text(f"  {task}: {sentence}"))
        console.print()
    _print_problems(report, console)


def print_ablation(report: Report, name: str, console: Console) -> None:
    """The output of `pixelbench ablate`: the question, then on each task the table and a paragraph a variant."""
    ablations = [ablation for ablation in report.ablations if ablation.choice.name == name]
    if not ablations:
        console.print(_text(f"No ablation '{name}' can be shown: its baseline or all of its variants are not stored here."))
    for question in dict.fromkeys(ablation.choice.question for ablation in ablations):
        console.print(_text(question, style="bold"))
        console.print()
    for ablation in ablations:
        title = f"{ablation.task}: {ablation.choice.title}; {columns.caption(ablation.table)}"
        _print_table(ablation.table, columns.columns_of_ablation(ablation), title, console)
        for sentence in ablation.sentences:
            console.print(_text(f"  {sentence}"))
        console.print()
    _print_problems(report, console)


def _print_problems(report: Report, console: Console) -> None:
    for problem in report.problems:
        console.print(_text(f"Not used: {problem}", style="yellow"))


def _print_table(table: TaskTable, requested: list[columns.Column], title: str, console: Console) -> None:
    """With as many of the columns as fit, and the names of the others, but for those that say nothing."""
    grid, shown = _table(table, requested, title, console)
    console.print(grid)
    left_out = [column.title for column in requested if column not in shown and columns.weight_of(column, table) < columns.SILENT]
    if left_out:
        console.print(_text(f"  Left out at {console.width} columns: {', '.join(left_out)}.", style="dim"))


def _table(table: TaskTable, shown: list[columns.Column], title: str, console: Console) -> tuple[Table, list[columns.Column]]:
    """With as many of the columns as fit, and which: where what matters does not, it stands closer, and then its lines are broken."""

    def without_heaviest() -> list[columns.Column]:
        heaviest = max(shown, key=lambda column: columns.weight_of(column, table))
        return [column for column in shown if column is not heaviest]

    def most() -> int:
        return max(columns.weight_of(column, table) for column in shown)

    while most() > 1 and endless_width(_grid(table, shown, title), console) > console.width:
        shown = without_heaviest()
    if endless_width(grid := _grid(table, shown, title), console) <= console.width:
        return grid, shown
    while endless_width(grid := _grid(table, shown, title, close=True), console) > console.width:
        if most() == 0:
            return grid, shown  # no more can go: rich breaks the lines wherever it must
        shown = without_heaviest()
    return grid, shown


def _text(said: str, style: str = "") -> Text:
    """Text of a store as it is shown: no mark of rich's, and nothing that a terminal obeys."""
    return Text(visible(said), style=style)


def _grid(table: TaskTable, shown: list[columns.Column], title: str, *, close: bool = False) -> Table:
    """`close`: without space around the words, and with lines broken."""
    grid = Table(title=_text(title), title_justify="left", title_style="bold", padding=(0, 0) if close else (0, 1))
    for column in shown:
        heading = _broken(column, column.title) if close else column.title
        grid.add_column(heading, justify="right" if column.right else "left", overflow="fold")
    for row in table.rows:
        cells = (_cell(column, row, close) for column in shown)
        grid.add_row(*cells, style="dim" if row.category in ("reference", "unscored") else None)
    measured = any(column.real(table) for column in shown if column is not columns.VARIANT)
    if measured and table.measured:
        grid.add_section()
        grid.add_row(*(_text(column.real(table), style="italic") for column in shown))
    return grid


def _broken(column: columns.Column, text: str) -> str:
    """In lines: a number only before what stands in parentheses, a name only where it is very long, other words anywhere."""
    if column.right and column is not columns.PUBLISHED:
        return text.replace(" (", "\n(")
    if column is columns.VARIANT:
        return "\n".join(wrap(text, MOST_OF_A_NAME))
    return "\n".join(wrap(text, max([LEAST_OF_WORDS, *map(len, text.split())]))) if text else text


def _cell(column: columns.Column, row: Row, broken: bool) -> Text:
    text = visible(column.cell(row))
    text = _broken(column, text) if broken else text
    between = "\n" if broken else " "
    if row.category == "leaking" and column is columns.SCORE:
        return Text.assemble((text, "strike"), (f"{between}not causal", "red"))  # in words too: not every terminal strikes through
    if column is columns.CAUSAL and row.causal == "leaky":
        return _text(text, style="bold red")
    if column is columns.SCORE and words.estimated(row):
        return _text(f"{text}{between}({words.estimated(row)})")
    return _text(text, style="red" if column is columns.STATUS and row.status != "done" else "")

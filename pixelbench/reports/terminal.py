"""The report on a terminal, by rich: the same tables and sentences as `report.md`, as many columns as fit."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pixelbench.reports import columns, words
from pixelbench.reports.report import Report
from pixelbench.reports.tables import Row, TaskTable


def print_report(report: Report, console: Console) -> None:
    """Tables, order, ablations and lessons; colours only where the console has them (NO_COLOR is rich's own business)."""
    if not report.tables:
        console.print("No runs are stored here yet.")
    for table in report.tables:
        title = f"{table.task}: {columns.caption(table)}"
        console.print(_table(table, columns.columns_of(table), title, console))
        for step in report.order_of(table.task):
            console.print(Text(f"  {'✓' if step.holds else '?'} {step.sentence}"))
        console.print()
    ablations = [(f"Ablation: {one.axis.title}", one.task, one.sentences) for one in report.ablations]
    lessons = [(f"Lesson: {one.title}", one.task, [" ".join(one.sentences)]) for one in report.untold]
    told = [*ablations, *lessons]
    for title in dict.fromkeys(title for title, *_ in told):
        console.print(Text(title, style="bold"))
        for task, said in ((task, said) for entry, task, said in told if entry == title):
            for sentence in said:
                console.print(Text(f"  {task}: {sentence}"))
        console.print()
    _print_problems(report, console)


def print_ablation(report: Report, name: str, console: Console) -> None:
    """What `pixelbench ablate` shows: the question, then on each task the table and a paragraph a variant."""
    ablations = [ablation for ablation in report.ablations if ablation.axis.name == name]
    if not ablations:
        console.print(f"No ablation '{name}' can be shown: its baseline or all of its variants are not stored here.")
    for question in dict.fromkeys(ablation.axis.question for ablation in ablations):
        console.print(Text(question, style="bold"))
        console.print()
    for ablation in ablations:
        title = f"{ablation.task}: {ablation.axis.title}; {columns.caption(ablation.table)}"
        console.print(_table(ablation.table, columns.columns_of_ablation(ablation), title, console))
        for sentence in ablation.sentences:
            console.print(Text(f"  {sentence}"))
        console.print()
    _print_problems(report, console)


def _print_problems(report: Report, console: Console) -> None:
    for problem in report.problems:
        console.print(Text(f"Not used: {problem}", style="yellow"))


def _table(table: TaskTable, shown: list[columns.Column], title: str, console: Console) -> Table:
    """With as many of the columns as fit."""
    all_done = all(row.status == "done" for row in table.rows)

    def weight(column: columns.Column) -> int:
        return 9 if all_done and column is columns.STATUS else column.weight

    grid = _grid(table, shown, title)
    while console.measure(grid).minimum > console.width or _natural_width(grid, console) > console.width:
        first_to_go = max(shown, key=weight)
        if weight(first_to_go) == 0:
            break
        shown = [column for column in shown if column is not first_to_go]
        grid = _grid(table, shown, title)
    return grid


def _natural_width(grid: Table, console: Console) -> int:
    """How wide the table would be on endless paper."""
    return console.measure(grid, options=console.options.update(max_width=1000)).maximum


def _grid(table: TaskTable, shown: list[columns.Column], title: str) -> Table:
    grid = Table(title=Text(title), title_justify="left", title_style="bold")
    for column in shown:
        grid.add_column(column.title, justify="right" if column.right else "left", overflow="fold")
    for row in table.rows:
        grid.add_row(*(_cell(column, row) for column in shown), style="dim" if row.standing in ("reference", "unscored") else None)
    measured = any(column.real(table) for column in shown if column is not columns.VARIANT)
    if measured and table.real["zeros"] is not None:
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

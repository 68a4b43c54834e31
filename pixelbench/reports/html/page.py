"""The parts of the page in their order, with every text and place that the templates only set out."""

from collections.abc import Mapping
from dataclasses import dataclass

from pixelbench.analysis.tables import Row, TaskTable
from pixelbench.causality.render.picture import map_png
from pixelbench.published.comparison import FigureComparison
from pixelbench.reports import columns, escape
from pixelbench.reports.html.ablations import ChoiceSection, forest_of
from pixelbench.reports.html.curves import CurveChart, draw_lines
from pixelbench.reports.html.dotplot import Panel, panels_of
from pixelbench.reports.html.pictures import Picture, Pictures
from pixelbench.reports.html.tables import Grid, grid_of
from pixelbench.reports.html.variants import Reproduction, VariantSection, variant_of
from pixelbench.reports.maps import MapGroup, map_groups
from pixelbench.reports.plots import MOST_CURVES
from pixelbench.reports.report import Report
from pixelbench.reports.sheets import ALT, find_sheet
from pixelbench.store.cells import Cell, Run


@dataclass(frozen=True)
class TaskSection:
    """One task: `best` is the first of its ranked rows."""

    anchor: str
    table: TaskTable
    caption: str
    grid: Grid
    best: Row | None
    leaks: int
    order: tuple[tuple[bool, str], ...]
    lessons: tuple[tuple[str, str], ...]
    sheet: tuple[Picture, str] | None
    curves: CurveChart | None
    variants: tuple[VariantSection, ...]


@dataclass(frozen=True)
class Page:
    """Everything on the page but for the texts at its end."""

    counts: tuple[tuple[str, str, str], ...]
    panels: tuple[Panel, ...]
    tasks: tuple[TaskSection, ...]
    choices: tuple[ChoiceSection, ...]
    failures: tuple[Run, ...]
    pictures: list[tuple[str, str, int, int]]


@dataclass(frozen=True)
class _Shown:
    """Pictures and curves of a task's variants that several sections show, by label."""

    anchors: dict[str, str]
    groups: dict[str, tuple[MapGroup, Picture | None]]
    leaking: set[str]


def page_of(report: Report, reproductions: Mapping[str, Reproduction]) -> Page:
    """The parts for a report; `reproductions` as in `write_html`."""
    pictures, tasks, choices, shown = Pictures(), [], {}, {}
    for index, table in enumerate(report.tables):
        cells = {cell.label: cell for cell in report.cells if cell.task == table.task}
        shown[table.task] = _shown(index, table, cells, pictures)
        tasks.append(_task(report, index, table, cells, shown[table.task], pictures, reproductions))
    samples = {task.table.task: {one.row.label: one.samples for one in task.variants if one.samples} for task in tasks}
    for one in report.ablations:
        about = shown[one.task]
        maps = {label: picture for label, (_, picture) in about.groups.items() if picture}
        choices.setdefault(one.choice.name, (one.choice, []))[1].append(
            forest_of(one, about.anchors, samples[one.task], maps, about.leaking),
        )
    sections = [
        ChoiceSection(f"ablation-{escape.file_name(name)}", choice.title, choice.question, tuple(forests))
        for name, (choice, forests) in choices.items()
    ]
    failures = tuple(run for cell in report.cells for run in cell.runs if run.record.error)
    return Page(_counts(report), tuple(panels_of(report.compared)), tuple(tasks), tuple(sections), failures, pictures.held)


def _counts(report: Report) -> tuple[tuple[str, str, str], ...]:
    """Number, what it counts, and whether it calls for a look (`calm` or `look`)."""
    runs = [run for cell in report.cells for run in cell.runs]
    leaks = sum(cell.leaky for cell in report.cells)
    unfinished, doubted = sum(not run.done for run in runs), sum(bool(run.doubts) for run in runs)
    counted = [
        (len(runs), "run", "calm"),
        (len(report.cells), "variant", "calm"),
        (len(report.tables), "task", "calm"),
        (leaks, "variant not causal", "look" if any(cell.leaky and cell.expected != "leaky" for cell in report.cells) else "calm"),
    ]
    counted += [(unfinished, "run not finished", "look")] if unfinished else []
    counted += [(doubted, "run not adding up", "look")] if doubted else []
    counted += [(len(report.problems), "problem", "look")] if report.problems else []
    return tuple((f"{count:,}", _plural(noun, count), tone) for count, noun, tone in counted)


def _plural(noun: str, count: int) -> str:
    first, space, rest = noun.partition(" ")
    return noun if count == 1 else f"{first}s{space}{rest}"


def _shown(index: int, table: TaskTable, cells: dict[str, Cell], pictures: Pictures) -> _Shown:
    anchors = {row.label: f"variant-{index}-{number}-{escape.file_name(row.label)[:40]}" for number, row in enumerate(table.rows)}
    groups: dict[str, tuple[MapGroup, Picture | None]] = {}
    for group in map_groups([cells[row.label] for row in table.rows]):
        drawn = pictures.add(map_png(group.report), f"Dependence map of {group.report.target}. {group.report.summary()}")
        groups.update(dict.fromkeys(group.labels, (group, drawn)))
    return _Shown(anchors, groups, {label for label, cell in cells.items() if cell.leaky})


def _task(
    report: Report,
    index: int,
    table: TaskTable,
    cells: dict[str, Cell],
    shown: _Shown,
    pictures: Pictures,
    reproductions: Mapping[str, Reproduction],
) -> TaskSection:
    caption = columns.caption(table)
    finished = all(row.status == "done" for row in table.rows)
    chosen = [column for column in columns.columns_of(table) if not (finished and column is columns.STATUS)]
    grid = grid_of(f"Results on {table.task}, {caption}", table, chosen, shown.anchors)
    compared: dict[str, list[FigureComparison]] = {}
    for one in report.compared_of(table.task):
        compared.setdefault(one.label, []).append(one)
    lessons = report.lessons_of(table.task)
    ranked = [row for row in table.rows if row.category == "ranked"]
    drawn = [row.label for row in table.rows if row.category in ("ranked", "told", "bound", "leaking")][:MOST_CURVES]
    return TaskSection(
        anchor=f"task-{index}-{escape.file_name(table.task)[:40]}",
        table=table,
        caption=caption,
        grid=grid,
        best=ranked[0] if ranked else None,
        leaks=len(shown.leaking),
        order=tuple((step.holds, step.sentence) for step in report.order_of(table.task)),
        lessons=tuple((lesson.title, " ".join(lesson.sentences)) for lesson in lessons),
        sheet=_sheet(report, table.task, cells, pictures),
        curves=draw_lines([cells[label] for label in drawn]),
        variants=tuple(
            variant_of(
                shown.anchors[row.label],
                cells[row.label],
                row,
                compared.get(row.label, []),
                shown.groups.get(row.label),
                pictures,
                reproductions,
            )
            for row in table.rows
        ),
    )


def _sheet(report: Report, task: str, cells: dict[str, Cell], pictures: Pictures) -> tuple[Picture, str] | None:
    """The sheet and what it shows in words."""
    found = find_sheet(report.store, task, {run.key for cell in cells.values() for run in cell.runs})
    picture = None if found is None else pictures.add_file(found.path, ALT)
    return None if found is None or picture is None else (picture, found.description)

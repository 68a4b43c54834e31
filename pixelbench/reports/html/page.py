"""The parts of the page in their order, with every text and place that the templates only set out."""

from collections.abc import Mapping
from dataclasses import dataclass

from pixelbench.analysis.tables import Row, TaskTable
from pixelbench.published.comparison import FigureComparison
from pixelbench.reports import columns
from pixelbench.reports.html.ablations import ChoiceSection, Forest, forest_of
from pixelbench.reports.html.again import given_up, without_command
from pixelbench.reports.html.anchors import anchor, choice_anchor
from pixelbench.reports.html.causality import TaskMarks, marks_of
from pixelbench.reports.html.drawn.curves import CurveChart, draw_lines
from pixelbench.reports.html.drawn.dotplot import Panel, panels_of
from pixelbench.reports.html.drawn.maps import add_map, legend_of
from pixelbench.reports.html.drawn.pictures import Crop, Picture, Pictures, row_of_images
from pixelbench.reports.html.headline import Headline, headline_of
from pixelbench.reports.html.tables import Grid, grid_of
from pixelbench.reports.html.variants import Reproduction, VariantSection, variant_of
from pixelbench.reports.pictures.maps import MapGroup, map_groups
from pixelbench.reports.pictures.sheets import ALT, find_sheet
from pixelbench.reports.report import Report
from pixelbench.store.artifacts import SAMPLES
from pixelbench.store.cells import Cell, Run
from pixelbench.suites.design_choice import DesignChoice

#: Images that a row of a table shows.
_IN_A_ROW = 4
#: Variants of a task with a section of their own, those that stand first in its table: what nobody scrolls through costs everybody time.
_MOST_SECTIONS = 400
#: Whether an expected order holds and whether the opposite is shown → a sign, what stands for it where the page is heard, a class.
_HELD = {
    (True, False): ("✓", "It does", ""),
    (False, False): ("?", "Not shown", "open"),
    (False, True): ("✕", "The other way round", "against"),
}


@dataclass(frozen=True)
class TaskSection:
    """One task: `best` is the first of its ranked rows; `strip`: some real test images and some of its samples."""

    anchor: str
    table: TaskTable
    caption: str
    grid: Grid
    best: Row | None
    strip: tuple[Crop | None, Crop | None]
    leaks: int
    order: tuple[tuple[tuple[str, str, str], str], ...]
    lessons: tuple[tuple[str, str], ...]
    sheet: tuple[Picture, str] | None
    curves: CurveChart | None
    variants: tuple[VariantSection, ...]


@dataclass(frozen=True)
class Page:
    """Everything on the page but for the texts at its end."""

    headline: Headline
    counts: tuple[tuple[str, str, str], ...]
    panels: tuple[Panel, ...]
    tasks: tuple[TaskSection, ...]
    marks: tuple[TaskMarks, ...]
    map_legend: tuple[tuple[str, str], ...]
    choices: tuple[ChoiceSection, ...]
    commands_unknown: int
    given_up: tuple[str, ...]
    failures: tuple[Run, ...]
    crops: Mapping[tuple[str, str], Crop]
    """Task and label → some of a variant's samples."""
    targets: Mapping[tuple[str, str], str]
    """Task and label → id of a variant's section."""
    pictures: Pictures


@dataclass(frozen=True)
class _Shown:
    """Pictures of a task's variants that several sections show, by label; `real`: some real test images."""

    anchors: dict[str, str]
    groups: dict[str, tuple[MapGroup, Picture]]
    leaking: set[str]
    samples: dict[str, Picture]
    crops: dict[str, Crop]
    real: Crop | None
    section: str
    sheet: tuple[Picture, str] | None

    def target(self, label: str) -> str:
        """The id of a variant's section; the task's where it has none."""
        return self.anchors.get(label, self.section)


def page_of(report: Report, reproductions: Mapping[str, Reproduction]) -> Page:
    """The parts for a report; `reproductions` as in `write_html`."""
    pictures, tasks, marks, shown = Pictures(), [], [], {}
    for table in report.tables:
        cells = {cell.label: cell for cell in report.cells if cell.task == table.task}
        shown[table.task] = _shown(report, table, cells, pictures)
        tasks.append(_task(report, table, cells, shown[table.task], reproductions))
        marks.append(marks_of(table, cells, shown[table.task].target))
    maps = [group.report for about in shown.values() for group, _ in about.groups.values()]
    return Page(
        headline=headline_of(report),
        counts=_counts(report),
        panels=tuple(panels_of(report.compared)),
        tasks=tuple(tasks),
        marks=tuple(marks),
        map_legend=legend_of(maps),
        choices=_choices(report, shown),
        commands_unknown=without_command(report),
        given_up=tuple(given_up(report)),
        failures=tuple(run for cell in report.cells for run in cell.runs if run.record.error),
        crops={(task, label): crop for task, about in shown.items() for label, crop in about.crops.items()},
        targets={(table.task, row.label): shown[table.task].target(row.label) for table in report.tables for row in table.rows},
        pictures=pictures,
    )


def _choices(report: Report, shown: Mapping[str, _Shown]) -> tuple[ChoiceSection, ...]:
    """The ablations, those of one design choice together."""
    choices: dict[str, tuple[DesignChoice, list[Forest]]] = {}
    for one in report.ablations:
        about = shown[one.task]
        maps = {label: picture for label, (_, picture) in about.groups.items()}
        forest = forest_of(one, about.anchors, about.samples, about.crops, maps, about.leaking)
        choices.setdefault(one.choice.name, (one.choice, []))[1].append(forest)
    return tuple(
        ChoiceSection(choice_anchor(name), choice.title, choice.question, tuple(forests)) for name, (choice, forests) in choices.items()
    )


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


def _shown(report: Report, table: TaskTable, cells: dict[str, Cell], pictures: Pictures) -> _Shown:
    anchors = {row.label: anchor("variant", table.task, row.label) for row in table.rows[:_MOST_SECTIONS]}
    groups: dict[str, tuple[MapGroup, Picture]] = {}
    for group in map_groups([cells[label] for label in anchors]):
        groups.update(dict.fromkeys(group.labels, (group, add_map(group.report, pictures))))
    samples: dict[str, Picture] = {}
    crops: dict[str, Crop] = {}
    reals: list[Crop] = []
    for label in anchors:
        run = cells[label].shown_run
        picture = pictures.add_file(run.stored.artifact(SAMPLES), f"Samples of {label} beside real test images")
        blocks = 3 if run.leaky else 2  # also drawn from another canvas
        crop = row_of_images(picture, table.shape, blocks, 1, _IN_A_ROW, f"Samples of {label}")
        if picture and crop:
            samples[label], crops[label] = picture, crop
        real = row_of_images(picture, table.shape, blocks, 0, _IN_A_ROW, f"Real test images of {table.task}")
        reals += [real] if real else []
    leaking = {label for label, cell in cells.items() if cell.leaky}
    sheet = _sheet(report, table.task, cells, pictures)
    return _Shown(anchors, groups, leaking, samples, crops, next(iter(reals), None), anchor("task", table.task), sheet)


def _task(
    report: Report, table: TaskTable, cells: dict[str, Cell], shown: _Shown, reproductions: Mapping[str, Reproduction]
) -> TaskSection:
    caption = columns.caption(table)
    finished = all(row.status == "done" for row in table.rows)
    chosen = [column for column in columns.columns_of(table) if not (finished and column is columns.STATUS)]
    lessons = report.lessons_of(table.task)
    best = next((row for row in table.rows if row.category == "ranked"), None)
    drawn = [row.label for row in table.rows if row.category in ("ranked", "told", "bound", "leaking")]
    return TaskSection(
        anchor=anchor("task", table.task),
        table=table,
        caption=caption,
        grid=grid_of(f"Results on {table.task}, {caption}", table, chosen, shown.anchors, shown.crops, shown.real),
        best=best,
        strip=(shown.real, shown.crops.get(best.label) if best else None),
        leaks=len(shown.leaking),
        order=tuple((_HELD[step.holds, step.reversed], step.sentence) for step in report.order_of(table.task)),
        lessons=tuple((lesson.title, " ".join(lesson.sentences)) for lesson in lessons),
        sheet=shown.sheet,
        curves=draw_lines([cells[label] for label in drawn]),
        variants=_variants(report, table, cells, shown, reproductions),
    )


def _variants(
    report: Report, table: TaskTable, cells: dict[str, Cell], shown: _Shown, reproductions: Mapping[str, Reproduction]
) -> tuple[VariantSection, ...]:
    compared: dict[str, list[FigureComparison]] = {}
    for one in report.compared_of(table.task):
        compared.setdefault(one.label, []).append(one)
    return tuple(
        variant_of(
            shown.anchors[row.label],
            cells[row.label],
            row,
            compared.get(row.label, []),
            shown.groups.get(row.label),
            shown.samples.get(row.label),
            reproductions,
        )
        for row in table.rows[:_MOST_SECTIONS]
    )


def _sheet(report: Report, task: str, cells: dict[str, Cell], pictures: Pictures) -> tuple[Picture, str] | None:
    """The sheet and what it shows in words."""
    found = find_sheet(report.store, task, list(cells.values()))
    picture = None if found is None else pictures.add_file(found.path, ALT)
    return None if found is None or picture is None else (picture, found.description)

"""`report.md`: tables, order, ablations, lessons, sample grids, dependence maps, curves, failures and where it all comes from."""

from pathlib import Path

from pixelbench.analysis import format as words
from pixelbench.analysis.ablations import TaskAblation
from pixelbench.analysis.lessons import Lesson
from pixelbench.analysis.tables import Row, TaskTable
from pixelbench.files.atomic import write_changed, write_text
from pixelbench.published.comparison import FigureComparison
from pixelbench.reports import columns, escape
from pixelbench.reports.html.about import provenance_rows
from pixelbench.reports.legend import explanations
from pixelbench.reports.pictures.drawings import Drawings
from pixelbench.reports.pictures.gallery import FILES, Gallery
from pixelbench.reports.pictures.plots import MOST_CURVES, draw_curves
from pixelbench.reports.pictures.sheets import find_sheet, sheet_parts
from pixelbench.reports.quality_text import quality_markdown
from pixelbench.reports.report import Report
from pixelbench.reports.speed_section import speed_markdown
from pixelbench.reports.warmups import warm_up
from pixelbench.store.artifacts import CURVE
from pixelbench.store.cells import Cell, Run
from pixelbench.store.record import RunError


def write_markdown(report: Report, out: Path | None = None) -> Path:
    """Write the page and its figures beside it, each file whole or not at all; returns the page's path.

    Args:
        report: what to show.
        out: where the page goes; `report.md` in the store if left out. Links to sample grids are relative to it.
    """
    path = out or report.store / "report.md"
    parts = ["# PixelBench report"]
    if not report.tables:
        parts.append("No runs are stored here yet.")
    if report.decided:
        parts += ["## Published figures that these runs decide", decided_table(report)]
    for table in report.tables:
        parts += _task(report, table, path.parent)
    parts += speed_markdown(report.store)
    failed = [(run, error) for cell in report.cells for run in cell.runs if (error := run.record.error)]
    if failed:
        parts += ["## Runs that did not finish", *(_failure(run, error) for run, error in failed)]
    if report.problems:
        parts += ["## What does not add up, or could not be used", "\n".join(f"- {escape.text(problem)}" for problem in report.problems)]
    if report.tables:
        parts += ["## How to read this", "\n".join(explanations(report)), "## Where it comes from", _provenance(report)]
    write_text(path, "\n\n".join(parts) + "\n")
    return path


def result_table(table: TaskTable, chosen: list[columns.Column]) -> str:
    """The rows of a task as a Markdown table, real test images last."""
    rows = [[_cell(column, row) for column in chosen] for row in table.rows]
    if table.measured:
        rows.append([f"*{text}*" if (text := escape.text(column.real(table))) else "" for column in chosen])
    return escape.table([escape.text(column.title) for column in chosen], [column.right for column in chosen], rows)


def decided_table(report: Report) -> str:
    """The published figures on which a verdict has fallen, as a Markdown table."""
    titles = ("task", "variant", "measured", "90 % interval", "published", "difference", "verdict")
    right = (False, False, True, True, True, True, False)
    return escape.table([escape.text(title) for title in titles], list(right), [_decided(one) for one in report.decided])


def _decided(one: FigureComparison) -> list[str]:
    low, high = one.interval or (one.measured, one.measured)
    figure = one.figure
    source = figure.paper if figure.verified else f"{figure.paper}; from memory"
    unit = f"{figure.unit}{' on validation' if figure.on_validation else ''}"
    texts = (
        one.task,
        one.label,
        f"{words.AT_MOST if one.measured_bound else ''}{words.in_unit(one.measured or 0.0, figure.unit)} {unit}",
        f"{words.in_unit(low or 0.0, figure.unit)} to {words.in_unit(high or 0.0, figure.unit)}",
        f"{words.AT_MOST if figure.bound else ''}{figure.printed} ({source})",
        "" if one.difference is None else words.distance(one.difference, figure.unit),
    )
    return [*map(escape.text, texts), f"{one.sign} **{escape.text(one.verdict_name)}**{' (suspicious)' if one.suspicious else ''}"]


def _cell(column: columns.Column, row: Row) -> str:
    text = escape.text(column.cell(row))
    if row.category == "leaking" and column is columns.SCORE:
        return f"~~{text}~~ *not causal*"
    if column is columns.SCORE and words.estimated(row):
        return f"{text} ({words.estimated(row)})"
    return f"**{text}**" if row.causal == "leaky" and column is columns.CAUSAL else text


def _task(report: Report, table: TaskTable, beside: Path) -> list[str]:
    cells = sorted((cell for cell in report.cells if cell.task == table.task), key=_position(table))
    drawings = Drawings(report.store)
    gallery = Gallery(table.task, cells, beside, drawings)
    parts = [f"## {escape.text(table.task)}", f"{escape.text(columns.caption(table))}."]
    parts.append(f"Preprocessing: {escape.text(' '.join(table.preprocessing))} Digest `{escape.file_name(table.digest[:12])}`.")
    parts.append(result_table(table, columns.columns_of(table)))
    for measured in report.quality_of(table.task):
        parts += quality_markdown(measured)
    warmed = [f"- **{escape.text(cell.label)}**: {escape.text(said)}" for cell in cells if (said := warm_up(cell.runs[0].record))]
    parts += ["\n".join(warmed)] if warmed else []
    steps = report.order_of(table.task)
    if steps:
        parts += ["### Does the expected order hold?", "\n".join(f"- {escape.text(step.sentence)}" for step in steps)]
    parts += _published(table, report.compared_of(table.task))
    sheet = find_sheet(report.store, table.task, cells)
    parts += sheet_parts(sheet, beside) if sheet else []
    parts += _ablations(report.ablations_of(table.task), gallery)
    parts += _lessons(report.lessons_of(table.task), gallery)
    parts += [*gallery.other_grids(), *gallery.other_maps()]
    curves = draw_curves(cells, drawings.png)
    if curves:
        name = f"{FILES}/curves-{escape.file_name(table.task)}.png"
        write_changed(beside / name, curves)
        parts += [
            "### Learning curves",
            _which_curves(cells),
            f"![Learning curves of {escape.text(table.task)}]({escape.link(name)})",
        ]
    return parts


def _which_curves(cells: list[Cell]) -> str:
    trained = sum(cell.runs[0].stored.artifact(CURVE) is not None for cell in cells)
    first = f"Of {trained} trained variants the first {MOST_CURVES} in the table's order. " if trained > MOST_CURVES else ""
    return f"{first}Dashed: not causal, so not a likelihood."


def _published(table: TaskTable, compared: list[FigureComparison]) -> list[str]:
    """A line for each figure about a variant, in the order of the table."""
    members: dict[str, list[FigureComparison]] = {}
    for one in compared:
        members.setdefault(one.label, []).append(one)
    lines = [_figure(one) for row in table.rows for one in members.get(row.label, [])]
    return ["### Beside published figures", "\n".join(lines)] if lines else []


def _figure(one: FigureComparison) -> str:
    """The figure with its place, then the verdict and what it assumes; of others than the paper's own, what they are."""
    figure = one.figure
    marks = {
        figure.context: bool(figure.context),
        "on validation images": figure.on_validation,
        "from memory, not verified": not figure.verified,
    }
    source = "; ".join([figure.paper, figure.locator, *(mark for mark, holds in marks.items() if holds)])
    printed = f"{words.AT_MOST if figure.bound else ''}{figure.printed} {figure.unit}"
    said = [one.sentence or "Shown beside, not judged.", *(["Assumed:", *one.cautions] if one.cautions else [])]
    sign = f"{one.sign} " if one.sign else ""
    return f"- {sign}**{escape.text(one.label)}** beside {escape.text(f'{printed} ({source})')}. {escape.text(' '.join(said))}"


def _position(table: TaskTable):
    labels = [row.label for row in table.rows]
    return lambda cell: labels.index(cell.label)


def _ablations(ablations: list[TaskAblation], gallery: Gallery) -> list[str]:
    """Each design choice with table, sentences, grids side by side, and the maps where they differ from the baseline's."""
    parts, last = [], None
    for ablation in ablations:
        if ablation.choice is not last:
            parts += [f"### Ablation: {escape.text(ablation.choice.title)}", escape.text(ablation.choice.question)]
        last = ablation.choice
        parts.append(result_table(ablation.table, columns.columns_of_ablation(ablation)))
        parts += [escape.text(sentence) for sentence in ablation.sentences]
        parts += gallery.grids_side_by_side(ablation.labels, ablation.lessons)
        parts += gallery.differing_maps(ablation.labels)
    return parts


def _lessons(lessons: list[Lesson], gallery: Gallery) -> list[str]:
    """Each lesson that no ablation shows, with the grids that show it."""
    parts = []
    for title in dict.fromkeys(lesson.title for lesson in lessons):
        parts.append(f"### Lesson: {escape.text(title)}")
        for lesson in (lesson for lesson in lessons if lesson.title == title):
            parts += [escape.text(" ".join(lesson.sentences)), *gallery.grids(lesson.grids)]
    return parts


def _failure(run: Run, error: RunError) -> str:
    said = f"- **{escape.text(f'{run.task}/{run.variant}, seed {run.seed}')}** ({run.record.status}): {escape.text(error.message)}"
    log = "\n".join(error.log)
    return f"{said}\n\n{escape.block(log)}" if log else said


def _provenance(report: Report) -> str:
    return "\n".join(f"- {name}: {escape.text(values)}" for name, values in provenance_rows(report))

"""The contents of every report: tables, published figures, the expected order, ablations, lessons. A pure function of store and figures."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixelbench.analysis.ablations import TaskAblation, find_ablations
from pixelbench.analysis.comparisons import comparisons_of
from pixelbench.analysis.context import Context
from pixelbench.analysis.lessons import Lesson, find_lessons
from pixelbench.analysis.ordering import OrderedPair, expected_order
from pixelbench.analysis.quality.findings import QualityTable, quality_tables
from pixelbench.analysis.tables import TaskTable, build_tables
from pixelbench.published.comparison import FigureComparison
from pixelbench.store.cells import Cell, cells_of, load_runs
from pixelbench.store.scan import scan


@dataclass(frozen=True)
class Report:
    """Everything a renderer needs; `store` is only for the artifacts (grids, curves) and for where to write.

    `problems` holds a sentence for each record that could not be used. `lessons` are all that the store teaches, also those that an
    ablation shows. `compared`: the cells beside the published figures about them, which `tables` show the primary one of.
    """

    store: Path
    cells: tuple[Cell, ...]
    tables: tuple[TaskTable, ...]
    order: tuple[OrderedPair, ...]
    lessons: tuple[Lesson, ...]
    ablations: tuple[TaskAblation, ...] = ()
    problems: tuple[str, ...] = ()
    compared: tuple[FigureComparison, ...] = ()
    quality: tuple[QualityTable, ...] = ()

    @property
    def remaining_lessons(self) -> list[Lesson]:
        """The lessons that no ablation shows: their variant has no baseline here."""
        shown = {(ablation.task, label) for ablation in self.ablations for label in ablation.lessons}
        return [lesson for lesson in self.lessons if (lesson.task, lesson.variant) not in shown]

    def lessons_of(self, task: str) -> list[Lesson]:
        """The untold lessons of a task."""
        return [lesson for lesson in self.remaining_lessons if lesson.task == task]

    def ablations_of(self, task: str) -> list[TaskAblation]:
        """The ablations on a task, those of one design choice after each other."""
        return [ablation for ablation in self.ablations if ablation.task == task]

    def compared_of(self, task: str) -> list[FigureComparison]:
        """The published figures about a task's variants, those of one variant after each other, its primary one first."""
        return [one for one in self.compared if one.task == task]

    @property
    def decided(self) -> list[FigureComparison]:
        """The published figures on which a verdict has fallen, task by task, the lowest measurement first."""
        fallen = [one for one in self.compared if one.verdict is not None and one.verdict.decided and one.measured is not None]
        return sorted(fallen, key=lambda one: (one.task, one.measured))

    def quality_of(self, task: str) -> list[QualityTable]:
        """What was measured of a task's samples, a table a feature set."""
        return [table for table in self.quality if table.task == task]

    def order_of(self, task: str) -> list[OrderedPair]:
        """The pairs of the expected order on a task."""
        return [step for step in self.order if step.task == task]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for `--json`."""
        return {
            "tasks": [table.as_dict() for table in self.tables],
            "published": [one.as_dict() for one in self.compared],
            "order": [step.as_dict() for step in self.order],
            "ablations": [ablation.as_dict() for ablation in self.ablations],
            "quality": [table.as_dict() for table in self.quality],
            "lessons": [lesson.as_dict() for lesson in self.lessons],
            "problems": list(self.problems),
        }


def build_report(store: Path, keys: Collection[str] | None = None, context: Context | None = None) -> Report:
    """Read a store, or the runs of `keys` in it. A store without runs gives a report without tables.

    `context`: the figures and ablations that cells are held against; by default those that ship.

    Raises:
        UserError: `store` is a file or cannot be listed, or the published figures that ship cannot be read.
    """
    context, found = context or Context(), scan(store).examine(keys)
    cells = cells_of(load_runs(found, keys))
    compared = comparisons_of(cells, context.known)
    tables = build_tables(cells, compared)
    order = [step for table in tables for step in expected_order(cells, table.task)]
    lessons = find_lessons(cells)
    ablations = find_ablations(cells, lessons, context.choices)
    quality = tuple(quality_tables(cells, tables))
    problems = tuple(found.problems)
    return Report(store, tuple(cells), tuple(tables), tuple(order), tuple(lessons), tuple(ablations), problems, compared, quality)

"""Ablations: each baseline in a store beside the variants that differ from it in one setting alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pixelbench.analysis.ablation_groups import Member, groups_of
from pixelbench.analysis.differences import difference_sentences
from pixelbench.analysis.lessons import Lesson
from pixelbench.analysis.paired import PairedDifference, paired_difference
from pixelbench.analysis.quality.measured import shared_features
from pixelbench.analysis.tables import Row, TaskTable, row_of, table_of
from pixelbench.store.cells import Cell
from pixelbench.suites.design_choice import DesignChoice


@dataclass(frozen=True)
class AblationRow:
    """The baseline or a variant: `value` is its setting in words; `paired` and `sentences` hold it against the baseline, which has
    neither."""

    row: Row
    value: str
    paired: PairedDifference | None
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class TaskAblation:
    """One design choice on one task: a baseline (the first row) and its variants. `table` holds the same rows, unranked.

    `lessons`: the labels of the rows whose sentences are those of a lesson.
    """

    choice: DesignChoice
    table: TaskTable
    rows: tuple[AblationRow, ...]
    lessons: frozenset[str]

    @property
    def task(self) -> str:
        return self.table.task

    @property
    def baseline(self) -> str:
        """The baseline's label."""
        return self.rows[0].row.label

    @property
    def labels(self) -> tuple[str, ...]:
        """Of all rows, in order: their grids side by side show the ablation."""
        return tuple(entry.row.label for entry in self.rows)

    @property
    def sentences(self) -> list[str]:
        """The sentences on each variant, a paragraph each."""
        return [" ".join(entry.sentences) for entry in self.rows[1:]]

    def of(self, label: str) -> AblationRow:
        """The entry of a row."""
        return self._entries[label]

    @cached_property
    def _entries(self) -> dict[str, AblationRow]:
        return {entry.row.label: entry for entry in self.rows}

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        choice = {name: getattr(self.choice, name) for name in ("name", "setting", "title", "question")}
        return {**choice, "task": self.task, "baseline": self.baseline, "rows": [_as_dict(entry) for entry in self.rows]}


def _as_dict(entry: AblationRow) -> dict[str, Any]:
    row = {name: value for name, value in entry.row.as_dict().items() if name not in ("rank", "behind", "published")}
    paired = None if entry.paired is None else {"of": entry.paired.of, **vars(entry.paired.difference)}
    return {**row, "value": entry.value, "difference": paired, "sentences": list(entry.sentences)}


def find_ablations(cells: list[Cell], lessons: list[Lesson], choices: Sequence[DesignChoice]) -> list[TaskAblation]:
    """All that the store allows: by choice, then by task. What a lesson says of a variant is what its row says."""
    ordered = sorted(cells, key=lambda cell: cell.task)
    return [_ablation(choice, group, lessons) for choice in choices for group in groups_of(choice, ordered)]


def _ablation(choice: DesignChoice, group: list[Member], lessons: list[Lesson]) -> TaskAblation:
    baseline, *variants = group
    told = {lesson.variant: lesson.sentences for lesson in lessons if lesson.task == baseline.cell.task}
    features = shared_features([member.cell for member in group])
    rows = [AblationRow(row_of(baseline.cell, features=features), baseline.words, None, ())]
    for member in variants:
        row, paired = row_of(member.cell, features=features), paired_difference(baseline.cell, member.cell)
        sentences = told.get(row.label) or difference_sentences(row, member.words, rows[0].row, paired)
        rows.append(AblationRow(row, member.words, paired, sentences))
    table = table_of([member.cell for member in group], [entry.row for entry in rows])
    return TaskAblation(choice, table, tuple(rows), frozenset(told) & {member.cell.label for member in variants})

"""Which variants leak, and which show none: a mark for each, that leads to its certificate."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pixelbench.analysis.tables import Row, TaskTable
from pixelbench.store.cells import Cell

#: Status of a check → sign and class, so that none is told by its colour alone.
SIGNS = {"leaky": ("✕", "leak"), "complete": ("●", "sound"), "partial": ("◐", "sound"), "unchecked": ("○", "quiet")}


@dataclass(frozen=True)
class Mark:
    """One variant: `target` is the id of its section. `undeclared`: it leaks and nobody expects it to."""

    label: str
    target: str
    status: str
    undeclared: bool
    counter_example: str

    @property
    def sign(self) -> str:
        return SIGNS[self.status][0]

    @property
    def tone(self) -> str:
        return SIGNS[self.status][1]


@dataclass(frozen=True)
class TaskMarks:
    """The variants of a task, leaks first."""

    task: str
    marks: tuple[Mark, ...]


def marks_of(table: TaskTable, cells: Mapping[str, Cell], target: Callable[[str], str]) -> TaskMarks:
    """The marks of a task's rows; `target`: label → id of its section."""
    ordered = sorted(table.rows, key=lambda row: list(SIGNS).index(row.causal))
    return TaskMarks(table.task, tuple(_mark(row, cells[row.label], target(row.label)) for row in ordered))


def _mark(row: Row, cell: Cell, target: str) -> Mark:
    found = next((said for run in cell.runs if (said := run.record.causality.counter_example)), "")
    return Mark(row.label, target, row.causal, row.causal == "leaky" and row.expected != "leaky", found if row.causal == "leaky" else "")

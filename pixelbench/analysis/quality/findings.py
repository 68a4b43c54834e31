"""Sample quality: the measured runs of a task between floor and controls, and what that says in sentences."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pixelbench.analysis import format as words
from pixelbench.analysis.quality.measured import measurement_of, preference
from pixelbench.analysis.tables import TaskTable
from pixelbench.evaluation.diagnosis import SampleDiagnosis
from pixelbench.evaluation.measures import MEASURES, Control, Value, separates
from pixelbench.evaluation.measures.failures import name_failures
from pixelbench.evaluation.measures.registry import CONTROLS, ERRORS
from pixelbench.evaluation.quality import STATISTICS
from pixelbench.store.cells import Cell
from pixelbench.store.documents.measurements import Measurement

#: By the first of these that tells real images from independent pixels, samples are ordered.
_ORDERING = ("kid", "coverage", "precision")
#: As many disagreements are said in words; of more, their number.
_SAID = 3
REAL = "real images"


@dataclass(frozen=True)
class QualityRow:
    """Images and what is measured of them: of a run's samples, or `real images`, or a control."""

    label: str
    """Of a cell, `real images`, or the name of a control."""
    n: int
    values: Mapping[str, Value]
    failures: tuple[SampleDiagnosis, ...]
    bits_per_dim: float | None = None
    category: str = ""
    """As in `tables`; empty of images that no run drew."""
    run_key: str = ""
    seed: int | None = None
    """Of the drawing."""


@dataclass(frozen=True)
class QualityTable:
    """All that was measured on a task in one feature set; `floor` and `controls` are of the largest number of images."""

    task: str
    features: str
    measures: tuple[str, ...]
    """Measures, then statistics, of which some row has a value."""
    rows: tuple[QualityRow, ...]
    floor: QualityRow
    controls: tuple[QualityRow, ...]
    blind: tuple[str, ...]
    """Measures that do not tell real images from their control here."""

    @property
    def tried(self) -> tuple[str, ...]:
        """Those that are measures, and so have a control."""
        return tuple(name for name in self.measures if name in MEASURES)

    @property
    def all_rows(self) -> tuple[QualityRow, ...]:
        """Floor, runs, controls: from what is right to what is wrong."""
        return (self.floor, *self.rows, *self.controls)

    @property
    def ordering(self) -> str | None:
        """The measure by which samples are ordered; None where none tells anything."""
        return next((name for name in _ORDERING if name in self.measures and name not in self.blind), None)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "task": self.task,
            "features": self.features,
            "does_not_separate": list(self.blind),
            "rows": [{**asdict(row), "values": {name: asdict(value) for name, value in row.values.items()}} for row in self.all_rows],
            "sentences": sentences_of(self),
        }


def quality_tables(cells: Iterable[Cell], tables: Iterable[TaskTable]) -> list[QualityTable]:
    """A table for each task and feature set that something was measured in, the rows in the order of the task's own table."""
    members = {(cell.task, cell.label): cell for cell in cells}
    found = []
    for table in tables:
        kept = [(row, members[table.task, row.label]) for row in table.rows]
        names = {one.features for _, cell in kept for run in cell.runs for one in run.stored.measured}
        for features in sorted(names, key=preference):
            measured = [(row, *one) for row, cell in kept if (one := measurement_of(cell, features)) is not None]
            rows = [_row(row.label, one, row.bits_per_dim, row.category, key) for row, one, key in measured]
            found.append(_table(table.task, features, rows, max((one for _, one, _ in measured), key=lambda one: one.n)))
    return found


def sentences_of(table: QualityTable) -> list[str]:
    """What is wrong with samples, by name; which measures are of no use here; and where likelihood and samples disagree."""
    said = [f"{row.label}: {failure.name}, {failure.sentence}." for row in table.rows for failure in row.failures]
    if table.blind:
        titles, verb = ", ".join(MEASURES[name].title for name in table.blind), "does" if len(table.blind) == 1 else "do"
        said.append(f"In {table.features}, {titles} {verb} not tell real images from the control here.")
    return [*said, *_disagreements(table)]


def _row(label: str, one: Measurement, bits: float | None, category: str, key: str) -> QualityRow:
    failures = tuple(name_failures(one.values, one.floor, one.controls))
    return QualityRow(label, one.n, one.values, failures, bits, category, key, one.seed)


def _table(task: str, features: str, rows: Sequence[QualityRow], largest: Measurement) -> QualityTable:
    floor = QualityRow(REAL, largest.n, largest.floor, tuple(name_failures(largest.floor, largest.floor, largest.controls)))
    controls = [_control(name, largest) for name in CONTROLS if name in largest.controls]
    present = {name for row in (floor, *rows) for name, value in row.values.items() if value.value is not None}
    names = tuple(name for name in (*MEASURES.usable()[0], *STATISTICS.usable()[0]) if name in present)
    blind = tuple(name for name in names if name in MEASURES and not _separates(name, largest))
    return QualityTable(task, features, names, tuple(rows), floor, tuple(controls), blind)


def _control(name: Control, one: Measurement) -> QualityRow:
    values = one.controls[name]
    return QualityRow(name, one.n, values, tuple(name_failures(values, one.floor, one.controls)))


def _separates(name: str, one: Measurement) -> bool:
    measure = MEASURES[name]
    control = one.controls.get(measure.control, {})
    return name in one.floor and name in control and separates(measure, one.floor[name], control[name])


def _disagreements(table: QualityTable) -> list[str]:
    """Pairs that bits/dim orders one way and samples, by more than their errors, the other way."""
    name = table.ordering
    ranked = [row for row in table.rows if row.category == "ranked" and row.bits_per_dim is not None]
    if name is None:
        return []
    said = []
    for index, first in enumerate(ranked):  # in order of bits/dim
        for second in ranked[index + 1 :]:
            if _better(name, second, first):
                said.append(_disagreement(table, name, first, second))
    if len(said) > _SAID:
        said[_SAID:] = [f"Likelihood and samples disagree on {len(said) - _SAID} more pairs."]
    return said


def _better(name: str, one: QualityRow, other: QualityRow) -> bool:
    if name not in one.values or name not in other.values:
        return False
    beyond = one.values[name].beyond(other.values[name])
    return beyond is not None and (-beyond if MEASURES[name].better == "lower" else beyond) > ERRORS


def _disagreement(table: QualityTable, name: str, first: QualityRow, second: QualityRow) -> str:
    title = f"{MEASURES[name].title}/{table.features}"
    return (
        f"Likelihood and samples disagree: {first.label} needs fewer bits/dim than {second.label} ({first.bits_per_dim:.3f} and "
        f"{second.bits_per_dim:.3f}), and {second.label} draws the better samples by {title} ({words.with_error(second.values[name])} "
        f"against {words.with_error(first.values[name])})."
    )

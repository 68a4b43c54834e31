"""Ablations: each baseline in a store beside the variants that differ from it in one setting alone."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pixelbench.analysis.axes import AXES, DECODER, DEPTH, Axis
from pixelbench.analysis.differences import difference_sentences
from pixelbench.analysis.lessons import Lesson
from pixelbench.analysis.paired import PairedDifference, paired_difference
from pixelbench.analysis.tables import Row, TaskTable, row_of, table_of
from pixelbench.models.settings.gated import GatedPixelCNNSettings
from pixelbench.store.cells import Cell


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
    """One axis on one task: a baseline (the first row) and its variants. `table` holds the same rows, unranked.

    `lessons`: the labels of the rows whose sentences are those of a lesson.
    """

    axis: Axis
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
        axis = {name: getattr(self.axis, name) for name in ("name", "setting", "title", "question")}
        return {**axis, "task": self.task, "baseline": self.baseline, "rows": [_as_dict(entry) for entry in self.rows]}


def _as_dict(entry: AblationRow) -> dict[str, Any]:
    row = {name: value for name, value in entry.row.as_dict().items() if name not in ("rank", "behind", "published")}
    paired = None if entry.paired is None else {"of": entry.paired.of, **vars(entry.paired.difference)}
    return {**row, "value": entry.value, "difference": paired, "sentences": list(entry.sentences)}


def find_ablations(cells: list[Cell], lessons: list[Lesson]) -> list[TaskAblation]:
    """All that the store allows: by axis, then by task. What a lesson says of a variant is what its row says."""
    ordered = sorted(cells, key=lambda cell: cell.task)
    found: list[tuple[Axis, list[Cell]]] = []
    for axis in AXES:
        kin: dict[str, dict[str, list[Cell]]] = {}
        requested = [_but_for(axis, cell) for cell in ordered]
        for cell, same in zip(ordered, requested, strict=True):
            kin.setdefault(same, {}).setdefault(json.dumps(cell.settings.get(axis.setting)), []).append(cell)
        found += [(axis, group) for cell, same in zip(ordered, requested, strict=True) for group in _groups(axis, cell, kin[same])]
    return [_ablation(axis, group, lessons) for axis, group in found if len(group) > 1]


def _but_for(axis: Axis, cell: Cell) -> str:
    """The same for all cells that can be of one ablation, so that each is held against few: what was asked for but for the axis's setting,
    and for decoders, whose baseline is of another family, but for the network."""
    spec = cell.runs[0].record.spec
    requested = [cell.runs[0].data, spec.updates, spec.recipe, spec.evaluation]
    if axis.setting != DECODER:
        requested += [cell.family, {name: value for name, value in cell.settings.items() if name != axis.setting}]
    return json.dumps(requested, sort_keys=True)


def _groups(axis: Axis, baseline: Cell, kin: dict[str, list[Cell]]) -> Iterator[list[Cell]]:
    """The baseline and its variants, in order; for decoders, a group for each way in which all else about z is the same. `kin`: what can
    be of one ablation with it, by the axis's setting in JSON."""
    if axis.setting == DEPTH:
        yield [baseline, *_depths(baseline, kin)]
        return
    valued = [(value, cell) for value in axis.values for cell in kin.get(json.dumps(value), ())]
    if axis.setting == DECODER:
        for variants in _decoders(baseline, [cell for _, cell in valued]):
            yield [baseline, *variants]
    elif baseline.settings.get(axis.setting) == axis.baseline:
        yield [baseline, *(cell for value, cell in valued if baseline.differs_only_in(cell, axis.setting, value))]


def _depths(baseline: Cell, kin: dict[str, list[Cell]]) -> list[Cell]:
    """Shallow first; none where the baseline is not the network that is called like its family, the shallowest of those that are."""
    if baseline.runs[0].variant != baseline.family or not isinstance(baseline.settings.get(DEPTH), int):
        return []
    cells = [cell for members in kin.values() for cell in members if isinstance(cell.settings.get(DEPTH), int)]
    named = (cell for cell in cells if cell.runs[0].variant == cell.family)
    if any(cell.settings[DEPTH] < baseline.settings[DEPTH] for cell in named):
        return []
    others = [cell for cell in cells if baseline.differs_only_in(cell, DEPTH, cell.settings[DEPTH])]
    return sorted(others, key=lambda cell: cell.settings[DEPTH])


def _decoders(baseline: Cell, cells: list[Cell]) -> Iterator[list[Cell]]:
    """The PixelVAEs of one level whose decoder is the baseline but for z."""
    groups: dict[str, list[Cell]] = {}
    for cell in cells:
        if baseline.same_request_as(cell) and _is_decoder_of(baseline, cell):
            of_z = {name: kept for name, kept in cell.settings.items() if name != DECODER}
            groups.setdefault(json.dumps(of_z, sort_keys=True), []).append(cell)
    yield from groups.values()


def _is_decoder_of(baseline: Cell, cell: Cell) -> bool:
    """Whether the baseline has PixelVAE's settings where both have one, and what PixelVAE's decoder always has where it has none."""
    if baseline.family != "gated-pixelcnn" or cell.family != "pixelvae" or cell.settings.get("hierarchy", 1) != 1:
        return False
    fixed = GatedPixelCNNSettings().as_dict()
    return all(value == cell.settings.get(name, fixed.get(name)) for name, value in baseline.settings.items())


def _ablation(axis: Axis, group: list[Cell], lessons: list[Lesson]) -> TaskAblation:
    baseline, *variants = group
    told = {lesson.variant: lesson.sentences for lesson in lessons if lesson.task == baseline.task}
    rows = [AblationRow(row_of(baseline), axis.in_words(baseline.settings.get(axis.setting)), None, ())]
    for cell in variants:
        row, value, paired = row_of(cell), axis.in_words(cell.settings[axis.setting]), paired_difference(baseline, cell)
        sentences = told.get(cell.label) or difference_sentences(row, value, rows[0].row, paired)
        rows.append(AblationRow(row, value, paired, sentences))
    table = table_of(group, [entry.row for entry in rows])
    return TaskAblation(axis, table, tuple(rows), frozenset(told) & {cell.label for cell in variants})

"""Which cells of a store one ablation holds against each other: a baseline, and what differs from it in the ablated setting alone."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pixelbench.models.families import FAMILIES
from pixelbench.published.rows import Rows
from pixelbench.store.cells import Cell
from pixelbench.suites.design_choice import DesignChoice, Option, is_number


@dataclass(frozen=True)
class Member:
    """A cell of an ablation, and what it is in words."""

    cell: Cell
    words: str


def groups_of(choice: DesignChoice, cells: Sequence[Cell]) -> list[list[Member]]:
    """The groups of at least two, the baseline of each first, in the order of the cells that are their baselines."""
    if choice.setting is None:
        found = _by_rows(choice, cells)
    else:
        kin = _Kin(choice, choice.setting, cells)
        find = _by_decoder if choice.across_families else _by_number if choice.open else _by_value
        found = ([Member(cell, choice.in_words(cell.settings.get(choice.setting))) for cell in group] for group in find(kin))
    return [group for group in found if len(group) > 1]


class _Kin:
    """Cells and those that can be of one ablation with them, so that each is held against few."""

    def __init__(self, choice: DesignChoice, setting: str, cells: Sequence[Cell]):
        self.choice, self.setting, self.cells = choice, setting, cells
        self._groups: dict[str, list[Cell]] = {}
        for cell in cells:
            self._groups.setdefault(self._but_for_setting(cell), []).append(cell)

    def of(self, cell: Cell) -> list[Cell]:
        """All cells that were asked for as this one was, but for the setting; between families, but for the network."""
        return self._groups[self._but_for_setting(cell)]

    def value(self, cell: Cell) -> Any:
        """The cell's value of the setting; None where it has none."""
        return cell.settings.get(self.setting)

    def is_baseline(self, cell: Cell) -> bool:
        """Whether it has the baseline's value."""
        return self.value(cell) in self.choice.baseline.values

    def _but_for_setting(self, cell: Cell) -> str:
        spec = cell.runs[0].record.spec
        requested: list[Any] = [cell.runs[0].data, spec.updates, spec.recipe, spec.evaluation]
        if not self.choice.across_families:
            requested += [cell.family, {name: value for name, value in cell.settings.items() if name != self.setting}]
        return json.dumps(requested, sort_keys=True)


def _by_value(kin: _Kin) -> Iterator[list[Cell]]:
    """A baseline with the baseline's value, and variants with the others, in the order of the file."""
    choice = kin.choice
    values = dict.fromkeys(value for option in choice.variants for value in option.values if value not in choice.baseline.values)
    for baseline in filter(kin.is_baseline, kin.cells):
        yield [baseline, *(cell for value in values for cell in kin.of(baseline) if kin.value(cell) == value)]


def _by_number(kin: _Kin) -> Iterator[list[Cell]]:
    """A baseline that is called as the file's, or like its family, and all others, the lowest first.

    Of several that are called so the lowest is the baseline.
    """
    for baseline in kin.cells:
        numbers = [(number, cell) for cell in kin.of(baseline) if (number := kin.value(cell)) is not None and is_number(number)]
        own = next((number for number, cell in numbers if cell is baseline), None)
        if own is None or not _is_named(kin, baseline) or any(number < own and _is_named(kin, cell) for number, cell in numbers):
            continue
        others = [(number, cell) for number, cell in numbers if number != own]
        yield [baseline, *(cell for _, cell in sorted(others, key=lambda pair: pair[0]))]


def _is_named(kin: _Kin, cell: Cell) -> bool:
    return cell.runs[0].variant in (kin.choice.baseline.variant, cell.family)


def _by_decoder(kin: _Kin) -> Iterator[list[Cell]]:
    """A baseline of its family, and the variants of theirs that have its settings; a group for each way in which all else is the same."""
    candidates: dict[int, list[Cell]] = {}  # of each list of kin, once: where no cell is of the variants' families that is none
    for baseline in filter(kin.is_baseline, kin.cells):
        if baseline.family != kin.choice.baseline.family:
            continue
        others, groups = kin.of(baseline), dict[str, list[Cell]]()
        if id(others) not in candidates:
            candidates[id(others)] = [cell for option in kin.choice.variants for cell in others if _is_option(kin, option, cell)]
        for cell in candidates[id(others)]:
            if _has_settings_of(baseline, cell):
                rest = {name: kept for name, kept in cell.settings.items() if name != kin.setting}
                groups.setdefault(json.dumps([cell.family, rest], sort_keys=True), []).append(cell)
        yield from ([baseline, *variants] for variants in groups.values())


def _is_option(kin: _Kin, option: Option, cell: Cell) -> bool:
    """Whether a cell is of the option's family, has its value, and what else the option fixes."""
    fixed = all(cell.settings.get(name) == value for name, value in option.fixed.items())
    return cell.family == option.family and kin.value(cell) in option.values and fixed


def _has_settings_of(baseline: Cell, cell: Cell) -> bool:
    """Whether the settings of the baseline's family are the same in both, where one says nothing by that family's defaults."""
    family = FAMILIES.get(baseline.family)
    defaults = {} if family is None else family.settings().as_dict()
    names = {**defaults, **baseline.settings}
    return all(baseline.settings.get(name, defaults.get(name)) == cell.settings.get(name, defaults.get(name)) for name in names)


def _by_rows(choice: DesignChoice, cells: Sequence[Cell]) -> Iterator[list[Member]]:
    """The cells that the ablation's own suite asks for, those of one budget beside each other: its variants differ in several things."""
    rows = Rows(choice.suite)
    groups: dict[tuple[Any, ...], dict[str, list[Member]]] = {}
    for option in choice.options:
        for cell in cells:
            run = cell.runs[0]
            row = rows.find(run.task, option.variant)
            spec, limit = run.record.spec, run.record.evaluation.test_images
            if row is None or (budget := row.budget_of(spec.cell_key, limit)) is None:
                continue
            baseline_row = rows.find(run.task, choice.baseline.variant)
            differences = baseline_row.differences(spec) if baseline_row is not None and option is not choice.baseline else []
            member = Member(cell, "; ".join(filter(None, (option.words, ", ".join(differences)))) or "the baseline")
            groups.setdefault((run.data, budget, limit), {}).setdefault(option.variant, []).append(member)
    for group in groups.values():
        variants = [member for option in choice.variants for member in group.get(option.variant, ())]
        yield from ([baseline, *variants] for baseline in group.get(choice.baseline.variant, ()))

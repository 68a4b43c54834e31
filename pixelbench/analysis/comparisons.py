"""Published figures as every renderer shows them beside the variants that they are about."""

from collections.abc import Iterable

from pixelbench.published.comparison import Comparison, FigureComparison, Known, compare_cells_with_figures, primary
from pixelbench.store.cells import Cell


def comparisons_of(cells: Iterable[Cell], known: Known | None = None) -> tuple[FigureComparison, ...]:
    """Every cell that a published figure is about, once a figure; of a cell's figures the one that a table has room for is its first.

    Raises:
        UserError: the published figures that ship cannot be read.
    """
    groups: dict[tuple[str, str], list[Comparison]] = {}
    for one in compare_cells_with_figures(cells, known):
        groups.setdefault((one.cell.task, one.cell.label), []).append(one)
    ordered: list[Comparison] = []
    for group in groups.values():
        first = primary(group)
        ordered += sorted(group, key=lambda one: one is not first)
    return tuple(one for one in ordered if isinstance(one, FigureComparison))


def primary_of(compared: Iterable[FigureComparison]) -> dict[tuple[str, str], FigureComparison]:
    """By task and label of a variant what a table has room for; a variant that no paper has a figure for has none."""
    return {(one.task, one.label): one for one in reversed(tuple(compared)) if not one.figure.context}

"""Does the order that the literature reports hold on this store? Said by paired differences, honestly where they do not settle it."""

import itertools
from dataclasses import dataclass
from typing import Any

from pixelbench.analysis.paired import compare_cells
from pixelbench.statistics import Difference
from pixelbench.store.cells import Cell

#: Best first: Gated PixelCNN (van den Oord et al. 2016b, table 1) before PixelCNN, before counting each position, before knowing nothing.
EXPECTED = ("gated-pixelcnn", "pixelcnn", "histogram", "uniform")


@dataclass(frozen=True)
class OrderedPair:
    """One pair of the expected order: `first` should need fewer bits/dim than `second`."""

    task: str
    first: str
    second: str
    difference: Difference

    @property
    def holds(self) -> bool:
        return self.difference.distinguishable and self.difference.low > 0

    @property
    def reversed(self) -> bool:
        """Whether `second` is shown to need fewer."""
        return self.difference.distinguishable and self.difference.high < 0

    @property
    def sentence(self) -> str:
        return self.difference.sentence(self.first, self.second)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"task": self.task, "first": self.first, "second": self.second, "holds": self.holds, **vars(self.difference)}


def expected_order(cells: list[Cell], task: str) -> list[OrderedPair]:
    """The neighbouring pairs of `EXPECTED` that this store can compare on a task.

    Only unablated variants count: those whose name in the suite is the family's. Of several budgets the longest is taken, of several
    recipes the one with the most seeds.
    """
    found: dict[str, Cell] = {}
    for cell in cells:
        plain = cell.task == task and cell.runs[0].variant == cell.family and cell.comparable
        if plain and (cell.family not in found or _weight(cell) > _weight(found[cell.family])):
            found[cell.family] = cell
    chain = [found[name] for name in EXPECTED if name in found]
    steps = []
    for first, second in itertools.pairwise(chain):
        difference = compare_cells(first, second)
        if difference is not None:
            steps.append(OrderedPair(task, first.label, second.label, difference))
    return steps


def _weight(cell: Cell) -> tuple[int, int]:
    return cell.runs[0].updates, len(cell.scored)

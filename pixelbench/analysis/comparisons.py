"""Published figures as every renderer shows them beside the variants that they are about."""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pixelbench.published.comparison import Comparison, Known, compare_cells_with_figures, primary
from pixelbench.published.figures import Figure
from pixelbench.store.cells import Cell

#: A sign for each verdict, so that none is told by its colour alone.
SIGNS = {
    "reproduced": "✓",
    "better": "▲",
    "worse": "▼",
    "inconclusive": "≈",
    "incomplete": "◔",
    "not comparable": "≠",
    "not causal": "✕",
    "no figure": "–",
}

#: Verdicts that say how measurement and figure stand to each other; the others say why they do not yet.
DECIDED = ("reproduced", "better", "worse")

#: What is shown beside the papers' own numbers and not judged.
CONTEXTS = {"reproduction": "a third party's reproduction", "context": "quoted for context"}


@dataclass(frozen=True)
class Compared:
    """A cell beside one published figure, in the figure's `unit`."""

    label: str
    """The cell's, as is `task`."""
    task: str
    figure: str
    paper: str
    where: str
    """Table and row in the paper."""
    unit: str
    printed: str
    """The value as the paper prints it."""
    published: float
    band: float | None
    """None where the metric has no tolerance."""
    bound: bool
    verified: bool
    on_validation: bool
    """Published of validation images, so that `measured` is the score on those of the task."""
    context: str
    """The nature of a figure that is not the paper's own: it is shown and not judged, so its `verdict` is empty."""
    measured: float | None
    """None where nothing was measured."""
    measured_bound: bool
    difference: float | None
    interval: tuple[float, float] | None
    """None where one seed gives none."""
    verdict: str
    sentence: str
    suspicious: bool
    cautions: tuple[str, ...]
    """Assumptions where the paper does not state something."""

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON, where `context` is called `aside`."""
        return {"aside" if name == "context" else name: value for name, value in dataclasses.asdict(self).items()}

    @property
    def sign(self) -> str:
        """Of its verdict."""
        return SIGNS.get(self.verdict, "")


def comparisons_of(cells: Iterable[Cell], known: Known | None = None) -> tuple[Compared, ...]:
    """Every cell that a published figure is about, once a figure; of a cell's figures the one that a table has room for is its first.

    Raises:
        UserError: the published figures that ship cannot be read.
    """
    groups: dict[tuple[str, str], list[Comparison]] = {}
    for one in compare_cells_with_figures(cells, known):
        groups.setdefault((one.cell.task, one.cell.label), []).append(one)
    ordered = []
    for group in groups.values():
        first = primary(group)
        ordered += sorted(group, key=lambda one: one is not first)
    return tuple(_compared(one, one.figure) for one in ordered if one.figure is not None)


def primary_of(compared: Iterable[Compared]) -> dict[tuple[str, str], Compared]:
    """By task and label of a variant what a table has room for; a variant that no paper has a figure for has none."""
    return {(one.task, one.label): one for one in reversed(tuple(compared)) if not one.context}


def _compared(one: Comparison, figure: Figure) -> Compared:
    verdict = one.verdict
    difference = verdict.difference if verdict else None
    if difference is None and verdict is None and one.measured is not None:
        difference = one.measured - figure.value  # beside a reproduction: a distance, not a judgement
    return Compared(
        label=one.cell.label,
        task=one.cell.task,
        figure=figure.id,
        paper=figure.paper,
        where=figure.locator,
        unit=figure.unit,
        printed=figure.printed,
        published=figure.value,
        band=figure.band,
        bound=figure.bound,
        verified=figure.verified,
        on_validation=figure.on_validation,
        context=CONTEXTS.get(figure.kind, ""),
        measured=one.measured,
        measured_bound=one.measured_bound,
        difference=difference,
        interval=verdict.interval if verdict else None,
        verdict=verdict.name if verdict else "",
        sentence=verdict.sentence if verdict else "",
        suspicious=verdict.suspicious if verdict else False,
        cautions=verdict.assumed if verdict else (),
    )

"""Published figures as a page shows them beside the variants that they are about."""

from dataclasses import dataclass

from pixelbench.reports.report import Report

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


@dataclass(frozen=True)
class Compared:
    """A cell beside one published figure, in the figure's `unit`.

    `label` and `task` are the cell's. `printed` is the value as the paper prints it, `where` its table and row. `band` is None where the
    metric has no tolerance, `measured` where nothing was measured, `interval` where one seed gives none. A third party's `reproduction` is
    shown and not judged: its `verdict` is empty. `cautions` are what is assumed because the paper does not state it.
    """

    label: str
    task: str
    figure: str
    paper: str
    where: str
    unit: str
    printed: str
    published: float
    band: float | None
    bound: bool
    verified: bool
    reproduction: bool
    measured: float | None
    measured_bound: bool
    difference: float | None
    interval: tuple[float, float] | None
    verdict: str
    sentence: str
    suspicious: bool
    cautions: tuple[str, ...]

    @property
    def sign(self) -> str:
        """Of its verdict."""
        return SIGNS.get(self.verdict, "")


def comparisons_of(report: Report) -> tuple[Compared, ...]:
    """Every cell of the report that a published figure is about, once a figure."""
    return ()

"""The cells of a store beside the published figures that are about them, each with its verdict."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pixelbench.published.comparability import Measured
from pixelbench.published.figure_files import load_figures
from pixelbench.published.figures import JUDGED, Figure, claimed_figures, figures_about
from pixelbench.published.measured import Differences, as_row, measured_of
from pixelbench.published.rows import Rows, SuiteRow, paper_rows
from pixelbench.published.verdicts import Verdict, judge
from pixelbench.store.cells import Cell
from pixelbench.suites.schema import Suite


@dataclass(frozen=True)
class Known:
    """The figures that cells are held against, and the rows of suites that they are about."""

    figures: tuple[Figure, ...] = field(default_factory=load_figures)
    rows: Rows = field(default_factory=paper_rows)
    """Of the papers' figures."""
    claims: tuple[Figure, ...] = ()
    claimed_rows: Rows | None = None
    """Of the claims: the suite's that makes them."""

    @classmethod
    def with_claims(cls, suite: Suite, file: str) -> "Known":
        """The shipped figures and the claims of a suite; `file` is what it is called."""
        return cls(claims=claimed_figures(suite, file), claimed_rows=Rows(suite))

    def about(self, task: str, variant: str) -> list[tuple[Figure, SuiteRow | None]]:
        """The figures about a cell of that name, each with the row that it is about; own claims come first."""
        own = [(claim, self.claimed_rows) for claim in figures_about(task, variant, self.claims)]
        found = [*own, *((figure, self.rows) for figure in figures_about(task, variant, self.figures))]
        return [(figure, None if rows is None else rows.find(task, variant)) for figure, rows in found]


@dataclass(frozen=True)
class Comparison:
    """A cell and its verdict. `figure`: None where nobody has published one."""

    cell: Cell
    measured_runs: Measured
    """In the figure's unit; bits/dim without a figure."""
    verdict: Verdict | None
    """None where nothing is judged: third parties' reproductions, and what papers quote."""
    figure: Figure | None = None

    @property
    def measured(self) -> float | None:
        """The mean over its seeds; None where there is none, or where it is a leak's."""
        return mean_of(self.measured_runs)

    @property
    def measured_bound(self) -> bool:
        """Whether the model needs no more than what was measured."""
        return self.cell.bound


@dataclass(frozen=True)
class FigureComparison(Comparison):
    """A cell beside one figure."""

    figure: Figure = field(kw_only=True)

    @property
    def label(self) -> str:
        """The cell's."""
        return self.cell.label

    @property
    def task(self) -> str:
        """The cell's."""
        return self.cell.task

    @property
    def verdict_name(self) -> str:
        """Empty where nothing is judged."""
        return self.verdict.name if self.verdict else ""

    @property
    def sentence(self) -> str:
        """The verdict's; empty where nothing is judged."""
        return self.verdict.sentence if self.verdict else ""

    @property
    def sign(self) -> str:
        """The verdict's; empty where nothing is judged."""
        return self.verdict.sign if self.verdict else ""

    @property
    def suspicious(self) -> bool:
        """Whether it is better by more than the band."""
        return self.verdict is not None and self.verdict.suspicious

    @property
    def interval(self) -> tuple[float, float] | None:
        """90 % over seeds; None where one seed gives none."""
        return self.verdict.interval if self.verdict else None

    @property
    def cautions(self) -> tuple[str, ...]:
        """Assumptions where the paper does not state something."""
        return self.verdict.assumed if self.verdict else ()

    @property
    def difference(self) -> float | None:
        """The verdict's; beside a reproduction a distance, and no judgement."""
        if self.verdict is not None:
            return self.verdict.difference
        return None if self.measured is None else self.measured - self.figure.value

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        figure = self.figure
        return {
            "label": self.label,
            "task": self.task,
            "figure": figure.id,
            "paper": figure.paper,
            "where": figure.locator,
            "unit": figure.unit,
            "printed": figure.printed,
            "published": figure.value,
            "band": figure.band,
            "bound": figure.bound,
            "verified": figure.verified,
            "on_validation": figure.on_validation,
            "aside": figure.context,
            "measured": self.measured,
            "measured_bound": self.measured_bound,
            "difference": self.difference,
            "interval": self.interval,
            "verdict": self.verdict_name,
            "sentence": self.sentence,
            "suspicious": self.suspicious,
            "cautions": self.cautions,
        }


def compare_cells_with_figures(cells: Iterable[Cell], known: Known | None = None) -> list[Comparison]:
    """Every cell beside every figure about its task and variant, in the order of cells, then figures; a cell that no paper has a figure for
    comes once more, with the verdict `no figure`.

    Args:
        cells: of one store.
        known: by default the figures that ship and the rows of the suite `paper`.
    """
    known = known or Known()
    found: list[Comparison] = []
    for cell in cells:
        rows = [as_row(run) for run in cell.runs]
        for figure, verdict, measured in judged(rows, known, lambda row, cell=cell: row.differences(cell.runs[0].record.spec)):
            beside = figure is not None
            found.append(FigureComparison(cell, measured, verdict, figure=figure) if beside else Comparison(cell, measured, verdict))
    return found


def primary(comparisons: Sequence[Comparison]) -> Comparison | None:
    """Of the comparisons of one cell the one that a table has room for: the first that can be compared, else the first that was judged."""
    judged = [comparison for comparison in comparisons if comparison.verdict is not None]
    comparable = [one for one in judged if one.verdict is not None and one.verdict.name not in ("not comparable", "no figure")]
    return next(iter([*comparable, *judged]), None)


def judged(rows: list[dict[str, Any]], known: Known, differences: Differences) -> list[tuple[Figure | None, Verdict | None, Measured]]:
    """The figures about a cell, each with verdict and what was measured; None for a figure where nobody has one."""
    about: list[tuple[Figure | None, SuiteRow | None]] = [*known.about(rows[0]["task"], rows[0]["variant"])]
    if not any(figure is not None and figure.kind in JUDGED for figure, _ in about):
        about.insert(0, (None, None))
    found: list[tuple[Figure | None, Verdict | None, Measured]] = []
    for figure, row in about:
        unit, on_validation = ("bits/dim", False) if figure is None else (figure.unit, figure.on_validation)
        measured = measured_of(rows, unit, row, differences, on_validation=on_validation)
        found.append((figure, judge(figure, measured) if figure is None or figure.kind in JUDGED else None, measured))
    return found


def mean_of(measured: Measured) -> float | None:
    """The mean over the seeds that decide; None where there is none, or where it is a leak's."""
    return measured.mean if measured.values and measured.causality != "leaky" else None

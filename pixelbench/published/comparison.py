"""The cells of a store beside the published figures that are about them, each with its verdict; and the same of a tidy frame."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from pixelbench.errors import UserError
from pixelbench.published.comparability import Measured
from pixelbench.published.figure_files import load_figures
from pixelbench.published.figures import JUDGED, Figure, claimed_figures, figures_about
from pixelbench.published.measured import Differences, as_row, measured_of
from pixelbench.published.rows import Rows, SuiteRow, paper_rows
from pixelbench.published.verdicts import Verdict, judge
from pixelbench.store.cells import Cell
from pixelbench.suites.schema import Suite

#: What makes a cell in a frame that does not say which runs differ in nothing but the seed.
_CELL_COLUMNS = ["task", "variant", "family", "levels", "budget", "updates", "expect"]
_NEEDED = (*_CELL_COLUMNS, "seed", "status", "bits_per_dim", "nats_per_image", "estimator", "n_images", "causal")


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
        return _mean(self.measured_runs)

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
        for figure, verdict, measured in _judged(rows, known, lambda row, cell=cell: row.differences(cell.runs[0].record.spec)):
            beside = figure is not None
            found.append(FigureComparison(cell, measured, verdict, figure=figure) if beside else Comparison(cell, measured, verdict))
    return found


def primary(comparisons: Sequence[Comparison]) -> Comparison | None:
    """Of the comparisons of one cell the one that a table has room for: the first that can be compared, else the first that was judged."""
    judged = [comparison for comparison in comparisons if comparison.verdict is not None]
    comparable = [one for one in judged if one.verdict is not None and one.verdict.name not in ("not comparable", "no figure")]
    return next(iter([*comparable, *judged]), None)


def compare_with_published(frame: pd.DataFrame, known: Known | None = None) -> pd.DataFrame:
    """Hold the runs of a tidy frame against what was published: one row a cell and figure, in full precision.

    Runs that differ in nothing but the seed are one cell: `n` of its `seeds` have a number and decide, and `measured` is their mean in
    `unit`. `low` and `high` are its 90 % interval over seeds. `verdict` is empty where a figure is only shown, as reproductions are.

    Columns that a frame may have besides: `cell`, the same for the runs of one cell (without it no figure is comparable, since nobody can
    tell what was asked for), `trained_positions`, `test_images`, `validation_images`, `validation_bits_per_dim`, `bits_per_dim_se`,
    `selected_update`, `condition`, `doubts`, `code` and `torch` of the records. What it does not say makes no verdict better: without word
    of where the trained model was probed for leaks, it is `incomplete`.

    Args:
        frame: as `load_results` returns it, or some of its rows.
        known: by default the figures that ship and the rows of the suite `paper`.

    Raises:
        UserError: a column is missing.
    """
    lacking = [name for name in _NEEDED if name not in frame]
    if lacking:
        raise UserError(f"The frame has no column '{lacking[0]}'; compare_with_published takes what load_results returns.")
    known = known or Known()
    rows = []
    for _, group in frame.groupby(["cell"] if "cell" in frame else _CELL_COLUMNS, sort=False, dropna=False):
        runs = [_plain(row) for row in group.to_dict("records")]
        about = {name: runs[0][name] for name in ("task", "variant", "budget", "updates")} | {"seeds": len({run["seed"] for run in runs})}
        rows += [about | _as_row(*judged) for judged in _judged(runs, known, lambda row: [])]
    return pd.DataFrame(rows, columns=list(_COLUMNS)).astype(_COLUMNS)


_COLUMNS = {
    **dict.fromkeys(("task", "variant", "budget"), "object"),
    **dict.fromkeys(("updates", "seeds", "n"), "int64"),
    **dict.fromkeys(("measured", "low", "high"), "float64"),
    **dict.fromkeys(("unit", "figure", "kind", "paper", "locator"), "object"),
    **dict.fromkeys(("published", "band", "difference"), "float64"),
    "verdict": "object",
    "suspicious": "bool",
    "sentence": "object",
}


def _plain(row: dict[Any, Any]) -> dict[str, Any]:
    """None for what the frame calls missing."""
    return {str(name): None if pd.isna(value) else value for name, value in row.items()}


def _as_row(figure: Figure | None, verdict: Verdict | None, measured: Measured) -> dict[str, Any]:
    row: dict[str, Any] = {"measured": _mean(measured), "unit": measured.unit, "n": len(measured.values)}
    row |= {"verdict": "", "suspicious": False, "sentence": ""}
    if figure is not None:
        row |= {name: getattr(figure, name) for name in ("unit", "kind", "paper", "locator", "band")}
        row |= {"figure": figure.id, "published": figure.value}
    if verdict is not None:
        low, high = verdict.interval or (None, None)
        row |= {"low": low, "high": high, "difference": verdict.difference}
        row |= {"verdict": verdict.name, "suspicious": verdict.suspicious, "sentence": verdict.sentence}
    return row


def _judged(rows: list[dict[str, Any]], known: Known, differences: Differences) -> list[tuple[Figure | None, Verdict | None, Measured]]:
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


def _mean(measured: Measured) -> float | None:
    return measured.mean if measured.values and measured.causality != "leaky" else None

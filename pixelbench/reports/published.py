"""The cells of a store beside the published figures that are about them, each with its verdict; and the same of a tidy frame."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from pixelbench.errors import UserError
from pixelbench.published.facts import Binarisation, FigureFacts, Measured
from pixelbench.published.figures import Figure, figures_about, load_figures
from pixelbench.published.verdicts import Verdict, judge
from pixelbench.reports.runs import Cell, Run
from pixelbench.units import bits_per_dim

#: What the papers call our test images, where it is not the test split: the small ImageNets have no other than a published validation set.
_SPLITS = {"imagenet32": "validation", "imagenet64": "validation"}
#: Images of the split that the papers score. The other small ImageNet of that name has 50,000.
_IMAGES = {**dict.fromkeys(("mnist-fixed", "mnist-dynamic", "mnist", "cifar10"), 10_000), "imagenet32": 49_999, "imagenet64": 49_999}
_BINARISED: dict[str, Binarisation] = {"mnist-fixed": "fixed", "mnist-dynamic": "dynamic", "mnist-threshold": "threshold"}
#: Words of a paper → how its pixels were binarised. The first that is found counts.
_BINARISATIONS: tuple[tuple[str, Binarisation], ...] = (
    ("threshold", "threshold"),
    ("dynamic", "dynamic"),
    ("stochastic", "dynamic"),
    ("fixed binaris", "fixed"),
)
#: The safest guess comes first: a cell is no better certified than its worst run.
_CERTAINTY = ("leaky", "unchecked", "partial", "complete")
#: The unit of a figure → the column of a frame.
_UNITS = {"bits/dim": "bits_per_dim", "nats/image": "nats_per_image"}
#: What makes a cell in a frame that does not say which runs differ in nothing but the seed.
_ASKED = ["task", "variant", "family", "levels", "budget", "updates", "expect"]
_NEEDED = (*_ASKED, "seed", "status", "bits_per_dim", "nats_per_image", "estimator", "n_images", "causal")


@dataclass(frozen=True)
class Comparison:
    """A cell beside one figure. `measured`: the mean over its seeds in the figure's unit (bits/dim without a figure); None where there is
    none, or where it is a leak's. `verdict`: None where nothing is judged: third parties' reproductions, and what papers quote.
    """

    cell: Cell
    figure: Figure | None
    verdict: Verdict | None
    measured: float | None

    @property
    def measured_bound(self) -> bool:
        """Whether the model needs no more than what was measured."""
        return self.cell.bound


def compare_cells_with_figures(cells: Iterable[Cell], figures: Iterable[Figure] | None = None) -> list[Comparison]:
    """Every cell beside every figure about its task and variant, in the order of cells, then figures; a cell that no paper has a figure for
    comes once more, with the verdict `no figure`.

    Args:
        cells: of one store.
        figures: by default those that ship.
    """
    known = load_figures() if figures is None else tuple(figures)
    found = []
    for cell in cells:
        rows = [_row(run) for run in cell.runs]
        for figure, verdict, measured in _judged(rows, cell.runs[0].task, cell.runs[0].variant, known):
            found.append(Comparison(cell, figure, verdict, _mean(measured)))
    return found


def foremost(comparisons: Sequence[Comparison]) -> Comparison | None:
    """Of the comparisons of one cell the one that a table has room for: the first that can be compared, else the first that was judged."""
    judged = [comparison for comparison in comparisons if comparison.verdict is not None]
    comparable = [one for one in judged if one.verdict is not None and one.verdict.name not in ("not comparable", "no figure")]
    return next(iter([*comparable, *judged]), None)


def compare_with_published(frame: pd.DataFrame, figures: Iterable[Figure] | None = None) -> pd.DataFrame:
    """Holds the runs of a tidy frame against what was published: one row a cell and figure, in full precision.

    Runs that differ in nothing but the seed are one cell: `n` of its `seeds` have a number, and `measured` is their mean in `unit`. `low`
    and `high` are its 90 % interval over seeds. `verdict` is empty where a figure is only shown: third parties' reproductions.

    Columns that a frame may have besides: `cell`, the same for the runs of one cell (else these are told by the other columns),
    `trained_positions`, `test_images` and `condition` of the records. What it does not say makes no verdict better: without word of where
    the trained model was probed for leaks, it is `incomplete`.

    Args:
        frame: as `load_results` returns it, or some of its rows.
        figures: by default those that ship.

    Raises:
        UserError: a column is missing.
    """
    lacking = [name for name in _NEEDED if name not in frame]
    if lacking:
        raise UserError(f"The frame has no column '{lacking[0]}'; compare_with_published takes what load_results returns.")
    known = load_figures() if figures is None else tuple(figures)
    rows = []
    for _, group in frame.groupby(["cell"] if "cell" in frame else _ASKED, sort=False, dropna=False):
        runs = [_plain(row) for row in group.to_dict("records")]
        about = {name: runs[0][name] for name in ("task", "variant", "budget", "updates")} | {"seeds": len(runs)}
        rows += [about | _as_row(*judged) for judged in _judged(runs, runs[0]["task"], runs[0]["variant"], known)]
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


def _judged(
    rows: list[dict[str, Any]], task: str, variant: str, figures: tuple[Figure, ...]
) -> list[tuple[Figure | None, Verdict | None, Measured]]:
    """The figures about a cell, each with verdict and what was measured; None for a figure where no paper has one."""
    about: list[Figure | None] = [*figures_about(task, variant, figures)]
    if not any(figure is not None and figure.kind == "paper" for figure in about):
        about.insert(0, None)
    found: list[tuple[Figure | None, Verdict | None, Measured]] = []
    for figure in about:
        measured = _measured(rows, task, "bits/dim" if figure is None else figure.unit)
        facts = None if figure is None else _facts(figure)
        found.append((figure, judge(facts, measured) if figure is None or figure.kind == "paper" else None, measured))
    return found


def _mean(measured: Measured) -> float | None:
    return measured.mean if measured.values and measured.causality != "leaky" else None


def _facts(figure: Figure) -> FigureFacts:
    """What a verdict asks of a figure: also what only its words tell, how pixels were binarised and whether the class is given."""
    said = figure.preprocessing.lower()
    binarisations: list[Binarisation] = [kind for words, kind in _BINARISATIONS if words in said]
    return FigureFacts(
        value=figure.value,
        printed=figure.printed,
        unit=figure.unit,
        band=figure.band,
        estimator=figure.estimator,
        bound=figure.bound,
        split=figure.split,
        task=figure.task or "",
        binarisation=binarisations[0] if binarisations else None,
        conditional=bool(re.search(r"(?<!not )\bclass[- ]conditional", f"{figure.model} {figure.config_name}".lower())),
        assumed=figure.assumed,
        verified=figure.verified,
        updates=figure.updates,
        n_images=_IMAGES.get(figure.task or ""),
    )


def _row(run: Run) -> dict[str, Any]:
    """A record as a row of the frame, with what the frame may lack."""
    record, likelihood = run.record, None if run.doubts else run.record.likelihood
    return {
        "status": record.status,
        "budget": record.budget.name,
        "updates": record.budget.updates,
        "causal": record.causality.status,
        **{name: getattr(likelihood, name, None) for name in ("bits_per_dim", "nats_per_image", "estimator", "n_images")},
        "test_images": record.evaluation.test_images,
        "trained_positions": record.causality.trained_positions,
        "condition": record.variant.settings.get("condition"),
    }


def _measured(rows: list[dict[str, Any]], task: str, unit: str) -> Measured:
    """The runs of one cell, in the figure's unit where the records have it, else in bits/dim."""
    scored = [row for row in rows if row["status"] == "done" and row["bits_per_dim"] is not None]
    own = unit if unit in _UNITS else "bits/dim"
    statuses = {row["causal"] for row in rows if row["causal"] == "leaky"} | {row["causal"] for row in scored or rows}
    budgets = [row["budget"] for row in rows]
    probed = [int(row["trained_positions"]) for row in scored if _is_number(row.get("trained_positions"))]
    return Measured(
        values=tuple(float(row[_UNITS[own]]) for row in scored),
        unit=own,
        estimator=scored[0]["estimator"] if scored else "",
        split=_SPLITS.get(task, "test"),
        task=task,
        n_images=min((int(row["n_images"]) for row in scored), default=0),
        limited=any(_is_number(row.get("test_images")) and row["n_images"] >= row["test_images"] for row in scored),
        budget=next((name for name in budgets if name != "paper"), "paper"),
        causality=next((status for status in _CERTAINTY if status in statuses), "unchecked"),
        probed=min(probed) if probed and len(probed) == len(scored) else None,
        binarisation=_BINARISED.get(task),
        conditional=any((row.get("condition") or "none") != "none" for row in rows),
        consistent=all(_is_consistent(row) for row in scored),
        updates=int(rows[0]["updates"]),
        unfinished=len(rows) - len(scored),
    )


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_consistent(row: dict[str, Any]) -> bool:
    """Whether nats and bits/dim are one number: together they say how many sub-pixels an image has, which is a whole number."""
    bits, nats = row["bits_per_dim"], row["nats_per_image"]
    if not bits:
        return not nats
    dimensions = bits_per_dim(nats, (1,)) / bits
    return dimensions >= 0.5 and abs(dimensions - round(dimensions)) < 1e-5 * dimensions

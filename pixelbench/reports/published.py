"""The cells of a store beside the published figures that are about them, each with its verdict; and the same of a tidy frame."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from pixelbench.causality.positions import TRAINED_POSITIONS
from pixelbench.errors import UserError
from pixelbench.published.facts import Binarisation, FigureFacts, Measured, seed_list
from pixelbench.published.figures import JUDGED, Figure, claimed_figures, figures_about, load_figures
from pixelbench.published.rows import Rows, SuiteRow, paper_rows
from pixelbench.published.verdicts import Verdict, judge
from pixelbench.reports.runs import CERTAINTY, Cell, Run
from pixelbench.suites.schema import Suite
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
#: The unit of a figure → the column of a frame.
_UNITS = {"bits/dim": "bits_per_dim", "nats/image": "nats_per_image"}
#: What makes a cell in a frame that does not say which runs differ in nothing but the seed.
_ASKED = ["task", "variant", "family", "levels", "budget", "updates", "expect"]
_NEEDED = (*_ASKED, "seed", "status", "bits_per_dim", "nats_per_image", "estimator", "n_images", "causal")

#: In what a run differs from the suite's row of its name, where that is known.
_Differences = Callable[[SuiteRow], list[str]]


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


def compare_cells_with_figures(cells: Iterable[Cell], known: Known | None = None) -> list[Comparison]:
    """Every cell beside every figure about its task and variant, in the order of cells, then figures; a cell that no paper has a figure for
    comes once more, with the verdict `no figure`.

    Args:
        cells: of one store.
        known: by default the figures that ship and the rows of the suite `paper`.
    """
    known = known or Known()
    found = []
    for cell in cells:
        rows = [_row(run) for run in cell.runs]
        for figure, verdict, measured in _judged(rows, known, lambda row, cell=cell: row.differences(cell.runs[0].record.spec)):
            found.append(Comparison(cell, figure, verdict, _mean(measured)))
    return found


def foremost(comparisons: Sequence[Comparison]) -> Comparison | None:
    """Of the comparisons of one cell the one that a table has room for: the first that can be compared, else the first that was judged."""
    judged = [comparison for comparison in comparisons if comparison.verdict is not None]
    comparable = [one for one in judged if one.verdict is not None and one.verdict.name not in ("not comparable", "no figure")]
    return next(iter([*comparable, *judged]), None)


def compare_with_published(frame: pd.DataFrame, known: Known | None = None) -> pd.DataFrame:
    """Holds the runs of a tidy frame against what was published: one row a cell and figure, in full precision.

    Runs that differ in nothing but the seed are one cell: `n` of its `seeds` have a number and decide, and `measured` is their mean in
    `unit`. `low` and `high` are its 90 % interval over seeds. `verdict` is empty where a figure is only shown, as reproductions are.

    Columns that a frame may have besides: `cell`, the same for the runs of one cell (without it no figure is comparable, since nobody can
    tell what was asked for), `trained_positions`, `test_images`, `condition`, `doubts`, `code` and `torch` of the records. What it does not
    say makes no verdict better: without word of where the trained model was probed for leaks, it is `incomplete`.

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
    for _, group in frame.groupby(["cell"] if "cell" in frame else _ASKED, sort=False, dropna=False):
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


def _judged(
    rows: list[dict[str, Any]], known: Known, differences: _Differences
) -> list[tuple[Figure | None, Verdict | None, Measured]]:
    """The figures about a cell, each with verdict and what was measured; None for a figure where nobody has one."""
    about: list[tuple[Figure | None, SuiteRow | None]] = [*known.about(rows[0]["task"], rows[0]["variant"])]
    if not any(figure is not None and figure.kind in JUDGED for figure, _ in about):
        about.insert(0, (None, None))
    found: list[tuple[Figure | None, Verdict | None, Measured]] = []
    for figure, row in about:
        measured = _measured(rows, "bits/dim" if figure is None else figure.unit, row, differences)
        facts = None if figure is None else _facts(figure)
        found.append((figure, judge(facts, measured) if figure is None or figure.kind in JUDGED else None, measured))
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
        claimed=figure.kind == "claim",
    )


def _row(run: Run) -> dict[str, Any]:
    """A record as a row of the frame."""
    record, likelihood = run.record, None if run.doubts else run.record.likelihood
    return {
        "task": run.task,
        "variant": run.variant,
        "run_key": run.key,
        "seed": run.seed,
        "status": record.status,
        "expect": record.expect,
        "budget": record.budget.name,
        "updates": record.budget.updates,
        "causal": record.causality.status,
        **{name: getattr(likelihood, name, None) for name in ("bits_per_dim", "nats_per_image", "estimator", "n_images")},
        "test_images": record.evaluation.test_images,
        "trained_positions": record.causality.trained_positions,
        "condition": record.variant.settings.get("condition"),
        "cell": record.spec.cell_key,
        "doubts": "; ".join(run.doubts),
        "code": record.code,
        "torch": record.provenance.versions.get("torch"),
    }


def _measured(rows: list[dict[str, Any]], unit: str, row: SuiteRow | None, differences: _Differences) -> Measured:
    """The runs of one cell, in the figure's unit where the records have it, else in bits/dim.

    The seeds that the row says decide, those alone, whatever else is stored; of a cell that is no row of a suite all of them.
    """
    wanted = row.verdict_seeds if row else len({entry["seed"] for entry in rows})
    deciding = set(range(wanted)) if row else {entry["seed"] for entry in rows}
    chosen = [entry for entry in _one_a_seed(rows) if entry["seed"] in deciding]
    scored = [entry for entry in chosen if _is_scored(entry)]
    own, task = unit if unit in _UNITS else "bits/dim", rows[0]["task"]
    statuses = {entry["causal"] for entry in rows if entry["causal"] == "leaky"} | {entry["causal"] for entry in scored or rows}
    probed = [int(entry["trained_positions"]) for entry in scored if _is_number(entry.get("trained_positions"))]
    other_row, budget = _of_row(rows[0], row, differences)
    return Measured(
        values=tuple(float(entry[_UNITS[own]]) for entry in scored),
        unit=own,
        estimator=_estimator(scored),
        split=_SPLITS.get(task, "test"),
        task=task,
        n_images=min((int(entry["n_images"]) for entry in scored), default=0),
        limited=any(_is_number(entry.get("test_images")) and entry["n_images"] >= entry["test_images"] for entry in scored),
        budget=budget,
        causality=next((status for status in CERTAINTY if status in statuses), "unchecked"),
        probed=min(probed) if probed and len(probed) == len(scored) else None,
        binarisation=_BINARISED.get(task),
        conditional=any((entry.get("condition") or "none") != "none" for entry in rows),
        consistent=all(_is_consistent(entry) for entry in scored),
        updates=int(rows[0]["updates"]),
        whole_budget=row.whole_budget if row else budget,
        wanted=wanted,
        seeds=tuple(entry["seed"] for entry in scored),
        lacking=tuple(_lacking(rows, chosen, deciding)),
        diverged=tuple(entry["seed"] for entry in chosen if entry["status"] == "diverged"),
        asked=min([TRAINED_POSITIONS, *(_dimensions(entry) for entry in scored)]),
        other_row=tuple(other_row),
        remarks=tuple(_remarks(rows, scored, deciding)),
    )


def _one_a_seed(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row a seed, in their order: a frame may hold a run several times."""
    return [next(row for row in rows if row["seed"] == seed) for seed in sorted({row["seed"] for row in rows})]


def _is_scored(row: dict[str, Any]) -> bool:
    return row["status"] == "done" and row["bits_per_dim"] is not None and not row.get("doubts")


def _of_row(entry: dict[str, Any], row: SuiteRow | None, differences: _Differences) -> tuple[list[str], str]:
    """Why the cell is not the suite's row, and the budget of the suite that it is."""
    if row is None:
        return [], entry["budget"]
    limit = int(entry["test_images"]) if _is_number(entry.get("test_images")) else None
    budget = row.budget_of(entry["cell"], limit) if entry.get("cell") else None
    if budget is None:
        said = ", ".join(differences(row)[:_MOST_DIFFERENCES])
        return [f"not the row of suite {row.suite.name}{f': {said}' if said else ''}"], entry["budget"]
    return (["its suite declares that it leaks"] if entry["expect"] == "leaky" else []), budget


#: More than these tell a reader nothing more.
_MOST_DIFFERENCES = 6


def _estimator(scored: list[dict[str, Any]]) -> str:
    """Of all runs; of several the words for that, which are no estimator that a figure can have."""
    found = sorted({entry["estimator"] for entry in scored})
    return found[0] if len(found) == 1 else " and ".join(found)


def _lacking(rows: list[dict[str, Any]], chosen: list[dict[str, Any]], deciding: set[int]) -> list[str]:
    """Why seeds that decide have no number."""
    stored = {entry["seed"] for entry in chosen}
    absent = deciding - stored
    said = [f"{seed_list(absent)} not stored"] if absent else []
    for entry in chosen:
        if entry.get("doubts"):
            said.append(f"seed {entry['seed']} does not add up")
        elif not _is_scored(entry) and entry["status"] != "diverged":
            said.append(f"seed {entry['seed']} {'has no number' if entry['status'] == 'done' else entry['status']}")
    for seed in sorted(stored):
        if len({entry.get("run_key") for entry in rows if entry["seed"] == seed}) > 1:
            said.append(f"there are several runs of seed {seed}")
    codes = {entry.get("code") for entry in chosen}
    if len(codes) > 1:
        said.append(f"the seeds were made by {len(codes)} different codes")
    return said


def _remarks(rows: list[dict[str, Any]], scored: list[dict[str, Any]], deciding: set[int]) -> list[str]:
    later = sorted({entry["seed"] for entry in rows} - deciding)
    found = [f"Also stored, and not part of the verdict: {seed_list(later)}."] if later else []
    versions = sorted({entry["torch"] for entry in scored if entry.get("torch")})
    return found + ([f"Made with several versions of torch: {', '.join(versions)}."] if len(versions) > 1 else [])


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_consistent(row: dict[str, Any]) -> bool:
    """Whether nats and bits/dim are one number: together they say how many sub-pixels an image has, which is a whole number."""
    bits, nats = row["bits_per_dim"], row["nats_per_image"]
    if not bits:
        return not nats
    dimensions = bits_per_dim(nats, (1,)) / bits
    return dimensions >= 0.5 and abs(dimensions - round(dimensions)) < 1e-5 * dimensions


def _dimensions(row: dict[str, Any]) -> int:
    """Sub-pixels of an image, by the two units of its likelihood."""
    return max(1, round(bits_per_dim(row["nats_per_image"], (1,)) / row["bits_per_dim"])) if row["bits_per_dim"] else TRAINED_POSITIONS

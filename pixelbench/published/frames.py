"""The rows of a tidy frame beside the published figures that are about them, judged as cells of a store are."""

# pandas comes without types
# pyright: reportMissingTypeStubs=false
# pyright: reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
import math
from typing import Any

import pandas as pd

from pixelbench.errors import UserError
from pixelbench.published.comparability import Measured
from pixelbench.published.comparison import Known, judged, mean_of
from pixelbench.published.figures import Figure
from pixelbench.published.verdicts import Verdict

#: What makes a cell in a frame that does not say which runs differ in nothing but the seed.
_CELL_COLUMNS = ["task", "variant", "family", "levels", "budget", "updates", "expect"]
_NEEDED = (*_CELL_COLUMNS, "seed", "status", "bits_per_dim", "nats_per_image", "estimator", "n_images", "causal")
#: Columns that hold a whole number in every row, and those that hold a number or none.
_WHOLE = ("seed", "updates")
_MEASURED = ("bits_per_dim", "nats_per_image", "n_images")
_ENDLESS = (math.inf, -math.inf)


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
        UserError: a column is missing, or does not hold numbers where it must.
    """
    lacking = [name for name in _NEEDED if name not in frame]
    if lacking:
        raise UserError(f"The frame has no column '{lacking[0]}'; compare_with_published takes what load_results returns.")
    frame, known = _with_numbers(frame), known or Known()
    rows: list[dict[str, Any]] = []
    for _, group in frame.groupby(["cell"] if "cell" in frame else _CELL_COLUMNS, sort=False, dropna=False):
        runs = [_plain(row) for row in group.to_dict("records")]
        about = {name: runs[0][name] for name in ("task", "variant", "budget", "updates")} | {"seeds": len({run["seed"] for run in runs})}
        rows += [about | _as_row(*one) for one in judged(runs, known, lambda row: [])]
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


def _with_numbers(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with numbers where numbers must be, also where a file gave them as texts."""
    found = frame.copy()
    for name in (*_WHOLE, *_MEASURED):
        try:
            found[name] = pd.to_numeric(found[name])
        except (ValueError, TypeError) as error:
            raise UserError(f"The frame's column '{name}' does not hold numbers ({error}).") from None
    for name in _WHOLE:
        if not all(value % 1 == 0 for value in found[name]):  # nan among them, which is not equal to itself
            raise UserError(f"The frame's column '{name}' must hold a whole number in every row.")
        found[name] = found[name].astype("int64")
    return found


def _plain(row: dict[Any, Any]) -> dict[str, Any]:
    """None for what the frame calls missing, and for what is no finite number."""
    return {str(name): None if pd.isna(value) or value in _ENDLESS else value for name, value in row.items()}


def _as_row(figure: Figure | None, verdict: Verdict | None, measured: Measured) -> dict[str, Any]:
    row: dict[str, Any] = {"measured": mean_of(measured), "unit": measured.unit, "n": len(measured.values)}
    row |= {"verdict": "", "suspicious": False, "sentence": ""}
    if figure is not None:
        row |= {name: getattr(figure, name) for name in ("unit", "kind", "paper", "locator", "band")}
        row |= {"figure": figure.id, "published": figure.value}
    if verdict is not None:
        low, high = verdict.interval or (None, None)
        row |= {"low": low, "high": high, "difference": verdict.difference}
        row |= {"verdict": verdict.name, "suspicious": verdict.suspicious, "sentence": verdict.sentence}
    return row

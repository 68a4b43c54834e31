"""The tidy table as a CSV or Parquet file; of CSV, no spreadsheet takes a text for a formula and no terminal for a command."""

import io
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pandas as pd

from pixelbench.errors import UserError
from pixelbench.files.atomic import write_bytes, write_text
from pixelbench.store.frame import columns, results_frame
from pixelbench.store.scan import scan
from pixelbench.visible import visible

#: What begins a formula, also in full width, at the start of a text or of what a spreadsheet with other separators takes for a cell.
_FORMULA = re.compile(r"(^|[,;|\t\r\n])(\s*)(?=[=+\-@\uff1d\uff0b\uff0d\uff20])")


def write_csv(store: Path, path: Path, keys: Collection[str] | None = None) -> None:
    """One row a run of the store, or of those of `keys`; columns as `load_results` gives them.

    Numbers are as they are. A text that a spreadsheet would compute has an apostrophe before it, which says there that it is text.
    """
    frame = _frame(store, keys)
    texts = [name for name, kind in columns().items() if kind == "object"]
    shown = frame.assign(**{name: [_shown(value) for value in frame[name]] for name in texts})
    write_text(path, shown.to_csv(index=False, lineterminator="\n"))


def write_parquet(store: Path, path: Path, keys: Collection[str] | None = None) -> None:
    """The same table, types and all, for programs.

    Raises:
        UserError: pyarrow is not installed.
    """
    content = io.BytesIO()
    try:
        _frame(store, keys).to_parquet(content, index=False)
    except ImportError:
        raise UserError('Parquet needs pyarrow: `pip install "pixelbench[parquet]"`, or take --format csv.') from None
    write_bytes(path, content.getvalue())


def _frame(store: Path, keys: Collection[str] | None) -> pd.DataFrame:
    frame = results_frame(scan(store).examine(keys))
    return frame if keys is None else frame.loc[frame["run_key"].isin(list(keys))]


def _shown(value: Any) -> Any:
    """A text as it is to be read; None stays an empty cell."""
    if value is None or value is pd.NA:
        return None
    return _FORMULA.sub(r"\1\2'", visible(str(value)))

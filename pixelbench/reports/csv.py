"""The tidy table as a CSV file, whose text no spreadsheet takes for a formula and no terminal for a command."""

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pandas as pd

from pixelbench.files.atomic import write_text
from pixelbench.store.frame import columns, results_frame
from pixelbench.store.scan import scan
from pixelbench.visible import visible

#: What begins a formula, also in full width, at the start of a text or of what a spreadsheet with other separators takes for a cell.
_FORMULA = re.compile(r"(^|[,;|\t\r\n])(\s*)(?=[=+\-@\uff1d\uff0b\uff0d\uff20])")


def write_csv(store: Path, path: Path, keys: Collection[str] | None = None) -> None:
    """One row a run of the store, or of those of `keys`; columns as `load_results` gives them.

    Numbers are as they are. A text that a spreadsheet would compute has an apostrophe before it, which says there that it is text.
    """
    frame = results_frame(scan(store).examine(keys))
    if keys is not None:
        frame = frame.loc[frame["run_key"].isin(list(keys))]
    texts = [name for name, kind in columns().items() if kind == "object"]
    shown = frame.assign(**{name: [_shown(value) for value in frame[name]] for name in texts})
    write_text(path, shown.to_csv(index=False, lineterminator="\n"))


def _shown(value: Any) -> Any:
    """A text as it is to be read; None stays an empty cell."""
    if value is None or value is pd.NA:
        return None
    return _FORMULA.sub(r"\1\2'", visible(str(value)))

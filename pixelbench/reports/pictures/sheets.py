"""The sheets that `pixelbench sheet` left in a store: where they lie, and whether a page may show one."""

import os
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from pixelbench.evaluation.sheets import DESCRIPTION, RUNS, texts_of
from pixelbench.reports import escape
from pixelbench.reports.pictures.gallery import FILES
from pixelbench.store.artifacts import WEIGHTS
from pixelbench.store.cells import Cell

#: Of the picture; the description stands beside it.
ALT = "Strips of real images and samples"


@dataclass(frozen=True)
class StoredSheet:
    """A sheet: `drawing` is the animation beside it, where there is one."""

    path: Path
    description: str
    drawing: Path | None


def sheet_file(task: str) -> str:
    """Where a task's sheet lies in its store."""
    return f"{FILES}/sheet-{escape.file_name(task)}.png"


def drawing_file(task: str) -> str:
    """Where the animation of its best model lies."""
    return f"{FILES}/drawing-{escape.file_name(task)}.webp"


def find_sheet(store: Path, task: str, cells: Collection[Cell]) -> StoredSheet | None:
    """A task's sheet; None where there is none, it is no sheet, or it shows a run that is not of these cells (gone, or not of the page).

    Its description says which of them were stored after it was drawn, so that nobody takes the best on it for the best there is.
    """
    texts, keys = texts_of(store / sheet_file(task)), {run.key for cell in cells for run in cell.runs}
    if texts is None or DESCRIPTION not in texts or not (shown := set(texts.get(RUNS, "").split())) <= keys:
        return None
    drawing, said = store / drawing_file(task), texts[DESCRIPTION]
    later = [cell.label for cell in cells if _to_be_drawn(cell) and not shown & {run.key for run in cell.runs} and not _named(cell, said)]
    said += f" Stored later, so not on it: {', '.join(later)}." if later else ""
    return StoredSheet(store / sheet_file(task), said, drawing if drawing.is_file() else None)


def _to_be_drawn(cell: Cell) -> bool:
    """Whether a sheet has a strip of it or says that it has no weights: all but what is counted, and image formats."""
    return bool(cell.scored) and (cell.trained or any(run.stored.artifact(WEIGHTS) for run in cell.scored))


def _named(cell: Cell, said: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(cell.label)}(?![\w-])", said) is not None


def sheet_parts(found: StoredSheet, beside: Path) -> list[str]:
    """The Markdown of a sheet for a page in the folder `beside`."""
    pictures = [f"![{ALT}]({_link(found.path, beside)})"]
    if found.drawing:
        pictures.append(f"![How the best model of this sheet draws, pixel after pixel]({_link(found.drawing, beside)})")
    return ["### Samples at a glance", escape.text(found.description), *pictures]


def _link(path: Path, beside: Path) -> str:
    return escape.link(Path(os.path.relpath(path, beside)).as_posix())

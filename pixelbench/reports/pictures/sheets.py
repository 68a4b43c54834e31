"""The sheets that `pixelbench sheet` left in a store: where they lie, and whether a page may show one."""

import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from pixelbench.evaluation.sheets import DESCRIPTION, RUNS, texts_of
from pixelbench.reports import escape
from pixelbench.reports.pictures.gallery import FILES

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


def find_sheet(store: Path, task: str, keys: Collection[str]) -> StoredSheet | None:
    """A task's sheet; None where there is none, it is no sheet, or it shows a run that is not among `keys` (gone, or not of the page)."""
    texts = texts_of(store / sheet_file(task))
    if texts is None or DESCRIPTION not in texts or not set(texts.get(RUNS, "").split()) <= set(keys):
        return None
    drawing = store / drawing_file(task)
    return StoredSheet(store / sheet_file(task), texts[DESCRIPTION], drawing if drawing.is_file() else None)


def sheet_parts(found: StoredSheet, beside: Path) -> list[str]:
    """The Markdown of a sheet for a page in the folder `beside`."""
    pictures = [f"![{ALT}]({_link(found.path, beside)})"]
    if found.drawing:
        pictures.append(f"![How the best model of this sheet draws, pixel after pixel]({_link(found.drawing, beside)})")
    return ["### Samples at a glance", escape.text(found.description), *pictures]


def _link(path: Path, beside: Path) -> str:
    return escape.link(Path(os.path.relpath(path, beside)).as_posix())

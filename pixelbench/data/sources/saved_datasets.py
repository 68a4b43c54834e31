"""A folder that `save_to_disk` of the package `datasets` wrote → arrays by name: images or codes, and labels where there are any.

Such a folder holds Arrow tables and JSON; nothing in it is executed, and nothing is fetched.
"""

import importlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from pixelbench.errors import UserError, first_line

#: One of these is there: of several splits, of one table.
_MARKS = ("dataset_dict.json", "state.json")
_IMAGES, _LABELS = ("image", "images", "img", "codes"), ("label", "labels")
_MODES = ("1", "L", "RGB")
#: Other names of the second split.
_VALIDATION = ("valid", "val", "dev")


def is_saved(folder: Path) -> bool:
    """Whether `save_to_disk` wrote it."""
    return any((folder / mark).is_file() for mark in _MARKS)


def saved_files(folder: Path) -> list[Path]:
    """What decides its contents."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def saved_arrays(folder: Path) -> dict[str, np.ndarray]:
    """`train`, `validation`, `test` and their `…_labels`, by the names of its splits; of one table `images` and `labels`.

    Raises:
        UserError: the extra is not installed, or the folder is damaged or holds no such column.
    """
    found = _loaded(folder)
    if not hasattr(found, "column_names") or isinstance(found.column_names, dict):  # splits by name
        arrays: dict[str, np.ndarray] = {}
        for name, table in found.items():
            images, labels = _columns(folder, table)
            split = "validation" if name in _VALIDATION else str(name)
            arrays |= {split: images} | ({} if labels is None else {f"{split}_labels": labels})
        return arrays
    images, labels = _columns(folder, found)
    return {"images": images} | ({} if labels is None else {"labels": labels})


def _loaded(folder: Path) -> Any:
    try:
        with warnings.catch_warnings(action="ignore"):
            datasets: Any = importlib.import_module("datasets")
    except ImportError as error:
        said = f"'{folder}' is a folder of saved `datasets`, a package that is not installed"
        raise UserError(f'{said}; install it with `pip install "pixelbench[huggingface]"`.') from error
    try:
        with warnings.catch_warnings(action="ignore"):
            return datasets.load_from_disk(str(folder))
    except Exception as error:  # whatever Arrow says of a damaged file
        raise UserError(f"'{folder}' cannot be read as saved datasets: {first_line(error)}.") from error


def _columns(folder: Path, table: Any) -> tuple[np.ndarray, np.ndarray | None]:
    there = table.column_names
    image, label = (next((name for name in names if name in there), None) for names in (_IMAGES, _LABELS))
    if image is None:
        raise UserError(f"'{folder}' has columns {', '.join(there)}; images stand in one called {' or '.join(_IMAGES)}.")
    found = list(_values(folder, table, image))
    if shapes := sorted({one.shape for one in found[1:]} - {found[0].shape}):
        raise UserError(f"'{folder}' holds images of {found[0].shape} and {shapes[0]}; a task has images of one size.")
    return np.stack(found), None if label is None else np.asarray(table[label][:])


def _values(folder: Path, table: Any, column: str) -> Iterator[np.ndarray]:
    """Pictures as (C, H, W) or (H, W), anything else as it is."""
    if not len(table):
        raise UserError(f"'{folder}' holds a table without rows.")
    try:
        for value in table.select_columns([column]):
            one = value[column]
            mode = getattr(one, "mode", None)
            if mode is not None and mode not in _MODES:
                raise UserError(f"'{folder}' holds pictures of mode {mode}; convert them to 'L' or 'RGB' before saving.")
            array = np.asarray(one)
            yield array.transpose(2, 0, 1) if mode == "RGB" else array
    except (ValueError, OSError, ImportError) as error:
        raise UserError(f"'{folder}': column '{column}' cannot be read: {first_line(error)}.") from error

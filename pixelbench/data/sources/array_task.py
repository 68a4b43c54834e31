"""Tasks made of an array of integers in a file: `array:PATH`, for codes of a VQ-VAE, masks, sprites, or any other discrete images.

The file is a `.npy`, a `.npz` (one array, or `train`, `validation` and `test`, and `labels` where there are classes), a `.pt` with a
tensor, or a folder that `save_to_disk` of the package `datasets` wrote. What it cannot say stands in a TOML file beside it,
`codes.npy.toml`: `levels`, `split` (three shares) with `seed`, or `train`, `validation` and `test` as lists of rows. Records call it
`array-codes`; where such files lie is said by the environment, which workers inherit.
"""

import json
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import ConfigDict, TypeAdapter, ValidationError

from pixelbench.data.sources.saved_datasets import is_saved, saved_arrays, saved_files
from pixelbench.data.task import Split, Task, TaskData, data_digest
from pixelbench.errors import UserError, first_line, shortened
from pixelbench.levels import MOST_LEVELS, integers_for

PREFIX = "array:"
FILES = "PIXELBENCH_ARRAYS"
_NAMED = "array-"
#: Splits that the file itself gives, in words.
_GIVEN = {"given": "as the file gives them", "validation of train": "as the file gives them, validation a share of its training images"}
_SPLITS: tuple[Literal["train", "validation", "test"], ...] = ("train", "validation", "test")


@dataclass(frozen=True)
class Beside:
    """What the TOML file beside an array says."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)

    levels: int | None = None
    """Values of a sub-pixel; by default the largest one and 1."""
    split: tuple[float, float, float] = (0.8, 0.1, 0.1)
    """Shares of train, validation and test, of rows in an order that the seed decides."""
    seed: int = 0
    train: tuple[int, ...] | None = None
    """Rows, instead of shares; all three or none."""
    validation: tuple[int, ...] | None = None
    test: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if min(self.split) <= 0 or abs(sum(self.split) - 1) > 1e-9:
            raise ValueError(f"split must be three shares above 0 that sum to 1, got {list(self.split)}")
        given = [name for name in _SPLITS if getattr(self, name) is not None]
        if given and len(given) < len(_SPLITS):
            raise ValueError(f"train, validation and test belong together, got {' and '.join(given)}")
        rows = [row for name in given for row in getattr(self, name)]
        if len(set(rows)) < len(rows):
            raise ValueError("a row stands twice in train, validation and test")


def array_task(path: Path) -> Task:
    """The images of a file.

    Raises:
        UserError: there is no such file, it holds something else than integers, or what stands beside it does not fit.
    """
    if "\0" in str(path):
        raise UserError("array: no file's name holds a zero byte.")
    file = Path(os.path.abspath(os.path.expanduser(path)))
    if file.is_dir() and not is_saved(file):
        said = "is no folder that `datasets.save_to_disk` wrote; pictures are a task as folder:PATH"
        raise UserError(f"'{shortened(str(path), 200)}' {said}.")
    if not file.exists():
        raise UserError(f"There is no file '{shortened(str(path), 200)}' for {PREFIX}PATH.")
    _remember(file)
    beside = file.with_name(f"{file.name}.toml")
    parts = saved_files(file) if file.is_dir() else [file]
    stamps = tuple(one.stat().st_mtime_ns if one.is_file() else 0 for one in (*parts, beside))
    return _task(file, beside, stamps)


def known_array(name: str) -> Task | None:
    """The task that a record calls `array-codes`, of the files that were named in this process or in the environment; else None."""
    if not name.startswith(_NAMED):
        return None
    found = next((file for file in _files() if _record_name(file) == name and file.exists()), None)
    if found is None:
        raise UserError(f"Where the array of task '{shortened(name, 80)}' lies is not known here; name its file in {FILES}.")
    return array_task(found)


def _files() -> list[Path]:
    return [Path(part) for part in os.environ.get(FILES, "").split(os.pathsep) if part]


def _remember(file: Path) -> None:
    others = [str(one) for one in _files() if one != file]
    os.environ[FILES] = os.pathsep.join([str(file), *others])


def _record_name(file: Path) -> str:
    return _NAMED + (re.sub(r"[^A-Za-z0-9._-]+", "-", file.stem)[:60].strip("-.") or "codes")


@cache
def _task(file: Path, beside: Path, stamps: tuple[int, ...]) -> Task:
    said = _beside(beside)
    data, levels, counted = _data(file, said)
    channels, height, width = data.train.images.shape[1:]
    labels = data.train.labels
    given = _GIVEN.get(counted) or ("by rows that are listed" if said.train else None)
    return Task(
        name=_record_name(file),
        title=f"Array '{file.stem}' {height}x{width}{f'x{channels}' if channels > 1 else ''}, {levels} levels",
        channels=channels,
        height=height,
        width=width,
        levels=levels,
        digest=data_digest(data),
        preprocessing=f"Integers 0 to {levels - 1} as the file holds them.",
        split_rule=f"Train, validation and test {given or f'in shares of {list(said.split)}, of rows shuffled with seed {said.seed}'}.",
        source="An array of the user's own; not shipped.",
        builder=lambda: data,
        sizes=(len(data.train), len(data.validation), len(data.test)),
        classes=0 if labels is None else int(max(split.labels.max() for split in data.splits().values() if split.labels is not None)) + 1,
        missing=lambda: None if file.exists() else f"The file '{file}' is gone.",
    )


def _beside(path: Path) -> Beside:
    if not path.is_file():
        return Beside()
    try:
        return TypeAdapter(Beside).validate_json(json.dumps(tomllib.loads(path.read_text(encoding="utf-8")), default=str))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"'{path}' cannot be read as TOML: {first_line(error)}.") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise UserError(f"'{path}': {where + ': ' if where else ''}{first['msg'].removeprefix('Value error, ')}.") from error


def _data(file: Path, said: Beside) -> tuple[TaskData, int, str]:
    """The splits, their levels, and whether the file gave the splits itself."""
    arrays = _arrays(file)
    if set(_SPLITS) <= set(arrays):
        images = {name: _images(file, arrays[name]) for name in _SPLITS}
        labels: dict[str, np.ndarray | None] = {name: arrays.get(f"{name}_labels") for name in _SPLITS}
        how = "given"
    elif {"train", "test"} <= set(arrays):
        images, labels = _with_validation(file, arrays, said)
        how = "validation of train"
    else:
        whole, classes = _only_array(file, arrays), arrays.get("labels")
        images, labels, how = {}, {}, "split"
        for name, rows in _rows(file, len(whole), said).items():
            images[name] = whole[rows]
            labels[name] = None if classes is None else classes[rows]
    levels = _levels(file, images, said.levels)
    kind = np.dtype(integers_for(levels))
    parts = [_split(images[name].astype(kind), labels[name]) for name in _SPLITS]
    return TaskData(*parts), levels, how


def _with_validation(
    file: Path, arrays: Mapping[str, np.ndarray], said: Beside
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray | None]]:
    """Splits of a file that gives train and test alone: validation is a share of the training rows, in an order that the seed decides."""
    if said.train is not None:
        raise UserError(f"'{file}' has splits of its own, train and test; leave the rows out of '{file.name}.toml'.")
    whole, classes = _images(file, arrays["train"]), arrays.get("train_labels")
    held = max(1, round(len(whole) * said.split[1] / (said.split[0] + said.split[1])))
    if held >= len(whole):
        raise UserError(f"'{file}' holds {len(whole)} training images, too few for train and validation.")
    order = np.random.RandomState(said.seed).permutation(len(whole))
    rows = {"train": order[held:], "validation": order[:held]}
    images = {name: whole[chosen] for name, chosen in rows.items()} | {"test": _images(file, arrays["test"])}
    labels = {name: None if classes is None else classes[chosen] for name, chosen in rows.items()}
    return images, labels | {"test": arrays.get("test_labels")}


def _split(images: np.ndarray, labels: np.ndarray | None) -> Split:
    """Each image is a unit of its own."""
    return Split(np.ascontiguousarray(images), np.arange(len(images), dtype=np.int64), None if labels is None else labels.astype(np.int64))


def _rows(file: Path, count: int, said: Beside) -> dict[str, np.ndarray]:
    if said.train is not None:
        listed = {name: np.array(getattr(said, name), dtype=np.int64) for name in _SPLITS}
        for name, rows in listed.items():
            if not len(rows) or rows.min() < 0 or rows.max() >= count:
                raise UserError(f"'{file}.toml': {name} must list rows from 0 to {count - 1}, at least one.")
        return listed
    order = np.random.RandomState(said.seed).permutation(count)  # numpy keeps its numbers from version to version
    held = [max(1, round(share * count)) for share in said.split[1:]]
    if count - sum(held) < 1:
        raise UserError(f"'{file}' holds {count} images, too few for train, validation and test.")
    first = count - sum(held)
    return dict(zip(_SPLITS, np.split(order, [first, first + held[0]]), strict=True))


def _levels(file: Path, images: Mapping[str, np.ndarray], stated: int | None) -> int:
    low, high = min(int(part.min()) for part in images.values()), max(int(part.max()) for part in images.values())
    if low < 0:
        raise UserError(f"'{file}' holds values from {low} to {high}; levels are counted from 0.")
    levels = stated if stated is not None else high + 1
    if low == high and stated is None:
        raise UserError(f"'{file}' holds nothing but {low}, so there is nothing to predict.")
    if high >= levels:
        raise UserError(f"'{file}' holds values up to {high}, and '{file.name}.toml' says levels = {levels}.")
    if not 2 <= levels <= MOST_LEVELS:
        raise UserError(f"'{file}' has {levels:,} levels, and images have 2 to {MOST_LEVELS:,}.")
    return levels


def _only_array(file: Path, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    named = [name for name in arrays if name != "labels"]
    if len(named) != 1:
        found = ", ".join(sorted(arrays)) or "none"
        raise UserError(f"'{file}' must hold one array of images, or train, validation and test; it holds {found}.")
    return _images(file, arrays[named[0]])


def _images(file: Path, array: np.ndarray) -> np.ndarray:
    """(N, C, H, W) integers."""
    if array.dtype == bool:
        array = array.astype(np.uint8)
    if array.dtype.kind not in "iu":
        raise UserError(f"'{file}' holds {array.dtype}; images are integers from 0 on, such as (x * 255).round().astype('uint8').")
    if array.ndim == 3:
        array = array[:, None]
    if array.ndim != 4 or not array.size:
        raise UserError(f"'{file}' has shape {array.shape}; expected images as (N, C, H, W) or (N, H, W).")
    return array


def _arrays(file: Path) -> dict[str, np.ndarray]:
    """By name; of a file with one array its name is the file's."""
    if file.is_dir():
        return saved_arrays(file)
    try:
        if file.suffix == ".npy":
            return {file.stem: np.load(file, allow_pickle=False)}
        if file.suffix == ".npz":
            with np.load(file, allow_pickle=False) as found:
                return {name: found[name] for name in found.files}
        if file.suffix in (".pt", ".pth"):
            return _tensors(file)
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"'{file}' cannot be read as an array: {first_line(error)}.") from error
    raise UserError(f"'{file}' is none of .npy, .npz and .pt, nor a folder of saved datasets.")


def _tensors(file: Path) -> dict[str, np.ndarray]:
    import pickle

    import torch

    try:
        found = torch.load(file, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError) as error:
        raise UserError(f"'{file}' holds more than tensors, or is damaged, so it is not loaded: {first_line(error)}.") from error
    tensors = found if isinstance(found, Mapping) else {file.stem: found}
    return {str(name): value.numpy() for name, value in tensors.items() if isinstance(value, torch.Tensor)}

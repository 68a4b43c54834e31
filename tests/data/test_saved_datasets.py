"""Folders of Hugging Face's `save_to_disk` as tasks."""

import importlib
import sys
import warnings
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pixelbench.data import get_task
from pixelbench.errors import UserError

needed = pytest.mark.skipif(find_spec("datasets") is None, reason="the extra `huggingface` is not installed")


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PIXELBENCH_ARRAYS", "")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))


def pictures(count: int, colour: bool = False, seed: int = 0) -> list[np.ndarray]:
    shape = (count, 4, 5, 3) if colour else (count, 4, 5)
    return list(np.random.RandomState(seed).randint(0, 256, shape).astype(np.uint8))


def save(folder: Path, **splits: Mapping[str, Any]) -> Path:
    """A table where the only split is called `whole`."""
    with warnings.catch_warnings(action="ignore"):
        datasets: Any = importlib.import_module("datasets")
        datasets.disable_progress_bars()
        tables = {name: datasets.Dataset.from_dict(dict(columns)) for name, columns in splits.items()}
        (tables["whole"] if "whole" in tables else datasets.DatasetDict(tables)).save_to_disk(str(folder / "saved"))
    return folder / "saved"


def refused(folder: Path) -> str:
    with pytest.raises(UserError) as raised:
        get_task(f"array:{folder}")
    return str(raised.value)


@needed
def test_splits_keep_their_names_and_pictures_their_values(tmp_path: Path) -> None:
    parts = {name: pictures(count, colour=True, seed=count) for name, count in (("train", 5), ("valid", 2), ("test", 3))}
    tables = {
        name: {"image": [Image.fromarray(one) for one in part], "label": [0, 1, 2, 1, 0][: len(part)]} for name, part in parts.items()
    }
    task = get_task(f"array:{save(tmp_path, **tables)}")
    assert (task.name, task.shape, task.levels, task.sizes, task.classes) == ("array-saved", (3, 4, 5), 256, (5, 2, 3), 3)
    data = task.load()
    assert np.array_equal(data.test.images, np.stack(parts["test"]).transpose(0, 3, 1, 2))
    assert data.test.labels is not None
    assert data.test.labels.tolist() == [0, 1, 2]
    assert get_task("array-saved").digest == task.digest  # as a record calls it
    assert "as the file gives them" in task.split_rule


@needed
def test_one_table_is_split_by_shares_and_a_file_beside_it(tmp_path: Path) -> None:
    codes = np.random.RandomState(0).randint(0, 9, (20, 3, 2))
    codes[0, 0, 0] = 8
    folder = save(tmp_path, whole={"codes": codes.tolist()})
    first = get_task(f"array:{folder}")
    assert (first.shape, first.levels, first.sizes, first.classes) == ((1, 3, 2), 9, (16, 2, 2), 0)
    (tmp_path / "saved.toml").write_text("levels = 16\nseed = 3\n")
    other = get_task(f"array:{folder}")
    assert (other.levels, other.digest == first.digest) == (16, False)


@needed
def test_validation_is_taken_from_train_where_there_is_none(tmp_path: Path) -> None:
    train, test = pictures(18, seed=1), pictures(4, seed=2)
    task = get_task(
        f"array:{save(tmp_path, train={'image': list(map(Image.fromarray, train))}, test={'image': list(map(Image.fromarray, test))})}"
    )
    data = task.load()
    assert task.sizes == (16, 2, 4)
    assert np.array_equal(data.test.images[:, 0], np.stack(test))
    rows = np.concatenate([data.train.images, data.validation.images])[:, 0]
    assert sorted(one.tobytes() for one in rows) == sorted(one.tobytes() for one in train)
    assert "validation a share of its training images" in task.split_rule


@needed
@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"text": ["a", "b", "c"]}, "has columns text; images stand in one called image or images or img or codes"),
        ({"codes": [[[1, 2]], [[1, 2], [3, 4]], [[0, 0]]]}, "a task has images of one size"),
        ({"codes": [[[0.5, 0.1]], [[0.2, 0.1]], [[0.0, 0.3]]]}, "images are integers from 0 on"),
        ({"image": [Image.new("RGBA", (3, 2))] * 3}, "pictures of mode RGBA; convert them"),
    ],
)
def test_what_cannot_be_a_task_is_one_sentence(tmp_path: Path, columns: dict[str, Any], said: str) -> None:
    assert said in refused(save(tmp_path, whole=columns))


@needed
def test_a_damaged_folder_is_one_sentence(tmp_path: Path) -> None:
    folder = save(tmp_path, whole={"codes": [[[0, 1]]] * 4})
    next(folder.glob("*.arrow")).write_bytes(b"nothing")
    assert "cannot be read as saved datasets" in refused(folder)


def test_a_folder_of_something_else_is_told_from_one(tmp_path: Path) -> None:
    assert "is no folder that `datasets.save_to_disk` wrote" in refused(tmp_path)


def test_a_missing_extra_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "state.json").write_text("{}")
    monkeypatch.setitem(sys.modules, "datasets", None)
    assert 'install it with `pip install "pixelbench[huggingface]"`' in refused(tmp_path)

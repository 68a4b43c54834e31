"""Arrays of integers as tasks: what a file may hold, how it is split, and what is said of one that cannot be used."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixelbench.data import get_task
from pixelbench.errors import UserError


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIXELBENCH_ARRAYS", "")


def codes(count: int = 40, levels: int = 512) -> np.ndarray:
    found = np.random.RandomState(0).randint(0, levels, (count, 4, 5))
    found[0, 0, 0], found[1, 0, 0] = 0, levels - 1
    return found


def write(folder: Path, array: Any, name: str = "codes.npy", beside: str | None = None) -> Path:
    path = folder / name
    np.save(path, array)
    if beside is not None:
        (folder / f"{name}.toml").write_text(beside)
    return path


def test_an_array_is_split_and_its_levels_are_found(tmp_path: Path) -> None:
    task = get_task(f"array:{write(tmp_path, codes())}")
    assert (task.name, task.shape, task.levels, task.sizes) == ("array-codes", (1, 4, 5), 512, (32, 4, 4))
    data = task.load()
    assert data.train.images.dtype == np.int16
    rows = np.concatenate([split.images[:, 0] for split in data.splits().values()])
    assert sorted(map(bytes, rows.astype(np.int64))) == sorted(map(bytes, codes().astype(np.int64)))
    assert get_task("array-codes").digest == task.digest  # as a record calls it


def test_another_seed_is_another_split_and_the_file_is_the_same(tmp_path: Path) -> None:
    path = write(tmp_path, codes())
    first = get_task(f"array:{path}").digest
    (tmp_path / "codes.npy.toml").write_text("seed = 1\nlevels = 600\n")
    other = get_task(f"array:{path}")
    assert other.digest != first
    assert other.levels == 600


def test_listed_rows_are_the_splits(tmp_path: Path) -> None:
    path = write(tmp_path, codes(6), beside="train = [5, 0, 1]\nvalidation = [2]\ntest = [4, 3]\n")
    data = get_task(f"array:{path}").load()
    assert (data.test.images[:, 0] == codes(6)[[4, 3]]).all()


def test_an_archive_gives_splits_and_labels(tmp_path: Path) -> None:
    parts = {"train": codes(8, 4), "validation": codes(4, 4), "test": codes(4, 4)}
    arrays: dict[str, Any] = {**parts, **{f"{name}_labels": np.arange(len(part)) % 3 for name, part in parts.items()}}
    np.savez(tmp_path / "a.npz", **arrays)
    task = get_task(f"array:{tmp_path / 'a.npz'}")
    assert (task.sizes, task.classes, task.levels) == ((8, 4, 4), 3, 4)


def test_a_tensor_and_truth_values(tmp_path: Path) -> None:
    import torch

    torch.save(torch.from_numpy(codes(20, 7)), tmp_path / "t.pt")
    assert get_task(f"array:{tmp_path / 't.pt'}").levels == 7
    assert get_task(f"array:{write(tmp_path, codes(20, 2).astype(bool), 'mask.npy')}").levels == 2


@pytest.mark.parametrize(
    ("array", "beside", "said"),
    [
        (np.zeros((9, 4, 4), np.float32), None, "holds float32"),
        (np.full((9, 4, 4), 3), None, "holds nothing but 3"),
        (np.full((9, 4, 4), -1), None, "counted from 0"),
        (codes()[0], None, "has shape (4, 5)"),
        (codes(2), None, "too few"),
        (codes(), "levels = 100", "holds values up to 511"),
        (codes(), "levels = 100000", "100,000 levels"),
        (codes(), "split = [0.5, 0.5, 0.5]", "sum to 1"),
        (codes(), "train = [1]", "belong together"),
        (codes(), "train = [1]\nvalidation = [1]\ntest = [2]", "stands twice"),
        (codes(), "train = [1]\nvalidation = [99]\ntest = [2]", "rows from 0 to 39"),
        (codes(), "levls = 3", "levls"),
        (codes(), "levels = ", "cannot be read as TOML"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(tmp_path: Path, array: np.ndarray, beside: str | None, said: str) -> None:
    with pytest.raises(UserError) as raised:
        get_task(f"array:{write(tmp_path, array, beside=beside)}")
    assert said in str(raised.value)


def test_a_pickle_in_a_file_is_not_executed(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "executed"),)

    np.save(tmp_path / "evil.npy", np.array([Evil()], dtype=object), allow_pickle=True)
    with pytest.raises(UserError):
        get_task(f"array:{tmp_path / 'evil.npy'}")
    assert not (tmp_path / "executed").exists()


def test_a_missing_file_and_an_unknown_record(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="There is no file"):
        get_task(f"array:{tmp_path / 'none.npy'}")
    with pytest.raises(UserError, match="PIXELBENCH_ARRAYS"):
        get_task("array-none")

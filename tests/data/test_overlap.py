"""Images of a folder that are in two splits, and files that are passed over: counted and said."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from pixelbench.data import Task, get_task
from pixelbench.data.prepare import arrays as prepare_arrays
from pixelbench.data.prepare.decoded import VARIABLE as CACHE
from pixelbench.data.prepare.overlap import fingerprint, overlap_of
from pixelbench.data.sources.folder_task import folder_task, preprocessing
from pixelbench.errors import UserError
from tests.support.image_files import forget, usual, write


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE, str(tmp_path / "cache"))
    forget()


def prepared(folder: Path, **accepted: bool) -> Task:
    forget()
    task = folder_task(folder)
    assert task.obtain is not None
    task.obtain(lambda step: None, **accepted)
    forget()
    return folder_task(folder)


def test_images_of_two_splits_are_refused_counted_and_named(tmp_path: Path) -> None:
    folder = usual(tmp_path / "birds", train=20, valid=4)
    for name in ("00", "02"):
        shutil.copy(folder / "train" / f"{name}.png", folder / "valid" / f"same-{name}.png")
    with pytest.raises(UserError) as caught:
        prepared(folder)
    said = str(caught.value)
    assert "2 of the 6 test images (the first: valid/same-00.png is train/00.png) are in an earlier split too" in said
    assert f"`pixelbench fetch folder:{folder} --allow-overlap`" in said
    assert "\n" not in said
    assert folder_task(folder).missing() is not None


def test_accepted_ones_are_part_of_what_the_task_says_of_itself(tmp_path: Path) -> None:
    folder = usual(tmp_path / "birds", train=20, valid=4)
    alone = prepared(folder)
    shutil.copy(folder / "train" / "00.png", folder / "valid" / "same.png")
    task = prepared(folder, allow_overlap=True)
    assert "Images of test that are in train or validation too: 1." in task.preprocessing
    assert task.digest != alone.digest
    assert "that are in" not in alone.preprocessing
    assert task.missing() is None
    assert prepared(folder).preprocessing == task.preprocessing  # what was accepted is not asked again


def test_an_image_twice_in_train_is_in_validation_too(tmp_path: Path) -> None:
    """Number 1 of two becomes validation."""
    folder = usual(tmp_path / "birds", train=2, valid=2)
    shutil.copy(folder / "train" / "00.png", folder / "train" / "01.png")
    with pytest.raises(UserError, match=r"1 of the 1 validation images \(the first: train/01.png is train/00.png\) is in an earlier"):
        prepared(folder)
    assert "Images of validation that are in train too: 1." in prepared(folder, allow_overlap=True).preprocessing


def test_the_same_image_twice_in_one_split_is_no_overlap(tmp_path: Path) -> None:
    """Nor are the same pixels in another order, or of another file format the same bytes."""
    folder = usual(tmp_path / "birds", train=20, valid=4)
    shutil.copy(folder / "valid" / "00.png", folder / "valid" / "again.png")
    shutil.copy(folder / "train" / "06.png", folder / "train" / "04.png")
    assert prepared(folder).sizes == (18, 2, 5)


def test_another_file_of_the_same_pixels_is_the_same_image(tmp_path: Path) -> None:
    from PIL import Image

    folder = usual(tmp_path / "birds", train=20, valid=4)
    with Image.open(folder / "train" / "03.png") as image:
        image.save(folder / "valid" / "other.bmp")
    with pytest.raises(UserError, match=r"valid/other\.bmp is train/03\.png"):
        prepared(folder)


def test_files_of_no_use_are_in_no_split(tmp_path: Path) -> None:
    """Two damaged files are not one image; and what is left is counted by its own place."""
    folder = usual(tmp_path / "birds", train=20, valid=4)
    for name in ("train/00.png", "train/07.png", "valid/00.png"):
        (folder / name).write_bytes(b"no image")
    assert prepared(folder, skip_damaged=True).sizes == (16, 2, 3)
    shutil.copy(folder / "train" / "09.png", folder / "valid" / "03.png")
    with pytest.raises(UserError, match=r"valid/03\.png is train/09\.png.*--skip-damaged --allow-overlap`"):
        prepared(folder, skip_damaged=True)


def test_many_processes_count_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare_arrays, "CHUNK_FILES", 4)
    folder = usual(tmp_path / "birds", train=20, valid=9)
    for number in range(3):
        shutil.copy(folder / "train" / f"1{number}.png", folder / "valid" / f"0{number}.png")
    assert "that are in train or validation too: 3." in prepared(folder, allow_overlap=True).preprocessing


def test_counts_of_each_split() -> None:
    prints = {"train": np.array([1, 2, 2, 3], np.uint64), "validation": np.array([3, 9], np.uint64), "test": np.array([9, 1, 5], np.uint64)}
    names = {"train": ["a", "b", "c", "d"], "validation": ["e", "f"], "test": ["g", "h", "i"]}
    found = overlap_of(prints, names)
    assert found.counts == {"validation": 1, "test": 2}
    assert found.first == {"validation": ("e", "d"), "test": ("g", "f")}
    assert overlap_of(prints | {"validation": prints["test"][2:], "test": np.zeros(0, np.uint64)}, names).counts == {}
    image = np.arange(12, dtype=np.uint8).reshape(1, 3, 4)
    assert fingerprint(image) == fingerprint(image.copy()) != fingerprint(image[:, ::-1])


def test_files_that_are_passed_over_are_counted_and_named(tmp_path: Path) -> None:
    folder = usual(tmp_path / "birds")
    assert prepared(folder).remarks == ()
    for name in ("train/a.tiff", "train/b.GIF", "train/._00.png", "valid/notes.txt"):
        (folder / name).write_bytes(b"x")
    task = prepared(folder)
    assert task.missing() is None
    write(folder, "train/99.png")
    task = prepared(folder)
    assert len(task.remarks) == 1
    assert f"Passed over in '{folder}', where only .png, .jpg, .jpeg, .webp, .bmp are read: 4 (train/._00.png," in task.remarks[0]
    assert "notes.txt" not in task.preprocessing
    for number in range(30):
        (folder / "train" / f"{number}.tiff").write_bytes(b"x")
    write(folder, "train/98.png")
    assert prepared(folder).remarks[0].endswith(" and 24 more).")


def test_published_sets_say_nothing_of_it() -> None:
    assert get_task("cifar10").remarks == ()
    assert preprocessing(False, 3, None).endswith("(no colour profile, gamma or rotation applied).")

"""Image folders as tasks: what the layout is, how the splits come of it, and one sentence for each way in which it can be wrong."""

import os
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from pixelbench.data.folder import VARIABLE as DATA
from pixelbench.data.prepare.decoded import VARIABLE as CACHE
from pixelbench.data.prepare.listing import printable, survey
from pixelbench.data.prepare.splits import spaced, split_names
from pixelbench.data.sources.folder_task import folder_task, imagenet_task, prepared_task
from pixelbench.data.task import Task, data_digest
from pixelbench.errors import UserError
from tests.support.image_files import forget, numbered, pixels, usual, write

pytestmark = pytest.mark.quick


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where arrays are kept: the test's own folder, which is the data folder too."""
    monkeypatch.setenv(DATA, str(tmp_path))
    monkeypatch.setenv(CACHE, str(tmp_path / "cache"))
    forget()
    return tmp_path / "cache"


def prepared(folder: Path) -> Task:
    obtain(folder_task(folder))
    forget()
    return folder_task(folder)


def obtain(task: Task, skip_damaged: bool = False) -> None:
    assert task.obtain is not None
    task.obtain(lambda step: None, skip_damaged=skip_damaged)


def refusal(folder: Path) -> str:
    with pytest.raises(UserError) as caught:
        folder_task(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_before_preparation_the_shape_is_known_and_nothing_else(tmp_path: Path) -> None:
    folder = usual(tmp_path / "birds of a feather")
    task = folder_task(folder)
    assert (task.name, task.shape, task.levels) == ("folder-birds-of-a-feather", (3, 3, 4), 256)
    assert (task.digest, task.sizes, task.mapped) == ("", None, True)
    command = f"pixelbench fetch 'folder:{folder}'"
    assert task.missing() == f"The images in '{folder}' are not prepared yet; say `{command}`."
    with pytest.raises(UserError, match="are not prepared yet"):
        task.load()


def test_the_home_folder_is_known_and_a_name_is_made_safe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name, safe in (("birds", "birds"), (".b(i)rds", "b-i-rds"), ("鳥", "images"), ("b" * 99, "b" * 60)):
        usual(tmp_path / name)
        assert folder_task(Path("~", name)).name == f"folder-{safe}"


def test_a_link_to_itself_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "birds").symlink_to("birds")
    assert refusal(tmp_path / "birds").startswith("There is no folder")


def test_without_a_test_folder_valid_is_test_and_validation_comes_out_of_train(tmp_path: Path) -> None:
    task = prepared(usual(tmp_path / "birds", train=30, valid=4))
    assert task.missing() is None
    assert task.sizes == (27, 3, 4)
    data = task.load()
    taken = [5, 15, 25]
    for split, names in (
        (data.train, numbered("train", [number for number in range(30) if number not in taken])),
        (data.validation, numbered("train", taken)),
        (data.test, numbered("valid", range(4))),
    ):
        np.testing.assert_array_equal(split.images, np.stack([pixels(name) for name in names]))
        assert split.labels is None
    assert [split.clusters.tolist() for split in data.splits().values()] == [[*range(27)], [27, 28, 29], [30, 31, 32, 33]]
    assert data_digest(data) == task.digest


def test_with_a_test_folder_the_three_are_as_they_are(tmp_path: Path) -> None:
    folder = usual(tmp_path / "birds", train=1, valid=2)
    write(folder, *numbered("test", range(3)))
    task = prepared(folder)
    assert task.sizes == (1, 2, 3)
    assert task.split_rule.startswith("The images in train/, valid/ and test/ are")
    np.testing.assert_array_equal(task.load().test.images[2], pixels("test/02.png"))


def test_validation_is_evenly_spaced_a_tenth_but_at_most_ten_thousand() -> None:
    for count, expected in ((2, 1), (19, 1), (20, 2), (99_999, 9_999), (100_000, 10_000), (1_000_000, 10_000)):
        names = split_names({"train": [str(number) for number in range(count)], "valid": ["v"]})
        assert (len(names["validation"]), len(names["train"])) == (expected, count - expected)
        assert not set(names["validation"]) & set(names["train"])
        gaps = np.diff([-1, *(int(name) for name in names["validation"])])[1:]
        assert gaps.size == 0 or gaps.max() - gaps.min() <= 1
    assert spaced(10, 10) == list(range(10))


def test_test_images_are_taken_from_each_sub_directory_in_turn() -> None:
    names = split_names({"train": ["t/a", "t/b"], "valid": ["v/a/1", "v/a/2", "v/a/3", "v/b/1"]})
    assert names["test"] == ["v/a/1", "v/b/1", "v/a/2", "v/a/3"]


def test_sub_directories_and_all_extensions_count_and_other_names_are_passed_over(tmp_path: Path) -> None:
    folder = tmp_path / "birds"
    write(folder, "train/a/1.png", "train/a/2.JPG", "train/3.jpeg", "train/b/4.webp", "train/b/5.Bmp", "valid/any name/1.png")
    for name in ("train/.hidden.png", "train/a/._1.png", "train/labels.csv", "valid/Thumbs.db", "train/.cache/x.png", "readme.png"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("no image")
    contents = survey(folder)
    assert contents.files == {"train": 5, "valid": 1}
    assert contents.ignored == 5  # what lies outside of the split folders is not looked at
    assert prepared(folder).sizes == (4, 1, 1)


def test_one_channel_only_if_all_files_looked_at_are_grey(tmp_path: Path) -> None:
    folder = tmp_path / "birds"
    write(folder, *numbered("train", range(4)), *numbered("valid", range(2)), mode="L")
    task = prepared(folder)
    assert task.shape == (1, 3, 4)
    np.testing.assert_array_equal(task.load().test.images[1], pixels("valid/01.png", "L"))
    other = tmp_path / "bees"
    write(other, *numbered("train", range(4)), *numbered("valid", range(2)), mode="L")
    write(other, "train/04.png")
    assert folder_task(other).shape == (3, 3, 4)


def test_the_most_common_size_is_the_shape(tmp_path: Path) -> None:
    folder = usual(tmp_path / "birds", train=3)
    write(folder, "train/00.png", size=(9, 9))
    assert folder_task(folder).shape == (3, 3, 4)


def test_each_wrong_layout_is_one_sentence(tmp_path: Path) -> None:
    folder = tmp_path / "birds"
    assert refusal(folder).startswith(f"There is no folder '{folder}'; expected is one with train/ and valid/")
    folder.write_text("")
    assert refusal(folder).startswith(f"'{folder}' is a file, not a folder with train/")
    folder.unlink()
    folder.mkdir()
    assert refusal(folder).startswith(f"'{folder}' has no train/; expected are train/ and valid/")
    (folder / "train").mkdir()
    (folder / "val").mkdir()
    assert refusal(folder).startswith(f"'{folder}' has no valid/ (is 'val' it? Rename it); expected")
    (folder / "val").rename(folder / "valid")
    assert refusal(folder).startswith(f"'{folder / 'train'}' holds no image; expected")
    write(folder, "train/1.png")
    assert refusal(folder).startswith(f"'{folder / 'valid'}' holds no image")
    write(folder, "valid/1.png")
    assert refusal(folder).startswith(f"'{folder / 'train'}' holds one image only; validation images are taken out of it")
    write(folder, "train/a/b/2.png")
    assert refusal(folder).startswith(f"'{folder / 'train/a/b'}' is nested too deep")


def test_a_folder_where_no_file_can_be_read_is_one_sentence(tmp_path: Path) -> None:
    folder = usual(tmp_path / "birds", train=2)
    for name in numbered("train", range(2)):
        (folder / name).write_text("no image")
    assert refusal(folder) == f"Of 2 files looked at in '{folder / 'train'}' none can be read as an image of 8 bits a channel."


def test_a_folder_among_the_prepared_arrays_is_refused(cache: Path) -> None:
    for folder in (cache, usual(cache / "birds")):
        assert refusal(folder).startswith(f"'{folder}' lies in '{cache}', where decoded images are kept")


def test_changed_new_and_lost_files_are_noticed_and_named(tmp_path: Path) -> None:
    folder = usual(tmp_path / "birds")
    task = prepared(folder)
    changes = (
        lambda: os.utime(folder / "train/03.png", ns=(0, 0)),
        lambda: write(folder, "train/02a.png"),
        lambda: (folder / "valid/00.png").unlink(),
    )
    for count, (change, first) in enumerate(zip(changes, ("train/03.png", "train/02a.png", "train/02a.png"), strict=True), 1):
        change()
        forget()
        said = f"The files in '{folder}' were changed since they were prepared ({count} of them; the first is '{first}')"
        assert task.missing() == f"{said}; say `pixelbench fetch folder:{folder}`."
    assert prepared(folder).missing() is None
    assert prepared(folder).sizes == (10, 1, 2)


def test_a_process_looks_at_a_folder_once(tmp_path: Path) -> None:
    folder = usual(tmp_path / "birds")
    task = prepared(folder)
    assert task.missing() is None
    (folder / "train/03.png").unlink()
    assert task.missing() is None
    forget()
    assert task.missing() is not None


def test_a_folder_that_is_gone_is_missing_but_its_name_still_stands_for_the_prepared_images(tmp_path: Path) -> None:
    folder = usual(tmp_path / "birds")
    task = prepared(folder)
    folder.rename(tmp_path / "elsewhere")
    forget()
    assert str(task.missing()).startswith(f"There is no folder '{folder}'")
    known = prepared_task("folder-birds")
    assert known is not None
    assert (known.missing(), known.obtain) == (None, None)
    told = [field.name for field in fields(Task) if field.name not in ("builder", "missing", "obtain")]
    assert [getattr(known, name) for name in told] == [getattr(task, name) for name in told]
    assert data_digest(known.load()) == task.digest


def test_of_several_folders_of_one_name_the_one_used_last_counts(tmp_path: Path) -> None:
    one, other = usual(tmp_path / "a" / "birds"), usual(tmp_path / "b" / "birds", train=20)
    first, second = prepared(one), prepared(other)
    assert first.digest != second.digest
    for folder, expected in ((one, first), (other, second)):
        folder_task(folder)
        known = prepared_task("folder-birds")
        assert known is not None
        assert known.digest == expected.digest
    assert prepared_task("folder-bees") is None
    assert prepared_task("folder-b") is None


def test_the_same_images_elsewhere_are_the_same_task(tmp_path: Path) -> None:
    """What goes into the run key names no path and no time."""
    tasks = [prepared(usual(tmp_path / where / "birds")) for where in "ab"]
    for field in ("name", "digest", "preprocessing", "shape"):
        assert getattr(tasks[0], field) == getattr(tasks[1], field)


def test_images_prepared_again_are_not_given_out_as_the_former_ones(tmp_path: Path) -> None:
    folder = usual(tmp_path / "birds")
    before = prepared(folder)
    write(folder, "train/03.png", mode="L")
    prepared(folder)
    with pytest.raises(UserError, match=r"prepared again in the meantime; start again\.$"):
        before.load()


def test_the_small_imagenet_is_listed_before_it_is_there(tmp_path: Path) -> None:
    task = imagenet_task(32)
    assert (task.name, task.shape, task.digest, task.sizes) == ("imagenet32", (3, 32, 32), "", None)
    said = str(task.missing())
    assert said.startswith("Task 'imagenet32' is prepared by `pixelbench fetch imagenet32` from the small ImageNet of PixelRNN's authors")
    assert "(train_32x32.tar and valid_32x32.tar, unpacked into train/ and valid/)" in said
    assert f"you must get yourself: There is no folder '{tmp_path / 'imagenet32'}'; expected is one with train/" in said
    with pytest.raises(UserError) as caught:
        obtain(task)
    assert str(caught.value) == said


def test_the_small_imagenet_says_which_of_the_two_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "imagenet32"
    write(folder, *numbered("train/box", range(3)), *numbered("valid/box", range(2)), size=(32, 32))
    obtain(imagenet_task(32))
    task = imagenet_task(32)
    assert task.missing() is None
    assert task.sizes == (2, 1, 2)
    assert "Files: 3 in train/, 2 in valid/. 2 validation images: neither the small ImageNet of PixelRNN (49,999) nor" in task.preprocessing
    monkeypatch.setattr("pixelbench.data.sources.folder_task.PIXELRNN_IMAGES", 2)
    assert imagenet_task(32).preprocessing.endswith("2 validation images: the small ImageNet of PixelRNN, on which published figures are.")
    monkeypatch.setattr("pixelbench.data.sources.folder_task.PIXELRNN_IMAGES", 1)
    monkeypatch.setattr("pixelbench.data.sources.folder_task.OTHER_IMAGES", 2)
    assert "2 validation images: not the small ImageNet of PixelRNN (1)" in imagenet_task(32).preprocessing


def test_images_of_another_size_are_no_small_imagenet(tmp_path: Path) -> None:
    folder = usual(tmp_path / "imagenet64")
    with pytest.raises(UserError, match=r"Most images in '.*train' are 4x3, not 64x64 as this task needs\.$"):
        obtain(imagenet_task(64))
    assert folder.is_dir()


def test_any_name_of_a_file_is_printed_on_one_line() -> None:
    assert printable("train/bird.png") == "train/bird.png"
    assert printable("a\nb\udcff ü") == "a\\nb\\xff ü"

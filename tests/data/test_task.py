"""What every shipped task promises, and that a changed image is noticed."""

import dataclasses
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from pixelbench.data import Split, Task, TaskData, get_task, named_task, relabel, task_names
from pixelbench.data.task import data_digest
from pixelbench.errors import UserError

#: A second copy of each pin, so that a slip in one of them is noticed.
DIGESTS = {
    "cifar10": "3066a0753067bc7946e0a49abf5433efc5eec294ec6407e58d96bff05ad580a6",
    "cifar10-16": "c7a14830d4aeeaef206ccd91d33134da35f545daae8d4a0b0f942fb0d3f6d3ca",
    "cifar10-grey": "611b819a8c66e38adb9b8b6b56bba5d2c78a9ac36ace66f2499f7ba405466e1f",
    "digits": "ed56e733481fc1bc8807ef6a046e422e261c1716d35224fd294873e86aaee6ef",
    "fashion-mnist": "7e9ba1895ce9b718417be608d5e6d975b9508cd7c2fc5b1ca1bdfcf77d3f9613",
    "mnist": "1c1c4e741ba863f2d4c8fcc2929ffe6e8a193abd87116c846365d2e533bda8a9",
    "mnist-dynamic": "6f3c04cfdce0587a1cf748df49cf422cf5fe6d9d42792731f343db606e8f70a3",
    "mnist-fixed": "76ae3102193f875d9fdcfb6c3761b2596da67cd8c5029d79c8afdd260e8b5821",
    "mnist-threshold": "05578adf5063a330f32341e836241df10535f571710c42ce5a2c3d82fa622327",
    "photos": "822a5622d9209b305675c25373f292603c74f13b8af8d6eb847ba1f4c7368c5a",
    "photos-8bit": "a5efece4ebc663e9db88b2c1a8427b0f5a7101dfc20313af2a1bc30d542213cd",
}


def _there(name: str) -> Any:
    skipped = pytest.mark.skipif(get_task(name).missing() is not None, reason="its images are not in PIXELBENCH_DATA")
    return pytest.param(name, marks=[skipped, *([pytest.mark.slow] if name in ("cifar10", "cifar10-16", "cifar10-grey") else [])])


@pytest.fixture(params=[_there(name) for name in task_names()])
def task(request: pytest.FixtureRequest) -> Task:
    return get_task(request.param)


def test_digests_are_the_published_ones_and_hold_for_the_images(task: Task) -> None:
    assert task.digest == DIGESTS[task.name]
    assert data_digest(task.load()) == DIGESTS[task.name]


def test_images_have_the_promised_shape_type_and_levels(task: Task) -> None:
    for name, split in task.load().splits().items():
        assert split.images.shape[1:] == task.shape
        assert split.images.dtype == np.uint8
        assert split.images.flags.c_contiguous
        assert split.images.min() == 0
        assert split.images.max() == (255 if task.redrawn and name == "train" else task.levels - 1)
    assert tuple(map(len, task.load().splits().values())) == task.sizes
    assert task.dimensions == task.channels * task.height * task.width


def test_every_pin_is_listed_here() -> None:
    assert {name: get_task(name).digest for name in task_names() if not get_task(name).mapped} == DIGESTS


def test_splits_share_no_cluster(task: Task) -> None:
    train, validation, test = (set(split.clusters.tolist()) for split in task.load().splits().values())
    assert not train & validation
    assert not train & test
    assert not validation & test


def test_units_unite_clusters_and_are_their_own_units(task: Task) -> None:
    for split in task.load().splits().values():
        units = task.unit_of(split.clusters)
        assert len(np.unique(np.stack([split.clusters, units]), axis=1)[0]) == len(np.unique(split.clusters))
        np.testing.assert_array_equal(task.unit_of(units), units)
        np.testing.assert_array_equal(relabel(task.name, split.clusters), units)


def test_images_of_no_known_task_keep_their_clusters() -> None:
    clusters = np.array([3, 3, 500])
    np.testing.assert_array_equal(relabel("folder-cats", clusters), clusters)


@pytest.mark.parametrize("name", ["train", "validation", "test"])
def test_one_changed_value_is_noticed(task: Task, name: str) -> None:
    def tampered() -> TaskData:
        data = task.load()
        data.splits()[name].images[-1, -1, -1, -1] ^= 1
        return data

    with pytest.raises(UserError, match=f"'{task.name}' are not the pinned ones") as caught:
        dataclasses.replace(task, builder=tampered).load()
    assert task.digest in str(caught.value)


def test_one_changed_cluster_is_noticed(task: Task) -> None:
    def tampered() -> TaskData:
        data = task.load()
        data.test.clusters[0] += 1
        return data

    with pytest.raises(UserError, match="not the pinned ones"):
        dataclasses.replace(task, builder=tampered).load()


def test_mismatch_names_the_package_that_differs(task: Task) -> None:
    other = dataclasses.replace(task, builder=task.load, digest="0" * 64, pinned_with=(("pillow", "1.2.3"), ("no-such-package", "4.5")))
    with pytest.raises(UserError, match=r"is installed and 1\.2\.3 was pinned.*pip install pillow==1\.2\.3") as caught:
        other.load()
    assert "no-such-package (none) is installed" in str(caught.value)


def test_mismatch_without_another_version_asks_for_a_reinstall(task: Task) -> None:
    with pytest.raises(UserError, match="reinstall"):
        dataclasses.replace(task, builder=task.load, digest="0" * 64, pinned_with=()).load()


def test_a_caller_may_change_what_it_loaded(task: Task) -> None:
    task.load().test.images[:] = 0
    assert task.load().test.images.max() == task.levels - 1


def test_digest_tells_splits_and_fields_apart() -> None:
    a, b = (Split(np.full((2, 1, 1, 1), value, np.uint8), np.arange(2)) for value in (0, 1))
    assert data_digest(TaskData(a, a, b)) != data_digest(TaskData(a, b, a))
    reshaped = Split(np.zeros((1, 1, 1, 1), np.uint8), np.zeros(1, np.int64))
    assert data_digest(TaskData(a, a, reshaped)) != data_digest(TaskData(a, a, a))


def test_interleaving_takes_one_image_of_each_cluster_in_turn() -> None:
    clusters = np.array([4, 4, 4, 7, 9, 9])
    images = np.arange(6, dtype=np.uint8).reshape(6, 1, 1, 1)
    mixed = Split(images, clusters).interleaved()
    assert mixed.images.ravel().tolist() == [0, 3, 4, 1, 5, 2]
    assert mixed.clusters.tolist() == [4, 7, 9, 4, 9, 4]


def test_labels_stay_with_their_images() -> None:
    labels = np.array([2, 2, 0, 1, 0, 2])
    split = Split(np.arange(6, dtype=np.uint8).reshape(6, 1, 1, 1), np.arange(6) // 2, labels)
    for other in (split.copy(), split.interleaved(), split.by_label(), split[1:4]):
        assert other.labels is not None
        assert other.labels.tolist() == labels[other.images.ravel()].tolist()
    assert split.by_label().images.ravel().tolist() == [2, 3, 0, 4, 1, 5]
    with pytest.raises(ValueError, match="labels must be int64"):
        Split(split.images, split.clusters, labels[:3])
    with pytest.raises(ValueError, match="no labels"):
        Split(split.images, split.clusters).by_label()


def test_labels_count_in_the_digest_and_their_absence_too() -> None:
    plain = Split(np.zeros((2, 1, 1, 1), np.uint8), np.arange(2))
    one, other = (Split(plain.images, plain.clusters, np.array(labels)) for labels in ([0, 1], [1, 0]))
    assert len({data_digest(TaskData(split, plain, plain)) for split in (plain, one, other)}) == 3


def test_a_labelled_task_has_labels_of_all_its_classes(task: Task) -> None:
    for split in task.load().splits().values():
        assert (split.labels is not None) == (task.classes > 0)
        assert split.labels is None or np.unique(split.labels).tolist() == list(range(task.classes))


def test_a_prefix_of_the_test_split_covers_every_cluster(task: Task) -> None:
    clusters = task.load().test.clusters
    count = len(np.unique(clusters))
    assert len(np.unique(clusters[:count])) == count


@pytest.mark.parametrize(
    ("images", "clusters"),
    [
        (np.zeros((2, 1, 1, 1)), np.arange(2)),
        (np.zeros((2, 1, 1), np.uint8), np.arange(2)),
        (np.zeros((2, 1, 1, 1), np.uint8), np.arange(3)),
        (np.zeros((2, 1, 1, 1), np.uint8), np.arange(2.0)),
    ],
)
def test_a_split_of_another_form_is_refused(images: np.ndarray, clusters: np.ndarray) -> None:
    with pytest.raises(ValueError, match="must be"):
        Split(images, clusters)


def test_unknown_task_gets_the_nearest_name() -> None:
    with pytest.raises(UserError, match=r"Unknown task 'photo'[.] Did you mean 'photos'"):
        get_task("photo")


def test_what_papers_say_of_the_images_is_the_tasks_own() -> None:
    facts = {name: (task.binarisation, task.published_split, task.published_images) for name in task_names() if (task := get_task(name))}
    binarised = {name: fact[0] for name, fact in facts.items() if fact[0]}
    assert binarised == {"mnist-fixed": "fixed", "mnist-dynamic": "dynamic", "mnist-threshold": "threshold"}
    assert {name for name, fact in facts.items() if fact[1] != "test"} == {"imagenet32", "imagenet64"}
    assert (facts["imagenet32"][2], facts["mnist"][2], facts["cifar10"][2], facts["cifar10-16"][2]) == (49_999, 10_000, 10_000, None)
    assert all(task.levels == 2 for task in map(get_task, binarised))


def test_names_of_records_are_looked_up_without_looking_at_folders() -> None:
    assert named_task("digits") is get_task("digits")
    assert named_task("folder-birds") is None


@pytest.mark.slow
def test_loading_needs_neither_torch_nor_the_packages_around_the_files() -> None:
    code = (
        "import sys; from pixelbench.data import get_task, task_names; "
        "[task.load() for task in map(get_task, task_names()) if not task.missing()]; "
        "print([m for m in ('torch', 'torchvision', 'sklearn', 'skimage', 'pooch') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"

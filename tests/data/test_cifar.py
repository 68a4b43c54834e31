"""CIFAR-10: no pickle is opened but the published ones, and what is made of them is pinned."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from pixelbench.data import get_task
from pixelbench.data.folder import VARIABLE
from pixelbench.data.sources.cifar import BATCHES, FOLDER, LUMA, missing_cifar10
from pixelbench.data.task import _verified
from pixelbench.errors import UserError

real_data = pytest.mark.skipif(VARIABLE not in os.environ, reason="no data folder is named")


class Evil:
    """A pickle of it makes a file when it is opened."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_pickle_that_is_not_the_published_one_is_never_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    _verified.cache_clear()  # what this process read from another folder
    (tmp_path / FOLDER).mkdir()
    trap = tmp_path / "opened"
    content = pickle.dumps(Evil(trap))
    for name, (_, size) in BATCHES.items():
        (tmp_path / FOLDER / name).write_bytes(content.ljust(size, b"\0"))
    assert missing_cifar10("cifar10") is None  # names and sizes are right
    with pytest.raises(UserError, match="is not the published file, so it was not opened"):
        get_task("cifar10").load()
    assert not trap.exists()
    pickle.loads(content)
    assert trap.exists()  # the trap works


def test_what_is_missing_is_said_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    said = get_task("cifar10-16").missing()
    assert said is not None
    assert "does not hold data_batch_1, data_batch_2" in said
    assert "`pixelbench fetch cifar10-16`" in said
    (tmp_path / FOLDER).mkdir()
    for name, (_, size) in BATCHES.items():
        (tmp_path / FOLDER / name).write_bytes(bytes(size - (name == "data_batch_2")))
    size = BATCHES["data_batch_2"][1]
    said = str(get_task("cifar10-16").missing())
    assert f"' its data_batch_2 is of {size - 1:,} bytes instead of {size:,}; get them" in said  # a cut file


def test_batches_of_cifar_100_are_called_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    _verified.cache_clear()
    folder = tmp_path / FOLDER
    folder.mkdir()
    for name in BATCHES:
        (folder / name).write_bytes(pickle.dumps({b"data": bytes(5000), b"fine_labels": [1], b"coarse_labels": [2]}))
    said = str(missing_cifar10("cifar10"))
    assert "its data_batch_1 is of CIFAR-100, its data_batch_2 is of CIFAR-100" in said
    assert "does not hold" not in said
    with pytest.raises(UserError, match="data_batch_1' is not the published file but one of CIFAR-100, so it was not opened"):
        get_task("cifar10").load()
    (folder / "data_batch_1").unlink()
    (tmp_path / "cifar-100-python").mkdir()
    said = str(missing_cifar10("cifar10"))
    assert "does not hold data_batch_1, its data_batch_2 is of CIFAR-100" in said
    assert "('cifar-100-python' beside it is CIFAR-100, which is another set)" in said


def test_grey_weights_are_those_of_a_thousand():
    assert LUMA.sum() == 1000


@pytest.mark.slow
@real_data
def test_the_published_batches_give_the_pinned_arrays():
    original, grey, small = (get_task(name).load().test for name in ("cifar10", "cifar10-grey", "cifar10-16"))
    assert original.labels is not None
    assert original.labels[:5].tolist() == [3, 8, 8, 0, 6]  # cat, ship, ship, airplane, frog
    assert (original.images.shape, grey.images.shape, small.images.shape) == ((10_000, 3, 32, 32), (10_000, 1, 32, 32), (10_000, 3, 16, 16))
    assert np.array_equal(original.clusters, small.clusters)
    pixel = original.images[7, :, 4, 9].astype(float)
    assert grey.images[7, 0, 4, 9] == int(0.299 * pixel[0] + 0.587 * pixel[1] + 0.114 * pixel[2] + 0.5)
    block = original.images[7, 1, 10:12, 20:22].astype(float)
    assert small.images[7, 1, 5, 10] == int(int(block.mean() + 0.5) / 16)


@pytest.mark.slow
@real_data
def test_all_training_images_are_the_same_ones_with_nothing_held_out():
    task = get_task("cifar10")
    whole, usual = task.with_split("all-training"), task.load()
    data = whole.load()  # as pinned, or it raises
    assert (len(data.train), len(data.validation), len(data.test)) == whole.sizes == (50_000, 0, 10_000)
    assert np.array_equal(data.train.images[:45_000], usual.train.images)
    assert np.array_equal(data.train.images[45_000:], usual.validation.images)
    assert data.train.labels is not None
    assert data.train.labels.shape == (50_000,)
    assert np.array_equal(data.test.images, usual.test.images)
    assert whole.name == task.name
    assert "nothing is held out" in whole.split_rule
    assert task.with_split("all-training") is whole  # read once a process
    assert task.with_split("held-out") is task

"""The classifiers that ship: whole, small, as good as is said; and a damaged one is found."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from pixelbench.data import get_task
from pixelbench.errors import UserError
from pixelbench.evaluation.features import feature_set
from pixelbench.evaluation.features.classifier import (
    PINNED,
    WEIGHTS,
    accuracy,
    classifier_features,
    loaded,
    pinned,
    pinned_for,
)
from pixelbench.evaluation.features.train_classifier import pin, rounded, train

#: Bytes of a task's weights.
MOST_BYTES = 300_000


@pytest.mark.parametrize("name", sorted(pinned()))
def test_every_classifier_that_ships_is_whole_small_and_for_the_shape_of_its_tasks(name: str) -> None:
    about, net = pinned()[name], loaded(name)
    assert (WEIGHTS / f"{name}.safetensors").stat().st_size <= MOST_BYTES
    assert all(torch.isfinite(tensor).all() for tensor in net.state_dict().values())
    for task in map(get_task, about.tasks):
        assert task.shape == (about.channels, about.side, about.side)
        images = np.random.default_rng(0).integers(0, task.levels, (3, *task.shape), np.uint8)
        assert feature_set("classifier", task).extract(images, task.levels).shape == (3, 64)


def test_no_file_of_weights_ships_unpinned() -> None:
    assert {path.stem for path in WEIGHTS.glob("*.safetensors")} == set(pinned())


def test_the_stated_accuracy_is_that_of_the_weights_that_ship() -> None:
    task, about = get_task("digits"), pinned_for("digits")
    test = task.load().test
    assert about is not None
    assert test.labels is not None
    assert accuracy(loaded("digits"), test.images, test.labels, task.levels) == pytest.approx(about.test_accuracy["digits"], abs=0.002)
    assert about.test_accuracy["digits"] > 0.95


def test_features_of_classes_lie_apart_and_those_of_noise_elsewhere() -> None:
    """Negative control: random images are further from each class than its own are."""
    test = get_task("digits").load().test
    found = classifier_features("digits", test.images, 17)
    assert test.labels is not None
    zeros, noise = found[test.labels == 0], np.random.default_rng(0).integers(0, 17, (50, 1, 8, 8), np.uint8)
    middle = zeros.mean(0)
    own, others, random = (
        np.linalg.norm(part - middle, axis=1).mean() for part in (zeros, found[test.labels != 0], classifier_features("digits", noise, 17))
    )
    assert own < others
    assert own < random


def test_a_feature_does_not_depend_on_the_images_beside_it() -> None:
    images = get_task("digits").load().test.images[:5]
    together = classifier_features("digits", images, 17)
    for i in range(5):
        np.testing.assert_allclose(classifier_features("digits", images[i : i + 1], 17)[0], together[i], rtol=1e-4, atol=1e-5)


def test_a_task_without_classifier_is_refused_in_a_sentence() -> None:
    assert pinned_for("digits") is not None
    assert pinned_for("photos") is None
    with pytest.raises(UserError, match=r"No classifier ships for task 'photos'; there are some for .*digits"):
        classifier_features("photos", np.zeros((1, 3, 16, 16), np.uint8), 16)


def test_images_of_another_shape_are_refused() -> None:
    with pytest.raises(UserError, match="takes images of 1x8x8, not 1x9x8"):
        classifier_features("digits", np.zeros((1, 1, 9, 8), np.uint8), 17)


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    for name in (PINNED, "digits.safetensors"):
        shutil.copy(WEIGHTS / name, tmp_path / name)
    return tmp_path


@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_a_flipped_bit_of_the_weights_is_found_by_their_digest(copied: Path, place: str) -> None:
    path = copied / "digits.safetensors"
    content = bytearray(path.read_bytes())
    content[{"first": 0, "middle": len(content) // 2, "last": -1}[place]] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"is damaged: its SHA-256 is .* pinned is .*; reinstall pixelbench"):
        loaded("digits", copied)


def test_an_unchanged_copy_is_taken(copied: Path) -> None:
    assert loaded("digits", copied) is not None


def test_weights_or_a_list_that_are_gone_are_one_sentence(copied: Path) -> None:
    (copied / "digits.safetensors").unlink()
    with pytest.raises(UserError, match="cannot be read"):
        loaded("digits", copied)
    empty = copied / "empty"
    empty.mkdir()
    with pytest.raises(UserError, match="cannot be read"):
        pinned(empty)


def test_training_writes_weights_that_are_found_whole_and_is_the_same_each_time(tmp_path: Path) -> None:
    said = pin("digits", 1, 0, tmp_path)
    assert "% on digits" in said
    entry = json.loads((tmp_path / PINNED).read_text())["digits"]
    again = rounded(train(get_task("digits"), 1, 0)).state_dict()
    stored = loaded("digits", tmp_path).state_dict()
    assert entry["training"]["epochs"] == 1
    assert all(torch.equal(again[name], stored[name]) for name in again)
    other = rounded(train(get_task("digits"), 1, 1)).state_dict()
    assert not torch.equal(other["last.weight"], stored["last.weight"])

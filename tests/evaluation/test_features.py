"""Feature sets: what they give, that they are pinned, and that others can add theirs."""

from dataclasses import dataclass

import numpy as np
import pytest

from pixelbench.data import get_task
from pixelbench.errors import UserError
from pixelbench.evaluation.features import FEATURES, FeatureSet, feature_set, random_conv, register_features

OWN = ("pixels", "random-conv")


@dataclass(frozen=True)
class About:
    """As much as features know of a task."""

    name: str
    shape: tuple[int, int, int]


def about(channels: int, side: int = 8) -> About:
    return About("noise", (channels, side, side))


def noise(channels: int, n: int = 5, side: int = 8, levels: int = 16) -> np.ndarray:
    return np.random.default_rng(0).integers(0, levels, (n, channels, side, side), np.uint8)


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_a_feature_set_gives_finite_vectors_of_its_dimension(name: str, channels: int) -> None:
    found = feature_set(name, about(channels))
    values = found.extract(noise(channels), 16)
    assert values.shape == (5, found.dimension)
    assert values.dtype == np.float64
    assert len(found.digest) == 64


@pytest.mark.parametrize("name", OWN)
def test_the_features_of_an_image_do_not_depend_on_the_others(name: str) -> None:
    images, found = noise(1, n=6), feature_set(name, about(1))
    together = found.extract(images, 16)
    alone = np.concatenate([found.extract(images[i : i + 1], 16) for i in range(6)])
    np.testing.assert_allclose(alone, together, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize("side", [1, 3, 28])
def test_images_of_any_size_have_features(name: str, side: int) -> None:
    found = feature_set(name, about(1, side))
    assert found.extract(noise(1, side=side), 16).shape[1] == found.dimension


def test_pixels_are_the_values_from_0_to_1() -> None:
    images = np.array([[[[0, 15]]], [[[5, 10]]]], np.uint8)
    task = About("x", (1, 1, 2))
    np.testing.assert_array_equal(feature_set("pixels", task).extract(images, 16), [[0, 1], [5 / 15, 10 / 15]])


def test_random_weights_are_pinned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(random_conv._PINNED, 1, "0" * 64)
    with pytest.raises(UserError, match="another digest"):
        feature_set("random-conv", about(1))


def test_brightness_alone_changes_no_first_response() -> None:
    dark, bright = (np.full((1, 1, 8, 8), value, np.uint8) for value in (2, 13))
    found = feature_set("random-conv", about(1))
    np.testing.assert_allclose(found.extract(dark, 16), found.extract(bright, 16), atol=1e-6)


def test_images_out_of_range_and_none_are_refused() -> None:
    found = feature_set("pixels", about(1))
    for images in (noise(1)[:0], np.full((1, 1, 8, 8), 16)):
        with pytest.raises(ValueError, match="images must"):
            found.extract(images, 16)


def test_unknown_features_and_those_that_are_not_there_say_so() -> None:
    with pytest.raises(UserError, match="random-conv"):
        feature_set("random-con", about(1))
    pytest.importorskip("pixelbench.evaluation.features.classifier")
    with pytest.raises(UserError, match="photos"):
        feature_set("classifier", get_task("photos"))


def brightness_features(task: object) -> FeatureSet:
    return FeatureSet("brightness", 1, "0" * 64, lambda images, levels: images.mean((1, 2, 3))[:, None])


def wrong_features(task: object) -> FeatureSet:
    return FeatureSet("wrong", 2, "0" * 64, lambda images, levels: images.mean((1, 2, 3)) / 0)


def raising_features(task: object) -> FeatureSet:
    return FeatureSet("raising", 2, "0" * 64, lambda images, levels: {}["missing"])


def failing_features(task: object) -> FeatureSet:
    raise RuntimeError("out of order")


def test_others_register_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FEATURES, "_entries", dict(FEATURES._entries))
    monkeypatch.setattr(FEATURES, "_modules", dict(FEATURES._modules))
    register_features("brightness", meaning="the mean", build=f"{__name__}:brightness_features", module="others")
    register_features("failing", meaning="none", build=f"{__name__}:failing_features", module="others")
    assert feature_set("brightness", about(1)).extract(noise(1), 16).shape == (5, 1)
    for name, said in (("wrong", "must be 5 finite vectors of 2 numbers"), ("raising", "raised KeyError")):
        register_features(name, meaning="none", build=f"{__name__}:{name}_features", module="others")
        with pytest.raises(UserError, match=said), np.errstate(all="ignore"):
            feature_set(name, about(1)).extract(noise(1), 16)
    with pytest.raises(UserError, match="RuntimeError: out of order"):
        feature_set("failing", about(1))

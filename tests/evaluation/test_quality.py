"""Sample statistics on hand-made images with known answers, and on the real photos."""

import math

import numpy as np
import pytest

from pixelbench.data import get_task
from pixelbench.evaluation.quality import sample_statistics

pytestmark = pytest.mark.quick


def test_by_hand() -> None:
    """One image 1x2x2 of 0 1 / 2 3: pairs (0,1) (2,3) (0,2) (1,3); one of four values is 0."""
    found = sample_statistics(np.array([[[[0, 1], [2, 3]]]], np.uint8), 4)
    assert found["mean_level"] == pytest.approx(0.5)
    assert found["zeros"] == 0.25
    assert found["constant_images"] == 0.0
    assert found["spatial_correlation"] == pytest.approx(np.corrcoef([0, 2, 0, 1], [1, 3, 2, 3])[0, 1])
    assert found["colour_coherence"] is None
    assert found["chroma_luma"] is None


def test_black_images_are_zero_constant_and_otherwise_undefined() -> None:
    found = sample_statistics(np.zeros((3, 3, 4, 4), np.uint8), 16)
    assert (found["mean_level"], found["zeros"], found["constant_images"]) == (0.0, 1.0, 1.0)
    assert (found["spatial_correlation"], found["colour_coherence"], found["chroma_luma"]) == (None, None, None)


def test_an_image_of_one_plain_colour_is_constant_and_one_pixel_undoes_it() -> None:
    images = np.tile(np.array([7, 3, 1], np.uint8).reshape(1, 3, 1, 1), (4, 1, 5, 6))
    assert sample_statistics(images, 8)["constant_images"] == 1.0
    images[0, 2, 4, 5] = 2
    assert sample_statistics(images, 8)["constant_images"] == 0.75


def test_grey_images_are_wholly_coherent_without_chroma() -> None:
    grey = np.random.default_rng(0).integers(0, 16, (5, 1, 8, 8), np.uint8)
    found = sample_statistics(np.repeat(grey, 3, axis=1), 16)
    assert found["colour_coherence"] == pytest.approx(1.0)
    assert found["chroma_luma"] == pytest.approx(0.0, abs=1e-12)


def test_independent_colours_have_no_coherence_and_twice_the_energy_in_chroma() -> None:
    found = sample_statistics(np.random.default_rng(1).integers(0, 256, (400, 3, 16, 16), np.uint8), 256)
    assert found["colour_coherence"] == pytest.approx(0.0, abs=0.01)
    assert found["chroma_luma"] == pytest.approx(2.0, abs=0.05)
    assert found["spatial_correlation"] == pytest.approx(0.0, abs=0.01)


def test_opposed_colours_are_negatively_coherent() -> None:
    """uint8 differences must not wrap round: 0 1 5 beside 5 4 0 has the differences 1 4 and -1 -4."""
    images = np.array([[[[0, 1, 5]], [[5, 4, 0]]]], np.uint8)
    found = sample_statistics(images, 6)
    assert found["colour_coherence"] == pytest.approx(-1.0)
    assert found["chroma_luma"] is None  # the mean over the channels never changes


def test_chroma_luma_by_hand() -> None:
    """Differences (4, 0, 2): mean 2, deviations 2 -2 0, so (4 + 4 + 0)/3 over 4."""
    images = np.array([0, 4, 0, 0, 0, 2], np.uint8).reshape(1, 3, 1, 2)
    assert sample_statistics(images, 5)["chroma_luma"] == pytest.approx((8 / 3) / 4)


def test_one_step_in_one_colour_has_twice_as_much_chroma_as_luma() -> None:
    """However small: differences (1, 0, 0), mean 1/3, deviations 2/3 -1/3 -1/3."""
    images = np.array([0, 1, 0, 0, 0, 0], np.uint8).reshape(1, 3, 1, 2)
    assert sample_statistics(images, 256)["chroma_luma"] == pytest.approx(2.0)


def test_coherence_is_undefined_when_one_channel_never_changes() -> None:
    images = np.random.default_rng(2).integers(0, 4, (2, 3, 4, 4), np.uint8)
    images[:, 1] = 3
    assert sample_statistics(images, 4)["colour_coherence"] is None


def test_shuffled_pixels_lose_spatial_correlation_but_keep_level_and_zeros() -> None:
    images = get_task("photos").load().test.images
    shuffled = np.random.default_rng(3).permuted(images, axis=3)
    real, broken = sample_statistics(images, 16), sample_statistics(shuffled, 16)
    assert real["mean_level"] == pytest.approx(broken["mean_level"])
    assert real["zeros"] == broken["zeros"]
    assert real["spatial_correlation"] is not None
    assert broken["spatial_correlation"] is not None
    assert broken["spatial_correlation"] < real["spatial_correlation"] - 0.02


def test_real_photos_are_coordinated() -> None:
    found = sample_statistics(get_task("photos").load().test.images, 16)
    assert found["colour_coherence"] == pytest.approx(0.809, abs=0.001)
    assert found["chroma_luma"] == pytest.approx(0.145, abs=0.001)
    assert found["spatial_correlation"] == pytest.approx(0.949, abs=0.001)
    assert found["zeros"] == pytest.approx(0.092, abs=0.001)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((0, 1, 2, 2), np.uint8), "N >= 1"),
        (np.zeros((1, 2, 2), np.uint8), "N >= 1"),
        (np.full((1, 1, 2, 2), 4, np.uint8), "0 to 3"),
        (np.full((1, 1, 2, 2), -1, np.int64), "0 to 3"),
        (np.array([0, 1, 4, 3]).reshape(1, 1, 2, 2), "0 to 3, got 0 to 4"),
        (np.array([0, 1, -1, 3]).reshape(1, 1, 2, 2), "0 to 3, got -1 to 3"),
    ],
)
def test_impossible_images_are_refused(images: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sample_statistics(images, 4)


def correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Pearson's, by whole-number arithmetic."""
    n, a, b = len(first), int(first.sum()), int(second.sum())
    variances = [n * int(x @ x) - s * s for x, s in ((first, a), (second, b))]
    return (n * int(first @ second) - a * b) / math.sqrt(variances[0]) / math.sqrt(variances[1])


def test_sums_over_many_images_are_exact_to_float64() -> None:
    """Every statistic against whole-number arithmetic, over more values than float32 can count apart."""
    images = np.random.default_rng(4).integers(0, 256, (300, 3, 16, 16), np.uint8)
    images[::3] //= 32
    images[:, 1] = images[:, 1] // 2 + images[:, 0] // 2
    found, values = sample_statistics(images, 256), images.astype(np.int64)
    first = np.concatenate([values[..., :-1].ravel(), values[..., :-1, :].ravel()])
    second = np.concatenate([values[..., 1:].ravel(), values[..., 1:, :].ravel()])
    r, g, b = (np.concatenate([np.diff(c, axis=axis).ravel() for axis in (1, 2)]) for c in values.transpose(1, 0, 2, 3))
    luma = r + g + b
    chroma = sum(int((3 * c - luma) @ (3 * c - luma)) for c in (r, g, b))
    assert found["mean_level"] == pytest.approx(int(values.sum()) / images.size / 255, rel=1e-14)
    assert found["zeros"] == np.count_nonzero(values == 0) / images.size
    assert found["spatial_correlation"] == pytest.approx(correlation(first, second), rel=1e-11)
    assert found["colour_coherence"] == pytest.approx((correlation(r, g) + correlation(r, b) + correlation(g, b)) / 3, rel=1e-11)
    assert found["chroma_luma"] == pytest.approx(chroma / 3 / int(luma @ luma), rel=1e-11)


def test_binary_images_have_statistics_too() -> None:
    images = (np.random.default_rng(5).random((50, 3, 8, 8)) < 0.5).astype(np.uint8)
    found = sample_statistics(images, 2)
    assert all(value is not None for value in found.values())


def test_an_image_of_one_pixel_has_no_neighbours() -> None:
    found = sample_statistics(np.array([0, 1, 2], np.uint8).reshape(1, 3, 1, 1), 3)
    assert (found["spatial_correlation"], found["colour_coherence"], found["chroma_luma"]) == (None, None, None)
    assert (found["mean_level"], found["constant_images"]) == (0.5, 1.0)


@pytest.mark.parametrize("axis", [2, 3])
def test_stripes_are_no_plain_colour(axis: int) -> None:
    """Plain along one axis is not plain."""
    stripes = np.zeros((1, 1, 4, 4), np.uint8)
    np.moveaxis(stripes, axis, 0)[::2] = 1
    assert sample_statistics(stripes, 2)["constant_images"] == 0.0


@pytest.mark.parametrize("name", ["mean_level", "zeros", "constant_images", "spatial_correlation", "colour_coherence", "chroma_luma"])
def test_an_image_twice_counts_twice_and_order_does_not_count(name: str) -> None:
    images = get_task("photos").load().test.images[:40]
    found = sample_statistics(images, 16)[name]
    assert found is not None
    assert sample_statistics(np.concatenate([images[::-1], images]), 16)[name] == pytest.approx(found, rel=1e-12)
    assert sample_statistics(images.transpose(0, 1, 3, 2), 16)[name] == pytest.approx(found, rel=1e-12)  # neither axis is preferred


def test_a_refusal_names_the_values_that_it_found() -> None:
    with pytest.raises(ValueError, match="0 to 3, got -2 to 7"):
        sample_statistics(np.array([-2, 0, 7, 1]).reshape(1, 1, 2, 2), 4)

"""Photos: real patches in RGB order, no source pixel in two splits, a gap of a patch between them."""

from itertools import combinations

import numpy as np
import pytest
from PIL import Image

from pixelbench.data import get_task, relabel
from pixelbench.data.sources.installed import installed_file
from pixelbench.data.sources.photos import GAP, PATCH, PHOTOGRAPHS, REGIONS, corners, photograph_of, read_averaged, regions
from pixelbench.errors import UserError
from pixelbench.statistics import clustered_interval


def test_counts() -> None:
    for name in ("photos", "photos-8bit"):
        data = get_task(name).load()
        assert {split: len(s) for split, s in data.splits().items()} == {"train": 5970, "validation": 182, "test": 273}
        assert {split: len(np.unique(s.clusters)) for split, s in data.splits().items()} == {"train": 14, "validation": 22, "test": 22}


def test_16_levels_are_the_8_bit_patches_divided_by_16() -> None:
    coarse, fine = get_task("photos").load(), get_task("photos-8bit").load()
    for name, split in coarse.splits().items():
        np.testing.assert_array_equal(split.images, fine.splits()[name].images // 16)
        np.testing.assert_array_equal(split.clusters, fine.splits()[name].clusters)


@pytest.mark.parametrize("photograph", PHOTOGRAPHS)
def test_no_source_pixel_is_used_by_two_splits_and_a_gap_lies_between(photograph: str) -> None:
    used = _used_pixels(photograph)
    assert all(used[split].any() for split in ("train", "validation", "test"))
    for one, other in combinations(used, 2):
        near = _grown(used[one], PATCH)
        assert not (near & used[other]).any(), f"{one} and {other} come nearer than a patch's reach"


@pytest.mark.parametrize("photograph", PHOTOGRAPHS)
def test_gap_is_tight_so_that_the_test_above_can_fail(photograph: str) -> None:
    used = _used_pixels(photograph)
    assert (_grown(used["train"], GAP + PATCH) & used["test"]).any()


@pytest.mark.parametrize("photograph", PHOTOGRAPHS)
def test_patches_lie_inside_their_region_and_test_patches_are_disjoint(photograph: str) -> None:
    height, width = read_averaged(photograph).shape[:2]
    for region in regions(photograph, height, width):
        assert region.top + region.height <= height
        assert region.left + region.width <= width
        cut = corners(region)
        assert cut
        assert all(region.top <= y <= region.top + region.height - PATCH for y, _ in cut)
        assert all(region.left <= x <= region.left + region.width - PATCH for _, x in cut)
        if region.split != "train":
            assert all(abs(y - v) >= PATCH or abs(x - u) >= PATCH for (y, x), (v, u) in combinations(cut, 2))


def test_no_test_patch_is_a_training_patch_unless_it_is_flat() -> None:
    """Content, not geometry. At 16 levels a patch of plain night sky but for one value coincides too, so: within one level."""
    for name, range_of_flat in (("photos-8bit", 0), ("photos", 1)):
        data = get_task(name).load()
        train = {patch.tobytes() for patch in data.train.images}
        for split in (data.validation, data.test):
            same = [patch for patch in split.images if patch.tobytes() in train]
            assert len(same) < 0.07 * len(split)
            assert all(np.ptp(patch, axis=(1, 2)).max() <= range_of_flat for patch in same)


def test_averaging_rounds_half_up_and_keeps_rgb_order() -> None:
    """The first patch cut in China's sky by hand, in plain Python; the astronaut's suit is orange: red above green above blue."""
    with Image.open(installed_file(*PHOTOGRAPHS["china"])) as file:
        rgb = file.convert("RGB")
    averaged = read_averaged("china")
    for y, x in ((0, 0), (40, 77), (212, 319)):
        block = [rgb.getpixel((2 * x + dx, 2 * y + dy)) for dy in (0, 1) for dx in (0, 1)]
        expected = [int(sum(pixel[c] for pixel in block if isinstance(pixel, tuple)) / 4 + 0.5) for c in range(3)]
        assert averaged[y, x].tolist() == expected
    red, green, blue = read_averaged("astronaut")[170:190, 30:60].reshape(-1, 3).mean(0)
    assert red > green + 50
    assert green > blue + 10


def test_patches_are_cut_from_the_photograph_in_channel_first_order() -> None:
    data = get_task("photos-8bit").load()
    pixels = read_averaged("astronaut")
    first = regions("astronaut", *pixels.shape[:2])[0]
    y, x = corners(first)[5]
    np.testing.assert_array_equal(data.train.images[5].transpose(1, 2, 0), pixels[y : y + PATCH, x : x + PATCH])


def test_each_regions_photograph_is_the_one_that_it_was_cut_from() -> None:
    divided = {photograph: regions(photograph, *read_averaged(photograph).shape[:2]) for photograph in PHOTOGRAPHS}
    assert tuple(map(len, divided.values())) == REGIONS
    names = [region.photograph for several in divided.values() for region in several]
    units = photograph_of(np.arange(len(names)))
    for unit in np.unique(units):
        assert len({name for name, of in zip(names, units, strict=True) if of == unit}) == 1
    assert len(np.unique(units)) == len(PHOTOGRAPHS)


@pytest.mark.parametrize("name", ["photos", "photos-8bit"])
def test_all_seven_photographs_are_in_each_split_and_its_images_stay_as_they_are(name: str) -> None:
    task = get_task(name)
    data, units = task.load(), task.in_units(task.load())
    for split, dealt in units.splits().items():
        assert len(np.unique(dealt.clusters)) == 7
        np.testing.assert_array_equal(dealt.images, data.splits()[split].images)
        np.testing.assert_array_equal(dealt.clusters, relabel(name, data.splits()[split].clusters))


def test_a_region_that_is_none_has_no_photograph() -> None:
    for numbers in ([-1, 3], [3, sum(REGIONS)]):
        with pytest.raises(ValueError, match="numbered 0 to 57"):
            photograph_of(np.array(numbers))


@pytest.mark.parametrize("correlation", [0.0, 0.1, 0.4])
def test_an_interval_over_photographs_covers_what_it_says_and_one_over_regions_does_not(correlation: float) -> None:
    """On the real test patches, with differences that correlate within photographs. Without a correlation both hold."""
    by_region = get_task("photos").load().test.clusters
    by_photograph = photograph_of(by_region)
    rng, trials = np.random.default_rng(0), 2000
    missed = {"photographs": 0, "regions": 0}
    for _ in range(trials):
        common = rng.normal(size=sum(REGIONS))[by_photograph]
        values = np.sqrt(correlation) * common + np.sqrt(1 - correlation) * rng.normal(size=len(by_region))
        for over, clusters in (("photographs", by_photograph), ("regions", by_region)):
            low, high = clustered_interval(values, clusters)
            missed[over] += not low <= 0 <= high
    assert missed["photographs"] <= 0.06 * trials
    assert (missed["regions"] <= 0.06 * trials) if correlation == 0 else (missed["regions"] >= 0.18 * trials)


def test_file_missing_from_the_wheel_says_what_to_reinstall() -> None:
    with pytest.raises(UserError, match=r"scikit-image lacks data/no-such-photo[.]png; reinstall"):
        installed_file("skimage", "data/no-such-photo.png")
    with pytest.raises(UserError, match="no_such_package, which is not installed"):
        installed_file("no_such_package", "data.png")


def _used_pixels(photograph: str) -> dict[str, np.ndarray]:
    height, width = read_averaged(photograph).shape[:2]
    used = {split: np.zeros((height, width), bool) for split in ("train", "validation", "test")}
    for region in regions(photograph, height, width):
        for y, x in corners(region):
            used[region.split][y : y + PATCH, x : x + PATCH] = True
    return used


def _grown(mask: np.ndarray, reach: int) -> np.ndarray:
    """All pixels within `reach` of the mask, sideways, up or down."""
    padded = np.pad(mask, reach)
    wide = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=1).any(-1)
    return np.asarray(np.lib.stride_tricks.sliding_window_view(wide, 2 * reach + 1, axis=0).any(-1))

"""Tasks `photos` and `photos-8bit`: 16x16 colour patches of the seven natural photographs that ship in two wheels.

scikit-image's wheel holds astronaut, chelsea, coffee, rocket and motorcycle (the left picture of its stereo pair), scikit-learn's
holds china and flower: all seven are there without a download. Everything after decoding is integer arithmetic. PNG decodes to the same
bytes everywhere. The three JPEGs (rocket, china, flower) store their colours at full resolution, so no chroma upsampling, where decoders
differ most, is involved, and libjpeg-turbo, which Pillow's wheels bundle, keeps its output equal bit for bit from version to version
(Pillow 11.0 and 13.0 agree on these three). Another decoder may still differ by one level: the pinned digest notices.
"""

from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from typing import Literal

import numpy as np
from PIL import Image

from pixelbench.data.sources.installed import installed_file
from pixelbench.data.task import Split, Task, TaskData

#: Name → (package, path in it).
PHOTOGRAPHS: dict[str, tuple[str, str]] = {
    "astronaut": ("skimage", "data/astronaut.png"),
    "chelsea": ("skimage", "data/chelsea.png"),
    "coffee": ("skimage", "data/coffee.png"),
    "rocket": ("skimage", "data/rocket.jpg"),
    "motorcycle": ("skimage", "data/motorcycle_left.png"),
    "china": ("sklearn", "datasets/images/china.jpg"),
    "flower": ("sklearn", "datasets/images/flower.jpg"),
}
#: Regions that each is divided into, in the same order: clusters number them through all photographs.
REGIONS = (10, 6, 8, 8, 10, 8, 8)
PATCH = 16
#: Pixels, after averaging, between strips of different splits: one patch's reach, so twice as many source pixels.
GAP = PATCH
TRAIN_STRIDE = 6
TEST_WIDTH = 3 * PATCH
VALIDATION_WIDTH = 2 * PATCH
#: Patch rows in a test or validation region, about.
REGION_ROWS = 4


@dataclass(frozen=True)
class Region:
    """A rectangle of an averaged photograph, in averaged pixels; the patches cut from it form one cluster of the split."""

    photograph: str
    split: Literal["train", "validation", "test"]
    top: int
    left: int
    height: int
    width: int


def regions(photograph: str, height: int, width: int) -> list[Region]:
    """How an averaged photograph of that size is divided.

    From the left: a training strip, a gap, the test strip (in the middle of the photograph, where its subject is), a gap, a training
    strip, a gap, and the validation strip at the right edge. Strips have the photograph's full height; those of test and validation are
    divided into regions of about four rows of patches.
    """
    test = (width - TEST_WIDTH) // 2
    right = test + TEST_WIDTH + GAP
    validation = width - VALIDATION_WIDTH
    train = [
        Region(photograph, "train", 0, 0, height, test - GAP),
        Region(photograph, "train", 0, right, height, validation - GAP - right),
    ]
    return [
        *train,
        *(Region(photograph, "validation", top, validation, tall, VALIDATION_WIDTH) for top, tall in _bands(height)),
        *(Region(photograph, "test", top, test, tall, TEST_WIDTH) for top, tall in _bands(height)),
    ]


def read_averaged(photograph: str) -> np.ndarray:
    """A photograph at half size: each value is the mean of a 2x2 block, rounded half up. uint8 (height, width, 3), colours R, G, B."""
    with Image.open(installed_file(*PHOTOGRAPHS[photograph])) as file:
        pixels = np.asarray(file.convert("RGB"))
    height, width = pixels.shape[0] // 2, pixels.shape[1] // 2  # an odd last row or column is left out
    blocks = pixels[: 2 * height, : 2 * width].reshape(height, 2, width, 2, 3)
    return ((blocks.sum((1, 3), dtype=np.uint16) + 2) // 4).astype(np.uint8)


@cache
def build_photos_8bit() -> TaskData:
    """Patches with 256 levels. Clusters number the regions through all photographs, so no two splits share one."""
    patches: dict[str, list[np.ndarray]] = {"train": [], "validation": [], "test": []}
    clusters: dict[str, list[int]] = {"train": [], "validation": [], "test": []}
    cluster = 0
    for photograph in PHOTOGRAPHS:
        pixels = read_averaged(photograph)
        for region in regions(photograph, *pixels.shape[:2]):
            cut = [pixels[y : y + PATCH, x : x + PATCH].transpose(2, 0, 1) for y, x in corners(region)]
            patches[region.split] += cut
            clusters[region.split] += [cluster] * len(cut)
            cluster += 1
    splits = {name: Split(np.stack(patches[name]), np.array(clusters[name], np.int64)) for name in patches}
    return TaskData(splits["train"], splits["validation"].interleaved(), splits["test"].interleaved())


def build_photos() -> TaskData:
    """The same patches with 16 levels, `value // 16`."""
    data = build_photos_8bit()
    return TaskData(*(Split(split.images // 16, split.clusters) for split in data.splits().values()))


def photograph_of(clusters: np.ndarray) -> np.ndarray:
    """The photograph of each region (N,), named by the number of its first region, so that names of photographs stand for themselves.

    Patches of one photograph have its subject, light and grain in common across regions, so the photograph is the independent unit: with a
    correlation of 0.1 to 0.4 within photographs, a 95 % interval over the 22 test regions covers 71 to 80 %, over the 7 photographs 95 %.

    Raises:
        ValueError: a number that no region has.
    """
    if len(clusters) and not 0 <= clusters.min() <= clusters.max() < sum(REGIONS):
        raise ValueError(f"regions of photographs are numbered 0 to {sum(REGIONS) - 1}, got {clusters.min()} to {clusters.max()}")
    first = np.cumsum((0, *REGIONS[:-1]))
    return first[np.searchsorted(first, clusters, side="right") - 1]


def corners(region: Region) -> list[tuple[int, int]]:
    """(top, left) of each patch that lies wholly in the region: overlapping in train, disjoint elsewhere."""
    stride = TRAIN_STRIDE if region.split == "train" else PATCH
    tops = range(region.top, region.top + region.height - PATCH + 1, stride)
    lefts = range(region.left, region.left + region.width - PATCH + 1, stride)
    return [(top, left) for top in tops for left in lefts]


def _bands(height: int) -> list[tuple[int, int]]:
    """(top, height) of regions of equal numbers of patch rows, within one."""
    rows = height // PATCH
    count = max(1, round(rows / REGION_ROWS))
    edges = [rows * i // count * PATCH for i in range(count + 1)]
    return [(top, bottom - top) for top, bottom in pairwise(edges)]


_SPLIT_RULE = (
    f"Each photograph is divided into vertical strips with gaps of {GAP} averaged pixels ({2 * GAP} source pixels): train, test in the "
    f"middle ({TEST_WIDTH} wide), train, validation at the right edge ({VALIDATION_WIDTH} wide). Training patches overlap (a step of "
    f"{TRAIN_STRIDE}), the others are disjoint. A cluster is a region: a block of about {REGION_ROWS} rows of patches of a test or "
    "validation strip, or a whole training strip. Errors are over photographs."
)
_SOURCE = (
    "astronaut (NASA, public domain), chelsea (S. van der Walt, CC0), coffee (R. Michetti, CC0), rocket (SpaceX, public domain) and "
    "motorcycle (Middlebury 2014 stereo benchmark, Scharstein et al.) as they ship inside scikit-image; china (danielbuechele, CC BY 2.0) "
    "and flower (vultilion, CC BY 2.0) as they ship inside scikit-learn."
)
_PINNED_WITH = (("pillow", "13.0.0"), ("scikit-image", "0.26.0"), ("scikit-learn", "1.9.1"))
_AVERAGED = "Decoded as RGB, averaged over 2x2 blocks (rounded half up)"

PHOTOS = Task(
    name="photos",
    title="Photo patches 16x16 RGB, 16 levels",
    channels=3,
    height=PATCH,
    width=PATCH,
    levels=16,
    digest="822a5622d9209b305675c25373f292603c74f13b8af8d6eb847ba1f4c7368c5a",
    preprocessing=f"{_AVERAGED}, then divided by 16 and rounded down to 16 levels.",
    split_rule=_SPLIT_RULE,
    source=_SOURCE,
    builder=build_photos,
    sizes=(5970, 182, 273),
    pinned_with=_PINNED_WITH,
    unit_of=photograph_of,
)
PHOTOS_8BIT = replace(
    PHOTOS,
    name="photos-8bit",
    title="Photo patches 16x16 RGB, 256 levels",
    levels=256,
    digest="a5efece4ebc663e9db88b2c1a8427b0f5a7101dfc20313af2a1bc30d542213cd",
    preprocessing=f"{_AVERAGED}; all 256 levels are kept.",
    builder=build_photos_8bit,
)

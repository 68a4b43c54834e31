"""The picture of samples: right pixels, right size, small."""

import io

import numpy as np
from PIL import Image

from pixelbench.evaluation.grids import grid_png


def opened(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


def test_levels_become_bytes_and_pixels_become_squares():
    image = np.zeros((1, 3, 16, 16), np.uint8)
    image[0, 0], image[0, 2] = 15, 5  # red in full, blue at a third
    sheet = opened(grid_png([("one", image)], levels=16))
    assert ((sheet == (255, 0, 85)).all(-1)).sum() == (16 * 16) ** 2  # 288 // 17 = 16 times as large


def test_grey_images_and_several_blocks_stand_side_by_side():
    blocks = [(label, np.full((16, 1, 8, 8), level, np.uint8)) for label, level in (("real test images", 16), ("samples", 0))]
    sheet = opened(grid_png(blocks, levels=17))
    assert sheet.shape[1] > sheet.shape[0]
    left, right = np.array_split(sheet, 2, axis=1)
    assert (left[40:] == 0).mean() < 0.01
    assert (right[40:] == 0).mean() > 0.5


def test_a_picture_is_small_enough_to_commit():
    noise = np.random.default_rng(0).integers(0, 256, (3, 16, 3, 32, 32), dtype=np.uint8)
    assert len(grid_png([("a", noise[0]), ("b", noise[1]), ("c", noise[2])], levels=256)) <= 200_000


def test_rows_have_their_names_at_the_left():
    images = np.full((6, 1, 8, 8), 16, np.uint8)
    plain, named = (opened(grid_png([("label", images)], 17, 2, rows)) for rows in ((), ["0", "1", "2"]))
    assert plain.shape[0] == named.shape[0]
    assert named.shape[1] > plain.shape[1]
    dark = (named.max(-1) < 100).any(1)[40:]  # below the label
    assert np.count_nonzero(np.diff(dark.astype(int)) == 1) == 3

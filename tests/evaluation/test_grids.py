"""The picture of samples: right pixels, right size, small."""

import io
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image, ImageFont

from pixelbench.data import get_task
from pixelbench.evaluation.grids import grid_png, wrap

pytestmark = pytest.mark.quick


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


PAPER, INK = (255, 255, 255), (30, 30, 30)


def plain(levels: range) -> np.ndarray:
    """Images 3 x 4 of one red each, so that no grey of frame or text looks like one."""
    images = np.zeros((len(levels), 3, 3, 4), np.uint8)
    images[:, 0] = np.array(levels)[:, None, None]
    return images


def places(sheet: np.ndarray, level: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the sheet that show a `plain` image."""
    rows, columns = np.nonzero((sheet == (level, 0, 0)).all(-1))
    return rows, columns


def dark(sheet: np.ndarray) -> np.ndarray:
    """(H, W): where there is ink."""
    return sheet.max(-1) < 128


def test_every_image_of_every_block_is_there_whole_in_reading_order():
    """Also of blocks of different size: none is cut off by the other's."""
    sheet = opened(grid_png([("few", plain(range(1, 3))), ("many", plain(range(3, 14)))], 256, columns=2))
    corners = []
    for level in range(1, 14):
        rows, columns = places(sheet, level)
        height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
        assert len(rows) == height * width  # a filled rectangle
        assert height * 4 == width * 3
        corners.append((level > 2, rows.min(), columns.min()))
    assert corners == sorted(corners)
    assert len({top for many, top, _ in corners if many}) == 6
    assert corners[0][1] == corners[2][1]  # all grids begin at one height
    assert corners[1][2] < corners[2][2]  # side by side


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (4, 2), (5, 3), (9, 3), (10, 4)])
def test_a_grid_is_square_ish_if_nobody_says_otherwise(count: int, columns: int):
    sheet = opened(grid_png([("", plain(range(1, count + 1)))], 256))
    tops = [places(sheet, level)[0].min() for level in range(1, count + 1)]
    assert tops.count(tops[0]) == min(columns, count)
    assert tops == sorted(tops)


def test_a_label_stands_above_its_own_block_in_ink_on_paper():
    images = plain(range(1, 5))
    for labels in (("real images", ""), ("", "samples")):
        sheet = opened(grid_png([(label, images) for label in labels], 256))
        first = min(places(sheet, 1)[0])
        head = sheet[:first]
        assert (head[0] == PAPER).all()
        inked = [(half == INK).all(-1).any() for half in np.array_split(head, 2, axis=1)]
        assert inked == [label != "" for label in labels]
        assert (head[:4] == PAPER).all()  # nothing runs out of the sheet


def test_a_long_label_takes_more_lines_and_no_more_width():
    images, word = plain(range(1, 5)), "wide "
    one, long = (opened(grid_png([(word * n, images)], 256)) for n in (1, 20))
    assert long.shape[1] == one.shape[1]
    left, right = places(long, 1)[1].min(), places(long, 2)[1].max()
    begins = places(long, 1)[0].min()
    inked = dark(long[:begins])
    assert np.flatnonzero(inked.any(axis=0)).max() <= right
    assert np.flatnonzero(inked.any(axis=0)).min() >= left
    lines = np.count_nonzero(np.diff(inked.any(1).astype(int)) == 1)
    assert lines >= 3
    extra = long.shape[0] - one.shape[0]
    assert extra % (lines - 1) == 0
    assert not inked[begins - 3 :].any()  # and touches no image


def test_no_word_is_lost_and_none_gets_an_empty_line_before_it():
    """A word wider than the block still stands on the first line."""
    images = plain(range(1, 5))
    wide = opened(grid_png([("x" * 200, images)], 256))
    assert wide.shape == opened(grid_png([("x", images)], 256)).shape
    two, both = (opened(grid_png([(label, images)], 256)) for label in ("x" * 200 + " x", "x " + "x" * 200))
    assert two.shape == both.shape
    assert two.shape[0] > wide.shape[0]


@pytest.mark.parametrize("count", [2, 3, 10])
def test_a_rows_name_stands_beside_the_middle_of_its_row(count: int):
    images = plain(range(1, 4 * count + 1)).repeat(8, 2).repeat(6, 3)  # 24 x 24
    sheet = opened(grid_png([("", images)], 256, columns=4, rows=["x"] * count))
    left = min(places(sheet, 1)[1])
    inked = dark(sheet[:, : left - 1]).any(1)
    runs = np.flatnonzero(np.diff(inked.astype(int))).reshape(-1, 2).mean(1)
    middles = [places(sheet, level)[0].mean() for level in range(1, 4 * count + 1, 4)]
    assert len(runs) == count
    assert np.abs(runs - middles).max() < 5


@pytest.mark.parametrize("width", [40, 100, 280])
def test_lines_are_filled_word_by_word_and_none_is_too_wide(width: int):
    font, label = ImageFont.load_default(size=16), "samples of a model with an exceptionallylongwordinit and a few more short words"
    lines = wrap(label, font, width)
    assert " ".join(lines) == label
    assert all(font.getlength(line) <= width or " " not in line for line in lines)
    for line, following in pairwise(lines):
        assert font.getlength(f"{line} {following.split()[0]}") > width  # no word that had room stands a line lower


def test_large_images_are_not_enlarged():
    sheet = opened(grid_png([("", plain(range(1, 2)).repeat(70, 2).repeat(70, 3))], 256))
    assert len(places(sheet, 1)[0]) == 210 * 280


def test_the_png_is_smaller_than_by_default_settings():
    digits = get_task("digits").load().test.images[:16]
    data, by_default = grid_png([("real test images", digits)], 17), io.BytesIO()
    Image.open(io.BytesIO(data)).save(by_default, "PNG")
    assert len(data) < by_default.getbuffer().nbytes


@pytest.mark.parametrize("levels", [2, 3, 17, 256])
def test_grey_images_go_in_even_steps_from_black_to_white(levels: int):
    image = np.arange(levels, dtype=np.uint8).reshape(1, 1, levels, 1)
    sheet = opened(grid_png([("", image)], levels))
    rows, columns = np.nonzero((sheet == 0).all(-1))
    side = np.ptp(rows) + 1
    assert len(rows) == side * side
    strip = sheet[rows.min() :: side, columns.min()][:levels]  # one pixel of the image each
    np.testing.assert_array_equal(strip, np.round(np.arange(levels) * 255 / (levels - 1))[:, None].repeat(3, 1))

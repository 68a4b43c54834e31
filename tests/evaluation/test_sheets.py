"""Sheets and animations: every strip is there, what holds nothing is no image, and the last picture is the finished one."""

import io
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

from pixelbench.evaluation.animation import FRAMES, drawing_webp
from pixelbench.evaluation.sheets import DESCRIPTION, PAPER, RULE, RUNS, Section, Strip, as_shares, sheet_png, texts_of
from pixelbench.models.sampling import raster

pytestmark = pytest.mark.quick


def strip(name: str, level: int, n: int = 3, channels: int = 3) -> Strip:
    """Images of one red, which no text has."""
    images = np.zeros((n, channels, 8, 8), np.uint8)
    images[:, 0] = level
    return Strip(name, as_shares(images, 256))


def rows_of(sheet: np.ndarray, level: int) -> np.ndarray:
    return np.flatnonzero((sheet == (level, 0, 0)).all(-1).any(1))


def opened(blob: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(blob)))


def test_strips_stand_below_one_another_in_their_order_each_behind_its_name() -> None:
    sections = [Section("first", (strip("a", 10), strip("b", 20))), Section("second", (strip("a much longer name " * 5, 30),))]
    sheet = opened(sheet_png(sections, {}))
    places = [rows_of(sheet, level) for level in (10, 20, 30)]
    assert all(len(rows) == 48 for rows in places)  # 8 pixels, six times as large
    assert places[0].max() < places[1].min() <= places[1].max() < places[2].min()
    for rows in places:
        left = np.flatnonzero((sheet[rows] != PAPER).any(-1).any(0)).min()
        assert left < 150  # its name


def test_what_holds_nothing_has_the_colour_of_lines_and_black_stays_black() -> None:
    shares = np.zeros((1, 1, 8, 8), np.float32)
    shares[:, :, 4:] = np.nan
    sheet = opened(sheet_png([Section("", (Strip("half", shares),))], {}))
    assert (sheet == RULE).all(-1).sum() == (sheet == 0).all(-1).sum() == 24 * 48


def test_the_texts_of_a_sheet_come_back(tmp_path: Path) -> None:
    path = tmp_path / "sheet.png"
    texts = {DESCRIPTION: "Größe <b>", RUNS: "0123 4567"}
    path.write_bytes(sheet_png([Section("", (strip("a", 10),))], texts))
    assert texts_of(path) == texts


@pytest.mark.parametrize("damage", ["none", "empty", "text", "cut"])
def test_what_is_no_whole_picture_has_no_texts(tmp_path: Path, damage: str) -> None:
    path, blob = tmp_path / "sheet.png", sheet_png([Section("", (strip("a", 10),))], {DESCRIPTION: "a"})
    if damage != "none":
        path.write_bytes({"empty": b"", "text": b"no picture", "cut": blob[: len(blob) // 2]}[damage])
    assert texts_of(path) is None


def frames(blob: bytes) -> list[np.ndarray]:
    with Image.open(io.BytesIO(blob)) as picture:
        shown = []
        for frame in ImageSequence.Iterator(picture):
            shown.append(np.asarray(frame.convert("RGB")))
        return shown


def test_an_animation_begins_empty_never_takes_back_and_ends_with_the_images() -> None:
    images = np.random.default_rng(0).integers(0, 256, (4, 3, 8, 8), np.uint8)
    shown = frames(drawing_webp(as_shares(images, 256), tuple(raster((3, 8, 8)))))
    assert 2 <= len(shown) <= FRAMES
    empty = [(picture == RULE).all(-1) for picture in shown]
    assert all((later <= earlier).all() for earlier, later in pairwise(empty))
    assert empty[0].sum() == 4 * 48 * 48
    assert not empty[-1].any()
    assert (shown[-1][:48, :48][::6, ::6] == images[0].transpose(1, 2, 0)).all()


def test_the_order_decides_which_pixel_comes_first_and_what_is_held_is_there_from_the_start() -> None:
    shares = np.ones((1, 1, 8, 8), np.float32)
    forwards = tuple(raster((1, 8, 8)))
    half = frames(drawing_webp(shares, forwards))[FRAMES // 2]
    assert (half[:18] == 255).all()
    assert (half[-18:] == RULE).all()
    half = frames(drawing_webp(shares, forwards[::-1]))[FRAMES // 2]
    assert (half[:18] == RULE).all()
    assert (half[-18:] == 255).all()
    held = np.zeros((1, 1, 8, 8), bool)
    held[:, :, 4:] = True
    first = frames(drawing_webp(shares, forwards, held))[0]
    assert (first[:24] == RULE).all()
    assert (first[24:] == 255).all()

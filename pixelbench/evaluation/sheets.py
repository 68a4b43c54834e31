"""A sheet of pictures: strips of images with their names at the left, under headings, in one PNG that says what it shows."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from pixelbench.evaluation.grids import INK, PAPER, RULE, wrap

#: Keywords of the texts in a sheet's file: what it shows in words, and the keys of the runs that it shows, with spaces.
DESCRIPTION, RUNS = "Description", "Runs"
#: An image is enlarged by the whole factor that brings its side nearest to this many pixels.
TILE = 48
_NAMES, _MARGIN, _SPACE, _FONT, _HEADING, _LINE = 190, 10, 3, 13, 16, 16


@dataclass(frozen=True)
class Strip:
    """Images in a row: `shares` (N, C, H, W) floats, 0 black to 1 white; NaN is a place that holds nothing."""

    name: str
    shares: np.ndarray


@dataclass(frozen=True)
class Section:
    """Strips under a heading."""

    heading: str
    strips: tuple[Strip, ...]


def as_shares(images: np.ndarray, levels: int) -> np.ndarray:
    """Integers 0 … levels-1 → float32 0 … 1."""
    return images.astype(np.float32) / np.float32(levels - 1)


def texts_of(path: Path) -> dict[str, str] | None:
    """The texts of a sheet's file; None where it is no PNG, or is damaged."""
    try:
        with Image.open(path, formats=["PNG"]) as picture:
            picture.load()
            return dict(picture.text)  # type: ignore[attr-defined]
    except (OSError, ValueError, SyntaxError):
        return None


def sheet_png(sections: Sequence[Section], texts: dict[str, str]) -> bytes:
    """One PNG of all sections below one another.

    Args:
        sections: all images of one shape, C being 1 or 3.
        texts: stored in the file, keyword to text, for whoever shows it.
    """
    font, bold = ImageFont.load_default(size=_FONT), ImageFont.load_default(size=_HEADING)
    parts: list[Image.Image] = []
    for section in sections:
        parts.append(_text([section.heading], bold, _HEADING + 8))
        parts += [_beside(wrap(strip.name, font, _NAMES - 8), _row(strip.shares), font) for strip in section.strips]
    width = max(part.width for part in parts) + 2 * _MARGIN
    sheet = Image.new("RGB", (width, sum(part.height + _SPACE for part in parts) + 2 * _MARGIN), PAPER)
    y = _MARGIN
    for part in parts:
        sheet.paste(part, (_MARGIN, y))
        y += part.height + _SPACE
    about = PngInfo()
    for keyword, text in texts.items():
        about.add_itxt(keyword, text)
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG", optimize=True, pnginfo=about)
    return buffer.getvalue()


def colours(shares: np.ndarray) -> np.ndarray:
    """(N, C, H, W) shares → (N, H, W, 3) bytes; a place that holds nothing has the colour of the lines."""
    filled = np.broadcast_to(shares, (len(shares), 3, *shares.shape[2:])).transpose(0, 2, 3, 1)
    nothing = np.isnan(filled)
    return np.where(nothing, np.array(RULE, np.uint8), np.round(np.nan_to_num(filled) * 255).astype(np.uint8))


def enlarged(tiles: np.ndarray) -> np.ndarray:
    """(N, H, W, 3) by a whole factor each way, so that a pixel stays a square."""
    scale = max(1, round(TILE / max(tiles.shape[1:3])))
    return tiles.repeat(scale, 1).repeat(scale, 2)


def _row(shares: np.ndarray) -> Image.Image:
    tiles = enlarged(colours(shares))
    n, height, width, _ = tiles.shape
    row = np.full((height, n * (width + _SPACE) - _SPACE, 3), PAPER, np.uint8)
    for i, tile in enumerate(tiles):
        row[:, i * (width + _SPACE) : i * (width + _SPACE) + width] = tile
    return Image.fromarray(row)


def _text(lines: Sequence[str], font: ImageFont.FreeTypeFont | ImageFont.ImageFont, line: int) -> Image.Image:
    width = max(int(font.getlength(text)) + 1 for text in lines)
    part = Image.new("RGB", (width, line * len(lines) + 2), PAPER)
    draw = ImageDraw.Draw(part)
    for i, text in enumerate(lines):
        draw.text((0, i * line), text, fill=INK, font=font)
    return part


def _beside(name: list[str], row: Image.Image, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> Image.Image:
    """A strip behind its name, both in the middle of the higher one."""
    label = _text(name, font, _LINE)
    height = max(label.height, row.height)
    part = Image.new("RGB", (_NAMES + row.width, height), PAPER)
    part.paste(label, (0, (height - label.height) // 2))
    part.paste(row, (_NAMES, (height - row.height) // 2))
    return part

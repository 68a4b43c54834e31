"""Pictures of images: labelled, enlarged, side by side, in one small PNG."""

import io
import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pixelbench.evaluation.grid_layout import BELOW_LABEL, GAP, LINE, enlargement

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

_FONT_SIZE = 16
PAPER, INK, RULE = (255, 255, 255), (30, 30, 30), (200, 200, 205)


def grid_png(blocks: Sequence[tuple[str, np.ndarray]], levels: int, columns: int | None = None, rows: Sequence[str] = ()) -> bytes:
    """One PNG with a grid of images per block, its label above, blocks side by side.

    Args:
        blocks: (label, integer images (N, C, H, W) of 0 … levels-1), C being 1 or 3, all of one shape.
        levels: level `levels - 1` is shown as white.
        columns: of each grid; square-ish ones if left out.
        rows: names of the grids' rows, written once at the left.
    """
    grids = [_grid(_to_rgb(images, levels), columns) for _, images in blocks]
    font = ImageFont.load_default(size=_FONT_SIZE)
    labels = [wrap(label, font, grid.width) for (label, _), grid in zip(blocks, grids, strict=True)]
    lines = max(len(label) for label in labels)  # all grids begin at one height
    parts = [_labelled(grid, label, lines, font) for grid, label in zip(grids, labels, strict=True)]
    if rows:
        parts.insert(0, _labelled(_names(rows, grids[0].height), [], lines, font))
    sheet = Image.new("RGB", (sum(p.width for p in parts) + GAP * (len(parts) + 1), max(p.height for p in parts) + 2 * GAP), PAPER)
    x = GAP
    for part in parts:
        sheet.paste(part, (x, GAP))
        x += part.width + GAP
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _grid(images: np.ndarray, columns: int | None = None) -> Image.Image:
    """Images (N, H, W, 3) uint8, enlarged by whole factors so that a pixel stays a square."""
    n, height, width, _ = images.shape
    columns = columns or math.ceil(math.sqrt(n))
    scale = enlargement(columns, width)
    tiles = images.repeat(scale, 1).repeat(scale, 2)
    step_x, step_y = width * scale + scale, height * scale + scale
    grid = Image.new("RGB", (columns * step_x - scale, math.ceil(n / columns) * step_y - scale), RULE)
    for i, tile in enumerate(tiles):
        grid.paste(Image.fromarray(tile), ((i % columns) * step_x, (i // columns) * step_y))
    return grid


def _names(rows: Sequence[str], height: int) -> Image.Image:
    """The names of a grid's rows, each in the middle of its row."""
    pitch = height / len(rows)
    font = ImageFont.load_default(size=min(_FONT_SIZE, max(6, math.floor(pitch))))
    names = Image.new("RGB", (math.ceil(max(font.getlength(name) for name in rows)), height), PAPER)
    draw = ImageDraw.Draw(names)
    for i, name in enumerate(rows):
        draw.text((0, (i + 0.5) * pitch), name, fill=INK, font=font, anchor="lm")
    return names


def _labelled(grid: Image.Image, label: list[str], lines: int, font: Font) -> Image.Image:
    """The grid below its label, with room for so many lines."""
    top = LINE * lines + BELOW_LABEL
    block = Image.new("RGB", (grid.width, top + grid.height), PAPER)
    draw = ImageDraw.Draw(block)
    for i, line in enumerate(label):
        draw.text((0, i * LINE), line, fill=INK, font=font)
    block.paste(grid, (0, top))
    return block


def wrap(label: str, font: Font, width: int) -> list[str]:
    """Break a label at spaces so that no line is wider than the block."""
    lines = [""]
    for word in label.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _to_rgb(images: np.ndarray, levels: int) -> np.ndarray:
    """(N, C, H, W) levels → (N, H, W, 3) bytes."""
    shown = np.round(images.astype(np.float64) * (255 / (levels - 1))).astype(np.uint8).transpose(0, 2, 3, 1)
    return np.broadcast_to(shown, (*shown.shape[:3], 3)) if shown.shape[3] == 1 else shown

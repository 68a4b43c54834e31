"""Where a picture of sample grids has its images: the measures that `grids` draws with, and how to find the images again."""

from dataclasses import dataclass

#: Around and between grids; of a line of a label, and below the last one; the most that a grid is wide. In pixels.
GAP, LINE, BELOW_LABEL, BLOCK_WIDTH = 12, 20, 4, 288
#: A grid has no more columns, and a label no more lines.
_MOST_COLUMNS, _MOST_LINES = 64, 8


@dataclass(frozen=True)
class GridLayout:
    """The places of the images of one block of a picture, in pixels: the first at (`left`, `top`), each `width` by `height`, the next one
    `pitch` further."""

    left: int
    top: int
    width: int
    height: int
    pitch: tuple[int, int]
    """To the right, and down."""
    columns: int
    rows: int

    def first(self, columns: int, rows: int = 1) -> tuple[int, int, int, int]:
        """Left, top, width and height of the first so many images of the first rows."""
        columns, rows = min(columns, self.columns), min(rows, self.rows)
        across, down = self.pitch
        return self.left, self.top, (columns - 1) * across + self.width, (rows - 1) * down + self.height


def enlargement(columns: int, width: int) -> int:
    """By which whole factor images of so many pixels are enlarged in a grid."""
    return max(1, BLOCK_WIDTH // (columns * (width + 1)))


def find_layout(size: tuple[int, int], shape: tuple[int, int], blocks: int) -> list[GridLayout] | None:
    """The blocks of a picture that `grid_png` drew; None where a picture of this size cannot be one.

    Args:
        size: width and height of the picture.
        shape: height and width of the images in it.
        blocks: how many grids lie side by side.
    """
    (height, width), (free, rest) = shape, divmod(size[0] - GAP, blocks)
    across = free - GAP
    for columns in range(1, _MOST_COLUMNS + 1):
        scale = enlargement(columns, width)
        pitch = scale * (width + 1), scale * (height + 1)
        if rest or columns * pitch[0] - scale != across:
            continue
        for lines in range(1, _MOST_LINES + 1):
            top = GAP + LINE * lines + BELOW_LABEL
            rows, left_over = divmod(size[1] - top - GAP + scale, pitch[1])
            if rows > 0 and not left_over:
                lefts = [GAP + block * (across + GAP) for block in range(blocks)]
                return [GridLayout(left, top, width * scale, height * scale, pitch, columns, rows) for left in lefts]
    return None

"""The layers of `shifted` in raster order.

A row of features of a down stream is final once the rows of pixels above it are, a feature of a down-right one once the pixels before it
are. So each is computed once: incremental layers of the down stream take a row at a time, those of the other a pixel at a time.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelbench.models.base import InputEncoding
from pixelbench.models.layers.shifted import Activation, Expand2d, GatedBlock, Normed, Pointwise, ShiftedConv2d


class Cursor:
    """The place of a stepper: row and column of the image, shared by all its layers."""

    def __init__(self) -> None:
        self.row, self.column = -1, 0

    def scales(self, most: int, *, columns: bool) -> int:
        """How many resolutions have a new row here, or with `columns` a new pixel."""
        place = self.row | (self.column if columns else 0)
        return most if place == 0 else min(most, (place & -place).bit_length())


class RowConv:
    """A down `ShiftedConv2d` of two rows or one, a row at a time: (B, inputs, 1, W) → (B, outputs, 1, W')."""

    def __init__(self, layer: ShiftedConv2d):
        self.weight, self.bias, self.stride, self.padding = layer.weight(), layer.bias, layer.stride, (*layer.padding[:2], 0, 0)
        self.above: Tensor | None = None

    def __call__(self, x: Tensor) -> Tensor:
        padded = F.pad(x, self.padding)
        window = padded
        if self.weight.shape[2] > 1:
            above = torch.zeros_like(padded) if self.above is None else self.above
            window, self.above = torch.cat([above, padded], 2), padded
        return F.conv2d(window, self.weight, self.bias, self.stride)


class PixelConv:
    """A down-right `ShiftedConv2d`, a pixel at a time: (B, inputs) → (B, outputs).

    What the row above contributes is computed for a whole row at once, in the first pixel of it that is read. With a stride only every
    second pixel of every second row is worth reading.
    """

    def __init__(self, layer: ShiftedConv2d, batch: int, width: int, cursor: Cursor, scale: int = 0):
        weight, self.bias, self.cursor, self.scale = layer.weight(), layer.bias, cursor, scale
        _, inputs, rows, columns = weight.shape
        self.row = weight.new_zeros(batch, columns - 1 + width, inputs)
        self.windows = [self.row[:, c : c + columns].flatten(1) for c in range(width)]
        self.here = weight[:, :, -1].permute(2, 1, 0).flatten(0, 1).contiguous()
        self.over = weight[:, :, 0].contiguous() if rows > 1 else None
        self.above = torch.zeros_like(self.row)
        self.base: Tensor | None = None
        self.left, self.width = columns - 1, width

    def begin_row(self) -> None:
        """The row that was written is now the row above."""
        self.above.copy_(self.row)
        self.row.zero_()
        self.base = None

    def __call__(self, x: Tensor) -> Tensor:
        column = self.cursor.column >> self.scale
        self.row[:, column + self.left] = x
        if self.over is None:
            return torch.addmm(self.bias, self.windows[column], self.here)
        if self.base is None:
            self.base = F.conv1d(self.above.transpose(1, 2), self.over, self.bias).permute(2, 0, 1).contiguous()
        return torch.addmm(self.base[column], self.windows[column], self.here)


class PixelPointwise:
    """A `Pointwise` at one pixel: (B, inputs) → (B, outputs)."""

    def __init__(self, layer: Pointwise):
        self.weight, self.bias = layer.weight()[:, :, 0, 0].t().contiguous(), layer.bias

    def __call__(self, x: Tensor) -> Tensor:
        return torch.addmm(self.bias, x, self.weight)


class RowExpand:
    """A down `Expand2d`: a coarse row (B, maps, 1, W) → the finer row that the cursor is in (B, maps, 1, 2W)."""

    def __init__(self, layer: Expand2d, cursor: Cursor, scale: int):
        self.weight, self.layer, self.cursor, self.scale = layer.weight(), layer, cursor, scale

    def __call__(self, x: Tensor) -> Tensor:
        lower = (self.cursor.row >> self.scale) % 2
        return self.layer.apply_weight(x, self.weight[:, :, lower : lower + 1], self.layer.bias)


class PixelExpand:
    """A down-right `Expand2d`: a coarse pixel (B, maps) → the finer pixel that the cursor is at (B, maps)."""

    def __init__(self, layer: Expand2d, cursor: Cursor, scale: int):
        self.weight, self.bias = layer.weight().permute(2, 3, 0, 1).contiguous(), layer.bias
        self.cursor, self.scale = cursor, scale

    def __call__(self, x: Tensor) -> Tensor:
        row, column = (self.cursor.row >> self.scale) % 2, (self.cursor.column >> self.scale) % 2
        return torch.addmm(self.bias, x, self.weight[row, column])


class IncrementalBlock:
    """A `GatedBlock` in raster order; `incremental` gives the twin of a layer, `bias` is a condition's, shaped as the layers' outputs."""

    def __init__(self, block: GatedBlock, incremental: Callable[[Normed], Activation], bias: Tensor | None):
        self.block, self.enter, self.leave, self.bias = block, incremental(block.enter), incremental(block.leave), bias
        self.mix = None if block.mix is None else incremental(block.mix)

    def __call__(self, x: Tensor, extra: Tensor | None = None) -> Tensor:
        return self.block.through(x, extra, self.bias, self.enter, self.mix, self.leave)


class IncrementalRows:
    """Maker of the row twins of a down stream's layers: called with a layer or block, and the scale of its finer side.

    Args:
        condition: (B, n) numbers, for blocks that take them.
    """

    def __init__(self, cursor: Cursor, condition: Tensor | None = None):
        self.cursor, self.condition = cursor, condition

    def __call__(self, layer: nn.Module, scale: int) -> Any:
        if isinstance(layer, GatedBlock):
            bias = layer.bias(self.condition)
            return IncrementalBlock(layer, lambda inner: self(inner, scale), None if bias is None else bias[..., None, None])
        if isinstance(layer, Expand2d):
            return RowExpand(layer, self.cursor, scale)
        return RowConv(layer) if isinstance(layer, ShiftedConv2d) else layer


class IncrementalPixels:
    """Maker of the pixel twins of a down-right stream's layers, as `IncrementalRows`; moves those with a row of their own on."""

    def __init__(self, batch: int, width: int, scales: int, cursor: Cursor, condition: Tensor | None = None):
        self.batch, self.width, self.cursor, self.condition = batch, width, cursor, condition
        self.convs: list[list[PixelConv]] = [[] for _ in range(scales)]

    def __call__(self, layer: nn.Module, scale: int = 0) -> Any:
        if isinstance(layer, GatedBlock):
            return IncrementalBlock(layer, lambda inner: self(inner, scale), layer.bias(self.condition))
        if isinstance(layer, Expand2d):
            return PixelExpand(layer, self.cursor, scale)
        if isinstance(layer, Pointwise):
            return PixelPointwise(layer)
        if not isinstance(layer, ShiftedConv2d):
            raise TypeError(f"{type(layer).__name__} has no incremental mode")
        conv = PixelConv(layer, self.batch, self.width >> scale, self.cursor, scale)
        self.convs[scale].append(conv)
        return conv

    def begin_row(self, fresh: int = 1) -> None:
        """A new row of the finest `fresh` scales."""
        for convs in self.convs[:fresh]:
            for conv in convs:
                conv.begin_row()


class PixelRow:
    """The row of pixels that is being drawn, as numbers with the map of ones, and the values of the newest pixel.

    Attributes:
        row: (B, maps + 1, 1, W).
        values: (B, C) integers; a pixel's later colours still hold those of the pixel before.
    """

    def __init__(self, encoding: InputEncoding, batch: int, width: int, like: Tensor):
        maps = len(encoding.colours)
        self.encoding, self.maps = encoding, maps // encoding.channels
        self.row = like.new_zeros(batch, maps + 1, 1, width)
        self.values = torch.zeros(batch, encoding.channels, dtype=torch.long, device=like.device)

    def begin_row(self) -> Tensor:
        """(B, maps + 1, 1, W): the row above; zeros, as padding is, above the image."""
        above = self.row.clone()
        self.row[:, -1] = 1
        return above

    def put(self, column: int, colour: int, values: Tensor) -> None:
        """Set one sub-pixel: (B,) integers."""
        self.values[:, colour] = values
        maps = slice(colour * self.maps, (colour + 1) * self.maps)
        self.row[:, maps, 0, column] = self.encoding.values(values, self.row.dtype)

    def at(self, column: int) -> Tensor:
        """(B, maps + 1) of one pixel."""
        return self.row[:, :, 0, column]

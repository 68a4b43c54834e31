"""Causal layers with two modes that share one set of weights.

`forward` sees the whole image at once: training and scoring. The *incremental mode* sees it in raster order: what the rows above contribute
is computed once for a whole row, in one product; what this row contributes, one sub-pixel at a time. Both are the same function.

Masked taps below the current row are not stored; the few masked ones that remain (right of the pixel, later colours at the pixel) are
multiplied by a mask inside `forward`, so that optimisers, EMA and exports see one truth.

Feature maps belong to colours (van den Oord et al. 2016a, section 3.4). Which map belongs to which colour is an explicit vector that
every layer gets, so no gate, split or width that is not divisible can mix two groups by accident.
"""

import itertools
import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def colours(maps: int, groups: int) -> list[int]:
    """The colour of each of `maps` feature maps, in order: map i belongs to colour `i * groups // maps`."""
    return [i * groups // maps for i in range(maps)]


def may_see(outputs: Sequence[int], inputs: Sequence[int], *, itself: bool, conditioning: bool) -> Tensor:
    """(outputs, inputs) of 0 and 1: may the output's colour read the input's colour *at the same pixel*?

    Mask A (`itself = False`) allows earlier colours only, mask B (`itself = True`) the colour itself as well (2016a, section 3.4).
    Without `conditioning` no colour sees another one at the same pixel; earlier pixels stay visible in all colours either way.
    """
    out, inp = torch.tensor(outputs)[:, None], torch.tensor(inputs)[None, :]
    seen = (inp < out) & torch.tensor(conditioning)
    return (seen | (inp == out) if itself else seen).float()


def gate(x: Tensor) -> Tensor:
    """(B, 2m, …) → (B, m, …): tanh of the first half times sigmoid of the second (van den Oord et al. 2016b, eq. 2)."""
    drive, switch = x.chunk(2, 1)
    return torch.tanh(drive) * torch.sigmoid(switch)


class CausalConv2d(nn.Module):
    """A convolution that sees the rows above in full (if `above`), this row to the left, and at the pixel what the mask allows.

    Args:
        inputs, outputs: the colour of every input and output map, as from `colours`.
        kernel: odd width and height of the uncropped kernel; 1 reads the pixel alone.
        above: False leaves out the rows above (the horizontal stack of 2016b).
        itself: mask B instead of mask A, see `may_see`.
        conditioning: colour conditioning, see `may_see`.
        dilation: distance between the taps, in pixels.
    """

    mask: Tensor

    def __init__(
        self,
        inputs: Sequence[int],
        outputs: Sequence[int],
        kernel: int,
        *,
        above: bool,
        itself: bool,
        conditioning: bool,
        dilation: int = 1,
    ):
        super().__init__()
        self.inputs, self.outputs, self.above = list(inputs), list(outputs), above and kernel > 1
        self.reach, self.dilation = kernel // 2, dilation
        rows, width = (self.reach + 1, kernel) if self.above else (1, self.reach + 1)
        mask = torch.ones(len(outputs), len(inputs), rows, width)
        mask[:, :, -1, self.reach + 1 :] = 0
        mask[:, :, -1, self.reach] = may_see(outputs, inputs, itself=itself, conditioning=conditioning)
        self.register_buffer("mask", mask, persistent=False)
        self.weight = nn.Parameter(torch.empty_like(mask))
        self.bias = nn.Parameter(torch.empty(len(outputs)))
        initialise(self.weight, self.bias, fan_in=float(mask.sum()) / len(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) → (B, outputs, H, W)."""
        d = self.dilation
        right = d * self.reach if self.above else 0
        weight = self.weight * self.mask
        padded = F.pad(x, (d * self.reach, right, d * (weight.shape[2] - 1), 0))
        return F.conv2d(padded, weight, self.bias, dilation=d)

    def incremental(self, batch: int, width: int) -> "IncrementalConv2d":
        """The incremental mode for `batch` images of that width; take a new one after the weights have changed."""
        return IncrementalConv2d(self, batch, width)


class IncrementalConv2d:
    """A `CausalConv2d` in raster order: `begin_row`, then for each column and colour `read` the output and `write` the input.

    A colour's input at a pixel may be written after the same colour's output has been read (mask A) or before (mask B); what has not been
    written yet is 0 and masked anyway. All buffers are static and all views of them are made once: a step is one small product.
    """

    def __init__(self, layer: CausalConv2d, batch: int, width: int):
        weight, reach, d = layer.weight * layer.mask, layer.reach, layer.dilation
        inputs, groups = len(layer.inputs), max(layer.inputs) + 1
        # A gate's two halves both hold every colour: sorted by colour, the outputs of one colour lie side by side.
        by_colour = sorted(range(len(layer.outputs)), key=layer.outputs.__getitem__)
        order = torch.tensor(by_colour).to(weight.device)
        parts = slices_by_colour(sorted(layer.outputs), groups)
        self.bias, self.reach, self.rows = layer.bias[order], reach, None
        # Column c lies at place reach + c // d of phase c % d: the taps of a dilated kernel are neighbours, so that a window is one view.
        self.row, self.width, self.dilation = weight.new_zeros(batch, d, reach + math.ceil(width / d), inputs), width, d
        self.base = weight.new_empty(batch, width, len(layer.outputs))
        if layer.above:
            self.rows = SlidingRows(weight[order, :, :-1], self.bias, batch, width, d, delay=d - 1)  # the nearest tap is d rows above
        this_row = weight[order, :, -1, : reach + 1].permute(2, 1, 0).flatten(0, 1)  # ((reach + 1) * inputs, outputs)
        self.weights = [this_row[:, part].contiguous() for part in parts]
        self.windows = [self.row[:, c % d, c // d : c // d + reach + 1].flatten(1) for c in range(width)]
        self.bases = [[self.base[:, c, part] for part in parts] for c in range(width)]
        places = slices_by_colour(layer.inputs, groups)
        self.slots = [[self.row[:, c % d, reach + c // d, part] for part in places] for c in range(width)]
        self.order, self.first = order, True

    def begin_row(self, extra: Tensor | None = None) -> None:
        """Move on to the next row. `extra` (B, W, outputs), in the layer's own order, is added to every output of this row."""
        if self.rows is not None:
            self.base.copy_(self.rows.slide(None if self.first else self.written()))
        else:
            self.base.copy_(self.bias.expand_as(self.base))
        if extra is not None:
            self.base.add_(extra[..., self.order])
        self.first = False
        self.row.zero_()

    def written(self) -> Tensor:
        """(B, W, inputs): what has been written of this row."""
        return self.row[:, :, self.reach :].transpose(1, 2).flatten(1, 2)[:, : self.width]

    def write(self, column: int, colour: int, value: Tensor) -> None:
        """Set the input of one colour at this row's column: (B, maps of that colour)."""
        self.slots[column][colour].copy_(value)

    def read(self, column: int, colour: int) -> Tensor:
        """The outputs of one colour at this row's column: (B, maps of that colour)."""
        return torch.addmm(self.bases[column][colour], self.windows[column], self.weights[colour])


class RowsAboveConv2d(nn.Module):
    """A convolution that reads only rows above the output's row, all columns alike: the vertical stack (2016b, section 2.2).

    With `strict` the input's own row is left out. The first layer needs that, since its input is the image itself, whose row r must not be
    read at row r. Deeper inputs were shifted by it and know nothing of their own row, so that there the own row is read; leaving it out
    again would keep a blind spot.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, *, strict: bool, dilation: int = 1):
        super().__init__()
        self.reach, self.strict, self.dilation = kernel // 2, strict, dilation
        self.weight = nn.Parameter(torch.empty(outputs, inputs, self.reach + (not strict), kernel))
        self.bias = nn.Parameter(torch.empty(outputs))
        initialise(self.weight, self.bias, fan_in=self.weight[0].numel())

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) → (B, outputs, H, W)."""
        d = self.dilation
        x, weight = x[:, :, :-1] if self.strict else x, self.weight  # one more row of padding moves the input down
        top = d * (weight.shape[2] - 1) + self.strict
        return F.conv2d(F.pad(x, (d * self.reach, d * self.reach, top, 0)), weight, self.bias, dilation=d)

    def incremental(self, batch: int, width: int) -> "SlidingRows":
        """The incremental mode for rows, for `batch` images of that width."""
        return SlidingRows(self.weight, self.bias, batch, width, self.dilation)


class SlidingRows:
    """The newest few rows of an input, and what a kernel over them gives for a whole row at once.

    `delay`: so many of the newest rows are not read yet.
    """

    def __init__(self, weight: Tensor, bias: Tensor, batch: int, width: int, dilation: int, delay: int = 0):
        self.weight, self.bias, self.dilation = weight.contiguous(memory_format=torch.channels_last), bias, dilation
        self.reach = dilation * (weight.shape[3] // 2)
        rows = dilation * (weight.shape[2] - 1) + 1 + delay
        self.window = weight.new_zeros(batch, rows, width + 2 * self.reach, weight.shape[1])

    def slide(self, newest: Tensor | None) -> Tensor:
        """Take the newest row (B, W, inputs), None at the top of the image, and give (B, W, outputs)."""
        if newest is not None:
            self.window[:, :-1] = self.window[:, 1:].clone()
            self.window[:, -1, self.reach : self.window.shape[2] - self.reach] = newest
        return F.conv2d(self.window.permute(0, 3, 1, 2), self.weight, self.bias, dilation=self.dilation)[:, :, 0].transpose(1, 2)


def initialise(weight: Tensor, bias: Tensor, *, fan_in: float) -> None:
    """Uniform with variance 1/fan_in (LeCun 1998), counting only taps that the mask lets through; biases 0."""
    bound = math.sqrt(3 / max(fan_in, 1.0))
    nn.init.uniform_(weight, -bound, bound)
    nn.init.zeros_(bias)


def slices_by_colour(colour_of: Sequence[int], groups: int) -> list[slice]:
    """Where each colour's maps lie, given colours in rising order."""
    starts = [sum(c < g for c in colour_of) for g in range(groups + 1)]
    return [slice(a, b) for a, b in itertools.pairwise(starts)]

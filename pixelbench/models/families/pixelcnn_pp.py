"""PixelCNN++: two streams of shifted convolutions at several resolutions (Salimans et al. 2017, sections 2.3 to 2.5, Figure 2).

The *down* stream sees the rows above, the *down-right* one earlier pixels of this row as well and, in every block, the down stream. Gated
residual blocks go down through `scales` resolutions and up again; each block on the way up has a short-cut from the way down. The head
couples the colours of a pixel (section 2.2); the network sees whole earlier pixels and knows no colour groups.

| unsaid in the paper, or unlike its code | here |
| --- | --- |
| blocks a resolution on the way up | one more than `layers`, but at the coarsest, as the code: one for each tensor of the way down |
| maps | the text says 192, the code 160 (registered as published); default 64, with 2 `layers`, so that a CPU can train it |
| kernels | down 2x3, down-right 2x2; first layers 2x3, and 1x3 plus 2x1, moved by one row or column; as the code |
| the edge of the image | a map of ones enters with the image, padding is 0; as the code |
| initialisation | from the first batch, as the code, but without dropout; a map that is constant in that batch is centred and not scaled |
| without a first batch | gain 1 (0.1 for the last layer of a block), bias 0 |
| dropout | 0.5 inside each block; `dropout` |
| where a class enters (section 3.2) | a bias to the gate of every block of both streams, as the code; `condition = "class"` |
| colour conditioning off | the form of the head that gives each colour outputs of its own |
| averaged weights for evaluation | a matter of the recipe |

`skip = false` takes the short-cuts out (section 3.4: "fails to train"), `dropout = 0` and `head = "softmax"` are the other ablations there;
a continuous mixture on dequantised images, of a later version of the paper, is not here: such a network reads draws and not images, so that
it has no conditionals of an image.

The small networks of Table 2 (section 3.3) have no down-sampling, `scales = 1`. With n = 2 * `layers` + `middle_layers` blocks such a
network sees 1 + 2n pixels to the left, and 3 + 2n rows above from 2 + 2n columns to the left to 1 + 2n to the right.

| unsaid of the small networks | here |
| --- | --- |
| layers behind the fields of 11x5 and 15x8 | 2 and 3 blocks, by the 5 and 7 pixels to the left; above, these see 12x7 and 16x9 |
| short-cuts | as in the whole network: from the first block's input to the last block |
| "3 NIN blocks between every other layer" | `nin_blocks = 3`, between any two blocks, each of which is two layers |
| "skip connections between sets of channels via 1x1 convolution gated ResNet block": sets, where | `channel_sets`, after every block |
"""

import functools
from collections.abc import Callable
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelbench.models.base import AutoregressiveModel, ConditionedModel, InputEncoding
from pixelbench.models.heads import make_output, outside_autocast
from pixelbench.models.layers.condition import ConditionInput
from pixelbench.models.layers.pointwise_blocks import Deepened
from pixelbench.models.layers.shifted import (
    Expand2d,
    GatedBlock,
    Normed,
    Pointwise,
    ShiftedConv2d,
    concat_elu,
    down_shift,
    initialise_from,
    right_shift,
    with_ones,
)
from pixelbench.models.layers.shifted_incremental import Cursor, IncrementalPixels, IncrementalRows, PixelPointwise, PixelRow, RowConv
from pixelbench.models.settings.gated import GatedPixelCNNSettings
from pixelbench.models.settings.pixelcnn_pp import PixelCNNPPSettings


class PixelCNNPP(AutoregressiveModel):
    """See the module. `forward`: integer images (B, C, H, W), with classes (B,) where there are some → raw outputs of the head."""

    settings: PixelCNNPPSettings

    def __init__(self, channels: int, height: int, width: int, levels: int, settings: PixelCNNPPSettings):
        super().__init__(channels, height, width, levels, settings)
        s = settings
        self.encoding = InputEncoding(s.input_encoding, channels, levels)
        pixel = len(self.encoding.colours) + 1
        self.first_down = ShiftedConv2d(pixel, s.maps, (2, 3), right=False)
        self.first_above = ShiftedConv2d(pixel, s.maps, (1, 3), right=False)
        self.first_left = ShiftedConv2d(pixel, s.maps, (2, 1), right=True)
        self.down, self.down_right = Stream(s, right=False), Stream(s, right=True)
        self.output = make_output(s.head, channels, levels, coupled=s.colour_conditioning, components=s.components)
        self.head = Pointwise(s.maps, self.output.maps)
        self.conditional = s.condition != "none"
        # A class as numbers is the same here as in Gated PixelCNN.
        as_gated = GatedPixelCNNSettings(condition=s.condition, classes=s.classes)
        self.condition_input = ConditionInput(as_gated, height, width) if self.conditional else None

    def forward(self, images: Tensor, condition: Tensor | None = None) -> Tensor:
        x = with_ones(self.encoding.images(images, self.head.bias.dtype))  # (B, C + 1, H, W) for scalar inputs
        given = conditioned(self.encoded(condition, len(images)))
        rows = self.down.parts(given).reached(down_shift(self.first_down(x)))
        h = down_shift(self.first_above(x)) + right_shift(self.first_left(x))  # (B, maps, H, W)
        parts = self.down_right.parts(given)
        h = parts.reached(h, rows.get)[parts.last(0)]
        return self.output.raw(outside_autocast(self.head, F.elu(h)))

    def prepare(self, images: Tensor, condition: Tensor | None = None) -> None:
        initialise_from(self, images, condition)

    def encoded(self, condition: Tensor | None, batch: int) -> Tensor | None:
        """The classes as numbers (B, classes), checked; see `ConditionInput`."""
        if condition is None or self.condition_input is None:
            return None
        return self.condition_input(condition, batch, self.head.bias.dtype)

    def certifiable(self) -> "PixelCNNPP | ConditionedModel":
        """Bound to class 0 where there are classes."""
        return self.bound(torch.zeros(1, dtype=torch.long, device=self.device)) if self.conditional else self

    def stepper(self, batch: int, condition: Tensor | None = None) -> "PixelCNNPPStepper":
        return PixelCNNPPStepper(self, batch, self.encoded(condition, batch))


def conditioned(condition: Tensor | None) -> Callable[[nn.Module, int], Any]:
    """The mode of whole images, for `Stream.parts`: blocks are given this condition (B, n)."""
    return lambda layer, scale: functools.partial(layer, condition=condition) if isinstance(layer, GatedBlock) else layer


#: Which block of a stream: on the way `down` or `up`, or in the `middle`, at which scale, which one there.
Place = tuple[str, int, int]


class Stream(nn.Module):
    """All blocks of one stream, and its changes of resolution."""

    def __init__(self, s: PixelCNNPPSettings, *, right: bool):
        super().__init__()
        kernel, maps, self.skip = (2, 2) if right else (2, 3), s.maps, s.skip

        def layer(inputs: int, outputs: int, scale: float) -> Normed:
            return ShiftedConv2d(inputs, outputs, kernel, right=right, scale=scale)

        def block(extra: int, nin_blocks: int) -> nn.Module:
            gated = GatedBlock(maps, extra, layer, concat_elu, s.dropout, s.classes)
            if s.channel_sets == 1 and not nin_blocks:
                return gated
            return Deepened(gated, maps, sets=s.channel_sets, blocks=nin_blocks, dropout=s.dropout, condition=s.classes)

        def blocks(number: int, extra: int, *, to_the_end: bool = False) -> nn.ModuleList:
            """`to_the_end`: nothing comes after the last of them, so that no 1x1 blocks do."""
            return nn.ModuleList(block(extra, s.nin_blocks * (not to_the_end or i < number - 1)) for i in range(number))

        extra, changes = maps if right else 0, range(s.scales - 1)
        self.down = nn.ModuleList(blocks(s.layers, extra) for _ in range(s.scales))
        self.shrink = nn.ModuleList(ShiftedConv2d(maps, maps, kernel, right=right, stride=2) for _ in changes)
        self.expand = nn.ModuleList(Expand2d(maps, right=right) for _ in changes)
        self.up = nn.ModuleList(
            blocks(s.layers + (scale < s.scales - 1), extra + maps * s.skip, to_the_end=scale == 0) for scale in range(s.scales)
        )
        self.middle = blocks(s.middle_layers, extra)

    def parts(self, part_of: Callable[[nn.Module, int], Any]) -> "Parts":
        """The blocks and changes of resolution, or their incremental twins: `part_of` gets each and the scale of its finer side."""

        def twins(layers: nn.Module, scale: int) -> list[Any]:
            return [_twin(block, lambda inner: part_of(inner, scale)) for block in cast("nn.ModuleList", layers)]

        down, up = ([twins(at, scale) for scale, at in enumerate(way)] for way in (self.down, self.up))
        shrink, expand = ([part_of(layer, scale) for scale, layer in enumerate(layers)] for layers in (self.shrink, self.expand))
        return Parts(down, shrink, twins(self.middle, len(down) - 1), expand, up, self.skip)


def _twin(block: nn.Module, part_of: Callable[[nn.Module], Any]) -> Any:
    return block.twin(part_of) if isinstance(block, Deepened) else part_of(block)


class Parts:
    """A stream as functions of features, from finest to coarsest: whole images, rows or pixels."""

    def __init__(self, down: list[list[Any]], shrink: list[Any], middle: list[Any], expand: list[Any], up: list[list[Any]], skip: bool):
        self.down, self.shrink, self.middle, self.expand, self.up, self.skip = down, shrink, middle, expand, up, skip

    def last(self, scale: int) -> Place:
        """The last block at that scale; of no use beyond the coarsest."""
        return "up", scale, len(self.up[scale]) - 1 if scale < len(self.up) else -1

    def reached(
        self,
        x: Tensor,
        other: Callable[[Place], Tensor | None] = lambda place: None,
        fresh: int | None = None,
        coarse: Tensor | None = None,
    ) -> dict[Place, Tensor]:
        """The output of each block.

        Args:
            x: features of the finest scale.
            other: what a block reads of the other stream.
            fresh: how many scales have something new here; all of them by default.
            coarse: the last features of the scale after those, if there is one.
        """
        scales, found, kept = len(self.down), {}, [x]
        fresh = scales if fresh is None else fresh
        for scale in range(fresh):
            for i, block in enumerate(self.down[scale]):
                place = ("down", scale, i)
                found[place] = x = block(x, other(place))
                kept.append(x)
            if scale < scales - 1:
                x = self.shrink[scale](x)  # also where the result is not new: its incremental twin keeps its input
                kept.extend([x] if scale < fresh - 1 else [])
        x = kept.pop() if coarse is None else coarse
        for i, block in enumerate(self.middle if fresh == scales else []):
            place = ("middle", scales - 1, i)
            found[place] = x = block(x, other(place))
        for scale in reversed(range(fresh)):
            if scale < scales - 1:
                x = self.expand[scale](x)
            for i, block in enumerate(self.up[scale]):
                place, short = ("up", scale, i), kept.pop()
                read = [one for one in (other(place), short if self.skip else None) if one is not None]
                found[place] = x = block(x, torch.cat(read, 1) if read else None)
        return found


class PixelCNNPPStepper:
    """A `PixelCNNPP` in raster order: the down stream a row at a time, the down-right one a pixel at a time.

    A coarse scale moves on only in every second row and column of the finer one; in between its last features stay as they are.
    """

    def __init__(self, model: PixelCNNPP, batch: int, condition: Tensor | None):
        self.output, self.cursor, scales = model.output, Cursor(), model.settings.scales
        self.incremental = IncrementalPixels(batch, model.width, scales, self.cursor, condition)
        self.pixels = PixelRow(model.encoding, batch, model.width, model.head.bias)
        self.first_down, self.first_above, self.first_left = (
            RowConv(model.first_down),
            RowConv(model.first_above),
            self.incremental(model.first_left),
        )
        self.down, self.down_right = model.down.parts(IncrementalRows(self.cursor, condition)), model.down_right.parts(self.incremental)
        self.head = PixelPointwise(model.head)
        self.rows: dict[Place, Tensor] = {}  # the newest row of each block of the down stream
        self.coarse: list[dict[int, Tensor]] = [{} for _ in range(scales)]  # the newest row of the other one's last block at each scale
        self.above = self.maps = model.head.bias

    def begin_row(self) -> None:
        self.cursor.row += 1
        pixels = self.pixels.begin_row()
        down, above = self.first_down(pixels), self.first_above(pixels)
        if self.cursor.row == 0:  # nothing is above; the layers' biases do not enter from there either
            down, above = torch.zeros_like(down), torch.zeros_like(above)
        self.above = above[:, :, 0]
        fresh = self.cursor.scales(len(self.coarse), columns=False)
        self.rows |= self.down.reached(down, fresh=fresh, coarse=self.rows.get(self.down.last(fresh)))
        self.incremental.begin_row(fresh)

    def logits(self, column: int, colour: int) -> Tensor:
        if colour == 0:
            self.maps = self._maps(column)
        return self.output.pixel_log_probs(self.maps, self.pixels.values, colour)

    def put(self, column: int, colour: int, values: Tensor) -> None:
        self.pixels.put(column, colour, values)

    def _maps(self, column: int) -> Tensor:
        h = self.above[:, :, column]
        if column:
            self.cursor.column = column - 1
            h = h + self.first_left(self.pixels.at(column - 1))
        self.cursor.column = column
        fresh = self.cursor.scales(len(self.coarse), columns=True)
        coarse = self.coarse[fresh][column >> fresh] if fresh < len(self.coarse) else None
        found = self.down_right.reached(h, lambda place: self.rows[place][:, :, 0, column >> place[1]], fresh, coarse)
        for scale in range(fresh):
            self.coarse[scale][column >> scale] = found[self.down_right.last(scale)]
        return self.head(F.elu(found[self.down_right.last(0)]))

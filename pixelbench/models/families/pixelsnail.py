"""PixelSNAIL: gated residual layers of causal convolutions and causal attention in turn (Chen et al. 2018).

One down-right stream as in PixelCNN++, without down-sampling: `blocks` times `layers` gated residual blocks of 2x2 convolutions, and then
attention, whose result enters one more gated block of 1x1 layers. A pixel's query meets the keys of strictly earlier pixels; keys and
values are made of the image itself too, since they are never read at their own pixel. The head couples the colours of a pixel.

Only the paper's abstract could be read for this; what follows is its authors' code (`h12_noup_smallkey`: 12 blocks of 4 layers, 256 maps).

| unsaid, or unlike the code | here |
| --- | --- |
| what keys and values are made of | image, features, row and column: a gated block of 1x1 layers, then 1x1 |
| what queries are made of | features, row and column, in the same way |
| heads | one; keys of 16 maps; values of half as many as the features |
| the first pixel, with nothing before it | zeros |
| row and column | (i - n / 2) / n, one map each; the code repeats each for every colour of the image |
| activation | ELU, the default of the code's training script |
| sum of the attention's weights | exactly 1; the code adds 1e-6 to the denominator |
| initialisation, dropout, edge of the image, colours | as `pixelcnn_pp` |
"""

from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelbench.models.base import AutoregressiveModel, InputEncoding
from pixelbench.models.heads import make_output, outside_autocast
from pixelbench.models.layers.shifted import (
    GatedBlock,
    Normed,
    Pointwise,
    ShiftedConv2d,
    down_shift,
    initialise_from,
    right_shift,
    with_ones,
)
from pixelbench.models.layers.shifted_incremental import Cursor, IncrementalPixels, PixelPointwise, PixelRow, RowConv
from pixelbench.models.settings.pixelsnail import PixelSNAILSettings


class PixelSNAIL(AutoregressiveModel):
    """See the module. `forward`: integer images (B, C, H, W) → raw outputs of the head."""

    settings: PixelSNAILSettings

    def __init__(self, channels: int, height: int, width: int, levels: int, settings: PixelSNAILSettings):
        super().__init__(channels, height, width, levels, settings)
        s = settings
        self.encoding = InputEncoding(s.input_encoding, channels, levels)
        pixel = len(self.encoding.colours)
        self.first_above = ShiftedConv2d(pixel + 1, s.maps, (1, 3), right=False)
        self.first_left = ShiftedConv2d(pixel + 1, s.maps, (2, 1), right=True)
        self.blocks = nn.ModuleList(Block(s, pixel) for _ in range(s.blocks))
        self.output = make_output(s.head, channels, levels, coupled=s.colour_conditioning, components=s.components)
        self.head = Pointwise(s.maps, self.output.maps)

    def forward(self, images: Tensor) -> Tensor:
        x = self.encoding.images(images, self.head.bias.dtype)
        place = coordinates(self.height, self.width, x).expand(len(x), -1, -1, -1)  # (B, 2, H, W)
        ones = with_ones(x)
        h = down_shift(self.first_above(ones)) + right_shift(self.first_left(ones))  # (B, maps, H, W)
        for block in cast("Sequence[Block]", self.blocks):
            h = block(x, h, place)
        return self.output.raw(outside_autocast(self.head, F.elu(h)))

    def prepare(self, images: Tensor, condition: Tensor | None = None) -> None:
        initialise_from(self, images)

    def stepper(self, batch: int, condition: Tensor | None = None) -> "PixelSNAILStepper":
        return PixelSNAILStepper(self, batch)


class Block(nn.Module):
    """Gated residual blocks, then attention to earlier pixels, whose result is an extra input of one more."""

    def __init__(self, s: PixelSNAILSettings, pixel: int):
        super().__init__()

        def shifted(inputs: int, outputs: int, scale: float) -> Normed:
            return ShiftedConv2d(inputs, outputs, (2, 2), right=True, scale=scale)

        self.key_maps, asking = s.key_maps, s.maps + 2
        telling = asking + pixel
        self.layers = nn.ModuleList(GatedBlock(s.maps, 0, shifted, F.elu, s.dropout) for _ in range(s.layers))
        self.content = GatedBlock(telling, 0, Pointwise, F.elu, s.dropout)
        self.keys_and_values = Pointwise(telling, s.key_maps + s.value_maps)
        self.question = GatedBlock(asking, 0, Pointwise, F.elu, s.dropout)
        self.query = Pointwise(asking, s.key_maps)
        self.merge = GatedBlock(s.maps, s.value_maps, Pointwise, F.elu, s.dropout)

    def forward(self, x: Tensor, h: Tensor, place: Tensor) -> Tensor:
        """The image (B, m, H, W), features (B, maps, H, W), coordinates (B, 2, H, W) → features."""
        for layer in self.layers:
            h = layer(h)
        kv = self.keys_and_values(self.content(torch.cat([x, h, place], 1)))  # (B, key + value maps, H, W)
        query = self.query(self.question(torch.cat([h, place], 1)))  # (B, key maps, H, W)
        keys, values = kv.split([self.key_maps, kv.shape[1] - self.key_maps], 1)
        return self.merge(h, attend(query, keys, values))


def attend(query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Each pixel's mean of the values of strictly earlier pixels, weighed by softmax(query · key / sqrt(key maps)); zeros at the first.

    Queries and keys (B, k, H, W), values (B, v, H, W) → (B, v, H, W).
    """
    q, k, v = (maps.flatten(2).transpose(1, 2) for maps in (query, keys, values))
    # Without the first query and the last key, strictly earlier is the lower triangle, and no query is left with nothing to attend to.
    mixed = F.scaled_dot_product_attention(q[:, 1:], k[:, :-1], v[:, :-1], is_causal=True) if q.shape[1] > 1 else v[:, :0]
    return F.pad(mixed, (0, 0, 1, 0)).transpose(1, 2).unflatten(2, query.shape[2:])


def coordinates(height: int, width: int, like: Tensor) -> Tensor:
    """(1, 2, H, W): row and column, from -1/2 up to below 1/2."""
    row, column = ((torch.arange(n, device=like.device, dtype=like.dtype) - n / 2) / n for n in (height, width))
    return torch.stack(torch.broadcast_tensors(row[:, None], column[None, :]))[None]


class PixelSNAILStepper:
    """A `PixelSNAIL` in raster order, a pixel at a time; keys and values of a pixel follow when its colours are known."""

    def __init__(self, model: PixelSNAIL, batch: int):
        self.output, self.cursor, self.width = model.output, Cursor(), model.width
        self.incremental = IncrementalPixels(batch, model.width, 1, self.cursor)
        self.pixels = PixelRow(model.encoding, batch, model.width, model.head.bias)
        self.first_above, self.first_left = RowConv(model.first_above), self.incremental(model.first_left)
        place = coordinates(model.height, model.width, model.head.bias).flatten(2).expand(batch, -1, -1)
        self.blocks = [BlockStep(block, self.incremental, place) for block in cast("Sequence[Block]", model.blocks)]
        self.head = PixelPointwise(model.head)
        self.above = self.maps = model.head.bias

    def begin_row(self) -> None:
        if self.cursor.row >= 0:
            self._tell(self.width - 1)
        self.cursor.row += 1
        above = self.first_above(self.pixels.begin_row())
        self.above = (above if self.cursor.row else torch.zeros_like(above))[:, :, 0]
        self.incremental.begin_row()

    def logits(self, column: int, colour: int) -> Tensor:
        if colour == 0:
            self.maps = self._maps(column)
        return self.output.pixel_log_probs(self.maps, self.pixels.values, colour)

    def put(self, column: int, colour: int, values: Tensor) -> None:
        self.pixels.put(column, colour, values)

    def _maps(self, column: int) -> Tensor:
        h = self.above[:, :, column]
        if column:
            self._tell(column - 1)
            self.cursor.column = column - 1
            h = h + self.first_left(self.pixels.at(column - 1))
        self.cursor.column = column
        for block in self.blocks:
            h = block.ask(h, self.cursor.row * self.width + column)
        return self.head(F.elu(h))

    def _tell(self, column: int) -> None:
        """The pixel at this column of the row is complete: its keys and values can be read from now on."""
        for block in self.blocks:
            block.tell(self.pixels.at(column)[:, :-1], self.cursor.row * self.width + column)


class BlockStep:
    """A `Block` a pixel at a time, with the keys and values of all pixels so far."""

    def __init__(self, block: Block, incremental: IncrementalPixels, place: Tensor):
        self.layers = [incremental(layer) for layer in block.layers]
        self.content, self.keys_and_values = incremental(block.content), incremental(block.keys_and_values)
        self.question, self.query, self.merge = incremental(block.question), incremental(block.query), incremental(block.merge)
        self.key_maps, self.place = block.key_maps, place
        self.kv = place.new_empty(place.shape[0], place.shape[2], block.keys_and_values.bias.numel())
        self.h = place

    def ask(self, h: Tensor, pixel: int) -> Tensor:
        """Features (B, maps) of the pixel of that raster number → the same."""
        for layer in self.layers:
            h = layer(h)
        self.h = h
        query = self.query(self.question(torch.cat([h, self.place[:, :, pixel]], 1)))
        keys, values = self.kv[:, :pixel, : self.key_maps], self.kv[:, :pixel, self.key_maps :]
        weights = torch.softmax(keys @ query[:, :, None] / self.key_maps**0.5, 1)  # (B, pixels, 1); with no pixel the sum below is 0
        return self.merge(h, (weights.transpose(1, 2) @ values)[:, 0])

    def tell(self, x: Tensor, pixel: int) -> None:
        """The pixel itself (B, m), after `ask`."""
        self.kv[:, pixel] = self.keys_and_values(self.content(torch.cat([x, self.h, self.place[:, :, pixel]], 1)))

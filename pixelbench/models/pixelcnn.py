"""PixelCNN: one stack of masked convolutions (van den Oord et al. 2016a, sections 3.3 to 3.5, Table 1, Figure 5).

A 7x7 mask-A convolution, residual blocks of mask-B convolutions, a head of two 1x1 layers. Like every single stack it has a blind spot to
the upper right. What the paper leaves unsaid and what we chose:

| unsaid | here |
| --- | --- |
| does "15 layers" count blocks or convolutions? | blocks: `layers` |
| is the softmax layer the second of the head's two 1x1 layers, or a third? | the second |
| initialisation | uniform, variance 1/(fan-in of unmasked taps) |
| how values enter | scaled to [-1, 1] ("scaling and centring only"); `input_encoding = "one-hot"` is ours |

Deviation: the paper's optional skip connections from every block to the output are not built here.
"""

from collections.abc import Sequence
from typing import cast

import torch.nn.functional as F
from torch import Tensor, nn

from pixelbench.models.base import AutoregressiveModel, InputEncoding, as_logits, head_colours
from pixelbench.models.causal import CausalConv2d, colours
from pixelbench.models.families import PixelCNNSettings


class PixelCNN(AutoregressiveModel):
    """See the module. `forward`: integer images (B, C, H, W) → logits (B, levels, C, H, W)."""

    settings: PixelCNNSettings

    def __init__(self, channels: int, height: int, width: int, levels: int, settings: PixelCNNSettings):
        super().__init__(channels, height, width, levels, settings)
        s, conditioning = settings, settings.colour_conditioning
        self.encoding = InputEncoding(s.input_encoding, channels, levels)
        pixel, path = self.encoding.colours, colours(2 * s.maps, channels)
        self.sees_ahead = s.first_layer != "causal"
        mask_b = s.first_layer == "mask-b"
        self.first = CausalConv2d(pixel, path, s.first_kernel, above=True, itself=mask_b, conditioning=conditioning)
        # The planted fault of lesson (a): the first layer must not have a residual connection, since it would carry the pixel itself.
        self.shortcut = _pointwise(pixel, path, conditioning) if s.first_layer == "residual" else None
        self.blocks = nn.ModuleList(ResidualBlock(s.maps, s.kernel, channels, conditioning) for _ in range(s.layers))
        self.head = Head(path, s.head_maps, channels, levels, conditioning)

    def forward(self, images: Tensor) -> Tensor:
        x = self.encoding.images(images, self.first.weight.dtype)
        h = self.first(x) if self.shortcut is None else self.first(x) + self.shortcut(x)
        for block in self.blocks:
            h = block(h)
        return as_logits(self.head(h), self.channels)

    def stepper(self, batch: int) -> "PixelCNNStepper":
        return PixelCNNStepper(self, batch)


class ResidualBlock(nn.Module):
    """x + (ReLU, 1x1 2h → h; ReLU, kxk h → h; ReLU, 1x1 h → 2h), all mask B (Figure 5, left)."""

    def __init__(self, maps: int, kernel: int, groups: int, conditioning: bool):
        super().__init__()
        path, inner = colours(2 * maps, groups), colours(maps, groups)
        self.narrow = _pointwise(path, inner, conditioning)
        self.spread = CausalConv2d(inner, inner, kernel, above=True, itself=True, conditioning=conditioning)
        self.widen = _pointwise(inner, path, conditioning)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.widen(F.relu(self.spread(F.relu(self.narrow(F.relu(x))))))


class Head(nn.Module):
    """ReLU, 1x1 to `head_maps`; ReLU, 1x1 to C * levels; mask B (section 4)."""

    def __init__(self, path: list[int], head_maps: int, channels: int, levels: int, conditioning: bool):
        super().__init__()
        middle = colours(head_maps, channels)
        self.mix = _pointwise(path, middle, conditioning)
        self.out = _pointwise(middle, head_colours(channels, levels), conditioning)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(F.relu(self.mix(F.relu(x))))


class HeadFace:
    """A `Head` in raster order."""

    def __init__(self, head: Head, batch: int, width: int):
        self.mix, self.out = head.mix.face(batch, width), head.out.face(batch, width)

    def begin_row(self) -> None:
        self.mix.begin_row()
        self.out.begin_row()

    def step(self, x: Tensor, column: int, colour: int) -> Tensor:
        """(B, this colour's maps) → (B, levels)."""
        self.mix.write(column, colour, F.relu(x))
        self.out.write(column, colour, F.relu(self.mix.read(column, colour)))
        return self.out.read(column, colour)


class PixelCNNStepper:
    """A `PixelCNN` in raster order: per sub-pixel one small product a layer."""

    def __init__(self, model: PixelCNN, batch: int):
        self.encoding, self.dtype = model.encoding, model.first.weight.dtype
        self.first = model.first.face(batch, model.width)
        blocks = cast("list[ResidualBlock]", list(model.blocks))
        self.blocks = [[layer.face(batch, model.width) for layer in (b.narrow, b.spread, b.widen)] for b in blocks]
        self.head = HeadFace(model.head, batch, model.width)

    def begin_row(self) -> None:
        for face in (self.first, *(face for block in self.blocks for face in block), self.head):
            face.begin_row()

    def logits(self, column: int, colour: int) -> Tensor:
        x = self.first.read(column, colour)
        for narrow, spread, widen in self.blocks:
            narrow.write(column, colour, F.relu(x))
            spread.write(column, colour, F.relu(narrow.read(column, colour)))
            widen.write(column, colour, F.relu(spread.read(column, colour)))
            x = x + widen.read(column, colour)
        return self.head.step(x, column, colour)

    def put(self, column: int, colour: int, values: Tensor) -> None:
        self.first.write(column, colour, self.encoding.values(values, self.dtype))


def _pointwise(inputs: Sequence[int], outputs: Sequence[int], conditioning: bool) -> CausalConv2d:
    return CausalConv2d(inputs, outputs, 1, above=False, itself=True, conditioning=conditioning)


BUILDERS = {"pixelcnn": PixelCNN}

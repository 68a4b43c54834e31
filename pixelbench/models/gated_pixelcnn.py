"""Gated PixelCNN: a vertical and a horizontal stack, no blind spot (van den Oord et al. 2016b, section 2, Figure 2).

The vertical stack sees all rows above in every column, the horizontal one sees this row to the left and receives the vertical one's
pre-gate features through a 1x1 convolution. Residual connections in the horizontal stack only (section 2.2). The shift between the stacks
is made once, by the first vertical layer, which leaves out the image's own row; every deeper vertical layer reads its own row again.

| unsaid | here |
| --- | --- |
| kernel of the first layer, its residual | `first_kernel = 7`, mask A, no residual (as in the authors' PixelVAE code) |
| head | ReLU, 1x1 to `head_maps`, ReLU, 1x1 (as in 2016a) |
| skip connections to the output | none |
| do the vertical maps belong to colours? | no: rows above are known in all colours |
| initialisation | uniform, variance 1/(fan-in of unmasked taps) |
"""

from typing import cast

import torch.nn.functional as F
from torch import Tensor, nn

from pixelbench.models.base import AutoregressiveModel, InputEncoding, as_logits
from pixelbench.models.causal import CausalConv2d, RowsAboveConv2d, colours, gate
from pixelbench.models.families import GatedPixelCNNSettings
from pixelbench.models.pixelcnn import Head, HeadFace


class GatedPixelCNN(AutoregressiveModel):
    """See the module. `forward`: integer images (B, C, H, W) → logits (B, levels, C, H, W)."""

    settings: GatedPixelCNNSettings

    def __init__(self, channels: int, height: int, width: int, levels: int, settings: GatedPixelCNNSettings):
        super().__init__(channels, height, width, levels, settings)
        s = settings
        self.encoding = InputEncoding(s.input_encoding, channels, levels)
        self.sees_ahead = s.first_layer != "causal"
        maps, pixel = colours(s.maps, channels), list(self.encoding.colours)
        self.first = GatedLayer(pixel, maps, s.first_kernel, s, image=True)
        # The planted fault of lesson (a): the first layer must not have a residual connection, since it would carry the pixel itself.
        self.shortcut = None
        if s.first_layer == "residual":
            self.shortcut = CausalConv2d(pixel, maps, 1, above=False, itself=True, conditioning=s.colour_conditioning)
        self.layers = nn.ModuleList(GatedLayer(maps, maps, s.kernel, s, image=False) for _ in range(s.layers))
        self.head = Head(maps, s.head_maps, channels, levels, s.colour_conditioning)

    def forward(self, images: Tensor) -> Tensor:
        x = self.encoding.images(images, self.head.mix.weight.dtype)
        v, h = self.first(x, x)
        h = h if self.shortcut is None else h + self.shortcut(x)
        for layer in self.layers:
            v, h = layer(v, h)
        return as_logits(self.head(h), self.channels)

    def stepper(self, batch: int) -> "GatedStepper":
        return GatedStepper(self, batch)


class GatedLayer(nn.Module):
    """One layer of both stacks: (vertical, horizontal) → (vertical, horizontal), each (B, maps, H, W)."""

    def __init__(self, inputs: list[int], maps: list[int], kernel: int, s: GatedPixelCNNSettings, *, image: bool):
        super().__init__()
        self.gates, conditioning = s.gates, s.colour_conditioning
        wide = maps * 2 if s.gates else maps  # both halves of a gate hold every colour
        self.vertical = RowsAboveConv2d(len(inputs), len(wide), kernel, image=image)
        self.link = nn.Conv2d(len(wide), len(wide), 1)
        own = not image or s.first_layer == "mask-b"
        self.horizontal = CausalConv2d(inputs, wide, kernel, above=False, itself=own, conditioning=conditioning)
        self.out = CausalConv2d(maps, maps, 1, above=False, itself=True, conditioning=conditioning)
        self.residual = not image

    def forward(self, v: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        v = self.vertical(v)
        out = self.out(self.activate(self.horizontal(h) + self.link(v)))
        return self.activate(v), h + out if self.residual else out

    def activate(self, x: Tensor) -> Tensor:
        """tanh times sigmoid of the two halves, or ReLU where the gates are ablated."""
        return gate(x) if self.gates else F.relu(x)


class GatedLayerFace:
    """A `GatedLayer` in raster order: the vertical stack a row at a time, the horizontal one a sub-pixel at a time."""

    def __init__(self, layer: GatedLayer, batch: int, width: int):
        self.layer, self.vertical = layer, layer.vertical.face(batch, width)
        self.horizontal, self.out = layer.horizontal.face(batch, width), layer.out.face(batch, width)

    def begin_row(self, v: Tensor | None) -> Tensor:
        """Vertical input (B, W, inputs) of the newest row it may read, None above the image → vertical output (B, W, maps)."""
        above = self.vertical.slide(v)
        link = self.layer.link
        self.horizontal.begin_row(F.linear(above, link.weight[:, :, 0, 0], link.bias))
        self.out.begin_row()
        return self.layer.activate(above.transpose(1, 2)).transpose(1, 2)

    def step(self, h: Tensor | None, column: int, colour: int) -> Tensor:
        """Horizontal input of this colour (None: the image, not known yet) → this colour's output (B, maps of the colour)."""
        if h is not None:
            self.horizontal.write(column, colour, h)
        self.out.write(column, colour, self.layer.activate(self.horizontal.read(column, colour)))
        out = self.out.read(column, colour)
        return out if h is None else h + out


class GatedStepper:
    """A `GatedPixelCNN` in raster order."""

    def __init__(self, model: GatedPixelCNN, batch: int):
        self.encoding, self.dtype = model.encoding, model.head.mix.weight.dtype
        layers = cast("list[GatedLayer]", [model.first, *model.layers])
        self.faces = [GatedLayerFace(layer, batch, model.width) for layer in layers]
        self.head = HeadFace(model.head, batch, model.width)
        self.top = True

    def begin_row(self) -> None:
        pixels = self.faces[0].horizontal  # holds the encoded row that has just been drawn
        v = None if self.top else pixels.row[:, pixels.reach :].clone()
        for face in self.faces:
            v = face.begin_row(v)
        self.head.begin_row()
        self.top = False

    def logits(self, column: int, colour: int) -> Tensor:
        h = None
        for face in self.faces:
            h = face.step(h, column, colour)
        assert h is not None
        return self.head.step(h, column, colour)

    def put(self, column: int, colour: int, values: Tensor) -> None:
        self.faces[0].horizontal.write(column, colour, self.encoding.values(values, self.dtype))


BUILDERS = {"gated-pixelcnn": GatedPixelCNN}

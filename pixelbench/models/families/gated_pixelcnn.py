"""Gated PixelCNN: a vertical and a horizontal stack, no blind spot (van den Oord et al. 2016b, section 2, Figure 2).

The vertical stack sees all rows above in every column, the horizontal one sees this row to the left and receives the vertical one's
pre-gate features through a 1x1 convolution. Residual connections in the horizontal stack only (section 2.2). The shift between the stacks
is made once, by the first vertical layer, which leaves out the image's own row; every deeper vertical layer reads its own row again.

Conditional (section 2.3): see `pixelbench.models.layers.condition`; the condition enters both stacks.

| unsaid | here |
| --- | --- |
| kernel of the first layer, its residual | `first_kernel = 7`, mask A, no residual (as in the authors' PixelVAE code) |
| head | ReLU, 1x1 to `head_maps`, ReLU, 1x1 (as in 2016a) |
| skip connections to the output | none; `skip = true` adds a 1x1 convolution of each horizontal layer |
| do the vertical maps belong to colours? | no: rows above are known in all colours |
| does the condition enter the vertical stack? | yes |
| initialisation | uniform, variance 1/(fan-in of unmasked taps) |

Not of the paper, for ablations: `stacks = "one"` (a single stack of gated masked convolutions, with the blind spot), `stacks = "legacy"`
(every vertical layer strictly above its row, as several public versions have it: each layer loses one more row, and the blind spot stays),
`gates`, `residual`, `vertical_to_horizontal`; `dilations` as in the small networks of tutorials.
"""

import math
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelbench.models.base import AutoregressiveModel, ConditionedModel, InputEncoding
from pixelbench.models.families.pixelcnn import Head, IncrementalHead, IncrementalSkips, Skips
from pixelbench.models.heads import make_output
from pixelbench.models.layers.causal import CausalConv2d, RowsAboveConv2d, colours, gate
from pixelbench.models.layers.condition import ConditionBias, ConditionInput
from pixelbench.models.settings.gated import GatedPixelCNNSettings
from pixelbench.models.weight_norm import normalise_weights


class GatedPixelCNN(AutoregressiveModel):
    """See the module. `forward`: integer images (B, C, H, W) → raw outputs (B, P, C, H, W), with softmax the logits of P levels."""

    settings: GatedPixelCNNSettings

    def __init__(self, channels: int, height: int, width: int, levels: int, settings: GatedPixelCNNSettings):
        super().__init__(channels, height, width, levels, settings)
        s = settings
        self.encoding = InputEncoding(s.input_encoding, channels, levels)
        self.output = make_output(s.head, channels, levels, coupled=False, components=s.components)
        self.leaks_by_design, self.conditional = s.first_layer != "causal", s.condition != "none"
        maps, pixel = colours(s.maps, channels), list(self.encoding.colours)
        self.first = GatedLayer(pixel, maps, s, (height, width), image=True)
        # The leak by design of lesson (a): the first layer must not have a residual connection, since it would carry the pixel itself.
        self.shortcut = None
        if s.first_layer == "residual":
            self.shortcut = CausalConv2d(pixel, maps, 1, above=False, itself=True, conditioning=s.colour_conditioning)
        dilations = [s.dilations[i % len(s.dilations)] for i in range(s.layers)]
        self.layers = nn.ModuleList(GatedLayer(maps, maps, s, (height, width), image=False, dilation=d) for d in dilations)
        self.skips = Skips(maps, s.layers + 1, s.colour_conditioning) if s.skip else None
        self.head = Head(maps, colours(s.head_maps, channels), self.output.colours, s.colour_conditioning)
        self.head_condition = ConditionBias(s, s.head_maps, height, width) if s.condition_at == "layers-and-head" else None
        self.condition_input = ConditionInput(s, height, width) if self.conditional else None
        if s.weight_norm:
            normalise_weights(self)

    def forward(self, images: Tensor, condition: Tensor | None = None) -> Tensor:
        x = self.encoding.images(images, self.head.mix.weight.dtype)  # (B, C or C * levels, H, W)
        condition = self.encoded(condition, len(images))
        v, h = self.first(x, x, condition)  # (B, maps, H, W) each
        h = h if self.shortcut is None else h + self.shortcut(x)
        reached = [h]
        for layer in self.layers:
            v, h = layer(v, h, condition)
            reached.append(h)
        bias = None if self.head_condition is None else self.head_condition(condition)
        return self.output.raw(self.head(h if self.skips is None else self.skips(reached), bias))

    def encoded(self, condition: Tensor | None, batch: int) -> Tensor | None:
        """The condition as numbers, checked; see `ConditionInput`."""
        if condition is None or self.condition_input is None:
            return None
        return self.condition_input(condition, batch, self.head.mix.weight.dtype)

    def certifiable(self) -> "GatedPixelCNN | ConditionedModel":
        """Bound to class 0, or to a condition of zeros and ones in turn."""
        if self.condition_input is None:
            return self
        s = self.settings
        return self.bound(example_condition(s, self.height, self.width).to(self.device))

    def stepper(self, batch: int, condition: Tensor | None = None) -> "GatedStepper":
        return GatedStepper(self, batch, self.encoded(condition, batch))


def example_condition(s: GatedPixelCNNSettings, height: int, width: int) -> Tensor:
    """One condition (1, …) of the settings' kind: class 0, or numbers that differ from place to place."""
    if s.condition == "class":
        return torch.zeros(1, dtype=torch.long)
    shape = (s.condition_size, height, width) if s.condition == "map" else (s.condition_size,)
    return torch.linspace(-1, 1, math.prod(shape)).view(1, *shape)


class GatedLayer(nn.Module):
    """One layer of both stacks: (vertical, horizontal) → (vertical, horizontal), each (B, maps, H, W); with one stack vertical is empty."""

    def __init__(
        self, inputs: list[int], maps: list[int], s: GatedPixelCNNSettings, size: tuple[int, int], *, image: bool, dilation: int = 1
    ):
        super().__init__()
        self.gates, conditioning, kernel = s.gates, s.colour_conditioning, s.first_kernel if image else s.kernel
        wide = maps * 2 if s.gates else maps  # both halves of a gate hold every colour
        one = s.stacks == "one"
        self.vertical = self.link = None
        if not one:
            strict = image or s.stacks == "legacy"
            self.vertical = RowsAboveConv2d(len(inputs), len(wide), kernel, strict=strict, dilation=dilation)
            if s.vertical_to_horizontal:
                self.link = nn.Conv2d(len(wide), len(wide), 1)
        own = not image or s.first_layer == "mask-b"
        self.horizontal = CausalConv2d(inputs, wide, kernel, above=one, itself=own, conditioning=conditioning, dilation=dilation)
        self.out = CausalConv2d(maps, maps, 1, above=False, itself=True, conditioning=conditioning)
        self.residual = s.residual and not image
        conditioned = s.condition != "none" and (image or s.condition_at != "first")
        self.condition = ConditionBias(s, len(wide), *size) if conditioned else None
        self.vertical_condition = ConditionBias(s, len(wide), *size) if conditioned and not one else None

    def forward(self, v: Tensor, h: Tensor, condition: Tensor | None) -> tuple[Tensor, Tensor]:
        drive = self.horizontal(h)  # (B, 2 * maps, H, W), or maps without gates
        if self.vertical is not None:
            v = self.vertical(v)
            v = v if self.vertical_condition is None else v + self.vertical_condition(condition)
            drive = drive if self.link is None else drive + self.link(v)
            v = self.activate(v)
        if self.condition is not None:
            drive = drive + self.condition(condition)
        out = self.out(self.activate(drive))
        return v, h + out if self.residual else out

    def activate(self, x: Tensor) -> Tensor:
        """tanh times sigmoid of the two halves, or ReLU where the gates are ablated."""
        return gate(x) if self.gates else F.relu(x)


class IncrementalGatedLayer:
    """A `GatedLayer` in raster order: the vertical stack a row at a time, the horizontal one a sub-pixel at a time."""

    def __init__(self, layer: GatedLayer, batch: int, width: int, height: int, condition: Tensor | None, *, image: bool):
        self.layer, self.image = layer, image
        self.vertical = None if layer.vertical is None else layer.vertical.incremental(batch, width)
        # A deeper layer that is strict reads the row before the one it is given; the image's is always given a row late.
        self.late = layer.vertical is not None and layer.vertical.strict and not image
        self.waiting: Tensor | None = None
        self.horizontal, self.out = layer.horizontal.incremental(batch, width), layer.out.incremental(batch, width)
        self.biases = _bias_rows(layer.condition, condition, height)
        self.vertical_biases = _bias_rows(layer.vertical_condition, condition, height)
        self.row = -1

    def begin_row(self, v: Tensor | None) -> Tensor | None:
        """Vertical input (B, W, inputs) of the newest row it may read, None above the image → vertical output (B, W, maps)."""
        self.row += 1
        extra = None if self.biases is None else self.biases[self.row]
        if self.vertical is not None:
            if self.late:
                v, self.waiting = self.waiting, v
            above = self.vertical.slide(v)
            above = above if self.vertical_biases is None else above + self.vertical_biases[self.row]
            link = self.layer.link
            if link is not None:
                linked = F.linear(above, link.weight[:, :, 0, 0], link.bias)
                extra = linked if extra is None else linked + extra
            v = self.layer.activate(above.transpose(1, 2)).transpose(1, 2)
        self.horizontal.begin_row(extra)
        self.out.begin_row()
        return v

    def step(self, h: Tensor | None, column: int, colour: int) -> Tensor:
        """Horizontal input of this colour (None: the image, not known yet) → this colour's output (B, maps of the colour)."""
        if h is not None:
            self.horizontal.write(column, colour, h)
        self.out.write(column, colour, self.layer.activate(self.horizontal.read(column, colour)))
        out = self.out.read(column, colour)
        return h + out if self.layer.residual and h is not None else out


class GatedStepper:
    """A `GatedPixelCNN` in raster order."""

    def __init__(self, model: GatedPixelCNN, batch: int, condition: Tensor | None):
        self.encoding, self.dtype, self.output = model.encoding, model.head.mix.weight.dtype, model.output
        layers = cast("list[GatedLayer]", [model.first, *model.layers])
        self.layers = [
            IncrementalGatedLayer(layer, batch, model.width, model.height, condition, image=i == 0) for i, layer in enumerate(layers)
        ]
        self.skips = None if model.skips is None else IncrementalSkips(model.skips, batch, model.width)
        self.head = IncrementalHead(model.head, batch, model.width)
        self.head_biases = _bias_rows(model.head_condition, condition, model.height)
        self.row = -1

    def begin_row(self) -> None:
        self.row += 1
        pixels = self.layers[0].horizontal  # holds the encoded row that has just been drawn
        v = None if self.row == 0 else pixels.written().clone()
        for part in self.layers:
            v = part.begin_row(v)
        if self.skips is not None:
            self.skips.begin_row()
        self.head.begin_row(None if self.head_biases is None else self.head_biases[self.row])

    def logits(self, column: int, colour: int) -> Tensor:
        h = None
        for part in self.layers:
            h = part.step(h, column, colour)
            if self.skips is not None:
                self.skips.add(h, column, colour)
        assert h is not None
        h = h if self.skips is None else self.skips.total()
        return self.output.colour_log_probs(self.head.step(h, column, colour))

    def put(self, column: int, colour: int, values: Tensor) -> None:
        self.layers[0].horizontal.write(column, colour, self.encoding.values(values, self.dtype))


def _bias_rows(bias: ConditionBias | None, condition: Tensor | None, height: int) -> list[Tensor] | None:
    return None if bias is None or condition is None else bias.rows(condition, height)

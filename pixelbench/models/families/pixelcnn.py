"""PixelCNN: one stack of masked convolutions (van den Oord et al. 2016a, sections 3.3 to 3.5, Table 1, Figure 5).

A 7x7 mask-A convolution, residual blocks of mask-B convolutions, a head of two 1x1 layers. Like every single stack it has a blind spot to
the upper right. What the paper leaves unsaid and what we chose:

| unsaid | here |
| --- | --- |
| does "15 layers" count blocks or convolutions? | blocks: `layers` |
| is the softmax layer the second of the head's two 1x1 layers, or a third? | the second |
| initialisation | uniform, variance 1/(fan-in of unmasked taps) |
| does a skip connection go through a convolution? | yes, 1x1 from every block's output; the head reads their sum |
| width of the MNIST networks | none claimed |
| how values enter | scaled to [-1, 1] ("scaling and centring only"); `input_encoding = "one-hot"` is ours |

The paper's skip connections are `skip = true`. Ours, for ablations: `residual = false`, and heads other than softmax, whose parameters
belong to colours as the logits do.
"""

from collections.abc import Sequence
from typing import Protocol, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelbench.models.base import AutoregressiveModel, InputEncoding
from pixelbench.models.heads import Output, make_output, outside_autocast
from pixelbench.models.layers.causal import CausalConv2d, colours
from pixelbench.models.settings.pixelcnn import PixelCNNSettings
from pixelbench.models.weight_norm import normalise_weights


class PixelCNN(AutoregressiveModel):
    """See the module. `forward`: integer images (B, C, H, W) → raw outputs (B, P, C, H, W), with softmax the logits of P levels."""

    settings: PixelCNNSettings

    def __init__(self, channels: int, height: int, width: int, levels: int, settings: PixelCNNSettings):
        super().__init__(channels, height, width, levels, settings)
        s, conditioning = settings, settings.colour_conditioning
        self.encoding = InputEncoding(s.input_encoding, channels, levels)
        pixel, path = self.encoding.colours, colours(2 * s.maps, channels)
        self.leaks_by_design = s.first_layer != "causal"
        mask_b = s.first_layer == "mask-b"
        self.first = CausalConv2d(pixel, path, s.first_kernel, above=True, itself=mask_b, conditioning=conditioning)
        # The leak by design of lesson (a): the first layer must not have a residual connection, since it would carry the pixel itself.
        self.shortcut = pointwise(pixel, path, conditioning) if s.first_layer == "residual" else None
        self.blocks = nn.ModuleList(ResidualBlock(s, channels) for _ in range(s.layers))
        self.skips = Skips(path, s.layers + 1, conditioning) if s.skip else None
        self.output = make_output(s.head, channels, levels, coupled=False, components=s.components)
        self.head = Head(path, colours(s.head_maps, channels), self.output.colours, conditioning)
        if s.weight_norm:
            normalise_weights(self)

    def forward(self, images: Tensor) -> Tensor:
        x = self.encoding.images(images, self.first.weight.dtype)  # (B, C or C * levels, H, W)
        h = self.first(x) if self.shortcut is None else self.first(x) + self.shortcut(x)  # (B, maps, H, W)
        reached = [h]
        for block in self.blocks:
            h = block(h)
            reached.append(h)
        return self.output.raw(self.head(h if self.skips is None else self.skips(reached)))

    def stepper(self, batch: int, condition: Tensor | None = None) -> "LayerwiseStepper":
        blocks = cast("list[ResidualBlock]", list(self.blocks))
        return LayerwiseStepper(self, [IncrementalResidualBlock(block, batch, self.width) for block in blocks], batch)


class ResidualBlock(nn.Module):
    """x + (ReLU, 1x1 2h → h; ReLU, kxk h → h; ReLU, 1x1 h → 2h), all mask B (Figure 5, left)."""

    def __init__(self, s: PixelCNNSettings, groups: int):
        super().__init__()
        path, inner, conditioning = colours(2 * s.maps, groups), colours(s.maps, groups), s.colour_conditioning
        self.residual = s.residual
        self.narrow = pointwise(path, inner, conditioning)
        self.spread = CausalConv2d(inner, inner, s.kernel, above=True, itself=True, conditioning=conditioning)
        self.widen = pointwise(inner, path, conditioning)

    def forward(self, x: Tensor) -> Tensor:
        out = self.widen(F.relu(self.spread(F.relu(self.narrow(F.relu(x))))))  # (B, 2h, H, W) → (B, h, H, W) twice → (B, 2h, H, W)
        return x + out if self.residual else out


class IncrementalResidualBlock:
    """A `ResidualBlock` in raster order."""

    def __init__(self, block: ResidualBlock, batch: int, width: int):
        self.residual = block.residual
        self.layers = [layer.incremental(batch, width) for layer in (block.narrow, block.spread, block.widen)]

    def begin_row(self) -> None:
        for layer in self.layers:
            layer.begin_row()

    def step(self, x: Tensor, column: int, colour: int) -> Tensor:
        """(B, this colour's maps) → the same."""
        out = x
        for layer in self.layers:
            layer.write(column, colour, F.relu(out))
            out = layer.read(column, colour)
        return x + out if self.residual else out


class Skips(nn.Module):
    """Layer-to-output connections: a 1x1 convolution of each layer's output, and their sum."""

    def __init__(self, maps: list[int], layers: int, conditioning: bool):
        super().__init__()
        self.layers = nn.ModuleList(pointwise(maps, maps, conditioning) for _ in range(layers))

    def forward(self, reached: Sequence[Tensor]) -> Tensor:
        """The layers' outputs, each (B, maps, H, W) → (B, maps, H, W)."""
        parts = [layer(x) for layer, x in zip(self.layers, reached, strict=True)]
        return torch.stack(parts).sum(0)


class IncrementalSkips:
    """`Skips` in raster order: `add` in the order of the layers, then `total`."""

    def __init__(self, skips: Skips, batch: int, width: int):
        self.layers = [layer.incremental(batch, width) for layer in cast("list[CausalConv2d]", list(skips.layers))]
        self.parts: list[Tensor] = []

    def begin_row(self) -> None:
        for part in self.layers:
            part.begin_row()

    def add(self, x: Tensor, column: int, colour: int) -> None:
        """One more layer's output (B, this colour's maps)."""
        part = self.layers[len(self.parts)]
        part.write(column, colour, x)
        self.parts.append(part.read(column, colour))

    def total(self) -> Tensor:
        """(B, this colour's maps); the next `add` begins again."""
        total = torch.stack(self.parts).sum(0)
        self.parts.clear()
        return total


class Head(nn.Module):
    """ReLU, 1x1 to `middle`; ReLU, 1x1 to `outputs`, both lists of colours; mask B (section 4)."""

    def __init__(self, path: list[int], middle: list[int], outputs: list[int], conditioning: bool):
        super().__init__()
        self.mix = pointwise(path, middle, conditioning)
        self.out = pointwise(middle, outputs, conditioning)

    def forward(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        """`bias` (B, middle, 1 or H, 1 or W) is added before the second ReLU."""
        mixed = self.mix(F.relu(x))  # (B, middle, H, W)
        return outside_autocast(self.out, F.relu(mixed if bias is None else mixed + bias))


class IncrementalHead:
    """A `Head` in raster order."""

    def __init__(self, head: Head, batch: int, width: int):
        self.mix, self.out = head.mix.incremental(batch, width), head.out.incremental(batch, width)

    def begin_row(self, bias: Tensor | None = None) -> None:
        """`bias` (B, W, middle), as in `Head.forward`."""
        self.mix.begin_row(bias)
        self.out.begin_row()

    def step(self, x: Tensor, column: int, colour: int) -> Tensor:
        """(B, this colour's maps) → (B, this colour's raw outputs)."""
        self.mix.write(column, colour, F.relu(x))
        self.out.write(column, colour, F.relu(self.mix.read(column, colour)))
        return self.out.read(column, colour)


class IncrementalLayer(Protocol):
    """A layer in raster order, from the maps of one colour to as many."""

    def begin_row(self) -> None: ...
    def step(self, x: Tensor, column: int, colour: int) -> Tensor: ...


class LayerwiseModel(Protocol):
    """A first layer, more of them, skip connections perhaps, and a head: what `PixelCNN` and `PixelRNN` have in common."""

    width: int
    encoding: InputEncoding
    first: CausalConv2d
    skips: Skips | None
    head: Head
    output: Output


class LayerwiseStepper:
    """A `LayerwiseModel` in raster order, `layers` those between the first and the head: per sub-pixel one small product a layer."""

    def __init__(self, model: LayerwiseModel, layers: Sequence[IncrementalLayer], batch: int):
        self.encoding, self.dtype, self.output = model.encoding, model.first.weight.dtype, model.output
        self.first, self.layers = model.first.incremental(batch, model.width), layers
        self.skips = None if model.skips is None else IncrementalSkips(model.skips, batch, model.width)
        self.head = IncrementalHead(model.head, batch, model.width)

    def begin_row(self) -> None:
        for part in (self.first, *self.layers, self.skips, self.head):
            if part is not None:
                part.begin_row()

    def logits(self, column: int, colour: int) -> Tensor:
        x = self.first.read(column, colour)
        if self.skips is not None:
            self.skips.add(x, column, colour)
        for layer in self.layers:
            x = layer.step(x, column, colour)
            if self.skips is not None:
                self.skips.add(x, column, colour)
        x = x if self.skips is None else self.skips.total()
        return self.output.colour_log_probs(self.head.step(x, column, colour))

    def put(self, column: int, colour: int, values: Tensor) -> None:
        self.first.write(column, colour, self.encoding.values(values, self.dtype))


def pointwise(inputs: Sequence[int], outputs: Sequence[int], conditioning: bool) -> CausalConv2d:
    """A 1x1 convolution with mask B."""
    return CausalConv2d(inputs, outputs, 1, above=False, itself=True, conditioning=conditioning)

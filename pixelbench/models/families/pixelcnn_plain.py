"""Masked convolutions with ReLU and nothing else (van den Oord et al. 2016a, section 3.4): where the ablations start.

No residual connections, and by default no colour conditioning: no colour sees another one at the same pixel. Like every single stack it
has a blind spot to the upper right. It is what a first attempt at a PixelCNN looks like; the paper has no figure for it.

| unsaid | here |
| --- | --- |
| depth, width, kernels | 7x7 mask A, then 3x3 mask B; settings |
| head | one 1x1 mask-B convolution |
| initialisation | uniform, variance 1/(fan-in of unmasked taps) |
"""

from typing import cast

import torch.nn.functional as F
from torch import Tensor, nn

from pixelbench.models.base import AutoregressiveModel, InputEncoding
from pixelbench.models.families.pixelcnn import pointwise
from pixelbench.models.heads import make_output, outside_autocast
from pixelbench.models.layers.causal import CausalConv2d, colours
from pixelbench.models.settings.pixelcnn import PlainPixelCNNSettings


class PlainPixelCNN(AutoregressiveModel):
    """See the module. `forward`: integer images (B, C, H, W) → raw outputs (B, P, C, H, W), with softmax the logits of P levels."""

    settings: PlainPixelCNNSettings

    def __init__(self, channels: int, height: int, width: int, levels: int, settings: PlainPixelCNNSettings):
        super().__init__(channels, height, width, levels, settings)
        s, maps = settings, colours(settings.maps, channels)
        self.encoding = InputEncoding(s.input_encoding, channels, levels)
        self.output = make_output(s.head, channels, levels, coupled=False, components=s.components)
        first = CausalConv2d(self.encoding.colours, maps, s.first_kernel, above=True, itself=False, conditioning=s.colour_conditioning)
        deeper = [
            CausalConv2d(maps, maps, s.kernel, above=True, itself=True, conditioning=s.colour_conditioning) for _ in range(s.layers - 1)
        ]
        self.layers = nn.ModuleList([first, *deeper, pointwise(maps, self.output.colours, s.colour_conditioning)])

    def forward(self, images: Tensor) -> Tensor:
        *layers, head = self.convolutions
        x = self.encoding.images(images, head.weight.dtype)
        for layer in layers:
            x = F.relu(layer(x))
        return self.output.raw(outside_autocast(head, x))

    @property
    def convolutions(self) -> list[CausalConv2d]:
        """All layers, the head last."""
        return cast("list[CausalConv2d]", list(self.layers))

    def stepper(self, batch: int, condition: Tensor | None = None) -> "PlainStepper":
        return PlainStepper(self, batch)


class PlainStepper:
    """A `PlainPixelCNN` in raster order."""

    def __init__(self, model: PlainPixelCNN, batch: int):
        self.encoding, self.output = model.encoding, model.output
        self.dtype = model.convolutions[0].weight.dtype
        self.first, *self.deeper = [layer.incremental(batch, model.width) for layer in model.convolutions]

    def begin_row(self) -> None:
        for part in (self.first, *self.deeper):
            part.begin_row()

    def logits(self, column: int, colour: int) -> Tensor:
        x = self.first.read(column, colour)
        for part in self.deeper:
            part.write(column, colour, F.relu(x))
            x = part.read(column, colour)
        return self.output.colour_log_probs(x)

    def put(self, column: int, colour: int, values: Tensor) -> None:
        self.first.write(column, colour, self.encoding.values(values, self.dtype))

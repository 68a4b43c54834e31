"""PixelRNN: what Row LSTM and Diagonal BiLSTM share (van den Oord et al. 2016a, sections 3.1 to 3.4, Table 1).

A 7x7 mask-A convolution, recurrent layers, a head of two 1x1 layers. A recurrent layer splits an LSTM's products in two (section 3.1):
*input-to-state*, a masked convolution of the whole map at once, and *state-to-state*, from the states of earlier pixels alone and
therefore without a mask. States have h maps, the path between layers 2h (section 3.3). What the paper leaves unsaid and what we chose:

| unsaid | here |
| --- | --- |
| learned initial state: of what size? | one number a map, for hidden and cell state, the same at every position; it starts at 0 |
| initialisation | uniform, variance 1/(fan-in), for input-to-state and state-to-state apart; biases 0, those of forget gates too |
| biases | of the input-to-state convolution alone |
| does a skip connection go through a convolution? | yes, 1x1 from every layer's output; the head reads their sum |
| how values enter | scaled to [-1, 1] ("scaling and centring only"); `input_encoding = "one-hot"` is ours |

Residual connections are `residual = true`, the paper's layer-to-output connections `skip = true`. Heads other than softmax are ours, except
Bernoulli on binary images.
"""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelbench.models.base import AutoregressiveModel, InputEncoding
from pixelbench.models.families.pixelcnn import Head, LayerwiseStepper, Skips, pointwise
from pixelbench.models.heads import make_output, outside_autocast
from pixelbench.models.layers.causal import CausalConv2d, colours, slices_by_colour
from pixelbench.models.settings.lstm import DiagonalBiLSTMSettings


class RecurrentLayer(nn.Module):
    """x + (recurrence 2h → h; 1x1 h → 2h with mask B).

    Attributes:
        path, inner, gates: the colours of the layer's maps, of a state's, and of the four gates' (output, forget, input, content), each of
            which holds every colour.
    """

    def __init__(self, s: DiagonalBiLSTMSettings, groups: int):
        super().__init__()
        self.path, self.inner, self.residual = colours(2 * s.maps, groups), colours(s.maps, groups), s.residual
        self.gates = self.inner * 4
        self.widen = pointwise(self.inner, self.path, s.colour_conditioning)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 2h, H, W) → the same."""
        out = pointwise_product(self.widen, self.recur(x))
        return x + out if self.residual else out

    def recur(self, x: Tensor) -> Tensor:
        """(B, 2h, H, W) → hidden states (B, h, H, W)."""
        raise NotImplementedError

    def incremental(self, batch: int, width: int) -> "IncrementalRecurrentLayer":
        """The incremental mode for `batch` images of that width."""
        raise NotImplementedError


class IncrementalRecurrentLayer:
    """A `RecurrentLayer` in raster order."""

    def __init__(self, layer: RecurrentLayer, batch: int, width: int):
        self.residual, self.widen = layer.residual, layer.widen.incremental(batch, width)

    def begin_row(self) -> None:
        self.widen.begin_row()

    def hidden(self, x: Tensor, column: int, colour: int) -> Tensor:
        """The layer's input (B, this colour's maps) → the hidden state of this colour, (B, its maps)."""
        raise NotImplementedError

    def step(self, x: Tensor, column: int, colour: int) -> Tensor:
        """(B, this colour's maps) → the same."""
        self.widen.write(column, colour, self.hidden(x, column, colour))
        out = self.widen.read(column, colour)
        return x + out if self.residual else out


class PixelRNN(AutoregressiveModel):
    """See the module. `forward`: integer images (B, C, H, W) → raw outputs (B, P, C, H, W), with softmax the logits of P levels."""

    settings: DiagonalBiLSTMSettings

    def __init__(
        self,
        channels: int,
        height: int,
        width: int,
        levels: int,
        settings: DiagonalBiLSTMSettings,
        layers: Sequence[RecurrentLayer],
    ):
        super().__init__(channels, height, width, levels, settings)
        s, conditioning = settings, settings.colour_conditioning
        self.encoding = InputEncoding(s.input_encoding, channels, levels)
        path = colours(2 * s.maps, channels)
        self.first = CausalConv2d(self.encoding.colours, path, s.first_kernel, above=True, itself=False, conditioning=conditioning)
        self.layers = nn.ModuleList(layers)
        self.skips = Skips(path, s.layers + 1, conditioning) if s.skip else None
        self.output = make_output(s.head, channels, levels, coupled=False, components=s.components)
        self.head = Head(path, colours(s.head_maps, channels), self.output.colours, conditioning)

    def forward(self, images: Tensor) -> Tensor:
        h = images_last(self.first(self.encoding.images(images, self.first.weight.dtype)))
        reached = [h]
        for layer in self.layers:
            h = layer(h)
            reached.append(h)
        if self.skips is not None:
            h = _sum(pointwise_product(layer, x) for layer, x in zip(cast("list[CausalConv2d]", self.skips.layers), reached, strict=True))
        h = F.relu(pointwise_product(self.head.mix, F.relu(h)))
        return self.output.raw(outside_autocast(partial(pointwise_product, self.head.out), h))

    def stepper(self, batch: int, condition: Tensor | None = None) -> LayerwiseStepper:
        layers = cast("list[RecurrentLayer]", list(self.layers))
        return LayerwiseStepper(self, [layer.incremental(batch, self.width) for layer in layers], batch)


def maps_first(x: Tensor) -> Tensor:
    """(B, maps, H, W) → (maps, H * W, B)."""
    return x.flatten(2).permute(1, 2, 0)


def images_last(x: Tensor) -> Tensor:
    """(B, maps, H, W), which it stays, with maps first and images last in memory."""
    return x.permute(1, 2, 3, 0).contiguous().permute(3, 0, 1, 2)


def pointwise_product(layer: CausalConv2d, x: Tensor) -> Tensor:
    """A 1x1 convolution of images that lie last in memory, which the result does too: one matrix product, a few times as fast."""
    weight = (layer.weight * layer.mask)[:, :, 0, 0]
    product = torch.addmm(layer.bias[:, None], weight, maps_first(x).flatten(1))
    return product.view(-1, *x.shape[2:], len(x)).permute(3, 0, 1, 2)


def _sum(parts: Iterable[Tensor]) -> Tensor:
    """One after another, without a piece of memory for all; those of low precision in float32, rounded once."""
    first, *others = parts
    total = first.to(torch.promote_types(first.dtype, torch.float32))
    for part in others:
        total = total + part
    return total.to(first.dtype)


def lstm(gates: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    """The drive (…, 4n) of output, forget, input gate and content, and the cell state before (…, n) → hidden and cell state (eq. 3)."""
    n = cell.shape[-1]
    switches, content = gates.split([3 * n, n], -1)
    out, keep, take = torch.sigmoid(switches).chunk(3, -1)
    cell = keep * cell + take * torch.tanh(content)
    return out * torch.tanh(cell), cell


def places(row: Tensor, colour_of: Sequence[int]) -> list[list[Tensor]]:
    """Views of a row (B, W, maps), maps sorted by colour: those of each column, of each colour."""
    parts = slices_by_colour(colour_of, max(colour_of) + 1)
    return [[row[:, column, part] for part in parts] for column in range(row.shape[1])]

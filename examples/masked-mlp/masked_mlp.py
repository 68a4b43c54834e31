"""A family of one's own: an MLP over flattened pixels, made causal by masks.

Each sub-pixel has hidden units of its own, which see the sub-pixels before it; its output sees its own units and those of the ones before.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import pixelbench as pb
from pixelbench.models.heads import make_output


@pb.register_family(
    "masked-mlp",
    build="masked_mlp:MaskedMLP",
    title="Masked MLP over flattened pixels",
    paper="an example of docs/extending.md",
    narrow={"units": 2},  # how wide it is does not change what it sees
    small=(5, 4),
)
@dataclass(frozen=True)
class MaskedMLPSettings(pb.Settings):
    """What can be set, with defaults."""

    layers: int = 2
    """Hidden layers."""
    units: int = 4
    """Hidden units of a layer for each sub-pixel."""

    def __post_init__(self) -> None:
        if min(self.layers, self.units) < 1:
            raise ValueError(f"layers and units must be at least 1, got {self.layers} and {self.units}")


class MaskedMLP(pb.AutoregressiveModel):
    """`forward`: integer images (B, C, H, W) → logits (B, levels, C, H, W)."""

    settings: MaskedMLPSettings

    def __init__(self, channels: int, height: int, width: int, levels: int, settings: MaskedMLPSettings):
        super().__init__(channels, height, width, levels, settings)
        self.output = make_output("softmax", channels, levels, coupled=False)
        size = channels * height * width
        places = torch.arange(size)
        units, logits = places.repeat_interleave(settings.units), places.repeat_interleave(levels)  # whose each of them is
        self.layers = nn.ModuleList([MaskedLinear(units[:, None] > places)])
        self.layers.extend(MaskedLinear(units[:, None] >= units) for _ in range(settings.layers - 1))
        self.layers.append(MaskedLinear(logits[:, None] >= units))

    def forward(self, images: Tensor) -> Tensor:
        first, *deeper = self.layers
        in_raster_order = images.permute(0, 2, 3, 1).flatten(1)  # (B, D): row, column, colour
        x = first(in_raster_order.to(next(self.parameters()).dtype) / (self.levels - 1) * 2 - 1)
        for layer in deeper:
            x = layer(F.relu(x))
        return x.view(-1, self.height, self.width, self.channels, self.levels).permute(0, 4, 3, 1, 2)


class MaskedLinear(nn.Linear):
    """A linear layer, some of whose weights are never used."""

    mask: Tensor

    def __init__(self, mask: Tensor):
        super().__init__(mask.shape[1], mask.shape[0])
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, input: Tensor) -> Tensor:
        return F.linear(input, self.weight * self.mask, self.bias)

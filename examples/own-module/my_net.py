"""Somebody's network, which knows nothing of PixelBench."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class MaskedConv2d(nn.Conv2d):
    """Sees the rows above and this row to the left; the current pixel only from the second layer on."""

    def __init__(self, inputs: int, outputs: int, size: int, *, first: bool):
        super().__init__(inputs, outputs, size, padding=size // 2)
        mask = torch.ones(size, size)
        mask[size // 2, size // 2 + (0 if first else 1) :] = 0
        mask[size // 2 + 1 :] = 0
        self.register_buffer("mask", mask)

    def forward(self, input: Tensor) -> Tensor:
        return self._conv_forward(input, self.weight * self.get_buffer("mask"), self.bias)


class MyNet(nn.Module):
    """Images in [0, 1], (B, C, H, W) → logits (B, C * levels, H, W)."""

    def __init__(self, channels: int, levels: int, maps: int = 32, layers: int = 4):
        super().__init__()
        self.first = MaskedConv2d(channels, maps, 5, first=True)
        self.layers = nn.ModuleList(MaskedConv2d(maps, maps, 3, first=False) for _ in range(layers))
        self.head = nn.Conv2d(maps, channels * levels, 1)

    def forward(self, images: Tensor) -> Tensor:
        h = F.relu(self.first(images))
        for layer in self.layers:
            h = h + F.relu(layer(h))
        return self.head(h)


def make_model() -> MyNet:
    """What `pixelbench check my_net.py:make_model --shape 1,8,7 --levels 17` looks at."""
    return MyNet(channels=1, levels=17)

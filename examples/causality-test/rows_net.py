"""Somebody's network, which knows nothing of PixelBench: convolutions over the rows above, and over this row to the left."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class RowsNet(nn.Module):
    """Images in [0, 1], (B, 1, H, W) → logits (B, levels, H, W)."""

    def __init__(self, levels: int, maps: int = 16):
        super().__init__()
        self.above, self.left = nn.Conv2d(1, maps, (2, 5)), nn.Conv2d(1, maps, (1, 3))
        self.head = nn.Conv2d(2 * maps, levels, 1)

    def forward(self, images: Tensor) -> Tensor:
        above = self.above(F.pad(images, (2, 2, 2, 0))[:, :, :-1])  # two rows, this one not among them
        left = self.left(F.pad(images, (3, 0))[..., :-1])  # three pixels, this one not among them
        return self.head(F.relu(torch.cat([above, left], 1)))

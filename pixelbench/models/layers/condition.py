"""The conditions of images, and how it enters a gated layer (van den Oord et al. 2016b, section 2.3).

A class or vector h adds V^T h to a layer, the same at every position (eq. 4); a map s adds an unmasked 1x1 convolution of it (eq. 5). Ours
besides: a class or vector with a bias of its own at every position and feature map. All are the same for every sub-pixel's past and future,
so that no condition can change the order.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelbench.models.settings.gated import GatedPixelCNNSettings


class ConditionInput:
    """Checks a condition and turns it into numbers: (B, n) for classes and vectors, (B, n, H, W) for maps."""

    def __init__(self, s: GatedPixelCNNSettings, height: int, width: int):
        self.kind, self.size = s.condition, s.condition_maps
        self.expected = (self.size, height, width) if s.condition == "map" else () if s.condition == "class" else (self.size,)

    def __call__(self, condition: Tensor, batch: int, dtype: torch.dtype) -> Tensor:
        """Raise ValueError: another shape, or a class that does not exist."""
        if tuple(condition.shape) != (batch, *self.expected):
            raise ValueError(f"a {self.kind} condition of {batch} images has shape {(batch, *self.expected)}, got {tuple(condition.shape)}")
        if self.kind != "class":
            return condition.to(dtype)
        if condition.is_floating_point():
            raise ValueError(f"a class condition holds integers, got {condition.dtype}")
        readable = condition.device.type == "cpu" and not torch.compiler.is_compiling()  # elsewhere it would wait for the device
        if readable and not 0 <= int(condition.min()) <= int(condition.max()) < self.size:
            raise ValueError(f"classes are 0 to {self.size - 1}, got {int(condition.min())} to {int(condition.max())}")
        return F.one_hot(condition.long(), self.size).to(dtype)


class ConditionBias(nn.Module):
    """The condition's share of `maps` pre-activations: (B, n) or (B, n, H, W) → (B, maps, H or 1, W or 1), to be added.

    Weights start as in any other layer: variance 1/n, one class being one of n numbers.
    """

    def __init__(self, s: GatedPixelCNNSettings, maps: int, height: int, width: int):
        super().__init__()
        self.maps, self.size = maps, (height, width) if s.per_position else (1, 1)
        self.spatial = s.condition == "map"
        rows = maps if self.spatial else maps * self.size[0] * self.size[1]
        self.weight = nn.Parameter(torch.empty(rows, s.condition_maps))
        bound = (3 / s.condition_maps) ** 0.5
        nn.init.uniform_(self.weight, -bound, bound)

    def forward(self, condition: Tensor) -> Tensor:
        if self.spatial:
            return F.conv2d(condition, self.weight[:, :, None, None])
        return F.linear(condition, self.weight).view(len(condition), self.maps, *self.size)

    def rows(self, condition: Tensor, height: int) -> list[Tensor]:
        """The same for raster order: for each image row, (B, W or 1, maps)."""
        return list(self(condition).expand(-1, -1, height, -1).permute(2, 0, 3, 1).unbind(0))

"""Baselines that make any number readable: uniform, and a histogram per position and colour. They count, they do not train."""

import math

import torch
from torch import Tensor

from pixelbench.models.base import AutoregressiveModel
from pixelbench.models.heads import Softmax
from pixelbench.models.settings.baselines import HistogramSettings, NoSettings

#: Images that are counted at once, so that a million of them need little memory.
FIT_IMAGES = 1_000


class Baseline(AutoregressiveModel):
    """Independent sub-pixels: the same table of log-probabilities (levels, C, H, W) for every image."""

    table: Tensor

    def __init__(self, channels: int, height: int, width: int, levels: int, settings: NoSettings | HistogramSettings):
        super().__init__(channels, height, width, levels, settings)
        self.output = Softmax(channels, levels)
        self.register_buffer("table", torch.full((levels, channels, height, width), -math.log(levels), dtype=torch.float64))

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) → log-probabilities (B, levels, C, H, W), which are logits as well."""
        return self.table.expand(len(images), *self.table.shape)

    def fit(self, images: Tensor) -> None:
        """Learn from training images (N, C, H, W); the uniform distribution has nothing to learn."""

    def stepper(self, batch: int, condition: Tensor | None = None) -> "BaselineStepper":
        return BaselineStepper(self.table, batch)


class Histogram(Baseline):
    """p(v) at each position and colour = (count of v + pseudo_count) / (N + levels * pseudo_count)."""

    settings: HistogramSettings

    def fit(self, images: Tensor) -> None:
        size = math.prod(self.shape)
        first = self.levels * torch.arange(size, device=images.device).view(self.shape)  # where a sub-pixel's counts begin
        counts = torch.zeros(size * self.levels, dtype=torch.long, device=images.device)
        for part in images.split(FIT_IMAGES):
            counts += torch.bincount((part + first).flatten(), minlength=len(counts))
        seen = counts.view(*self.shape, self.levels).movedim(-1, 0).double() + self.settings.pseudo_count
        self.table.copy_((seen / seen.sum(0)).log())


class BaselineStepper:
    """A table in raster order."""

    def __init__(self, table: Tensor, batch: int):
        self.table, self.batch, self.row = table, batch, -1

    def begin_row(self) -> None:
        self.row += 1

    def logits(self, column: int, colour: int) -> Tensor:
        return self.table[:, colour, self.row, column].expand(self.batch, -1)

    def put(self, column: int, colour: int, values: Tensor) -> None:
        """Nothing depends on what was drawn."""

"""Exponential moving average of the weights, for evaluation (Polyak averaging)."""

import copy
from typing import Generic, TypeVar

import torch
from torch import nn

Model = TypeVar("Model", bound=nn.Module)


class ExponentialMovingAverage(Generic[Model]):
    """Keeps `average`, a copy of the model whose weights trail the model's.

    The decay warms up as min(decay, (1 + u) / (10 + u)) over updates u, so that a short run is not dominated by its initial weights.
    """

    def __init__(self, model: Model, decay: float):
        self.decay, self.average = decay, copy.deepcopy(model)
        self.average.requires_grad_(False)
        stored, mine, its = set(model.state_dict()), dict(self.average.named_buffers()), dict(model.named_buffers())
        self._buffers = [(mine[name], its[name]) for name in its if name in stored]  # masks never change and are not stored

    @torch.no_grad()
    def update(self, model: nn.Module, update: int) -> None:
        """Move the average towards the model after update 0, 1, …; buffers that belong to its state are copied."""
        weight = 1 - min(self.decay, (1 + update) / (10 + update))
        mine, its = ([parameter.data for parameter in module.parameters()] for module in (self.average, model))
        torch._foreach_lerp_(mine, its, weight)  # pyright: ignore[reportPrivateImportUsage] (as torch.optim.swa_utils: one kernel for all)
        for old, new in self._buffers:
            old.copy_(new)

"""Optimisers and learning-rate schedules by name."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from pixelbench.training.recipe import Recipe


def make_optimiser(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimiser with all of its constants; the learning rate is set at every update by `learning_rate`."""
    parameters, c = list(model.parameters()), recipe.constants
    if recipe.optimiser == "rmsprop":
        return torch.optim.RMSprop(
            parameters, recipe.learning_rate, c["alpha"], c["epsilon"], weight_decay=c["weight_decay"], momentum=c["momentum"]
        )
    # Fused takes a sixth of the time, on the CPU alone. It reads weights and sums as they lie in memory, and where weights are channels
    # last, sums from a checkpoint lie otherwise. It rounds in its own way, too: no run of a family with such weights is to change.
    fused = all(weight.device.type == "cpu" and weight.dim() < 4 for weight in parameters)
    if recipe.optimiser == "adagrad":
        return torch.optim.Adagrad(parameters, recipe.learning_rate, weight_decay=c["weight_decay"], eps=c["epsilon"], fused=fused)
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[recipe.optimiser]
    fused = fused or all(weight.device.type == "cuda" for weight in parameters)  # one kernel for all weights, see `load_state` for layouts
    return kind(parameters, recipe.learning_rate, (c["beta1"], c["beta2"]), c["epsilon"], c["weight_decay"], fused=fused or None)


def load_state(optimiser: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Load a state whose tensors lie in memory in any way: each then lies as its weight does, which fused optimisers need."""
    optimiser.load_state_dict(state)
    for weight, kept in optimiser.state.items():
        for name, value in kept.items():
            if isinstance(value, Tensor) and value.shape == weight.shape and value.stride() != weight.stride():
                kept[name] = torch.empty_like(weight, dtype=value.dtype).copy_(value)


def learning_rate(recipe: Recipe, update: int, updates: int) -> float:
    """The rate of update 0, 1, … of `updates`: linear warm-up, then the schedule."""
    if update < recipe.warmup:
        return recipe.learning_rate * (update + 1) / recipe.warmup
    if recipe.schedule == "exponential":
        return recipe.learning_rate * recipe.decay**update
    if recipe.schedule == "constant":
        return recipe.learning_rate
    done = (update - recipe.warmup) / max(updates - recipe.warmup, 1)
    low = recipe.final_rate * recipe.learning_rate
    return low + (recipe.learning_rate - low) * 0.5 * (1 + math.cos(math.pi * done))

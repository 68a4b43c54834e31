"""Many images of a model, in batches that fit into memory: the first k are the same however many are drawn."""

from collections.abc import Callable
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from pixelbench.errors import UserError
from pixelbench.experiments import stages
from pixelbench.experiments.foreign.own_sampler import own_draws
from pixelbench.experiments.foreign.wrapped import OthersModel
from pixelbench.models.base import AutoregressiveModel
from pixelbench.training.seeding import generator

#: Images that are drawn at once.
BATCH = 250

#: By the incremental mode, by whole forwards, or by the method of a module of somebody's.
Drawing = Literal["cached", "naive", "own"]
#: Takes what is done, how much of it, and of how much.
Progress = Callable[[str, int, int], None]


def draw_many(
    model: AutoregressiveModel, n: int, seed: int, method: Drawing, progress: Progress = lambda what, done, total: None
) -> np.ndarray:
    """Images (n, C, H, W), integers, of classes in turn where the model has them.

    Args:
        model: on any device, in eval mode.
        n: how many.
        seed: decides the images, batch by batch.
        method: see `Drawing`.
        progress: see `Progress`.
    """
    classes, batches = stages.classes_in_turn(model, n), []
    for begin in range(0, n, BATCH):
        progress("drawing", begin, n)
        count = min(BATCH, n - begin)
        condition = None if classes is None else classes[begin : begin + count]
        chance = generator(seed, f"measured samples {begin}")
        if method == "own":
            batches.append(_by_itself(model, count, condition, chance))
        else:
            batches.append(model.sample(count, condition=condition, generator=chance, method=method).cpu().numpy())
    progress("drawing", n, n)
    return np.concatenate(batches)


def _by_itself(model: AutoregressiveModel, n: int, classes: Tensor | None, chance: torch.Generator) -> np.ndarray:
    """Images of a module's own method.

    Raises:
        UserError: it fails.
    """
    if not isinstance(model, OthersModel):
        raise UserError(f"{type(model).__name__} has no method of its own that draws.")
    return own_draws(model, n, classes, chance).numpy()

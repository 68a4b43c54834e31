"""Many images of a model, in batches that fit into memory: the first k are the same however many are drawn."""

from collections.abc import Callable

import numpy as np

from pixelbench.experiments import stages
from pixelbench.models.base import AutoregressiveModel
from pixelbench.models.sampling import Method
from pixelbench.training.seeding import generator

#: Images that are drawn at once.
BATCH = 250

#: Takes what is done, how much of it, and of how much.
Progress = Callable[[str, int, int], None]


def draw_many(
    model: AutoregressiveModel, n: int, seed: int, method: Method, progress: Progress = lambda what, done, total: None
) -> np.ndarray:
    """Images (n, C, H, W), integers, of classes in turn where the model has them.

    Args:
        model: on any device, in eval mode.
        n: how many.
        seed: decides the images, batch by batch.
        method: see `AutoregressiveModel.sample`.
        progress: see `Progress`.
    """
    classes, batches = stages.classes_in_turn(model, n), []
    for begin in range(0, n, BATCH):
        progress("drawing", begin, n)
        count = min(BATCH, n - begin)
        condition = None if classes is None else classes[begin : begin + count]
        chance = generator(seed, f"measured samples {begin}")
        drawn = model.sample(count, condition=condition, generator=chance, method=method)
        batches.append(drawn.cpu().numpy())
    progress("drawing", n, n)
    return np.concatenate(batches)

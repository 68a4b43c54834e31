"""A model's likelihoods, of which every test image has one: what runs and evaluations of given weights refuse alike."""

from typing import Any

import numpy as np

from pixelbench.data import TaskData
from pixelbench.errors import UserError
from pixelbench.experiments import stages
from pixelbench.models.base import AutoregressiveModel
from pixelbench.store.spec import RunSpec


def scored(model: AutoregressiveModel, data: TaskData, spec: RunSpec, name: str, **how: Any) -> stages.Scores:
    """As `stages.evaluate`, of which every image has a number.

    Raises:
        UserError: an image's likelihood is NaN, or infinite.
    """
    with np.errstate(invalid="ignore"):
        scores = stages.evaluate(model, data, spec, **how)
    without = int((~np.isfinite(scores.test.nats)).sum())
    if without:
        said = f"{name} gives {without:,} of {scores.test.n_images:,} test images no finite likelihood"
        raise UserError(f"{said}: NaN, or the probability 0. There is no number of it to state, compare or keep.")
    return scores

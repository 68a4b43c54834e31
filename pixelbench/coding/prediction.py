"""The distribution of the next sub-pixel of a batch of images, from nothing but the sub-pixels before it.

Encoder and decoder go through the same class with the same values, batch and threads, so that both compute the same bits. `Claimed` is the
exception that shows why: it looks at whole images, as a score does, and no decoder can.
"""

from typing import Literal, Protocol

import torch
from torch import Tensor

from pixelbench.levels import integers_for
from pixelbench.models.base import AutoregressiveModel
from pixelbench.models.scoring import largest_batch

#: `incremental`: the step of the cached sampler. `naive`: a whole forward for each sub-pixel of a canvas of those before it.
Method = Literal["incremental", "naive"]
Place = tuple[int, int, int]

#: Images at a time where only a step's activations are in memory.
_MOST_IMAGES = 256


class Prediction(Protocol):
    """A batch of images in the model's order: `logits` of a place (row, column, colour), then `put` its values."""

    def logits(self, place: Place) -> Tensor:
        """(B, levels), log-probabilities up to a constant for each image."""
        ...

    def put(self, place: Place, values: Tensor) -> None:
        """Set the sub-pixel of each image, (B,) integers."""
        ...


def predict(model: AutoregressiveModel, method: Method, batch: int, condition: Tensor | None = None) -> Prediction:
    """A batch of that many images at its first sub-pixel."""
    return (Incremental if method == "incremental" else Naive)(model, batch, condition)


def method_of(model: AutoregressiveModel, *, leaky: bool = False) -> Method:
    """The faster method that is right: the step, but for models without it and those that leak, whose step would be another model."""
    return "incremental" if model.incremental and not leaky else "naive"


def batch_of(model: AutoregressiveModel, method: Method, images: int) -> int:
    """How many images are coded together, so that memory stays bounded."""
    return min(images, _MOST_IMAGES if method == "incremental" else largest_batch(model))


class Incremental:
    """The step that the cached sampler takes."""

    def __init__(self, model: AutoregressiveModel, batch: int, condition: Tensor | None):
        self._stepper = model.stepper(batch, condition)

    def logits(self, place: Place) -> Tensor:
        _, column, colour = place
        if column == colour == 0:
            self._stepper.begin_row()
        return self._stepper.logits(column, colour)

    def put(self, place: Place, values: Tensor) -> None:
        _, column, colour = place
        self._stepper.put(column, colour, values)


class Naive:
    """Whole forwards of a canvas that holds what comes before, and zeros."""

    def __init__(self, model: AutoregressiveModel, batch: int, condition: Tensor | None):
        self._model, self._condition = model, condition
        self._canvas = torch.zeros(batch, *model.shape, dtype=getattr(torch, integers_for(model.levels)), device=model.device)

    def logits(self, place: Place) -> Tensor:
        row, column, colour = place
        return self._model.conditionals(self._canvas, self._condition)[:, :, colour, row, column]

    def put(self, place: Place, values: Tensor) -> None:
        row, column, colour = place
        self._canvas[:, colour, row, column] = values.to(self._canvas.dtype)


class Claimed:
    """The probabilities by which a model is scored, of whole images (B, C, H, W): a leaking model's claim."""

    def __init__(self, model: AutoregressiveModel, images: Tensor, condition: Tensor | None):
        self._log_probs = model.conditionals(images.to(model.device), condition)

    def logits(self, place: Place) -> Tensor:
        row, column, colour = place
        return self._log_probs[:, :, colour, row, column]

    def put(self, place: Place, values: Tensor) -> None:
        """All has been seen."""

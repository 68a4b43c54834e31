"""Binary images as sequences of bits in an order of the model's own: what the families before PixelRNN have in common.

A net here sees (B, D) bits in its own order and gives the logit of each from those before it. Which sub-pixel comes when is a permutation
that is made of settings alone, so that it is in every record. A certificate is about the images with their sub-pixels laid out in that
order (`InOwnOrder`): there it is raster order.
"""

from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelbench.models.base import AutoregressiveModel
from pixelbench.models.heads import Bernoulli
from pixelbench.models.settings.predecessors import BinarySettings


class Steps(Protocol):
    """A net that goes through its sequence bit by bit: `logit` and then `put`, for each one."""

    def logit(self) -> Tensor:
        """(B,) of the next bit; of several nets at once (B, K)."""
        ...

    def put(self, bits: Tensor) -> None:
        """Set the next bit, (B,) zeros and ones."""
        ...


class SequenceModel(AutoregressiveModel):
    """The base of these families, which give `logits` of all bits and `steps` for one after another.

    Attributes:
        places: (D,) raster place of the bit that comes first, second, ….
        bias: (D,) of a network: logits without any bit seen, which start from the marginals.
    """

    places: Tensor
    bias: nn.Parameter

    def __init__(self, channels: int, height: int, width: int, levels: int, settings: BinarySettings):
        super().__init__(channels, height, width, levels, settings)
        self.output = Bernoulli(channels, levels)
        self.size, self.raster = channels * height * width, settings.order == "raster"
        self.register_buffer("places", torch.from_numpy(_places(settings, self.size)), persistent=False)

    def logits(self, bits: Tensor) -> Tensor:
        """Bits (B, D) → logits (B, D), both in the model's order; each from the bits before it."""
        raise NotImplementedError

    def steps(self, batch: int) -> Steps:
        """The same from the first bit on, for `batch` images."""
        raise NotImplementedError

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) → logits (B, 1, C, H, W)."""
        return self.as_images(self.logits(self.bits(images)))[:, None]

    def bits(self, images: Tensor) -> Tensor:
        """(B, C, H, W) → (B, D) in the model's order, in the precision of its weights."""
        return self.in_order(images).to(self.precision)

    def in_order(self, images: Tensor) -> Tensor:
        """(B, C, H, W) → (B, D) in the model's order, as whole numbers."""
        sequence = images.permute(0, 2, 3, 1).flatten(1)
        return sequence if self.raster else sequence[:, self.places]

    def as_images(self, sequence: Tensor) -> Tensor:
        """The inverse of `bits`."""
        sequence = sequence if self.raster else sequence[:, self.places.argsort()]
        return sequence.unflatten(1, (self.height, self.width, self.channels)).permute(0, 3, 1, 2)

    @property
    def precision(self) -> torch.dtype:
        """Of the weights."""
        return next(tensor.dtype for tensor in (*self.parameters(), *self.buffers()) if tensor.is_floating_point())

    def order(self) -> tuple[tuple[int, int, int], ...]:
        return in_turn(_places(self.settings, self.size), self.channels, self.width)

    def prepare(self, images: Tensor, condition: Tensor | None = None) -> None:
        """Start the biases from the marginals of the first training batch."""
        ones = (self.bits(images).sum(0) + 0.5) / (len(images) + 1)
        self.bias.data.copy_(ones.logit())

    def certifiable(self) -> nn.Module:
        return self if self.raster else InOwnOrder(self, self.places)

    def certified_as(self, name: str) -> str:
        return name if self.raster else f"{name}, its sub-pixels laid out in its own order"

    def stepper(self, batch: int, condition: Tensor | None = None) -> "SequenceStepper":
        return SequenceStepper(self, batch)


class SequenceStepper:
    """A `SequenceModel` in its own order, which the steps keep count of themselves."""

    def __init__(self, model: SequenceModel, batch: int):
        self.steps, self.precision = model.steps(batch), model.precision

    def begin_row(self) -> None:
        """Rows have no meaning in a sequence."""

    def logits(self, column: int, colour: int) -> Tensor:
        logit = self.steps.logit()
        return torch.stack([F.logsigmoid(-logit), F.logsigmoid(logit)], 1)

    def put(self, column: int, colour: int, values: Tensor) -> None:
        self.steps.put(values.to(self.precision))


class InOwnOrder(nn.Module):
    """A model whose images have their sub-pixels laid out in its own order: what comes first lies at the upper left.

    `check_causality` sees raster order then, and what it says of offsets and contexts is about that layout.
    """

    places: Tensor

    def __init__(self, model: AutoregressiveModel, places: Tensor):
        super().__init__()
        self.model, self.shape, self.levels = model, model.shape, model.levels
        self.register_buffer("places", places, persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """As the model's, laid out."""
        return self._laid_out(self.model(self._as_they_are(images)))

    def conditionals(self, images: Tensor) -> Tensor:
        """As the model's, laid out."""
        return self._laid_out(self.model.conditionals(self._as_they_are(images)))

    def log_prob(self, images: Tensor) -> Tensor:
        """As the model's: (B,)."""
        return self.model.log_prob(self._as_they_are(images))

    def _laid_out(self, values: Tensor) -> Tensor:
        """(B, K, C, H, W) of the images as they are → what comes first at the upper left."""
        _, height, width = self.shape
        in_order = values.permute(0, 1, 3, 4, 2).flatten(2)[:, :, self.places]
        return in_order.unflatten(2, (height, width, -1)).permute(0, 1, 4, 2, 3)

    def _as_they_are(self, images: Tensor) -> Tensor:
        channels, height, width = self.shape
        in_order = images.permute(0, 2, 3, 1).flatten(1)[:, self.places.argsort()]
        return in_order.unflatten(1, (height, width, channels)).permute(0, 3, 1, 2)


def in_turn(places: np.ndarray, channels: int, width: int) -> tuple[tuple[int, int, int], ...]:
    """(row, column, colour) of raster places (D,), in their order."""
    pixels, colours = np.divmod(places, channels)
    return tuple(zip(*(part.tolist() for part in (*np.divmod(pixels, width), colours)), strict=True))


def _places(settings: BinarySettings, size: int) -> np.ndarray:
    """(D,) raster places in order; by a generator whose numbers numpy keeps from version to version."""
    places = np.arange(size)
    return places if settings.order == "raster" else np.random.RandomState(settings.order_seed).permutation(places)

"""What every family offers: conditionals, exact likelihood, exact samples."""

import math
from collections.abc import Sequence
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelbench.models import sampling


class Stepper(Protocol):
    """A network in raster order. Values are integers, logits are raw head outputs.

    For every sub-pixel, in raster order, `logits` and then `put`; a known sub-pixel is no exception, since `logits` computes the features
    that later ones read.
    """

    def begin_row(self) -> None:
        """Moves on to the next row; the row before must have been put completely."""
        ...

    def logits(self, column: int, colour: int) -> Tensor:
        """(B, levels) of one sub-pixel of this row."""
        ...

    def put(self, column: int, colour: int, values: Tensor) -> None:
        """Sets one sub-pixel of this row: (B,) integers."""
        ...


class AutoregressiveModel(nn.Module):
    """The base of all families; `forward` gives logits (B, levels, C, H, W) for integer images (B, C, H, W).

    Attributes:
        estimator: what `log_prob` is: `exact` here, a bound in latent-variable families.
        sees_ahead: a planted fault lets the network see what it predicts, so it has no row-and-step face.
    """

    estimator = "exact"
    sees_ahead = False

    def __init__(self, channels: int, height: int, width: int, levels: int, settings: Any):
        super().__init__()
        self.channels, self.height, self.width, self.levels, self.settings = channels, height, width, levels, settings

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        return self.channels, self.height, self.width

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(iter([*self.parameters(), *self.buffers()]), torch.empty(0)).device

    def conditionals(self, images: Tensor) -> Tensor:
        """(B, levels, C, H, W): normalised log p(sub-pixel = v | all earlier sub-pixels) in nats."""
        logits = self(self._checked(images))
        logits = logits.float() if logits.dtype == torch.bfloat16 else logits
        by_colour = logits.transpose(1, 2)  # as a head's maps lie in memory: there log_softmax needs no copy of them all
        if by_colour.is_contiguous():
            return F.log_softmax(by_colour, 2).transpose(1, 2)
        return F.log_softmax(logits, 1)

    def log_prob(self, images: Tensor) -> Tensor:
        """(B,) natural log-likelihood of each image, summed in float64."""
        return -self._nats(images).sum((1, 2, 3), dtype=torch.float64)

    def loss(self, images: Tensor) -> Tensor:
        """Mean nats per sub-pixel: what training lowers."""
        return self._nats(images).mean()

    def sample(
        self,
        n: int | None = None,
        *,
        generator: torch.Generator | None = None,
        method: sampling.Method = "auto",
        given: Tensor | None = None,
        known: Tensor | None = None,
        canvas: Tensor | None = None,
        temperature: float = 1.0,
    ) -> Tensor:
        """New images (n, C, H, W), uint8, drawn exactly from the model; see `pixelbench.models.sampling.sample`."""
        return sampling.sample(
            self, n, generator=generator, method=method, given=given, known=known, canvas=canvas, temperature=temperature
        )

    def stepper(self, batch: int) -> Stepper:
        """The network in raster order for `batch` images.

        Raises:
            ValueError: the family, or this faulty variant of it, cannot be taken in raster order.
        """
        raise ValueError(f"{type(self).__name__} has no row-and-step face; sample it with method='naive'")

    def _nats(self, images: Tensor) -> Tensor:
        logits = self(self._checked(images))
        logits = logits.float() if logits.dtype == torch.bfloat16 else logits  # a reported likelihood is fp32 or better
        return F.cross_entropy(logits, images.long(), reduction="none")

    def _checked(self, images: Tensor) -> Tensor:
        if images.dim() != 4 or tuple(images.shape[1:]) != self.shape or images.is_floating_point():
            expected = f"(B, {self.channels}, {self.height}, {self.width})"
            raise ValueError(f"expected integer images {expected}, got {images.dtype} {tuple(images.shape)}")
        return images


class InputEncoding:
    """How integer images enter a network: `scalar`, one map a channel in [-1, 1]; `one-hot`, `levels` maps a channel.

    One-hot maps hold sqrt(levels) instead of 1, so that their mean square is 1 and the first layer starts at the same scale either way.
    """

    def __init__(self, kind: str, channels: int, levels: int):
        self.one_hot, self.channels, self.levels = kind == "one-hot", channels, levels
        per_channel = levels if self.one_hot else 1
        self.colours: Sequence[int] = [c for c in range(channels) for _ in range(per_channel)]

    def images(self, images: Tensor, dtype: torch.dtype) -> Tensor:
        """(B, C, H, W) integers → (B, maps, H, W)."""
        if not self.one_hot:
            return self._scale(images.to(dtype))
        return self._one_hot(images, dtype).permute(0, 1, 4, 2, 3).flatten(1, 2)

    def values(self, values: Tensor, dtype: torch.dtype) -> Tensor:
        """(B,) integers of one colour at one pixel → (B, maps of that colour)."""
        if not self.one_hot:
            return self._scale(values.to(dtype))[:, None]
        return self._one_hot(values, dtype)

    def _one_hot(self, values: Tensor, dtype: torch.dtype) -> Tensor:
        return F.one_hot(values.long(), self.levels).to(dtype) * math.sqrt(self.levels)

    def _scale(self, values: Tensor) -> Tensor:
        return values * (2 / (self.levels - 1)) - 1


def head_colours(channels: int, levels: int) -> list[int]:
    """The colour of each of the C * levels outputs of a softmax head: channel-major."""
    return [c for c in range(channels) for _ in range(levels)]


def as_logits(outputs: Tensor, channels: int) -> Tensor:
    """(B, C * levels, H, W) → (B, levels, C, H, W)."""
    return outputs.unflatten(1, (channels, -1)).transpose(1, 2)


def count_parameters(model: nn.Module) -> int:
    """Trainable weights, stored taps counted whether a mask lets them through or not."""
    return sum(math.prod(p.shape) for p in model.parameters() if p.requires_grad)

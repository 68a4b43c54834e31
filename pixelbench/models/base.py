"""The interface of every family: conditionals, exact likelihood, exact samples."""

import math
from collections.abc import Sequence
from typing import Any, Literal, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelbench.models import sampling
from pixelbench.models.heads import Output, outside_autocast, scaled


class Stepper(Protocol):
    """A network in its order of generation, the model's `order`. Values are integers.

    For every sub-pixel, in that order, `logits` and then `put`; a known sub-pixel is no exception, since `logits` computes the features
    that later ones read.
    """

    def begin_row(self) -> None:
        """Move on to the next row; the row before must have been put completely. In another order than raster it has no meaning."""
        ...

    def logits(self, column: int, colour: int) -> Tensor:
        """(B, levels) of one sub-pixel of this row: log-probabilities, up to a constant for each image."""
        ...

    def put(self, column: int, colour: int, values: Tensor) -> None:
        """Set one sub-pixel of this row: (B,) integers."""
        ...


@runtime_checkable
class Fitted(Protocol):
    """A network that counts instead of being trained: what a family of the kind `fitted` is."""

    def fit(self, images: Tensor) -> None:
        """Count the training images, integers (N, C, H, W)."""
        ...


@runtime_checkable
class LatentVariable(Protocol):
    """A network whose likelihood is a bound: what one with `latent` is."""

    def latent_statistics(self, images: Tensor) -> dict[str, Any]:
        """How much the latents say of images, integers (N, C, H, W): `kl` in nats an image, `kl_per_dimension`, `active_units` and
        `dimensions`; with several levels these of each level under its name."""
        ...


class AutoregressiveModel(nn.Module):
    """The base of all families; `forward` gives the head's raw outputs for integer images (B, C, H, W), see `pixelbench.models.heads`.

    `condition` is what the images are conditioned on, for families that have one: class indices (B,), vectors (B, n) or maps (B, n, H, W).

    Attributes:
        output: the head: what the raw outputs mean.
        conditional: the model must be given a `condition`.
        latent: the likelihood is a bound; `log_prob` then takes `generator` and `importance_samples`.
        completion: `exact`, unknown sub-pixels drawn given all known earlier ones; `approximate` where latents must be found first.
        leaks_by_design: a negative control, whose network sees the sub-pixel that it predicts; it has no incremental mode.
        incremental: it has the incremental mode, `stepper`; without one it is sampled by whole forwards.
        factorised: it has `conditionals`; one without them gives the likelihood of whole images alone, and cannot be drawn from here.
    """

    output: Output
    conditional = False
    latent = False
    completion: Literal["exact", "approximate"] = "exact"
    leaks_by_design = False
    factorised = True

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

    @property
    def incremental(self) -> bool:
        """Whether `stepper` can be had."""
        return not self.leaks_by_design and type(self).stepper is not AutoregressiveModel.stepper

    def order(self) -> Sequence[tuple[int, int, int]]:
        """(row, column, colour) of every sub-pixel as they are generated: raster order, unless the family has another."""
        return tuple(sampling.raster(self.shape))

    def conditionals(self, images: Tensor, condition: Tensor | None = None) -> Tensor:
        """(B, levels, C, H, W): normalised log p(sub-pixel = v | all earlier sub-pixels) in nats."""
        return outside_autocast(self.output.log_probs, self._raw(images, condition), images)

    def log_prob(self, images: Tensor, condition: Tensor | None = None) -> Tensor:
        """(B,) natural log-likelihood of each image, summed in float64."""
        return -self._nats(images, condition).sum((1, 2, 3), dtype=torch.float64)

    def loss(self, images: Tensor, condition: Tensor | None = None) -> Tensor:
        """Mean nats per sub-pixel: what training lowers."""
        return self._nats(images, condition).mean()

    def estimator(self, importance_samples: int) -> str:
        """The name of what `log_prob` estimates: `exact`; a bound in latent-variable families."""
        return "exact"

    def pass_over(self, images: int, **estimation: Any) -> None:
        """Draw what `log_prob` of so many images would draw, where it draws something, and forget it: another process scores them."""

    def prepare(self, images: Tensor, condition: Tensor | None = None) -> None:
        """Initialise what depends on data, from the first training batch; most families have nothing of that kind."""

    def begin_training(self, updates_an_epoch: float) -> None:
        """Prepare for a training of so many updates an epoch; called once, for objectives that change with epochs."""

    def begin_update(self, update: int) -> None:
        """Prepare for training update 0, 1, …, for objectives that change with it."""

    def bound(self, condition: Tensor) -> "ConditionedModel":
        """The model for one fixed condition, which `condition[0]` is: an unconditional model, for certificates and enumerations."""
        return ConditionedModel(self, condition[:1])

    def certifiable(self) -> nn.Module:
        """The module that a certificate of causality is about: the model itself, or for a fixed condition, or in an order of its own."""
        return self

    def certified_as(self, name: str) -> str:
        """The name of the model in its certificate."""
        return name

    def sample(
        self,
        n: int | None = None,
        *,
        condition: Tensor | None = None,
        generator: torch.Generator | None = None,
        method: sampling.Method = "auto",
        given: Tensor | None = None,
        known: Tensor | None = None,
        canvas: Tensor | None = None,
        temperature: float = 1.0,
    ) -> Tensor:
        """New images (n, C, H, W), integers, drawn exactly from the model; see `pixelbench.models.sampling.sample`."""
        return sampling.sample(
            self,
            n,
            condition=condition,
            generator=generator,
            method=method,
            given=given,
            known=known,
            canvas=canvas,
            temperature=temperature,
        )

    def stepper(self, batch: int, condition: Tensor | None = None) -> Stepper:
        """The network in raster order for `batch` images.

        Raises:
            ValueError: the family, or this variant of it that leaks by design, has no incremental mode.
        """
        raise ValueError(f"{type(self).__name__} has no incremental mode; sample it with method='naive'")

    def _raw(self, images: Tensor, condition: Tensor | None) -> Tensor:
        images = self._checked(images)
        if self.conditional != (condition is not None):
            raise ValueError(f"this {type(self).__name__} {'needs a condition=' if self.conditional else 'takes no condition'}")
        return self(images) if condition is None else self(images, condition)

    def _nats(self, images: Tensor, condition: Tensor | None) -> Tensor:
        return outside_autocast(self.output.nats, self._raw(images, condition), images)

    def _checked(self, images: Tensor) -> Tensor:
        if images.dim() != 4 or tuple(images.shape[1:]) != self.shape or images.is_floating_point():
            expected = f"(B, {self.channels}, {self.height}, {self.width})"
            raise ValueError(f"expected integer images {expected}, got {images.dtype} {tuple(images.shape)}")
        return images


class ConditionedModel(nn.Module):
    """A conditional model with its condition held: (1, …), the same for every image."""

    condition: Tensor

    def __init__(self, model: AutoregressiveModel, condition: Tensor):
        super().__init__()
        self.model, self.shape, self.levels = model, model.shape, model.levels
        self.register_buffer("condition", condition)

    def forward(self, images: Tensor) -> Tensor:
        """As the model's, for the condition."""
        return self.model(images, self._expanded(images))

    def conditionals(self, images: Tensor) -> Tensor:
        """As the model's, for the condition."""
        return self.model.conditionals(images, self._expanded(images))

    def log_prob(self, images: Tensor) -> Tensor:
        """As the model's, for the condition."""
        return self.model.log_prob(images, self._expanded(images))

    def _expanded(self, images: Tensor) -> Tensor:
        return self.condition.expand(len(images), *self.condition.shape[1:])


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
            return scaled(images, self.levels, dtype)
        return self._one_hot(images, dtype).permute(0, 1, 4, 2, 3).flatten(1, 2)

    def values(self, values: Tensor, dtype: torch.dtype) -> Tensor:
        """(B,) integers of one colour at one pixel → (B, maps of that colour)."""
        if not self.one_hot:
            return scaled(values, self.levels, dtype)[:, None]
        return self._one_hot(values, dtype)

    def _one_hot(self, values: Tensor, dtype: torch.dtype) -> Tensor:
        return F.one_hot(values.long(), self.levels).to(dtype) * math.sqrt(self.levels)


def count_parameters(model: nn.Module) -> int:
    """Trainable weights, stored taps counted whether a mask lets them through or not."""
    return sum(math.prod(p.shape) for p in model.parameters() if p.requires_grad)

"""Exact sampling in the model's order: cached by the incremental mode, or naive with one whole forward per sub-pixel.

All uniform numbers are drawn first and decide every value by the inverse of the cumulative distribution in float64. So the same generator
state gives the same images whichever sampler uses it, and the process that is sampled is the one that is scored.
"""

import itertools
from collections.abc import Iterator, Set
from typing import TYPE_CHECKING, Literal, NamedTuple

import torch
from torch import Tensor

from pixelbench import pulse
from pixelbench.levels import integers_for

if TYPE_CHECKING:
    from pixelbench.models.base import AutoregressiveModel

Method = Literal["auto", "cached", "naive"]


@torch.inference_mode()
def sample(
    model: "AutoregressiveModel",
    n: int | None = None,
    *,
    condition: Tensor | None = None,
    generator: torch.Generator | None = None,
    method: Method = "auto",
    given: Tensor | None = None,
    known: Tensor | None = None,
    canvas: Tensor | None = None,
    temperature: float = 1.0,
) -> Tensor:
    """Draw images.

    Args:
        model: any family.
        n: how many; may be left out with `given`.
        condition: what the images are conditioned on, (n, …), for a model that needs it.
        generator: its state decides the images; the global one if left out.
        method: `cached`, `naive`, or `auto`: cached where the model has the incremental mode, which none has that sees what it predicts.
        given, known: images (n, C, H, W) and a mask, True where their values are held; the rest is drawn, in the model's order. `known` may
            leave out n.
        canvas: what not yet drawn sub-pixels hold, (n, C, H, W); zeros if left out. A causal model never sees it, so a result that
            depends on it proves a leak.
        temperature: logits are divided by it; 1 is the model itself.

    Returns:
        (n, C, H, W) integers of `integers_for` the levels, uint8 for images, on the model's device.

    Raises:
        ValueError: contradicting arguments, or `cached` asked of a model that leaks by design.
    """
    n = batch_size(n, given, known)
    if model.conditional != (condition is not None):
        raise ValueError(f"this {type(model).__name__} {'needs a condition=' if model.conditional else 'takes no condition'}")
    if condition is not None and len(condition) != n:
        raise ValueError(f"n is {n} but {len(condition)} conditions are given")
    if temperature <= 0:
        raise ValueError(f"temperature must be above 0, got {temperature}")
    uniforms = _uniforms(n, model, generator)
    check_images(model, n, given=given, canvas=canvas)
    condition = None if condition is None else condition.to(model.device)
    needless = _held_everywhere(known, n, model.shape)  # read here, where it may still lie on the host: the loop reads nothing back
    held = None if known is None or given is None else known.to(model.device).expand(n, *model.shape)
    kind = getattr(torch, integers_for(model.levels))
    images = (torch.zeros(n, *model.shape) if canvas is None else canvas).to(model.device, kind).clone()
    if held is not None and given is not None:
        images = torch.where(held, given.to(images), images)
    was_training = model.training
    model.eval()
    try:
        fill(model, images, condition, Chance(uniforms, held, needless, temperature), method)
    finally:
        model.train(was_training)
    return images


@torch.inference_mode()
def cached_log_probs(model: "AutoregressiveModel", images: Tensor, condition: Tensor | None = None) -> Tensor:
    """`conditionals` (B, levels, C, H, W) by the incremental mode: the distributions that the cached sampler draws from."""
    stepper = model.stepper(len(images), condition)
    found: dict[tuple[int, int, int], Tensor] = {}
    for row, column, colour in model.order():
        if column == colour == 0:
            stepper.begin_row()
        found[row, column, colour] = stepper.logits(column, colour).log_softmax(1)
        stepper.put(column, colour, images[:, colour, row, column])
    stacked = torch.stack([found[place] for place in raster(model.shape)], 2)
    return stacked.unflatten(2, (model.height, model.width, model.channels)).permute(0, 1, 4, 2, 3)


def raster(shape: tuple[int, int, int]) -> Iterator[tuple[int, int, int]]:
    """(row, column, colour) of every sub-pixel of a (C, H, W) image in raster order."""
    channels, height, width = shape
    for row, column, colour in itertools.product(range(height), range(width), range(channels)):
        pulse.beat()
        yield row, column, colour


def draw(logits: Tensor, uniforms: Tensor) -> Tensor:
    """(B, levels) and (B,) in [0, 1) → (B,) values, by the inverse cumulative distribution in float64."""
    cumulative = torch.softmax(logits.double(), 1).cumsum(1)
    return torch.searchsorted(cumulative, uniforms[:, None].contiguous(), right=True)[:, 0].clamp_(max=logits.shape[1] - 1)


class Chance(NamedTuple):
    """How the sub-pixels of n images are decided: by `uniforms` (n, C, H, W), but for those that are `held`."""

    uniforms: Tensor
    held: Tensor | None
    needless: Set[tuple[int, int, int]]
    """(colour, row, column) held in every image of the batch, whose logits nobody needs."""
    temperature: float

    def decide(self, images: Tensor, where: tuple[int, int, int], logits: Tensor) -> None:
        """Set one sub-pixel (row, column, colour) of all images by its logits (n, levels)."""
        row, column, colour = where
        values = draw(logits / self.temperature, self.uniforms[:, colour, row, column]).to(images.dtype)
        if self.held is not None:
            values = torch.where(self.held[:, colour, row, column], images[:, colour, row, column], values)
        images[:, colour, row, column] = values


def fill(model: "AutoregressiveModel", images: Tensor, condition: Tensor | None, chance: Chance, method: Method = "auto") -> None:
    """The loop of `sample`: draw into images (n, C, H, W) what is not held, all on the model's device; the host reads nothing back."""
    if method == "auto":
        method = "cached" if model.incremental else "naive"
    way = _fill_cached if method == "cached" else _fill_naive
    way(model, images, condition, chance)


def _fill_cached(model: "AutoregressiveModel", images: Tensor, condition: Tensor | None, chance: Chance) -> None:
    if model.leaks_by_design:
        raise ValueError("this model sees the sub-pixel it predicts, so it has no cached sampler; use method='naive'")
    stepper = model.stepper(len(images), condition)
    for row, column, colour in model.order():
        if column == colour == 0:
            stepper.begin_row()
        logits = stepper.logits(column, colour)  # also where the value is known: later pixels need this one's features
        if (colour, row, column) not in chance.needless:
            chance.decide(images, (row, column, colour), logits)
        stepper.put(column, colour, images[:, colour, row, column])


def _fill_naive(model: "AutoregressiveModel", images: Tensor, condition: Tensor | None, chance: Chance) -> None:
    for row, column, colour in model.order():
        if (colour, row, column) not in chance.needless:
            logits = model.conditionals(images, condition)[:, :, colour, row, column]
            chance.decide(images, (row, column, colour), logits)


def _held_everywhere(known: Tensor | None, n: int, shape: tuple[int, int, int]) -> Set[tuple[int, int, int]]:
    """The (colour, row, column) that are known in every image of the batch: no need to compute their logits."""
    return set() if known is None else {(c, h, w) for c, h, w in known.expand(n, *shape).all(0).nonzero().tolist()}


def _uniforms(n: int, model: "AutoregressiveModel", generator: torch.Generator | None) -> Tensor:
    device = model.device if generator is None else generator.device
    return torch.rand(n, *model.shape, dtype=torch.float64, device=device, generator=generator).to(model.device)


def check_images(model: "AutoregressiveModel", n: int, **images: Tensor | None) -> None:
    """Raise ValueError where images (n, C, H, W) have another shape, or values that the model has not."""
    for name, values in images.items():
        if values is not None and tuple(values.shape) != (n, *model.shape):
            raise ValueError(f"{name} must have shape {(n, *model.shape)}, got {tuple(values.shape)}")
        if values is not None and (int(values.min()) < 0 or int(values.max()) >= model.levels):
            raise ValueError(f"{name} must hold levels 0 to {model.levels - 1}, got {int(values.min())} to {int(values.max())}")


def batch_size(n: int | None, given: Tensor | None, known: Tensor | None) -> int:
    """How many images are asked for; raises ValueError where the arguments of `sample` do not say or contradict each other."""
    if (given is None) != (known is None):
        raise ValueError("given and known belong together: images, and which of their values to hold")
    if given is not None:
        if n not in (None, len(given)):
            raise ValueError(f"n is {n} but {len(given)} images are given")
        return len(given)
    if n is None or n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    return n

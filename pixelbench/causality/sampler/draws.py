"""Images that a module's own sampling function draws, as levels in raster order."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from einops import rearrange
from torch import Tensor, nn

from pixelbench.causality.interface.adapter import ENTERING
from pixelbench.causality.interface.heads import function_in_file
from pixelbench.causality.module.float64_copy import device_of, float64_copy
from pixelbench.causality.module.sandbox import float64, random_states
from pixelbench.causality.module.state import set_mode
from pixelbench.causality.probing.raster import flat
from pixelbench.causality.sampler.forms import first_that_runs, forms
from pixelbench.errors import UserError, nearest
from pixelbench.importing import split_target

_TRIAL = 3
_BATCH = 500
_TAKES = "(module, number of images)"
_USUAL = ("sample", "generate", "samples", "draw", "sample_images", "generate_samples", "sampling")


@dataclass(frozen=True)
class Draws:
    """What was drawn.

    Attributes:
        values: (n, D) floats in raster order, as the function gave them.
        whole: they are integers.
        same: each call gave the same images, though those of one call differ, as where the function seeds itself.
    """

    values: np.ndarray
    whole: bool
    same: bool


class Sampler:
    """A module's sampling function as a source of images: a float64 copy in eval mode, whose random numbers follow from a seed."""

    def __init__(
        self, module: nn.Module, sampler: str | Callable, shape: tuple[int, int, int], *, entering: str, args: dict[str, float], seed: int
    ) -> None:
        self.name = sampler if isinstance(sampler, str) else getattr(sampler, "__name__", "the sampler")
        self._shape, self._entering, self._device = shape, entering, device_of(module)
        self._copy = float64_copy(module)
        set_mode(self._copy, "eval")
        function = _function(self._copy, sampler)
        with torch.no_grad(), random_states(self._device, seed), float64():
            found = forms(function, self.name, shape, self._device, args, seed)
            self._form = first_that_runs(found, _TRIAL, lambda raw: images_of(raw, _TRIAL, shape, entering), self.name)

    def draw(self, n: int, seed: int, seconds: float) -> Draws:
        """At least one call, until n images are there or the time is over."""
        ends, parts, whole, same = time.monotonic() + seconds, [], True, True
        with torch.no_grad(), random_states(self._device, seed), float64():
            while sum(map(len, parts)) < n and (len(parts) < 2 or time.monotonic() < ends):
                images = images_of(self._form(_BATCH), _BATCH, self._shape, self._entering)
                if images is None:
                    raise UserError(f"{self.name} gives images of the shape at one call and something else at another.")
                whole = whole and not images.is_floating_point()
                parts.append(flat(images.double().cpu().numpy()))
                same = same and np.array_equal(parts[0], parts[-1])
        values = np.concatenate(parts)
        if not np.isfinite(values).all():
            raise UserError(f"{self.name} gives NaN or infinity; fix that first.")
        return Draws(values, whole, same and len(parts) > 1 and len(np.unique(parts[0], axis=0)) > 1)


def _function(module: nn.Module, sampler: str | Callable) -> Callable:
    """What is called: a method, or a function of the module."""
    if callable(sampler):
        return _bound(sampler, module)
    path, name = split_target(sampler)
    if path:
        return _bound(function_in_file(Path(path), name, "--sampler", _TAKES), module)
    found = getattr(module, sampler, None)
    if callable(found):
        return found
    there = [name for name in _USUAL if callable(getattr(module, name, None))]
    near = nearest(sampler, [name for name in dir(module) if not name.startswith("_")])
    hint = f" It has: {', '.join(there)}." if there else f" Did you mean '{near}'?" if near else ""
    raise UserError(f"{type(module).__name__} has no {sampler}.{hint} A function elsewhere is --sampler FILE:function, of {_TAKES}.")


def _bound(function: Callable, module: nn.Module) -> Callable:
    return lambda n: function(module, n)


def images_of(raw: Any, n: int, shape: tuple[int, int, int], entering: str) -> Tensor | None:
    """(some number, C, H, W) of what a function returned: the first of several things that can be read so; None where nothing can."""
    if isinstance(raw, list | tuple):
        if raw and all(isinstance(one, Tensor | np.ndarray) and np.shape(one) == np.shape(raw[0]) for one in raw) and len(raw) == n:
            return images_of(torch.stack([torch.as_tensor(one) for one in raw]), n, shape, entering)
        return next((found for one in raw if (found := images_of(one, n, shape, entering)) is not None), None)
    if isinstance(raw, np.ndarray):
        raw = torch.from_numpy(np.ascontiguousarray(raw))
    if not isinstance(raw, Tensor):
        return None
    raw = raw[None] if tuple(raw.shape) in (shape, shape[1:]) else raw  # a single image
    sides = dict(zip("chw", shape, strict=True))
    for pattern in (entering, *ENTERING):
        expected = tuple(math.prod(sides[axis] for axis in group.strip("()").split()) for group in _groups(pattern))
        if tuple(raw.shape[1:]) == expected and ("c" in pattern or shape[0] == 1):
            return rearrange(raw, f"{pattern} -> b c h w", **sides) if "c" in pattern else raw.reshape(-1, *shape)
    return None


def _groups(pattern: str) -> list[str]:
    """The axes behind the first one: `b (h w) c` → `(h w)`, `c`."""
    groups: list[str] = []
    for word in pattern.split()[1:]:
        if groups and groups[-1].startswith("(") and not groups[-1].endswith(")"):
            groups[-1] += f" {word}"
        else:
            groups.append(word)
    return groups

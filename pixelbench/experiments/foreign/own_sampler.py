"""The method by which a module of somebody's draws images itself: what it is worth, and its images.

It is held against the module's own probabilities on images so small that all can be counted, by the code of `check --sampler`. Whether it
draws from them is a matter of code, so that it is found before training; where it does not, or cannot be counted, images are drawn by whole
forwards, which is slower and right.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from pixelbench.causality.module.sandbox import random_states
from pixelbench.causality.probing.raster import flat, folded
from pixelbench.causality.sampler.check import check_sampler
from pixelbench.causality.sampler.draws import Draws, images_of
from pixelbench.causality.sampler.forms import first_that_runs, forms
from pixelbench.causality.sampler.reading import as_levels
from pixelbench.errors import UserError, first_line
from pixelbench.experiments.foreign.tiny import AsModule, tiny_models
from pixelbench.experiments.foreign.wrapped import LikelihoodModel, ModuleModel, OthersModel
from pixelbench.levels import integers_for
from pixelbench.models.base import AutoregressiveModel
from pixelbench.models.scoring import largest_batch

#: Seconds of draws on tiny images.
_SECONDS = 20.0
_SEEDS = 2**31


@dataclass(frozen=True)
class OwnSampler:
    """A method of a module that draws images, and what is known of it."""

    name: str
    verdict: Literal["agrees", "differs", "undecided", "unchecked"]
    sentence: str
    """What was found, or why nothing could be."""

    @property
    def right(self) -> bool:
        """Whether it draws from the module's own probabilities, as far as can be told."""
        return self.verdict == "agrees"

    def usable(self, model: AutoregressiveModel) -> bool:
        """Whether its images are taken: where it is right, and where nothing else could draw any, unless it was found wrong."""
        return self.right or (not model.factorised and self.verdict != "differs")

    def said(self, *, used: bool) -> str:
        """For people who see its images, or those that were drawn instead."""
        known = {"agrees": "checked", "undecided": "checked, undecided"}.get(self.verdict, self.verdict)
        if used:
            return f"Drawn by the module's own {self.name} ({known}): {self.sentence}"
        return f"Not drawn by the module's own {self.name} ({known}): {self.sentence}"


def check_own_sampler(model: AutoregressiveModel, seconds: float = _SECONDS) -> OwnSampler | None:
    """Test the sampling method that the settings of a module name; None where they name none."""
    if not isinstance(model, OthersModel) or (name := model.settings.reading.sampler) is None:
        return None
    fault = "no image is small enough for all of them to be counted."
    for tiny in tiny_models(model):
        try:
            report = check_sampler(_Drawn(tiny), tiny.shape, sampler=_drawer(name), levels=tiny.levels, seconds=seconds, **_read(tiny))
        except Exception as error:  # whatever somebody's module does at such a size
            fault = f"it could not be counted: {first_line(error)}"
            continue
        return OwnSampler(name, report.verdict, report.summary())
    return OwnSampler(name, "unchecked", fault if fault.endswith(".") else f"{fault}.")


@torch.no_grad()
def own_draws(model: OthersModel, n: int, condition: Tensor | None = None, generator: torch.Generator | None = None) -> Tensor:
    """Images (n, C, H, W), integers, by the module's own method.

    Raises:
        UserError: it fails, or gives something else than images of the levels.
    """
    seed = int(torch.randint(_SEEDS, (), generator=generator))
    at_once, parts, whole = largest_batch(model), list[np.ndarray](), True
    was_training = model.training
    model.eval()
    try:
        with random_states(model.device, seed):
            for first in range(0, n, at_once):
                count = min(at_once, n - first)
                drawn = _called(model, count, None if condition is None else condition[first : first + count], seed)
                whole = whole and not drawn.is_floating_point()
                parts.append(flat(drawn.double().cpu().numpy()))
    finally:
        model.train(was_training)
    values, name = np.concatenate(parts), model.settings.reading.sampler or ""
    if not np.isfinite(values).all():
        raise UserError(f"{name} gives NaN or infinity.")
    read = as_levels(Draws(values, whole, False), model.levels, _entering(model), name)
    if read.fault or len(read.images) != n:
        raise UserError(read.fault or f"{name} gives {len(read.images)} images where {n} were asked for.")
    return torch.from_numpy(folded(read.images, model.shape)).to(getattr(torch, integers_for(model.levels)))


class _Drawn(AsModule):
    """`draw` gives what the module's method does."""

    def draw(self, n: int) -> Tensor:
        """(n, C, H, W), values as the method gives them."""
        return _called(self.model, n, self.classes(n), 0)


def _read(model: OthersModel) -> dict[str, Any]:
    """How `check_sampler` finds the probabilities."""
    if isinstance(model, LikelihoodModel):
        return {"method": "log_prob", "input": "int"}
    return {"output": "b k c h w", "head": "categorical", "input": "int"}


def _drawer(name: str) -> Callable[[_Drawn, int], Tensor]:
    """What `check_sampler` calls, under the name of the method."""

    def drawn(module: _Drawn, n: int) -> Tensor:
        return module.draw(n)

    drawn.__name__ = name
    return drawn


def _called(model: OthersModel, n: int, condition: Tensor | None, seed: int) -> Tensor:
    """(n, C, H, W) of the method, as it gives them."""
    name = model.settings.reading.sampler or ""
    function = getattr(model.module, name)
    given: dict[str, Any] = dict(model.settings.reading.args)
    if condition is not None:
        given[_argument(model, function, name)] = condition.to(model.device)
    caught: list[Tensor] = []

    def fits(returned: Any) -> Tensor | None:
        images = images_of(returned, n, model.shape, _laid_out(model))
        caught.extend([] if images is None else [images])
        return images

    first_that_runs(forms(function, name, model.shape, model.device, given, seed), n, fits, name)
    return caught[-1]


def _argument(model: OthersModel, function: Any, name: str) -> str:
    """The argument of the method that takes the classes: of the name that the call's has."""
    wanted = model.settings.reading.condition or [*inspect.signature(model.module.forward).parameters][1]
    if wanted not in inspect.signature(function).parameters:
        raise UserError(f"{name} has no argument '{wanted}' for the classes, by which the module's call takes them.")
    return wanted


def _entering(model: OthersModel) -> str:
    return model.adapter.input if isinstance(model, ModuleModel) else model.entering if isinstance(model, LikelihoodModel) else "int"


def _laid_out(model: OthersModel) -> str:
    return model.adapter.entering if isinstance(model, ModuleModel) else model.laid_out if isinstance(model, LikelihoodModel) else "b c h w"

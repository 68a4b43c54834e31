"""Training, evaluation and sampling by a call each, for scripts and notebooks; the commands do the same and keep it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from pixelbench.data import TaskData, get_task
from pixelbench.data.folder import use_data_folder
from pixelbench.errors import UserError
from pixelbench.experiments import stages
from pixelbench.experiments.evaluating.evaluate import (
    CHECK_SECONDS,
    ModelEvaluation,
    Progress,
    evaluate_model,
    protocol,
    require_images_of,
)
from pixelbench.experiments.foreign.own_sampler import check_own_sampler, own_draws
from pixelbench.experiments.foreign.wrapped import OthersModel, module_model
from pixelbench.models.base import AutoregressiveModel
from pixelbench.models.families import create_model, get_family
from pixelbench.models.foreign.family import ModuleSettings
from pixelbench.models.sampling import Method
from pixelbench.suites.parsing import parse
from pixelbench.training.recipe import Recipe


def load_task(name: str, data: Path | str | None = None) -> TaskData:
    """The images of a task: `train`, `validation` and `test`, each with `images` (N, C, H, W) integers.

    Args:
        name: of `pixelbench list tasks`, or `folder:PATH`.
        data: the folder of data sets; `PIXELBENCH_DATA`, or the user's cache, by default.

    Raises:
        UserError: no such task, or its images are not there; the message says how to get them.
    """
    use_data_folder(None if data is None else Path(data))
    return get_task(name).load()


def wrap(
    module: nn.Module,
    task: str,
    *,
    head: str | None = None,
    input: str = "auto",
    output: str | None = None,
    select: str | None = None,
    input_layout: str | None = None,
    args: Mapping[str, float] | None = None,
    order: Sequence[int] | None = None,
    condition: str | None = None,
    sampler: str | None = None,
) -> AutoregressiveModel:
    """A module as a model of a task's images; an `AutoregressiveModel` comes back as it is.

    Args:
        module: takes a batch of images and gives something for each sub-pixel. Its parameters are the model's: training moves them.
        task: its name.
        head: `categorical`, `bernoulli`, `logistic-mixture[:M]`, `distribution` or `log_prob`; found out where only one fits.
        input: `unit`: floats in [0, 1]; `symmetric`: in [-1, 1]; `int`: integers; `auto`: what fits.
        output, input_layout: einops patterns, see `check_causality`.
        select: which part of a tuple or dict is the output.
        args: further arguments of the call, a number each.
        order: raster places in the order of drawing.
        condition: the argument of the call that takes the images' classes.
        sampler: the module's method that draws images: tested on tiny ones against the module's probabilities, and used where it is right.

    Raises:
        UserError: it fails, or its output cannot be read.
    """
    if isinstance(module, AutoregressiveModel):
        return module
    chosen = get_task(task)
    reading = {"head": head, "output": output, "select": select, "input_layout": input_layout, "condition": condition, "sampler": sampler}
    given: dict[str, Any] = {name: value for name, value in reading.items() if value is not None}
    given |= {"input": input} if input != "auto" else {}
    given |= {"args": dict(args)} if args else {}
    given |= {"order": [int(place) for place in order]} if order is not None else {}
    try:
        settings = ModuleSettings(given) if condition is None else ModuleSettings(given, "class", chosen.classes)
        settings.check_fit(*chosen.shape, chosen.levels)
    except ValueError as error:
        raise UserError(f"{type(module).__name__}: {error}.") from error
    return module_model(module, *chosen.shape, chosen.levels, settings)


def train(
    model: nn.Module | str,
    task: str,
    *,
    recipe: Mapping[str, Any] | Recipe | None = None,
    updates: int = 1000,
    seed: int = 0,
    settings: Mapping[str, Any] | None = None,
    progress: Progress = lambda doing: None,
    **reading: Any,
) -> AutoregressiveModel:
    """Train a module, a model or a family of that name on a task's training images, as a suite does; returns the model to evaluate.

    A family that is fitted counts the images, and has no recipe and no updates.

    Args:
        model: a module (see `wrap` for `reading`), a model, or the name of a family with its `settings`.
        task: its name.
        recipe: fields of a suite's recipe, such as `learning_rate`.
        updates: how many.
        seed: of weights that are made here, and of the order of images.
        progress: takes a sentence for each point of the curve.

    Raises:
        UserError: an argument cannot be, or training diverged.
    """
    chosen, how = get_task(task), _recipe(recipe)
    try:
        chosen = chosen.with_split(how.split)
    except ValueError as error:
        raise UserError(f"recipe: {error}.") from None
    if isinstance(model, str):
        stages.seed_everything(seed, "weights")
        channels, height, width = chosen.shape
        made = create_model(model, channels=channels, height=height, width=width, levels=chosen.levels, **(settings or {}))
    else:
        made = wrap(model, task, **reading)
    if updates < 1:
        raise UserError(f"updates must be at least 1, got {updates}.")
    require_images_of(made, chosen, type(made).__name__)
    spec = replace(protocol(chosen, type(made).__name__, seed=seed), recipe=how.as_dict(), updates=updates)
    if isinstance(model, str) and get_family(model).kind == "fitted":
        stages.fit(made, chosen.load(), spec, redrawn=chosen.redrawn)
        return made.eval()
    trainer = stages.trainer(made, chosen.load(), spec, redrawn=chosen.redrawn)
    for point in trainer.run():
        said = "" if point.validation_bits_per_dim is None else f", {point.validation_bits_per_dim:.3f} on validation images"
        progress(f"{point.update} of {updates} updates, {point.train_bits_per_dim:.3f} bits/dim on training images{said}")
    if trainer.status != "done":
        raise UserError(f"Training ended as {trainer.status} after {trainer.update} updates; a smaller learning_rate may help.")
    return trainer.evaluated.eval()


def evaluate(
    model: nn.Module,
    task: str,
    *,
    name: str | None = None,
    limit: int | None = None,
    samples: int = stages.SHOWN,
    check_seconds: float | None = CHECK_SECONDS,
    seed: int = 0,
    results: Path | str | None = None,
    progress: Progress = lambda doing: None,
    **reading: Any,
) -> ModelEvaluation:
    """Score a model or module on a task's test images, certify it, and draw from it.

    Args:
        model: a module (see `wrap` for `reading`: `head`, `input`, `output`, `order`, `condition`, …) or a model.
        task: its name.
        name: what it is called; its class by default.
        limit: at most so many test images; a number of fewer is no result.
        samples: images that are drawn, by whole forwards where it has no incremental mode; 0 draws none.
        check_seconds: of the certificate; None: until it is complete.
        seed: of what is drawn.
        results: a store whose cells on the same images it is put beside.
        progress: takes a sentence about what is done now.

    Returns:
        An evaluation with `bits_per_dim`, `nats_per_image`, `certificate`, `samples`, …; `summary()` says it in words.

    Raises:
        UserError: the images are not there, or the module cannot be read.
    """
    wrapped = wrap(model, task, **reading)
    return evaluate_model(
        wrapped,
        task,
        name=name or type(model).__name__,
        limit=limit,
        samples=samples,
        check_seconds=check_seconds,
        seed=seed,
        results=None if results is None else Path(results),
        progress=progress,
    )


def samples(
    model: nn.Module, task: str, n: int = 16, *, seed: int = 0, temperature: float = 1.0, method: Method = "auto", **reading: Any
) -> np.ndarray:
    """Draw images (n, C, H, W), integers, from a model or module (see `wrap` for `reading`); of classes in turn where it has them.

    Raises:
        UserError: the module cannot be read.
    """
    wrapped = wrap(model, task, **reading)
    chance = torch.Generator().manual_seed(seed)
    condition = stages.classes_in_turn(wrapped, n)
    own = check_own_sampler(wrapped) if temperature == 1 and method == "auto" else None
    if own is not None and own.usable(wrapped) and isinstance(wrapped, OthersModel):
        return own_draws(wrapped, n, condition, chance).numpy()
    return wrapped.sample(n, condition=condition, generator=chance, temperature=temperature, method=method).cpu().numpy()


def _recipe(given: Mapping[str, Any] | Recipe | None) -> Recipe:
    """A recipe that could stand in a suite, with its precision resolved."""
    errors: list[str] = []
    values = given.as_dict() if isinstance(given, Recipe) else given or {}
    plain = {name: value.item() if isinstance(value, np.generic) else value for name, value in values.items()}
    recipe = parse(Recipe, [("recipe", plain)], errors)
    if recipe is None:
        raise UserError(f"{'; '.join(error.removesuffix('.') for error in errors)}{'' if errors[-1].endswith('?') else '.'}")
    return recipe if recipe.precision != "auto" else replace(recipe, precision="fp32")

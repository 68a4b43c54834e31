"""Somebody's module as an `AutoregressiveModel`: trained, scored and sampled as ours are, and certified by its conditionals.

How images enter and how the output is read is said by `module = { … }` of a suite's variant or found out as `pixelbench check` does, by the
same code. It is sampled by whole forwards: what a module that knows nothing of PixelBench computes for one more pixel cannot be told.
"""

import contextlib
import functools
import math
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from pixelbench.causality.interface.adapter import ModuleAdapter, encode, find_adapter, laid_out
from pixelbench.causality.interface.heads import parameters_a_pixel
from pixelbench.causality.interface.parts import part_at
from pixelbench.causality.module.sandbox import random_states
from pixelbench.causality.module.state import set_mode
from pixelbench.errors import UserError, nearest
from pixelbench.experiments.foreign.targets import in_one_sentence, put_on_path
from pixelbench.importing import import_file
from pixelbench.models import heads
from pixelbench.models.base import AutoregressiveModel, ConditionedModel
from pixelbench.models.foreign.family import ModuleSettings, Reading
from pixelbench.models.foreign.source import SHAPE, Source, find_source
from pixelbench.models.heads import Output
from pixelbench.models.layers.sequence import InOwnOrder, in_turn

_MIXTURE = "logistic-mixture"


def wrapped(channels: int, height: int, width: int, levels: int, settings: ModuleSettings) -> AutoregressiveModel:
    """The factory's module for such images, wrapped where it is not an `AutoregressiveModel` itself.

    Raises:
        UserError: the file cannot be imported, the factory fails or makes something else, or its module cannot be read.
    """
    source, name = find_source(settings.factory), settings.factory
    shape: dict[str, int] = dict(zip(SHAPE, (channels, height, width, levels), strict=True))
    given = settings.arguments | {part: shape[part] for part in source.takes}
    factory = getattr(_imported(source), source.name)
    with in_one_sentence(f"Calling '{name}'"):
        module = factory(**given)
    if not isinstance(module, nn.Module):
        raise UserError(f"'{name}' made a {type(module).__name__}, not an nn.Module.")
    if isinstance(module, AutoregressiveModel):
        if needless := sorted(set(settings.module) - {"small"}):
            raise UserError(f"'{name}' makes an AutoregressiveModel, which knows how it is read; leave module.{needless[0]} out.")
        if (*module.shape, module.levels) != (channels, height, width, levels):
            raise UserError(f"'{name}' made a model for images of {module.shape} with {module.levels} levels, not for those asked for.")
        return module
    return module_model(module, channels, height, width, levels, settings)


def module_model(module: nn.Module, channels: int, height: int, width: int, levels: int, settings: ModuleSettings) -> "OthersModel":
    """The module as a model.

    Raises:
        UserError: it fails, or its output cannot be read.
    """
    kind = LikelihoodModel if settings.likelihood_alone else ModuleModel
    return kind(module, channels, height, width, levels, settings)


class OthersModel(AutoregressiveModel):
    """Somebody's `module`, whatever of it is read."""

    settings: ModuleSettings

    def __init__(self, module: nn.Module, channels: int, height: int, width: int, levels: int, settings: ModuleSettings):
        super().__init__(channels, height, width, levels, settings)
        self.module = module
        self.conditional = settings.condition == "class"
        _require_sampler(module, settings.reading.sampler)

    def train(self, mode: bool = True) -> Self:
        """Set the mode of all parts, by a way of our own: some classes have a training loop of this name."""
        self.training = mode
        for name, part in self.named_children():
            if name != "module":
                part.train(mode)
        set_mode(self.module, "train" if mode else "eval")
        return self

    @property
    def dtype(self) -> torch.dtype:
        """Of the weights."""
        weights = (weight.dtype for weight in self.module.parameters() if weight.is_floating_point())
        return next(weights, torch.get_default_dtype())


class ModuleModel(OthersModel):
    """A module whose output has the parameters of each sub-pixel's distribution, and how it is read.

    Attributes:
        adapter: how images enter it and where its output has the parameters of each sub-pixel.
        places: (D,) raster places in the order of drawing.
    """

    places: Tensor

    def __init__(self, module: nn.Module, channels: int, height: int, width: int, levels: int, settings: ModuleSettings):
        super().__init__(module, channels, height, width, levels, settings)
        reading = settings.reading
        self.raster = reading.order is None
        places = range(channels * height * width) if reading.order is None else reading.order
        self.register_buffer("places", torch.tensor(list(places)), persistent=False)
        self.adapter = self._find_adapter(reading)
        self.output, self._convert = _head(reading.head, self.adapter, self._returned(), levels)

    def forward(self, images: Tensor, condition: Tensor | None = None) -> Tensor:
        """Integer images (B, C, H, W) → what the head reads, (B, K, C, H, W)."""
        output = self.adapter.arrange(self._called(self._entering(images), condition), len(images))
        return output if self._convert is None else self._convert(output)

    def order(self) -> Sequence[tuple[int, int, int]]:
        if self.raster:
            return super().order()
        return in_turn(np.asarray(self.settings.reading.order), self.channels, self.width)

    def certifiable(self) -> nn.Module:
        if self.conditional:
            return self.bound(torch.zeros(1, dtype=torch.long, device=self.device))
        return self if self.raster else InOwnOrder(self, self.places)

    def certified_as(self, name: str) -> str:
        return name if self.raster else f"{name}, its sub-pixels laid out in its own order"

    def bound(self, condition: Tensor) -> ConditionedModel:
        if not self.raster:
            raise UserError("A module with classes and an order of its own cannot be certified; leave one of them out.")
        return super().bound(condition)

    def _find_adapter(self, reading: Reading) -> ModuleAdapter:
        asked: dict[str, Any] = {"input": reading.input, "output": reading.output, "select": reading.select}
        asked |= {"input_layout": reading.input_layout, "shared": (reading.head or "").startswith(_MIXTURE)}
        try:
            with self._trial():
                return find_adapter(self._tried, self.shape, self.levels, **asked, device=self.device, dtype=self.dtype)
        except UserError as error:
            raise UserError(f"{self.settings.factory}: {error}") from error

    def _returned(self) -> Any:
        """What the module returns for an image of zeros."""
        with self._trial():
            return self._tried(self._entering(torch.zeros(1, *self.shape, dtype=torch.long, device=self.device)))

    @contextlib.contextmanager
    def _trial(self) -> Iterator[None]:
        """In eval mode, without gradients, and without a trace in the random states."""
        was_training = self.module.training
        self.eval()
        try:
            with torch.no_grad(), random_states(torch.device("cpu"), 0):
                yield
        finally:
            self.train(was_training)

    def _tried(self, entering: Tensor) -> Any:
        condition = torch.zeros(len(entering), dtype=torch.long, device=entering.device) if self.conditional else None
        return self._called(entering, condition)

    def _entering(self, images: Tensor) -> Tensor:
        return laid_out(encode(images.long(), self.adapter.input, self.levels, self.dtype), self.adapter.entering)

    def _called(self, entering: Tensor, condition: Tensor | None) -> Any:
        reading = self.settings.reading
        further = {name: torch.full((len(entering),), value, device=entering.device) for name, value in reading.args.items()}
        further = {name: value.long() if float(reading.args[name]).is_integer() else value for name, value in further.items()}
        if condition is None:
            return self.module(entering, **further)
        if reading.condition is None:
            return self.module(entering, condition, **further)
        return self.module(entering, **{reading.condition: condition}, **further)


class LikelihoodModel(OthersModel):
    """A module that gives log p of whole images by `log_prob(images)`: trained and scored by it, and drawn from by its own method alone."""

    factorised = False

    def __init__(self, module: nn.Module, channels: int, height: int, width: int, levels: int, settings: ModuleSettings):
        super().__init__(module, channels, height, width, levels, settings)
        if not callable(getattr(module, "log_prob", None)):
            raise UserError(f"module.head = 'log_prob' needs a method log_prob(images), and {type(module).__name__} has none.")
        reading = settings.reading
        self.entering = "int" if reading.input == "int" else "symmetric" if reading.input == "symmetric" else "unit"
        self.laid_out = reading.input_layout or "b c h w"

    def log_prob(self, images: Tensor, condition: Tensor | None = None) -> Tensor:
        entering = laid_out(encode(images.long(), self.entering, self.levels, self.dtype), self.laid_out)
        module: Any = self.module
        found = module.log_prob(entering, *(() if condition is None else (condition,)))
        if not isinstance(found, Tensor) or found.shape[:1] != images.shape[:1]:
            raise UserError(f"log_prob must give a number for each of {len(images)} images, got {_kind(found)}.")
        return found.flatten(1).sum(1, dtype=torch.float64) if found.dim() > 1 else found.double()

    def loss(self, images: Tensor, condition: Tensor | None = None) -> Tensor:
        return -self.log_prob(images, condition).mean() / math.prod(self.shape)

    def conditionals(self, images: Tensor, condition: Tensor | None = None) -> Tensor:
        raise UserError(f"{type(self.module).__name__} gives the likelihood of whole images alone, no conditionals.")


def _require_sampler(module: nn.Module, name: str | None) -> None:
    if name is None or callable(getattr(module, name, None)):
        return
    near = nearest(name, [one for one in dir(module) if not one.startswith("_") and one not in dir(nn.Module)])
    hint = f" Did you mean '{near}'?" if near else ""
    raise UserError(f"{type(module).__name__} has no method '{name}', as module.sampler says.{hint}")


def _head(name: str | None, adapter: ModuleAdapter, returned: Any, levels: int) -> tuple[Output, Callable[[Tensor], Tensor] | None]:
    """The head of that name, or the only one that fits; and what turns the module's output into what it reads.

    Raises:
        UserError: it cannot be, or none or several fit.
    """
    channels = adapter.shape[0]
    kinds = adapter.arrange(returned, 1).shape[1]
    distribution = _distribution(part_at(returned, adapter.select))
    if name == "distribution" and distribution is None:
        raise UserError(f"module.head = 'distribution' needs a torch.distributions object, and the module returned {_kind(returned)}.")
    if distribution is not None and name in (None, "distribution"):
        name = _of_distribution(distribution)
    name = name or _fitting(kinds, levels, channels, shared=adapter.shared)
    if name == "categorical":
        if kinds != levels:
            raise UserError(f"module.head = 'categorical' needs {levels} logits for each sub-pixel, one a level; the output has {kinds}.")
        return heads.Softmax(channels, levels), None
    if name == "bernoulli":
        if kinds != 1 or levels != 2:
            raise UserError(f"module.head = 'bernoulli' needs one logit for each sub-pixel of 2 levels; got {kinds} and {levels} levels.")
        return heads.Bernoulli(channels, levels), None
    components = int(name.partition(":")[2]) if ":" in name else kinds // parameters_a_pixel(1, channels)
    if channels not in (1, 3) or kinds != parameters_a_pixel(components, channels) or not components:
        each = f"a multiple of {parameters_a_pixel(1, channels)} parameters a pixel of 1 or 3 channels"
        raise UserError(f"module.head = '{name}' needs {each}; the output has {kinds} a pixel of {channels}.")
    return heads.CoupledLogisticMixture(channels, levels, components), functools.partial(_as_ours, components=components)


def _as_ours(output: Tensor, components: int) -> Tensor:
    """Mixture parameters in the order of PixelCNN++'s code, the same for all colours of a pixel, (B, K, C, H, W) → in ours, (B, K, H, W).

    There each colour has its means, its log scales and its coefficients in turn; here all means come first, then all scales.
    """
    raw = output[:, :, 0]
    each = raw[:, components:].unflatten(1, (output.shape[2], -1, components))  # (B, C, means, scales and coefficients, M, H, W)
    parts = [each[:, :, 0], each[:, :, 1], *([each[:, :, 2]] if each.shape[2] > 2 else [])]
    return torch.cat([raw[:, :components], *(part.flatten(1, 2) for part in parts)], 1)


def _fitting(kinds: int, levels: int, channels: int, *, shared: bool) -> str:
    """What an output of so many parameters can only be."""
    if kinds == levels:
        return "categorical"
    if kinds == 1 and levels == 2:
        return "bernoulli"
    if (shared or channels == 1) and kinds % parameters_a_pixel(1, channels) == 0:
        raise UserError(
            f"The module's output has {kinds} parameters a pixel: a mixture of {kinds // parameters_a_pixel(1, channels)} logistics? "
            "Then say module.head = 'logistic-mixture'."
        )
    raise UserError(
        f"The module's output has {kinds} parameters for each sub-pixel of {levels} levels; no head reads that. 'categorical' needs "
        f"{levels} of them, 'bernoulli' 1 and 2 levels, 'logistic-mixture' a multiple of {parameters_a_pixel(1, channels)} a pixel."
    )


def _distribution(returned: Any) -> torch.distributions.Distribution | None:
    while isinstance(returned, torch.distributions.Independent):
        returned = returned.base_dist
    return returned if isinstance(returned, torch.distributions.Distribution) else None


def _of_distribution(found: torch.distributions.Distribution) -> str:
    """The head that reads the logits of a distribution of levels."""
    if isinstance(found, torch.distributions.Categorical):
        return "categorical"
    if isinstance(found, torch.distributions.Bernoulli):
        return "bernoulli"
    raise UserError(f"The module returns a {type(found).__name__}; of Categorical and Bernoulli the probabilities of levels can be read.")


def _kind(returned: Any) -> str:
    return f"a {type(returned).__name__}"


def _imported(source: Source) -> ModuleType:
    put_on_path(source.folder)
    with in_one_sentence(f"Importing '{source.path.name}'"):
        if source.path.stem == source.module:
            return _from_file(source.path, source.path.stat().st_mtime_ns)
        return import_module(source.module)


@cache
def _from_file(path: Path, changed: int) -> ModuleType:
    """Once for each state of the file."""
    return import_file(path, f"pixelbench_module_{path.stem}")

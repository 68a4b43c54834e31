"""A module of somebody's for images so small that all of them can be scored and counted."""

import copy
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from pixelbench.causality.likelihood import MOST_IMAGES, TINY_LEVELS
from pixelbench.errors import UserError
from pixelbench.experiments.foreign.wrapped import OthersModel, module_model
from pixelbench.models.families import create_model
from pixelbench.models.foreign.family import ModuleSettings
from pixelbench.models.foreign.source import find_source

#: Heights and widths, those first in which a sub-pixel has neighbours on all sides that matter.
_SIZES = ((2, 3), (2, 2), (1, 3), (1, 2), (1, 1))
#: What is said of images of the real size alone.
_OF_SIZE = ("order", "small")


def tiny_models(model: OthersModel) -> Iterator[OthersModel]:
    """The same code for tiny images, with fresh weights where its factory follows the shape, else with its own; the largest first.

    Levels are as few as the factory lets them be. Sizes that it cannot be made or read for are left out.
    """
    takes = find_source(model.settings.factory).takes if model.settings.factory else frozenset[str]()
    levels = TINY_LEVELS if "levels" in takes else model.levels
    for height, width in _SIZES:
        if levels ** (model.channels * height * width) > MOST_IMAGES:
            continue
        try:
            yield _made(model, height, width, levels)
        except UserError:
            continue


def _made(model: OthersModel, height: int, width: int, levels: int) -> OthersModel:
    settings = model.settings
    reading = {name: value for name, value in settings.module.items() if name not in _OF_SIZE}
    if settings.factory:
        values = {name: value for name, value in settings.as_dict().items() if name != "weights"} | {"module": reading}
        made = create_model(settings.factory, channels=model.channels, height=height, width=width, levels=levels, **values)
        assert isinstance(made, OthersModel), "the same factory made one"
        return made
    small = ModuleSettings(reading, settings.condition, settings.classes)
    return module_model(copy.deepcopy(model.module), model.channels, height, width, levels, small)


class AsModule(nn.Module):
    """A model as the checks of modules take it: integers enter, conditionals or log p come out; of classes, for the first one."""

    def __init__(self, model: OthersModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        """(B, levels, C, H, W)."""
        return self.model.conditionals(images, self.classes(len(images)))

    def log_prob(self, images: Tensor) -> Tensor:
        """(B,) nats."""
        return self.model.log_prob(images, self.classes(len(images)))

    def classes(self, n: int) -> Tensor | None:
        """(n,) zeros, where it is conditional."""
        return torch.zeros(n, dtype=torch.long, device=self.model.device) if self.model.conditional else None

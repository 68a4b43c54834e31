"""Count the weights of the papers' networks by building them: `python -m pixelbench.experiments.counting` writes what `sizes` reads.

Seconds of computing for numbers that only change with a family's code, so they are stored and a test counts some of them again.
"""

import json
from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode

from pixelbench.experiments.sizes import STORED, settings_digest
from pixelbench.files.atomic import write_text
from pixelbench.models.base import AutoregressiveModel, count_parameters
from pixelbench.models.families import FAMILIES, Family, Published, create_model


def count(family: Family, entry: Published) -> int:
    """The number of weights at the settings that a paper states.

    Raises:
        UserError: the settings do not fit the family or the images.
    """
    return count_parameters(_model(family, entry))


def count_all() -> dict[str, dict[str, str | int]]:
    """By the digest of its settings, family, place and weights of each network of our own that a paper states; no other package's."""
    return {
        settings_digest(family, entry): {"family": family.name, "where": entry.where, "parameters": count(family, entry)}
        for family in FAMILIES.usable()[0].values()
        if family.is_own
        for entry in family.published
    }


def _model(family: Family, entry: Published) -> AutoregressiveModel:
    channels, height, width = entry.shape
    with _Uninitialised():
        return create_model(family.name, channels=channels, height=height, width=width, levels=entry.levels, **entry.settings)


class _Uninitialised(TorchFunctionMode):
    """Leaves out the drawing of weights, which is what takes long. Masks keep their values: constructors look at them."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (Tensor.uniform_, Tensor.normal_):
            return args[0]
        return func(*args, **(kwargs or {}))


if __name__ == "__main__":
    write_text(STORED, json.dumps(count_all(), indent=1) + "\n")

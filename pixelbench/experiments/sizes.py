"""How many weights the networks of the papers have, built at the settings that the papers state."""

from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode

from pixelbench.models.base import AutoregressiveModel, count_parameters
from pixelbench.models.families import Family, Published, create_model


def published_sizes(family: Family) -> list[dict[str, Any]]:
    """For each entry of `family.published`: `where`, `shape` (C, H, W), `levels`, all `settings`, and `parameters`.

    Raises:
        UserError: the settings do not fit the family or the images.
    """
    return [
        {
            "where": entry.where,
            "shape": list(entry.shape),
            "levels": entry.levels,
            "settings": family.parse(entry.settings).as_dict(),
            "parameters": count_parameters(_model(family, entry)),
        }
        for entry in family.published
    ]


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

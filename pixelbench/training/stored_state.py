"""Checks of a stored training state before anything of it is restored."""

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from pixelbench.training.checkpoint import CheckpointError, DamagedCheckpoint, check_tensors

_POINT = {"update", "train_bits_per_dim", "validation_bits_per_dim"}


def check_header(header: Mapping[str, Any], updates: int) -> None:
    """The fields `update`, `losses`, `seconds`, `curve` and `stretches` must be those of a training of so many updates.

    Raises:
        DamagedCheckpoint: one is missing or cannot be.
    """
    fields = {
        "update": lambda value: type(value) is int and 0 <= value <= updates,
        "losses": lambda value: type(value) is int and value >= 0,
        "seconds": lambda value: _is_number(value) and 0 <= value < math.inf,
        "curve": lambda value: isinstance(value, list) and all(map(_is_point, value)),
        "stretches": lambda value: isinstance(value, list) and _are_stretches(value, header["update"]),
    }
    header = {"stretches": []} | dict(header)  # checkpoints of the first versions have none
    for name, fits in fields.items():
        if name not in header:
            raise DamagedCheckpoint(f"its field '{name}' is missing")
        if not fits(header[name]):
            raise DamagedCheckpoint(f"its field '{name}' is {ascii(header[name])[:40]}")


def check_state(tensors: Mapping[str, Tensor], wanted: Mapping[str, Tensor], device: torch.device) -> None:
    """Tensors but for the optimiser's must be those of `wanted`, and the random states such that can be set.

    `random.cuda` may be there or not: a training may go on on another device.

    Raises:
        CheckpointError: they are not.
    """
    check_tensors({name: t for name, t in tensors.items() if name != "random.cuda"}, wanted)
    for name in ("cpu", "cuda"):
        state = tensors.get(f"random.{name}")
        if state is not None and name in ("cpu", device.type):
            try:
                torch.Generator("cpu" if name == "cpu" else device).set_state(state)
            except (RuntimeError, TypeError) as error:
                raise CheckpointError(f"its random state cannot be set: {error}") from None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_point(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == _POINT and all(_is_number(v) or v is None for v in value.values())


def _are_stretches(values: list[Any], update: int) -> bool:
    """Each of a later update than the one before, none beyond what is trained."""
    ends = [value["until"] for value in values if isinstance(value, dict) and type(value.get("until")) is int]
    return len(ends) == len(values) and all(a < b for a, b in pairwise([0, *ends, update + 1]))

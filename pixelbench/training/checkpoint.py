"""A training state as one safetensors blob with a JSON header: no pickle, and one atomic write by whoever stores it."""

import json
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

_HEADER = "pixelbench"


class CheckpointError(Exception):
    """The blob is no checkpoint of this model and optimiser."""


def pack(tensors: dict[str, Tensor], header: dict[str, Any]) -> bytes:
    """Tensors and JSON values as safetensors bytes."""
    return save({name: t.detach().cpu().contiguous() for name, t in tensors.items()}, {_HEADER: json.dumps(header, sort_keys=True)})


def unpack(blob: bytes) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The inverse of `pack`.

    Raises:
        CheckpointError: not written by `pack`, or damaged.
    """
    try:
        length = int.from_bytes(blob[:8], "little")
        return load(blob), json.loads(json.loads(blob[8 : 8 + length])["__metadata__"][_HEADER])
    except (SafetensorError, ValueError, KeyError) as error:
        raise CheckpointError(f"not a PixelBench checkpoint: {error}") from None


def module_tensors(prefix: str, module: nn.Module) -> dict[str, Tensor]:
    """Weights and persistent buffers under `prefix.`."""
    return {f"{prefix}.{name}": t for name, t in module.state_dict().items()}


def restore_module(prefix: str, module: nn.Module, tensors: dict[str, Tensor]) -> None:
    """The inverse of `module_tensors`; names and shapes must fit.

    Raises:
        CheckpointError: a weight is missing, superfluous or of another shape.
    """
    mine = {name.removeprefix(f"{prefix}."): t for name, t in tensors.items() if name.startswith(f"{prefix}.")}
    try:
        module.load_state_dict(mine)
    except RuntimeError as error:
        raise CheckpointError(f"the stored weights do not fit the model: {str(error).splitlines()[-1].strip()}") from None


def optimiser_tensors(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimiser's state, every entry a tensor; hyper-parameters come from the recipe and are not stored."""
    state = optimiser.state_dict()["state"]
    return {f"optimiser.{i}.{name}": torch.as_tensor(value) for i, entries in state.items() for name, value in entries.items()}


def restore_optimiser(optimiser: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """The inverse of `optimiser_tensors`."""
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("optimiser."):
            _, index, entry = name.split(".", 2)
            state.setdefault(int(index), {})[entry] = value
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})

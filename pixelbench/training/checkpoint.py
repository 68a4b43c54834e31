"""A training state as one safetensors blob with a JSON header and its own SHA-256: no pickle, and one atomic write by whoever stores it.

The digest is that of the whole blob with zeros in place of its 64 digits, so that no single bit can change unseen.
"""

import hashlib
import json
import re
from collections.abc import Collection, Mapping
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

_HEADER, _DIGEST = "pixelbench", "sha256"
_BLANK = "0" * 64
#: As it stands in the header: JSON in a JSON text.
_PLACE = re.compile(rb'\\"sha256\\": \\"([0-9a-f]{64})\\"')
#: What an optimiser keeps for each weight: of its shape, or a single number.
_STATE_NAMES = {"step", "exp_avg", "exp_avg_sq", "square_avg", "momentum_buffer", "sum"}


class CheckpointError(Exception):
    """The blob is of no use here."""


class DamagedCheckpoint(CheckpointError):  # noqa: N818 (a kind of CheckpointError)
    """The blob is not what was written."""


def pack(tensors: Mapping[str, Tensor], header: dict[str, Any]) -> bytes:
    """Tensors and JSON values as safetensors bytes."""
    text = json.dumps({**header, _DIGEST: _BLANK}, sort_keys=True)
    blob = save({name: t.detach().cpu().contiguous() for name, t in tensors.items()}, {_HEADER: text})
    begin, end = _place_of_digest(blob) or (0, 0)
    return b"".join((memoryview(blob)[:begin], _digest(blob, begin, end).encode(), memoryview(blob)[end:]))


def unpack(blob: bytes, *, without_digest: Collection[str] | None = None) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The inverse of `pack`.

    `without_digest`: the header of blobs that were written before there were digests; one of just these fields is taken without.

    Raises:
        DamagedCheckpoint: not written by `pack`, or changed since.
        CheckpointError: written before there were digests.
    """
    try:
        length = int.from_bytes(blob[:8], "little")
        tensors, header = load(blob), json.loads(json.loads(blob[8 : 8 + length])["__metadata__"][_HEADER])
    except (SafetensorError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DamagedCheckpoint(f"not a PixelBench checkpoint: {error}") from None
    if not isinstance(header, dict):
        raise DamagedCheckpoint("not a PixelBench checkpoint: its header is no object")
    place = _place_of_digest(blob)
    if place is not None:
        if header.pop(_DIGEST, None) != _digest(blob, *place):
            raise DamagedCheckpoint("its SHA-256 is not that of its contents")
    elif without_digest is None:
        raise CheckpointError("it has no SHA-256, so it is damaged or of another version of the code")
    elif set(header) != set(without_digest):
        raise DamagedCheckpoint("its header is not as it was written")
    return tensors, header


def module_tensors(prefix: str, module: nn.Module) -> dict[str, Tensor]:
    """Weights and persistent buffers under `prefix.`."""
    return {f"{prefix}.{name}": t for name, t in module.state_dict().items()}


def check_tensors(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> None:
    """Names, shapes and types must be those of `wanted`.

    Raises:
        CheckpointError: a tensor is missing, superfluous, or of another shape or type.
    """
    for name in sorted(found.keys() | wanted.keys()):
        if name not in found or name not in wanted:
            raise CheckpointError(f"the stored tensors do not fit: '{name}' is {'missing' if name in wanted else 'superfluous'}")
        mine, theirs = wanted[name], found[name]
        if (mine.shape, mine.dtype) != (theirs.shape, theirs.dtype):
            said, requested = (f"{tuple(t.shape)} {t.dtype}" for t in (theirs, mine))
            raise CheckpointError(f"the stored tensors do not fit: '{name}' is {said}, not {requested}")


def restore_module(prefix: str, module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """The inverse of `module_tensors`; names, shapes and types must fit, otherwise nothing is changed.

    Raises:
        CheckpointError: a weight is missing, superfluous, or of another shape or type.
    """
    mine = {name: t for name, t in tensors.items() if name.startswith(f"{prefix}.")}
    check_tensors(mine, module_tensors(prefix, module))
    module.load_state_dict({name.removeprefix(f"{prefix}."): t for name, t in mine.items()})


def optimiser_tensors(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimiser's state, every entry a tensor; hyper-parameters come from the recipe and are not stored."""
    state = optimiser.state_dict()["state"]
    return {f"optimiser.{i}.{name}": torch.as_tensor(value) for i, entries in state.items() for name, value in entries.items()}


def optimiser_state(optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """The argument of `optimiser.load_state_dict`, out of `optimiser_tensors`.

    Raises:
        CheckpointError: it is not the state of such an optimiser; an entry's shape and type must be its weight's, or it is one number.
    """
    weights = [weight for group in optimiser.param_groups for weight in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        _, index, entry = (*name.split(".", 2), "", "")[:3]
        if not index.isdecimal() or int(index) >= len(weights) or entry not in _STATE_NAMES:
            raise CheckpointError(f"the stored optimiser does not fit: it has no '{name}'")
        weight = weights[int(index)]
        shape = torch.Size() if entry == "step" else weight.shape
        if value.shape != shape or value.dtype != (torch.float32 if entry == "step" else weight.dtype):
            raise CheckpointError(f"the stored optimiser does not fit: '{name}' is {tuple(value.shape)} {value.dtype}")
        state.setdefault(int(index), {})[entry] = value
    if len({frozenset(entries) for entries in state.values()}) > 1:
        raise CheckpointError("the stored optimiser does not fit: it is not whole")
    return {"state": state, "param_groups": optimiser.state_dict()["param_groups"]}


def _place_of_digest(blob: bytes) -> tuple[int, int] | None:
    """Where the digest's digits begin and end."""
    found = _PLACE.search(blob, 8, 8 + int.from_bytes(blob[:8], "little"))
    return None if found is None else found.span(1)


def _digest(blob: bytes, begin: int, end: int) -> str:
    view, digest = memoryview(blob), hashlib.sha256()
    for part in (view[:begin], _BLANK.encode(), view[end:]):
        digest.update(part)
    return digest.hexdigest()

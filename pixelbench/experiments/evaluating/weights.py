"""Weights that somebody else trained, from a file into a module: safetensors, or what `torch.load` reads without executing anything."""

import hashlib
import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from torch import Tensor, nn

from pixelbench.errors import UserError, first_line

#: Under which name a state dict lies in the files of common training programs.
_HOLDERS = ("state_dict", "model_state_dict", "model", "ema", "weights")
#: What wrappers put before every name.
_PREFIXES = ("module.", "_orig_mod.", "model.", "net.")
#: Names that a message shows of each kind.
_SHOWN = 3


def load_weights(module: nn.Module, path: Path) -> str:
    """Put the weights of a file into a module, as `load_state_dict` does.

    A state dict may lie under a common name (`state_dict`, `model`, …), and all its names may have prefixes of wrappers (`module.`, …).

    Args:
        module: changed only where everything fits.
        path: a `.safetensors` file, or one written by `torch.save`.

    Returns:
        The file's SHA-256, 64 hex digits.

    Raises:
        UserError: no such file, more than tensors in it, or names or shapes that do not fit; the message shows three of each.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"The weights '{path}' cannot be read ({error.strerror}).") from error
    state = _state(path, content)
    if not state:
        raise UserError(f"'{path}' holds no tensors; give a state dict, as safetensors or by torch.save(model.state_dict(), …).")
    wanted = module.state_dict()
    state = _unwrapped(state, wanted)
    _check(path, state, wanted)
    module.load_state_dict(state)
    return hashlib.sha256(content).hexdigest()


def _state(path: Path, content: bytes) -> Mapping[str, Tensor]:
    if path.suffix == ".safetensors":
        try:
            return load_safetensors(content)
        except SafetensorError as error:
            raise UserError(f"'{path}' is no safetensors file: {first_line(error)}.") from error
    try:
        with warnings.catch_warnings(action="ignore"):  # of a pickle that torch did not write, which is refused anyway
            found = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise UserError(
            f"'{path}' holds more than tensors, and a pickle executes what its author wrote, so it is not loaded. Where it was written, "
            f"convert it: safetensors.torch.save_file(model.state_dict(), '{path.with_suffix('.safetensors').name}')."
        ) from error
    except (RuntimeError, EOFError, ValueError, OSError, KeyError) as error:
        raise UserError(f"'{path}' cannot be read as weights: {first_line(error)}.") from error
    return _tensors(found)


def _tensors(found: Any) -> dict[str, Tensor]:
    """The state dict in what a file holds: one entry, beside which a loss may lie, or the whole of it."""
    if not isinstance(found, Mapping):
        return {}
    tensors = {str(name): value for name, value in found.items() if isinstance(value, Tensor)}
    return next((inner for name in _HOLDERS if (inner := _tensors(found.get(name)))), tensors)


def _unwrapped(state: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Without the prefixes that every name has, where the module's names have none."""
    found = dict(state)
    while not found.keys() & wanted.keys() and (prefix := next((p for p in _PREFIXES if all(name.startswith(p) for name in found)), "")):
        found = {name.removeprefix(prefix): value for name, value in found.items()}
    return found


def _check(path: Path, state: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> None:
    missing, superfluous = sorted(set(wanted) - set(state)), sorted(set(state) - set(wanted))
    shapes = [
        f"{name} is {tuple(state[name].shape)}, not {tuple(wanted[name].shape)}"
        for name in sorted(set(wanted) & set(state))
        if state[name].shape != wanted[name].shape
    ]
    said = [
        f"{len(found)} {what} ({', '.join(found[:_SHOWN])}{', …' if len(found) > _SHOWN else ''})"
        for what, found in (("missing", missing), ("superfluous", superfluous), ("of another shape", shapes))
        if found
    ]
    if said:
        raise UserError(f"The weights '{path}' do not fit the module: {'; '.join(said)}. Are its settings those they were trained with?")

"""A copy of a module in float64, which can be treated as nobody would treat the original."""

import copy
import warnings
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from pixelbench.causality.module.closures import rebound
from pixelbench.causality.module.sandbox import WIDE
from pixelbench.causality.module.state import INTERNAL, entries, hooks_of, parts_of
from pixelbench.errors import UserError, first_line


def float64_copy(module: nn.Module) -> nn.Module:
    """A deep copy with parameters, buffers and tensors that are plain attributes (masks for instance) in float64.

    Raises:
        UserError: it cannot be copied, or its weights have no values yet.
    """
    name = type(module).__name__
    tensors = [*module.parameters(), *module.buffers()]
    if any(is_lazy(tensor) for tensor in tensors):
        raise UserError(f"{name} has lazy layers whose weights are not made yet; call it on a batch once, then check it.")
    if any(tensor.is_meta for tensor in tensors):
        raise UserError(f"{name} has weights on the meta device, which have no values; make it on a real one, then check it.")
    try:
        copied, memo = deep_copy(module)
        for part in list(parts_of(copied)):
            _rebind(part, memo)
        with warnings.catch_warnings():  # the weights of a copied script are no leaves, and torch warns of looking at their gradients
            warnings.simplefilter("ignore", UserWarning)
            for part in parts_of(copied):
                _widen(part)
    except Exception as error:  # whatever a foreign module has that cannot be copied
        raise UserError(f"{name} cannot be copied to float64 ({first_line(error)}); check a freshly built one.") from error
    return copied


def device_of(module: nn.Module) -> torch.device:
    """Where its weights lie; the CPU where it has none."""
    return next((tensor.device for tensor in (*module.parameters(), *module.buffers())), torch.device("cpu"))


def deep_copy(module: nn.Module) -> tuple[nn.Module, dict[int, Any]]:
    """A deep copy, and copies by the identity of what they are copies of. What cannot be copied, a lock or an open file, is shared."""
    memo: dict[int, Any] = dict(_in_the_middle_of_a_graph(module))
    try:
        return copy.deepcopy(module, memo), memo
    except Exception:
        memo = {**_what_cannot_be_copied(module), **_in_the_middle_of_a_graph(module)}
        return copy.deepcopy(module, memo), memo


def _what_cannot_be_copied(module: nn.Module) -> dict[int, Any]:
    """Memo for `deepcopy`: values in attributes, which stay the ones they are."""
    parts = list(parts_of(module))
    kept = {id(one): one for part in parts for one in (part, *part.parameters(recurse=False), *part.buffers(recurse=False))}
    values = [value for part in parts for name, attribute in vars(part).items() if name not in INTERNAL for value in entries(attribute)]
    found = {}
    for value in values:
        try:
            copy.deepcopy(value, dict(kept))
        except Exception:  # whatever a foreign object says to it
            found[id(value)] = value
    return found


def _in_the_middle_of_a_graph(module: nn.Module) -> dict[int, Tensor]:
    """Memo for `deepcopy`, which refuses tensors that were computed from weights: the old weight norm keeps one as an attribute."""
    values = [value for part in parts_of(module) for attribute in vars(part).values() for value in entries(attribute)]
    return {id(value): value.detach().clone() for value in values if isinstance(value, Tensor) and not value.is_leaf}


def _rebind(part: nn.Module, memo: dict[int, Any]) -> None:
    """In place: functions among its attributes and hooks hold the copies of the modules that they held."""
    for hooks in hooks_of(part):
        hooks.update({key: rebound(hook, memo) for key, hook in hooks.items()})
    for name, value in list(vars(part).items()):
        if name not in INTERNAL:
            after = rebound(value, memo)
            if after is not value:
                setattr(part, name, after)


def _widen(part: nn.Module) -> None:
    """In place."""
    for name, value in vars(part).items():
        if isinstance(value, Tensor) and value.dtype in WIDE:
            setattr(part, name, value.to(WIDE[value.dtype]))
    part._apply(lambda tensor: tensor.to(WIDE.get(tensor.dtype, tensor.dtype)))

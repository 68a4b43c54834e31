"""Which part of what a module returned is the output: a tensor, a distribution, or one that a path names."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from pixelbench.causality.interface.distributions import parameters_of
from pixelbench.errors import UserError, nearest

#: Said of a pair of tensors that a flow may have given.
NO_CONDITIONAL = (
    "Where they are a flow's z and its log determinant, neither is a conditional distribution: check the network that gives the shift and "
    "the scale of each sub-pixel."
)


def only_part(raw: Any) -> str | None:
    """The path to the one output in what a module returned: a tensor of floats, or a distribution; in a part of a part where no part is.

    None where it is one itself, or there are several or none.
    """
    if isinstance(raw, Tensor | torch.distributions.Distribution):
        return None
    found = [name for name in _names(raw) if _is_output(_entry(raw, name))]
    if not found and isinstance(raw, Mapping | list | tuple):
        within = {name: only_part(_entry(raw, name)) for name in _names(raw)}
        found = [f"{name}.{path}" for name, path in within.items() if path is not None]
    return found[0] if len(found) == 1 else None


def _is_output(part: Any) -> bool:
    return isinstance(part, torch.distributions.Distribution) or (isinstance(part, Tensor) and part.is_floating_point())


def part_at(raw: Any, path: str | None) -> Any:
    """What a module returned, or the part of it that the path names.

    Raises:
        UserError: there is no such part.
    """
    for name in path.split(".") if path is not None else ():
        raw = _entry(raw, name)
    return raw


def selected(raw: Any, path: str | None) -> Tensor:
    """The part of what a module returned that `path` names: `0`, `logits`, `0.logits`.

    Raises:
        UserError: there is no such part, or it is no tensor of floats; the message says what is there.
    """
    part = part_at(raw, path)
    if isinstance(part, torch.distributions.Distribution):
        return parameters_of(part)
    if isinstance(part, Tensor):
        if part.is_nested:
            raise UserError(
                "The module returns a nested tensor, whose entries have sizes of their own; check a module that gives one size."
            )
        if not part.is_floating_point():
            kind = str(part.dtype).removeprefix("torch.")
            raise UserError(f"The module's output is {kind}; it must be floating point: logits, or parameters of a distribution.")
        if not part.dim():
            raise UserError(
                "The module returns one number for the whole batch: that looks like a loss. Check the part that gives logits or parameters "
                "for each sub-pixel."
            )
        return part if part.layout == torch.strided else part.to_dense()
    names = _names(part)
    if not names:
        raise UserError(f"The module returned a {type(part).__name__}, not a tensor; check a module that returns the output alone.")
    prefix = f"{path}." if path is not None else ""
    choices = " or ".join(f"--select {prefix}{name}" for name in names)
    of_a_flow = "" if path is not None or not _like_a_flow(part) else f" {NO_CONDITIONAL}"
    kind = f"The module returned a {type(part).__name__} of {len(names)} parts"
    raise UserError(f"{kind}; say which is the output with select: {choices}.{of_a_flow}")


def _like_a_flow(part: Any) -> bool:
    """Two tensors of floats: one like the images, and a number for each of them."""
    if not (isinstance(part, list | tuple) and len(part) == 2 and all(map(_is_output, part))):
        return False
    return isinstance(part[0], Tensor) and isinstance(part[1], Tensor) and part[0].dim() > 1 and part[1].shape == part[0].shape[:1]


def _entry(part: Any, name: str) -> Any:
    if isinstance(part, torch.distributions.Distribution) and (inner := _attribute(part, name)) is not None:
        return inner
    names = _names(part)
    sequence: Any = part if isinstance(part, list | tuple) else ()
    numbered = name.isdecimal() and int(name) < len(sequence)  # a named tuple has both
    if name not in names and not numbered:
        if not names:
            raise UserError(f"Nothing can be selected with '{name}': the module returned a {type(part).__name__} without parts.")
        near = nearest(name, names)
        hint = f" Did you mean '{near}'?" if near else ""
        raise UserError(f"The module's {type(part).__name__} has no part '{name}'.{hint} It has: {', '.join(names)}.")
    if isinstance(part, Mapping):
        return {str(key): value for key, value in part.items()}[name]
    return sequence[int(name)] if numbered else getattr(part, name)


def _names(part: Any) -> list[str]:
    """All that can be selected from it: keys, fields of named tuples and dataclasses, places, or the tensors that an object holds.

    So a `torch.distributions.Categorical` is selected from by `logits`.
    """
    if isinstance(part, Tensor):
        return []
    if isinstance(part, Mapping):
        return [str(key) for key in part]
    fields = getattr(part, "_fields", None) or getattr(part, "__dataclass_fields__", None)
    if fields:
        return list(fields)
    if isinstance(part, list | tuple):
        return [str(index) for index in range(len(part))]
    return [name for name in dir(part) if not name.startswith("_") and isinstance(_attribute(part, name), Tensor)]


def _attribute(part: Any, name: str) -> Any:
    try:
        return getattr(part, name)
    except Exception:  # a property that does not hold for this object, such as the mode of some distributions
        return None

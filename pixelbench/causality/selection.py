"""Picks the output out of what a module returns: a tuple, a dict, a dataclass, a distribution, or these inside one another."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from pixelbench.errors import UserError, nearest


def pick(returned: Any, select: str | None) -> Tensor:
    """The tensor that `select` names: an index, a key or an attribute, `0.logits` one after the other; None: what was returned itself.

    Raises:
        UserError: there is nothing to select, or something other than a tensor is left; the message shows what there is.
    """
    if isinstance(returned, Tensor):
        if select is not None:
            raise UserError(f"The module returns one tensor, so there is nothing to select; leave out --select {select}.")
        return returned
    found, path = returned, ""
    for name in select.split(".") if select else ():
        parts = parts_of(found)
        if name not in parts:
            where = f" in --select {path}" if path else " in what the module returns"
            near = nearest(name, parts)
            hint = f" Did you mean '{near}'?" if near else ""
            raise UserError(f"There is no '{name}'{where}.{hint} There is: {_listed(parts)}.")
        found, path = parts[name], f"{path}.{name}".lstrip(".")
    if not isinstance(found, Tensor):
        raise UserError(_question(found, path))
    return found


def parts_of(value: Any) -> dict[str, Any]:
    """What is inside, by the name that selects it; empty for what holds nothing."""
    if isinstance(value, Mapping):
        return {str(key): part for key, part in value.items()}
    if isinstance(value, tuple | list):
        named = {name: getattr(value, name) for name in getattr(value, "_fields", ())}
        return named | {str(index): part for index, part in enumerate(value)}
    if isinstance(value, Tensor):
        return {}
    if dataclasses.is_dataclass(value):
        return {entry.name: getattr(value, entry.name) for entry in dataclasses.fields(value)}
    return {name: part for name, part in getattr(value, "__dict__", {}).items() if not name.startswith("_")}


def _question(found: Any, path: str) -> str:
    parts = parts_of(found)
    what = f"--select {path} is" if path else "The module returns"
    if not parts:
        return f"{what} a {type(found).__name__}, not a tensor; wrap it in a module whose forward returns its logits or parameters."
    first = "|".join(f"{path}.{name}".lstrip(".") for name in list(parts)[:4])
    return f"{what} a {type(found).__name__} with {_listed(parts)}; say which with --select {first}."


def _listed(parts: dict[str, Any]) -> str:
    return ", ".join(f"{name} ({_kind(part)})" for name, part in parts.items()) or "nothing"


def _kind(part: Any) -> str:
    return str(tuple(part.shape)) if isinstance(part, Tensor) else type(part).__name__

"""Functions that hold modules: in a copy of a module they must hold the copies, which `deepcopy` leaves as it finds them."""

import copy
import functools
import sys
import types
from typing import Any

from torch import Tensor, nn

#: Where classes are from whose objects hold no networks.
_LIBRARIES = sys.stdlib_module_names | {"torch", "numpy"}


class Called(nn.Module):
    """Any function of a batch as a module: a lambda, a partial, a method of a module."""

    def __init__(self, call: Any) -> None:
        super().__init__()
        self.call = call

    def forward(self, images: Tensor) -> Any:
        """What the function gives."""
        return self.call(images)


def held(value: Any) -> list[Any]:
    """What a function holds: variables of its closure, defaults, bound arguments, the object it is a method of; what a plain object holds.

    Empty for anything else: modules, tensors, classes, and what libraries have made.
    """
    if isinstance(value, types.FunctionType):
        cells = [cell.cell_contents for cell in value.__closure__ or () if _filled(cell)]
        return [*cells, *(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values(), *_global_modules(value).values()]
    if isinstance(value, functools.partial):
        return [value.func, *value.args, *value.keywords.values()]
    if isinstance(value, types.MethodType):
        return [value.__self__]
    return list(vars(value).values()) if _is_plain(value) else []


def _is_plain(value: Any) -> bool:
    """An object of somebody's class, or a namespace: settings that hold a network, say."""
    kind = type(value)
    return isinstance(value, types.SimpleNamespace) or (
        hasattr(value, "__dict__")
        and not isinstance(value, nn.Module | Tensor | type | types.ModuleType)
        and kind.__module__.partition(".")[0] not in _LIBRARIES
    )


def rebound(value: Any, memo: dict[int, Any]) -> Any:
    """The value with every module in it, and whatever else was copied, exchanged for its copy; the same object where it holds none.

    Args:
        memo: as `copy.deepcopy` fills it: copies by the identity of what they are copies of; copies made here are added.
    """
    if isinstance(value, nn.Module):
        return copy.deepcopy(value, memo)
    if id(value) in memo and not isinstance(value, types.FunctionType):  # a dict of a module that one of its hooks writes into
        return memo[id(value)]
    if isinstance(value, list | tuple) and type(value) in (list, tuple):
        inside = [rebound(entry, memo) for entry in value]
        return value if _same(inside, value) else type(value)(inside)
    if type(value) is dict:
        inside = {key: rebound(entry, memo) for key, entry in value.items()}
        return value if _same(inside.values(), value.values()) else inside
    if isinstance(value, types.FunctionType):
        return _function(value, memo)
    if isinstance(value, functools.partial):
        func, args = rebound(value.func, memo), rebound(value.args, memo)
        return functools.partial(func, *args, **rebound(value.keywords, memo))
    if isinstance(value, types.MethodType) and isinstance(value.__self__, nn.Module):
        return types.MethodType(value.__func__, rebound(value.__self__, memo))
    return value


def _function(value: types.FunctionType, memo: dict[int, Any]) -> types.FunctionType:
    before = held(value)
    if not before or id(value) in memo:
        return memo.get(id(value), value)
    memo[id(value)] = value  # a function that calls itself holds itself
    after = [rebound(entry, memo) for entry in before]
    if _same(after, before):
        return value
    exchange = {id(old): new for old, new in zip(before, after, strict=True)}
    cells = [types.CellType(exchange[id(cell.cell_contents)]) if _filled(cell) else cell for cell in value.__closure__ or ()]
    defaults = tuple(exchange[id(entry)] for entry in value.__defaults__ or ()) or None
    around = {name: exchange[id(module)] for name, module in _global_modules(value).items()}
    names = {**value.__globals__, **around} if around else value.__globals__
    made = types.FunctionType(value.__code__, names, value.__name__, defaults, tuple(cells) or None)
    made.__kwdefaults__ = {name: exchange[id(entry)] for name, entry in (value.__kwdefaults__ or {}).items()} or None
    memo[id(value)] = made
    return made


def _global_modules(value: types.FunctionType) -> dict[str, nn.Module]:
    """Modules that the function reaches by a global name."""
    found = {name: value.__globals__.get(name) for name in value.__code__.co_names}
    return {name: one for name, one in found.items() if isinstance(one, nn.Module)}


def _filled(cell: types.CellType) -> bool:
    try:
        _ = cell.cell_contents
    except ValueError:  # a variable that is not assigned yet
        return False
    return True


def _same(these: Any, those: Any) -> bool:
    return all(one is other for one, other in zip(these, those, strict=True))

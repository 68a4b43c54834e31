"""Everything that a module carries from one call to the next: saved once, put back before each call."""

import contextlib
import copy
import inspect
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from pixelbench.causality.module.closures import held

_TABLES = ("_parameters", "_buffers", "_modules")
#: Hooks and the like: kept as they are, never copied.
INTERNAL = frozenset(vars(nn.Module()))
_HOOKS = ("_forward_pre_hooks", "_forward_hooks")
_UNCHANGING = (int, float, complex, str, bytes, type(None), torch.dtype, torch.device, torch.Size, type, range)


class State:
    """Parameters, buffers and plain attributes of a module and its parts, as they are now.

    Attributes are copied deeply, apart from modules, parameters and buffers in them, which stay the ones they are.
    """

    def __init__(self, module: nn.Module) -> None:
        parts = list(parts_of(module))
        tensors = {id(tensor): tensor for part in parts for tensor in _tensors(part)}
        self._kept: dict[int, Any] = {**tensors, **{id(part): part for part in parts}}
        self._tensors = list(tensors.values())
        with torch.no_grad():
            self._values = [tensor.detach().clone() for tensor in self._tensors]
            memo = dict(self._kept)
            self._parts = [_Part(part, memo) for part in parts if not isinstance(part, torch.jit.ScriptModule)]

    @torch.no_grad()
    def restore(self) -> None:
        """Make the module what it was."""
        memo = dict(self._kept)
        for part in self._parts:
            part.restore(memo)
        for tensor, value in zip(self._tensors, self._values, strict=True):
            # A module that enters inference mode itself makes tensors that change in this mode only.
            with torch.inference_mode() if tensor.is_inference() else contextlib.nullcontext():
                if tensor.shape == value.shape:
                    tensor.copy_(value)
                else:
                    tensor.data = value.clone()


def parts_of(module: nn.Module) -> Iterator[nn.Module]:
    """The module and everything in it, also modules that stand in plain lists, tuples and dicts, which `modules()` passes over."""
    seen: set[int] = set()
    waiting = [module]
    while waiting:
        for part in waiting.pop().modules():
            if id(part) in seen:
                continue
            seen.add(id(part))
            yield part
            values = [value for name, value in vars(part).items() if name not in INTERNAL]
            waiting += [entry for value in (*values, *hooks_of(part)) for entry in entries(value) if isinstance(entry, nn.Module)]


def set_mode(module: nn.Module, mode: str) -> None:
    """`train` or `eval`, of all parts; a part that puts others in another mode than its own, a frozen BatchNorm, does so."""
    done: set[int] = set()
    for part in parts_of(module):
        if id(part) not in done:
            _train(part, mode == "train")
            done |= {id(inner) for inner in part.modules()}


def _train(part: nn.Module, training: bool) -> None:
    """By its own `train` where that takes a mode: some classes have a training loop of that name."""
    if type(part).train is not nn.Module.train and next(iter(inspect.signature(part.train).parameters), "") == "mode":
        with contextlib.suppress(Exception):  # a part of it may have such a loop, too
            part.train(training)
            return
    part.training = training
    for inner in part.children():
        _train(inner, training)


def hooks_of(part: nn.Module) -> list[dict[int, Any]]:
    """The tables of functions that are called before and after it; none of a scripted module, whose functions are no longer Python's."""
    return [] if isinstance(part, torch.jit.ScriptModule) else [vars(part)[name] for name in _HOOKS]


class _Part:
    """The attributes of one module: what cannot change is set again, plain containers are copied where they differ, the rest always."""

    def __init__(self, part: nn.Module, memo: dict[int, Any]) -> None:
        self._part = part
        values = vars(part)
        self._tables = {name: dict(values[name]) for name in _TABLES}
        others = {name: value for name, value in values.items() if name not in _TABLES}
        self._fixed = {name: value for name, value in others.items() if name in INTERNAL or _unchanging(value)}
        copies = {name: _copied(value, memo) for name, value in others.items() if name not in self._fixed}
        self._plain = {name: value for name, value in copies.items() if _plain(value)}
        self._copied = {name: value for name, value in copies.items() if name not in self._plain}
        self._containers = {name: values[name] for name in copies if type(values[name]) in (dict, list, set)}
        self._names = values.keys() | set()

    def restore(self, memo: dict[int, Any]) -> None:
        values = vars(self._part)
        for name in values.keys() - self._names:
            del values[name]
        values.update(self._fixed)
        for name, entries in self._tables.items():
            values[name].clear()
            values[name].update(entries)
        for name, value in self._plain.items():
            now = values.get(name)
            if now != value or now is not self._containers.get(name, now):
                self._put_back(name, copy.deepcopy(value))
        for name, value in self._copied.items():
            self._put_back(name, _copied(value, memo))

    def _put_back(self, name: str, value: Any) -> None:
        """A list, set or dict stays the object that it is: a hook may hold it, too."""
        container = self._containers.get(name)
        if isinstance(container, list):
            container[:] = value
        elif container is not None:
            container.clear()
            container.update(value)
        vars(self._part)[name] = value if container is None else container


def _tensors(part: nn.Module) -> Iterator[Tensor]:
    yield from part.parameters(recurse=False)
    yield from part.buffers(recurse=False)


def entries(value: Any, seen: set[int] | None = None) -> list[Any]:
    """The values in an attribute: the value itself, or what lists, tuples, dicts, functions and plain objects hold, to any depth.

    Args:
        seen: identities of what was met on the way: functions that call one another hold one another.
    """
    seen = set() if seen is None else seen
    if id(value) in seen:
        return []
    seen.add(id(value))
    if isinstance(value, dict):
        return [inner for entry in value.values() for inner in entries(entry, seen)]
    if isinstance(value, list | tuple):
        return [inner for entry in value for inner in entries(entry, seen)]
    return [value, *(inner for entry in held(value) for inner in entries(entry, seen))]


def _unchanging(value: Any) -> bool:
    if type(value) is tuple:
        return all(map(_unchanging, value))
    frozen = getattr(getattr(value, "__dataclass_params__", None), "frozen", False)
    return isinstance(value, _UNCHANGING) or frozen


def _plain(value: Any) -> bool:
    """Only lists, tuples, sets and dicts of what cannot change: comparing them is faster than a copy."""
    if type(value) is dict:
        return all(_plain(entry) for entry in value.values())
    return all(map(_plain, value)) if type(value) in (list, tuple, set) else _unchanging(value)


def _copied(value: Any, memo: dict[int, Any]) -> Any:
    """A deep copy that also takes tensors in the middle of a graph; what cannot be copied is shared."""
    if id(value) in memo:
        return memo[id(value)]
    kind = type(value)
    if kind in (list, tuple, set):
        return kind(_copied(entry, memo) for entry in value)
    if kind is dict:
        return {key: _copied(entry, memo) for key, entry in value.items()}
    if isinstance(value, Tensor):
        copied: Any = value.detach().clone()
    elif isinstance(value, torch.Generator):
        copied = value.clone_state()
    else:
        try:
            return copy.deepcopy(value, memo)
        except Exception:  # an open file, a lock, a generator: nothing says what its copy would be
            return value
    memo[id(value)] = copied
    return copied

"""One call of a module watched from below: which precisions occur in it, and whether its output is computed from the images at all."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

#: What is computed in less than double precision, with its relative rounding.
_ROUNDING = {
    **{dtype: torch.finfo(dtype).eps for dtype in (torch.float32, torch.float16, torch.bfloat16, torch.complex64)},
    **dict.fromkeys((torch.qint8, torch.quint8, torch.qint32), 2.0**-8),
}
#: These take sizes and types from their argument, never its values.
_OF_THE_SIZE = (
    "zeros_like",
    "ones_like",
    "empty_like",
    "full_like",
    "rand_like",
    "randn_like",
    "new_zeros",
    "new_ones",
    "new_empty",
    "new_full",
)
#: What leaves torch, and may come back by a way that is not seen.
_LEAVING = frozenset((Tensor.numpy, Tensor.tolist, Tensor.__array__, Tensor.item, Tensor.__float__, Tensor.__int__, Tensor.__bool__))


class Trace(TorchDispatchMode):
    """What happens to one tensor, by the memory that it and whatever is computed from it lie in.

    Args:
        source: the images, as they enter the module.

    Attributes:
        rounding: the coarsest relative rounding among floats narrower than double that occurred; 0.0 where none did.
    """

    def __init__(self, source: Tensor) -> None:
        super().__init__()
        self.rounding = 0.0
        self._reached = {source.untyped_storage()._cdata}
        self._alive: list[Any] = [source.untyped_storage()]  # memory that is freed would be taken again for something else
        self._left = False

    def reaches(self, output: Any) -> bool:
        """Some tensor of the output was computed from the source, or may have been, outside torch."""
        return self._left or any(isinstance(leaf, Tensor) and self._marked(leaf) for leaf in tree_leaves(output))

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        entering = list(_tensors((args, kwargs)))
        marked = any(map(self._marked, entering))
        self._left |= marked and func.overloadpacket.__name__ == "_local_scalar_dense"
        result = func(*args, **(kwargs or {}))
        leaving = list(_tensors(result))
        self.rounding = max(self.rounding, *(_ROUNDING.get(tensor.dtype, 0.0) for tensor in (*entering, *leaving)), 0.0)
        if marked and func.overloadpacket.__name__ not in _OF_THE_SIZE:
            for tensor in leaving:
                self._mark(tensor)
        return result

    def watching_exits(self) -> TorchFunctionMode:
        """To be entered as well: notices values that go to numpy or Python."""
        return _Exits(self)

    def _marked(self, tensor: Tensor) -> bool:
        return _memory(tensor) in self._reached

    def _mark(self, tensor: Tensor) -> None:
        memory = _memory(tensor)
        if memory is not None and memory not in self._reached:
            self._reached.add(memory)
            self._alive.append(tensor.untyped_storage())


class _Exits(TorchFunctionMode):
    def __init__(self, trace: Trace) -> None:
        super().__init__()
        self._trace = trace

    def __torch_function__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        if func in _LEAVING and isinstance(args[0], Tensor) and self._trace._marked(args[0]):
            self._trace._left = True
        return func(*args, **(kwargs or {}))


def _tensors(values: Any) -> Iterator[Tensor]:
    return (leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor))


def _memory(tensor: Tensor) -> int | None:
    try:
        return tensor.untyped_storage()._cdata
    except (NotImplementedError, RuntimeError):  # sparse, or packed by a backend
        return None

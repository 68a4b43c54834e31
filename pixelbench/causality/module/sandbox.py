"""The surroundings of each call of a module under test: the same random numbers every time, and float64 wherever it asks for less."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map_only

#: Precisions that are raised, and to what.
WIDE = {
    **dict.fromkeys((torch.float32, torch.float16, torch.bfloat16), torch.float64),
    **dict.fromkeys((torch.complex64, torch.complex32), torch.complex128),
}
_NARROW_TYPES = (torch.FloatTensor, torch.HalfTensor, torch.BFloat16Tensor, "torch.FloatTensor", "torch.HalfTensor")
_OF_TENSORS: dict[str, Any] = {name: getattr(torch.Tensor, name) for name in ("cfloat", "chalf", "cdouble")}
_NARROWING = {
    **dict.fromkeys((torch.Tensor.float, torch.Tensor.half, torch.Tensor.bfloat16), torch.Tensor.double),
    **dict.fromkeys((_OF_TENSORS["cfloat"], _OF_TENSORS["chalf"]), _OF_TENSORS["cdouble"]),
}


@contextmanager
def random_states(device: torch.device, seed: int) -> Iterator[Any]:
    """Seeds the generators of torch, numpy and Python, and puts them back afterwards; yields whether any was used meanwhile.

    `torch.manual_seed` is avoided: it also seeds devices whose state nobody here would restore.
    """
    cuda = [device.index or 0] if device.type == "cuda" else []
    generators = [torch.default_generator, *(torch.cuda.default_generators[index] for index in cuda)]
    others = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=cuda):
        for generator in generators:
            generator.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed % 2**32)
        states, python, numbers = [one.get_state() for one in generators], random.getstate(), _numpy_state()
        try:
            yield (
                lambda: (
                    not all(torch.equal(one.get_state(), state) for one, state in zip(generators, states, strict=True))
                    or random.getstate() != python
                    or _numpy_state() != numbers
                )
            )
        finally:
            random.setstate(others[0])
            np.random.set_state(others[1])


def without_gradients(call: Callable[[torch.Tensor], Any], batch: torch.Tensor, *, inside: bool = False) -> tuple[Any, bool]:
    """What it gives, detached where it needs gradients inside: an energy, of which it gives the slope; and whether it does.

    Args:
        inside: that is known of it.
    """
    if not inside:
        try:
            with torch.no_grad():  # not inference mode: a buffer that forward makes there cannot be put back outside it
                return call(batch), False
        except RuntimeError as error:
            if "does not require grad" not in str(error):
                raise
    with torch.enable_grad():
        output = call(batch)
    return tree_map_only(torch.Tensor, torch.Tensor.detach, output), True


def _numpy_state() -> tuple[bytes, int]:
    _, keys, place, *_ = np.random.get_state(legacy=True)
    return np.asarray(keys).tobytes(), int(place)


@contextmanager
def float64() -> Iterator[None]:
    """Inside, float64 is what new tensors get, and what `.float()` and `dtype=torch.float32` in the module's code give."""
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with _InFloat64():
            yield
    finally:
        torch.set_default_dtype(default)


class _InFloat64(TorchFunctionMode):
    """`images.float()` would meet float64 weights and fail, or round the evidence away to seven digits."""

    def __torch_function__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        func = _NARROWING.get(func, func)
        return func(*map(_wide, args), **{name: _wide(value) for name, value in (kwargs or {}).items()})


def _wide(value: Any) -> Any:
    if isinstance(value, torch.dtype):
        return WIDE.get(value, value)
    if isinstance(value, type | str) and value in _NARROW_TYPES:  # `.type(torch.FloatTensor)`
        return torch.DoubleTensor
    return value

"""The module under test as a repeatable function in float64, and the module itself left alone."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from pixelbench.errors import UserError

_NARROW = frozenset((torch.float32, torch.float16, torch.bfloat16))
_NARROWING = (torch.Tensor.float, torch.Tensor.half, torch.Tensor.bfloat16)


class Subject:
    """A deep copy of a module in float64: integer images in, (B, K, C, H, W) out.

    Every call starts from the same random state and the same buffers, so that dropout, running statistics and the like are the same in
    each. The face is `conditionals(images)` where the module has one, otherwise the module itself.

    Attributes:
        draws: the module has drawn random numbers in some call, so that a place in the batch has noise of its own.
    """

    def __init__(self, module: nn.Module, shape: tuple[int, int, int], *, mode: str, seed: int) -> None:
        try:
            self._module = _widened(copy.deepcopy(module))
        except Exception as error:
            name = type(module).__name__
            raise UserError(f"{name} cannot be copied to float64 ({_first_line(error)}); check a freshly built one.") from error
        self._module.train(mode == "train")
        self._face: Any = getattr(self._module, "conditionals", self._module)
        self._name = type(module).__name__
        self._shape = shape
        self._seed = seed
        self._device = next((tensor.device for tensor in (*module.parameters(), *module.buffers())), torch.device("cpu"))
        self._buffers = {name: buffer.clone() for name, buffer in self._module.named_buffers()}
        self.draws = False

    def __call__(self, images: np.ndarray) -> Tensor:
        """Images (B, C, H, W), any integer dtype → outputs (B, K, C, H, W) in float64.

        Raises:
            UserError: the module fails, or returns something else.
        """
        self._restore_buffers()
        # In C order: random layers draw in the order of memory, so another layout would be another mask.
        batch = torch.from_numpy(images.astype(np.int64, order="C")).to(self._device)
        with torch.inference_mode(), _random_state(self._device) as generator, _float64():
            generator.manual_seed(self._seed)
            before = generator.get_state()
            try:
                output = self._face(batch)
            except Exception as error:
                raise UserError(f"{self._name} failed on int64 images of shape {tuple(images.shape)}: {_first_line(error)}") from error
            self.draws = self.draws or not torch.equal(before, generator.get_state())
            return self._validated(output, len(images))

    def _restore_buffers(self) -> None:
        with torch.inference_mode():
            for name, buffer in self._module.named_buffers():
                if name in self._buffers and buffer.shape == self._buffers[name].shape:
                    buffer.copy_(self._buffers[name])

    def _validated(self, output: Any, batch: int) -> Tensor:
        channels, height, width = self._shape
        expected = f"expected a floating-point tensor (B, K, C, H, W) = ({batch}, K, {channels}, {height}, {width})"
        if not isinstance(output, Tensor):
            raise UserError(f"{self._name} returned a {type(output).__name__}; {expected}. Wrap it in a module that returns only that.")
        shape = tuple(output.shape)
        if len(shape) != 5 or (shape[0], *shape[2:]) != (batch, *self._shape) or not output.is_floating_point():
            kind = str(output.dtype).removeprefix("torch.")
            raise UserError(f"{self._name} returned a {kind} tensor of shape {shape}; {expected}, K being levels or parameters.")
        return output.double()


def _widened(module: nn.Module) -> nn.Module:
    """In place: parameters and buffers, and also tensors that are plain attributes, masks for instance."""
    for part in module.modules():
        for name, value in vars(part).items():
            if isinstance(value, Tensor) and value.dtype in _NARROW:
                setattr(part, name, value.double())
    return module.double()


@contextmanager
def _random_state(device: torch.device) -> Iterator[torch.Generator]:
    """Yields the generator that random layers on `device` draw from, and afterwards puts the global states back.

    `torch.manual_seed` is avoided: it also seeds devices whose state nobody here would restore.
    """
    on_gpu = device.type == "cuda"
    index = device.index or 0
    with torch.random.fork_rng(devices=[index] if on_gpu else []):
        yield torch.cuda.default_generators[index] if on_gpu else torch.default_generator


@contextmanager
def _float64() -> Iterator[None]:
    """Inside, float64 is what new tensors get, and what `.float()` and `dtype=torch.float32` in the module's code give."""
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with _Widened():
            yield
    finally:
        torch.set_default_dtype(default)


class _Widened(TorchFunctionMode):
    """`images.float()` would meet float64 weights and fail, or round the evidence away to seven digits."""

    def __torch_function__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        if func in _NARROWING:
            func = torch.Tensor.double
        return func(*map(_wide, args), **{name: _wide(value) for name, value in (kwargs or {}).items()})


def _wide(value: Any) -> Any:
    return torch.float64 if isinstance(value, torch.dtype) and value in _NARROW else value


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]

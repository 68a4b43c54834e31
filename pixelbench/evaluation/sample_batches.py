"""Images drawn some at a time where memory does not hold all of them: the same images as all at once.

How many are drawn at once is a matter of the machine and enters no run key. So each part draws its random numbers as the whole would, from
the same state of the generator, and keeps its own rows: this holds on every device, and where numbers are drawn before the uniform ones,
as latents are. What differs is rounding, by products of another size.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.overrides import TorchFunctionMode

from pixelbench.causality.limits.memory import available_memory
from pixelbench.models.base import AutoregressiveModel

#: Of the memory that is free; the rest is left to products' own buffers and to what the estimate does not know of.
_SHARE = 0.5
#: Of each output value: the logits, their probabilities and the sums of these, partly in float64.
_BYTES_AN_OUTPUT = 24


def bytes_an_image(model: AutoregressiveModel) -> int:
    """About how much memory an image needs while it is drawn: what a training step keeps of one for its backward pass, and its outputs.

    The incremental mode keeps each layer's features at most once, a naive forward pass frees them as it goes, so both need less.
    """
    held: dict[int, int] = {}
    weights = {weight.untyped_storage().data_ptr() for weight in model.parameters()}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            held[storage.data_ptr()] = storage.nbytes()
        return tensor

    images = torch.zeros(1, *model.shape, dtype=torch.uint8, device=model.device)
    condition = some_condition(model, 1)
    devices = [model.device] if model.device.type == "cuda" else []
    with torch.inference_mode(False), torch.enable_grad(), torch.random.fork_rng(devices), saved_tensors_hooks(keep, lambda kept: kept):
        loss = model.loss(images) if condition is None else model.loss(images, condition)
    del loss
    return sum(held.values()) + _BYTES_AN_OUTPUT * model.levels * math.prod(model.shape)


def affordable_images(model: AutoregressiveModel) -> int:
    """How many images can be drawn at once in the memory that is free on the model's device now: a power of two, at least one."""
    free = torch.cuda.mem_get_info(model.device)[0] if model.device.type == "cuda" else available_memory()
    return 1 << max(0, math.floor(math.log2(max(1.0, _SHARE * free / bytes_an_image(model)))))


def sample_in_batches(
    model: AutoregressiveModel,
    n: int,
    most: int | None,
    *,
    generator: torch.Generator,
    condition: Tensor | None = None,
    given: Tensor | None = None,
    known: Tensor | None = None,
    canvas: Tensor | None = None,
    **how: Any,
) -> Tensor:
    """(n, C, H, W): as `model.sample` with the same generator, at most `most` images at once; None draws all at once.

    Raises:
        NotImplementedError: a network that draws other numbers than an image a row cannot be sampled in parts.
    """
    if most is None or most >= n:
        return model.sample(n, generator=generator, condition=condition, given=given, known=known, canvas=canvas, **how)
    parts, before = [], generator.get_state()
    if known is not None:
        known = known.expand(n, *known.shape[-3:])
    for first in range(0, n, most):
        rows = slice(first, min(first + most, n))
        generator.set_state(before)
        its = {"condition": condition, "given": given, "known": known, "canvas": canvas}
        own = {name: None if values is None else values[rows] for name, values in its.items()}
        with _Rows(n, rows):
            parts.append(model.sample(rows.stop - rows.start, generator=generator, **own, **how))
    return torch.cat(parts)


def some_condition(model: AutoregressiveModel, count: int) -> Tensor | None:
    """What so many images can be conditioned on: classes in turn, or zeros; None for a model without a condition."""
    if not model.conditional:
        return None
    if getattr(model.settings, "condition", "") == "class":
        return torch.arange(count, device=model.device) % model.settings.classes
    expected: Any = model.condition_input
    return torch.zeros(count, *expected.expected, device=model.device)


class _Rows(TorchFunctionMode):
    """Random numbers are drawn for n images, and the rows kept."""

    def __init__(self, n: int, rows: slice):
        super().__init__()
        self.n, self.rows = n, rows

    def __torch_function__(self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func not in (torch.rand, torch.randn):
            return func(*args, **kwargs)
        images, *rest = args[0] if len(args) == 1 and not isinstance(args[0], int) else args
        if images != self.rows.stop - self.rows.start:
            raise NotImplementedError(f"a network that draws {images} numbers at first, not one an image, cannot be sampled in parts")
        return func(self.n, *rest, **kwargs)[self.rows]

"""Gradient accumulation: a batch taken in micro-batches, with the numbers of the whole batch.

How many images are in memory at once is a matter of the machine, as its device and threads are: it is no part of a recipe and enters no run
key. So the parts must come to what the whole comes to. Gradients are means over images and add up by the parts' shares; what is drawn in a
forward pass, dropout and the noise of latents, is drawn for the whole batch in each part, from the same random state, and the part takes
its rows. No mask is stored, and nothing depends on how the batch is cut.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

#: By name, since they are functions and methods of several places. A generator of their own saves nothing: it would draw for a part.
_OTHER_DRAWS = {"rand", "randn", "rand_like", "randint", "randint_like", "randperm", "bernoulli", "multinomial", "normal", "poisson"}
_OTHER_DRAWS |= {"rrelu", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout"}
_OTHER_DRAWS |= {"bernoulli_", "cauchy_", "exponential_", "geometric_", "log_normal_", "normal_", "random_", "uniform_"}


def micro_batches(images: int, most: int | None, within: slice | None = None) -> list[slice]:
    """The rows of each micro-batch of so many images; all rows at once without `most`, or where it is as large as the batch.

    `within`: the rows of a process that is not the only one.
    """
    within = within or slice(0, images)
    size = images if most is None else min(most, images)
    return [slice(first, min(first + size, within.stop)) for first in range(within.start, within.stop, size)]


def whole_batch_of(model: nn.Module) -> str | None:
    """What of a network is of a whole batch, so that the batch cannot be cut: something of its settings, or a layer."""
    layers = (name for name, layer in model.named_modules() if isinstance(layer, nn.modules.batchnorm._BatchNorm))
    of_settings = getattr(getattr(model, "settings", None), "whole_batch", None)
    return of_settings or next((f"what the BatchNorm layer '{name}' does" for name in layers), None)


@contextmanager
def drawn_for_the_whole(images: int, rows: slice, device: torch.device, *, last: bool) -> Iterator[None]:
    """Within, a forward pass of these rows of a batch draws what that of all its images would draw, and keeps the rows' part.

    Afterwards the random state is as it was, so that the next part draws the same; after the last part of a process it is as the whole
    would leave it.

    Raises:
        NotImplementedError: the network draws random numbers in another way than by `dropout` and `randn_like`, an image a row.
    """
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices, enabled=not last), _Rows(images, rows):
        yield


class _Rows(TorchFunctionMode):
    """Draws for all images and takes the rows."""

    def __init__(self, images: int, rows: slice):
        super().__init__()
        self.images, self.rows = images, rows

    def __torch_function__(self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is F.dropout:
            return self._dropout(*args, **kwargs)
        if func is torch.randn_like:
            (like,) = args
            return torch.randn_like(self._whole(like), **kwargs)[self.rows]
        if getattr(func, "__name__", "") in _OTHER_DRAWS:
            raise NotImplementedError(f"a network that draws by `{func.__name__}` cannot be trained in micro-batches")
        return func(*args, **kwargs)

    def _dropout(self, x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
        if not training:
            return x
        kept = F.dropout(torch.ones_like(self._whole(x)), p)[self.rows]
        return x.mul_(kept) if inplace else x * kept

    def _whole(self, part: Tensor) -> Tensor:
        """A tensor of all images as it would lie in memory, of no values: random numbers are drawn in the order of memory."""
        if not part.dim() or len(part) != self.rows.stop - self.rows.start:
            shape = "x".join(map(str, part.shape))
            raise NotImplementedError(f"a network that draws {shape} numbers, not an image a row, cannot be trained in micro-batches")
        each = torch.empty_like(part)
        return part.new_empty_strided((self.images, *part.shape[1:]), (each[0].numel(), *each.stride()[1:]))

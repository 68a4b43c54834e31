"""Lazy layers, whose weights are made by the first call: a copy of the module is called once, so that there is something to check."""

import warnings
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from pixelbench.causality.interface.adapter import ENTERING, encode, laid_out
from pixelbench.causality.module.float64_copy import deep_copy
from pixelbench.causality.module.sandbox import random_states
from pixelbench.causality.module.state import set_mode
from pixelbench.causality.options import Options
from pixelbench.errors import UserError

_IMAGES = 2


def is_unmade(module: nn.Module) -> bool:
    """Whether it has weights that no call has made yet."""
    return any(is_lazy(tensor) for tensor in (*module.parameters(), *module.buffers()))


def called_once(module: nn.Module, shape: tuple[int, int, int], given: Options) -> nn.Module:
    """A copy whose weights are made: by zeros as they enter a check, in the layout that is asked for or the first that runs.

    A module that has no lazy layers, or runs on none of them, comes back as it is.
    """
    if not is_unmade(module):
        return module
    images = torch.zeros((_IMAGES, *shape), dtype=torch.int64)
    for entering in _entering(images, given):
        copied = deep_copy(module)[0]
        set_mode(copied, "eval")
        further = {name: _for_each(value) for name, value in (given.args or {}).items()}
        try:
            with warnings.catch_warnings(action="ignore"), torch.no_grad(), random_states(torch.device("cpu"), given.seed):
                copied(entering, **further)
        except (Exception, SystemExit):  # whatever a foreign module throws: images may enter otherwise
            continue
        if not is_unmade(copied):
            set_mode(copied, "train" if module.training else "eval")
            return copied
    return module


def _for_each(value: float) -> Tensor:
    """A further argument of the call."""
    repeated = torch.full((_IMAGES,), value)
    return repeated.long() if float(value).is_integer() else repeated


def _entering(images: Tensor, given: Options) -> Iterator[Tensor]:
    """Batches as they may enter, the likeliest first: pictures of floats, then integers, then other layouts of both."""
    conventions = ("unit", "int") if given.input == "auto" else (given.input,)
    for pattern in (given.input_layout,) if given.input_layout is not None else ENTERING:
        for convention in conventions:
            try:
                yield laid_out(encode(images, convention, given.levels, torch.get_default_dtype()), pattern)
            except (UserError, ValueError):  # a pattern of one channel, or none at all, which the check itself says
                continue

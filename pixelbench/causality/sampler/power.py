"""A module whose sub-pixels depend on one another so much that a faulty sampler shows: its own weights, or larger ones.

Whether a sampler draws from the module's probabilities is a matter of code, not of weights. With those that a network begins with these
probabilities are nearly even, or exactly so where a layer starts at zero, and no fault of a sampler changes them.
"""

import torch
from torch import nn

from pixelbench.causality.module.float64_copy import float64_copy
from pixelbench.causality.options import Options
from pixelbench.causality.sampler.faults import without_power
from pixelbench.causality.sampler.table import Own, own_probabilities
from pixelbench.errors import UserError

#: The weights' factors, in this order: in deep networks a little does much, and probabilities that are nearly 0 and 1 show nothing either.
_FACTORS = (1.0, 1.3, 1.7, 2.2, 3.0, 5.0, 10.0, 0.5, 0.2)
_FILLED = 0.1


def with_power(
    module: nn.Module, shape: tuple[int, int, int], options: Options, method: str | None, draws: int
) -> tuple[nn.Module, Own, float]:
    """The module, or a copy with larger weights, under which the fewest faults stay hidden; its probabilities, and the factor.

    Raises:
        UserError: as `own_probabilities`, for the module as it is.
    """
    best: tuple[nn.Module, Own, float, list[str]] | None = None
    for factor in _FACTORS:
        try:
            tried = module if factor == 1 else _larger(module, factor, options.seed)
            own = own_probabilities(tried, shape, options, method)
        except UserError:
            if best is None:
                raise
            break
        hidden = without_power(own, draws)
        if best is None or len(hidden) < len(best[3]):
            best = tried, own, factor, hidden
        if not hidden:
            break
    assert best is not None
    return best[:3]


def _larger(module: nn.Module, factor: float, seed: int) -> nn.Module:
    """A copy whose weights are multiplied by the factor, those that are all zero filled with random numbers first."""
    copied = float64_copy(module)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for one in copied.parameters():
            if one.is_floating_point():
                filled = one if bool(one.any()) else _FILLED * torch.randn(one.shape, generator=generator, dtype=one.dtype).to(one.device)
                one.copy_(factor * filled)
    return copied

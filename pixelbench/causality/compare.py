"""How much two batches of outputs differ, sub-pixel by sub-pixel, relative to the largest output."""

import numpy as np
import torch
from torch import Tensor

from pixelbench.errors import UserError


def relative_change(base: Tensor, changed: Tensor) -> np.ndarray:
    """Largest change over K at each output sub-pixel, divided by the image's largest finite output in either batch.

    Equal infinities are equal (log-probabilities may be -inf). Between an infinity and anything else the change counts as 1, as large as
    the largest output.

    Args:
        base, changed: (B, K, C, H, W) in float64; base may have B = 1.

    Returns:
        float64 (B, H*W*C), outputs in raster order.

    Raises:
        UserError: a NaN in either: it has no size, and equal inputs would seem to differ.
    """
    change = (changed - base).abs_().amax(1)
    scale = torch.maximum(changed.abs().amax((1, 2, 3, 4)), base.abs().amax((1, 2, 3, 4)))
    if not bool(torch.isfinite(scale).all()):
        change, scale = _with_infinities(base, changed)
    change = change / torch.where(scale > 0, scale, 1.0)[:, None, None, None]
    return change.permute(0, 2, 3, 1).flatten(1).cpu().numpy()


def _with_infinities(base: Tensor, changed: Tensor) -> tuple[Tensor, Tensor]:
    if bool(base.isnan().any()) or bool(changed.isnan().any()):
        raise UserError("The module's output holds NaN, which cannot be compared; mend that first, then check causality.")
    finite = base.isfinite() & changed.isfinite()
    largest = torch.where(changed.isfinite(), changed, 0.0).abs().amax((1, 2, 3, 4))
    scale = torch.maximum(largest, torch.where(base.isfinite(), base, 0.0).abs().amax((1, 2, 3, 4)))
    scale = torch.where(scale > 0, scale, 1.0)
    difference = torch.where(finite, (changed - base).abs(), scale[:, None, None, None, None].expand_as(changed))
    return torch.where(base == changed, 0.0, difference).amax(1), scale

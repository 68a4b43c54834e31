"""How much two batches of outputs differ, sub-pixel by sub-pixel, relative to the largest output."""

import numpy as np
import torch
from torch import Tensor

from pixelbench.errors import UserError

#: The difference is taken a few images at a time: one that stays in the cache costs a fifth of one that must be fetched from memory.
_CHUNK_BYTES = 8 * 2**20
#: From here on two passes of `aminmax` an image, which make no copy, are faster than one norm for all.
_LARGE_BYTES = 2**20
#: Masked logits are numbers, too: what is as large as this, and so many times larger than all else, stands for an infinity.
_STAND_IN, _APART = 1e6, 1e4
#: Smaller outputs beside stand-ins may be their rounding.
_ORDINARY = 1e-3


class Reference:
    """Outputs that others are compared with, place by place in the batch.

    Args:
        outputs: (B, K, C, H, W) in float64; kept as an attribute.
    """

    def __init__(self, outputs: Tensor) -> None:
        self.outputs = outputs
        self._largest = _largest(outputs)
        self._chunk = max(1, int(_CHUNK_BYTES // max(1, outputs[0].numel() * 8)))

    def change(self, changed: Tensor) -> np.ndarray:
        """Largest change over K at each output sub-pixel, divided by the image's largest finite output in either batch.

        Equal infinities are equal (log-probabilities may be -inf). Between an infinity and anything else the change counts as 1, as large
        as the largest output. Beside numbers that stand for infinities (-1e9) the largest of the other outputs counts.

        Args:
            changed: of the shape of the outputs, in float64.

        Returns:
            float64 (B, H*W*C), outputs in raster order.

        Raises:
            UserError: a NaN in either: it has no size, and equal inputs would seem to differ.
        """
        scale = torch.maximum(self._largest, _largest(changed))
        if bool(torch.isfinite(scale).all()):
            change = self._difference(changed)
        else:
            change, scale = _with_infinities(self.outputs, changed)
        change = change / torch.where(scale > 0, scale, 1.0)[:, None, None, None]
        if bool((scale >= _STAND_IN).any()):
            change = torch.maximum(change, _beside_stand_ins(self.outputs, changed))
        return change.permute(0, 2, 3, 1).flatten(1).cpu().numpy()

    def _difference(self, changed: Tensor) -> Tensor:
        scratch = torch.empty_like(changed[: self._chunk])
        parts = []
        for start in range(0, len(changed), self._chunk):
            part = slice(start, start + self._chunk)
            difference = scratch[: len(changed[part])]
            torch.sub(changed[part], self.outputs[part], out=difference)
            parts.append(difference.abs_().amax(1))
        return torch.cat(parts)


def relative_change(base: Tensor, changed: Tensor) -> np.ndarray:
    """`Reference(base).change(changed)`, for outputs that are compared once; base may have B = 1."""
    return Reference(base.expand_as(changed)).change(changed)


def largest_ordinary(outputs: Tensor) -> Tensor:
    """The largest finite output of all, numbers that stand for infinities apart; no less than what can be divided by."""
    sizes = outputs[outputs.isfinite()].abs()
    ordinary, standing = sizes[sizes < _STAND_IN], sizes[sizes >= _STAND_IN]
    if len(ordinary) and len(standing) and ordinary.max() >= _ORDINARY and standing.min() >= _APART * ordinary.max():
        return ordinary.max()
    return sizes.max().clamp_min(1e-300) if len(sizes) else sizes.new_tensor(1e-300)


def _beside_stand_ins(base: Tensor, changed: Tensor) -> Tensor:
    """The change (B, C, H, W) of outputs that stand for no infinity, relative to the largest of them; 0 in images where none does.

    A number stands for one where it does not change by more than others are large: then others were added to it, if anything.
    """
    before, after = base.abs(), changed.abs()
    largest, least = torch.maximum(before, after), torch.minimum(before, after)
    ordinary, standing = largest < _STAND_IN, least >= _STAND_IN
    difference = torch.where(base == changed, 0.0, (changed - base).abs())
    size = torch.where(ordinary, largest, 0.0).amax((1, 2, 3, 4))
    lowest = torch.where(standing, least, torch.inf).amin((1, 2, 3, 4))
    moved = torch.where(standing, difference, 0.0).amax((1, 2, 3, 4))
    apart = standing.flatten(1).any(1) & (size >= _ORDINARY) & (lowest >= _APART * size) & (moved <= size)
    relative = torch.where(ordinary, difference, 0.0).amax(1) / torch.where(apart, size, 1.0)[:, None, None, None]
    return torch.where(apart[:, None, None, None], relative, 0.0)


def _largest(outputs: Tensor) -> Tensor:
    """(B,): NaN where there is one."""
    if outputs[0].numel() * 8 < _LARGE_BYTES:
        return torch.linalg.vector_norm(outputs, ord=torch.inf, dim=(1, 2, 3, 4))
    return torch.stack([torch.stack(torch.aminmax(image)).abs().amax() for image in outputs])


def _with_infinities(base: Tensor, changed: Tensor) -> tuple[Tensor, Tensor]:
    if bool(base.isnan().any()) or bool(changed.isnan().any()):
        raise UserError("The module's output holds NaN, which cannot be compared; fix that first, then check causality.")
    finite = base.isfinite() & changed.isfinite()
    largest = torch.where(changed.isfinite(), changed, 0.0).abs().amax((1, 2, 3, 4))
    scale = torch.maximum(largest, torch.where(base.isfinite(), base, 0.0).abs().amax((1, 2, 3, 4)))
    scale = torch.where(scale > 0, scale, 1.0)
    difference = torch.where(finite, (changed - base).abs(), scale[:, None, None, None, None].expand_as(changed))
    return torch.where(base == changed, 0.0, difference).amax(1), scale

"""Products with weights that a mask of degrees cuts, as MADE and FVSBN have them.

An output takes the inputs whose degree is at most its own. A mask as large as the weights, and the weights times it, would cost as much
time in memory as the product itself; here a part of the weights at a time is masked where it is in the cache, also on the way back.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from pixelbench.models.heads import without_autocast
from pixelbench.models.layers.scan import precision_of_products

#: On a CPU so many weights are masked at once, of rows at most so wide: 2^19 float32 are 2 MiB.
_AT_ONCE, _WIDE = 1 << 19, 1 << 12


def masked_product(x: Tensor, weight: Tensor, outputs: Tensor, inputs: Tensor) -> Tensor:
    """Sums of the inputs that each output may take.

    Args:
        x: (B, I).
        weight: (O, I).
        outputs, inputs: (O,), (I,) degrees, whole numbers.

    Returns:
        (B, O). It has first derivatives only.
    """
    return _MaskedProduct.apply(x, weight, outputs, inputs)


class _MaskedProduct(torch.autograd.Function):
    """`masked_product`, all in columns: an image is one."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, outputs: Tensor, inputs: Tensor) -> Tensor:
        low = precision_of_products(x)
        ctx.save_for_backward(x, weight, outputs, inputs)
        ctx.low = low
        columns, found = x.T.to(low), x.new_zeros(len(weight), len(x), dtype=low)
        with without_autocast(x.device.type):
            for rows, part, mask in _parts(weight, outputs, inputs):
                found[rows].addmm_(mask.mul_(weight[rows, part]).to(low), columns[part])
        return found.T

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        x, weight, outputs, inputs = ctx.saved_tensors
        by_weight = torch.empty_like(weight)
        by_x = grad.new_zeros(x.shape[1], len(x)) if ctx.needs_input_grad[0] else None
        columns, by_found = x.T.to(ctx.low), grad.T.contiguous()
        with without_autocast(grad.device.type):
            for rows, part, mask in _parts(weight, outputs, inputs):
                product = torch.mm(by_found[rows], columns[part].T)
                torch.mul(product, mask, out=by_weight[rows, part])
                if by_x is not None:
                    by_x[part].addmm_(mask.mul_(weight[rows, part]).to(ctx.low).T, by_found[rows])
        return None if by_x is None else by_x.T.to(x.dtype), by_weight, None, None


def _parts(weight: Tensor, outputs: Tensor, inputs: Tensor) -> Iterator[tuple[slice, slice, Tensor]]:
    """Rows, columns and mask of one part of the weights after another; the mask is the reader's to change."""
    outputs, inputs = outputs.to(weight.dtype)[:, None], inputs.to(weight.dtype)
    wide, at_once = (_WIDE, _AT_ONCE) if weight.device.type == "cpu" else (weight.shape[1], weight.numel())
    for columns in _cuts(weight.shape[1], wide):
        for rows in _cuts(weight.shape[0], max(1, at_once // (columns.stop - columns.start))):
            # Compared into numbers, since masks of bool are several times as slow to multiply with.
            shape = rows.stop - rows.start, columns.stop - columns.start
            yield rows, columns, torch.ge(outputs[rows], inputs[columns], out=weight.new_empty(shape))


def _cuts(length: int, most: int) -> list[slice]:
    return [slice(i, min(i + most, length)) for i in range(0, length, most)]

"""Nats, bits and bits/dim. The only place in PixelBench where ln 2 appears."""

import math
from collections.abc import Sequence
from typing import Any, overload

LN2 = math.log(2.0)
#: No stored amount is larger: no sum of float32 numbers comes near it, and means and variances of numbers up to it are numbers still.
MOST_AMOUNT = 1e100


def nats_to_bits(nats: float) -> float:
    """Natural-log information to bits."""
    return nats / LN2


def bits_to_nats(bits: float) -> float:
    """Bits to natural-log information."""
    return bits * LN2


@overload
def bits_per_dim(nats: float, shape: Sequence[int]) -> float: ...
@overload
def bits_per_dim(nats: Any, shape: Sequence[int]) -> Any: ...
def bits_per_dim(nats: Any, shape: Sequence[int]) -> Any:
    """`nats / (D ln 2)` for images of `shape`, D being the product of its entries (C, H, W).

    Args:
        nats: negative log-likelihood of one image in nats: a float, or an array or tensor of them.
        shape: the image's shape without the batch, for example `(3, 32, 32)`.

    Raises:
        ValueError: the shape is empty or has an entry below 1.
    """
    if not shape or min(shape) < 1:
        raise ValueError(f"shape must name positive sizes such as (3, 32, 32), got {tuple(shape)}")
    return nats / (math.prod(shape) * LN2)

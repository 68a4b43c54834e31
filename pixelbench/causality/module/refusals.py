"""Why a module that nothing gets through may fail: each guess is tried, and only what then runs is said."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

#: What methods that score images are called.
SCORING = ("log_prob", "log_likelihood", "loglikelihood", "log_probs", "nll", "neg_log_likelihood")
_BATCHES = (1, 4, 8, 16, 32, 64)
_SIDES = (1, 2, 4, 8, 16)

Call = Callable[[Tensor], Any]


def likely_cause(
    call: Call, original: Call, images: Tensor, levels: int, error: BaseException | None, quantised: Sequence[str] = ()
) -> str:
    """A sentence with what was found to run instead, or how to bind what is missing; empty where nothing was found.

    Args:
        call: the module in float64; int64 or float64 batches (B, C, H, W).
        original: the module as it is.
        images: int64 (B, C, H, W).
        error: what it failed with.
        quantised: the classes of its quantised parts.
    """
    if isinstance(error, TypeError) and "missing" in str(error) and "required" in str(error):
        names = str(error).rpartition(":")[2].strip()
        return (
            f"Its call has further required arguments ({names}): bind them with --arg NAME=0, or wrap it, `model = make(); "
            "return lambda x: model(x, labels)` in a function that you check instead."
        )
    height, width = images.shape[2:]
    side = min(height, width)
    if height != width and _runs(call, images[:, :, :side, :side], levels):
        return (
            f"It runs on square images such as {side}x{side} only: height and width may be confused, or a mask is made for one of the two."
        )
    for count in _BATCHES:
        if _runs(call, images[:1].repeat(count, 1, 1, 1), levels):
            return (
                f"It runs on a batch of {count} images only, and a check needs batches of any size: take the batch's size from the input."
            )
    if _runs(original, images, levels, torch.float32):
        return _single_precision(quantised)
    for factor in _SIDES[1:]:
        rounded = images.repeat(1, 1, factor, factor)[:, :, : -(-height // factor) * factor, : -(-width // factor) * factor]
        if _runs(call, rounded, levels):
            return f"It runs where height and width are multiples of {factor}: choose such a --shape."
    return ""


def scored_only(module: nn.Module) -> str:
    """How a module without a call, that scores images by a method, is checked; empty where it is called, or has none."""
    called = any("forward" in vars(kind) for kind in type(module).__mro__ if kind is not nn.Module) or "forward" in vars(module)
    names = [] if called else [name for name in SCORING if callable(getattr(module, name, None))]
    other = "" if not names or names[0] == SCORING[0] else f" --method {names[0]}"
    return (
        f"It scores images by {names[0]}: --sums-to-one{other} checks that, or a module that gives logits or parameters." if names else ""
    )


def quantised_parts(module: nn.Module) -> list[str]:
    """The classes of its layers that are quantised."""
    names = {type(part).__name__ for part in module.modules() if ".quantized" in type(part).__module__}
    return sorted(names - {"Quantize", "DeQuantize", "LinearPackedParams", "PackedParameter"})


def _single_precision(quantised: Sequence[str]) -> str:
    only = "It runs in single precision only, not in float64 (double precision)"
    if not quantised:
        return (
            f"{only}: a cast, or a network that cannot be reached, such as a global one, or weights that a scripted, frozen or traced "
            "module holds as constants."
        )
    return (
        f"{only}: it has quantised layers ({', '.join(quantised)}). Check the module before it is quantised; its masks and shifts are the "
        "same. What quantisation adds is no part of that: a dynamic one rounds by the range of its input over the whole batch."
    )


def _runs(call: Call, images: Tensor, levels: int, dtype: torch.dtype = torch.float64) -> bool:
    for batch in (images.clone(), images.to(dtype) / (levels - 1)):
        try:
            call(batch)
        except (Exception, SystemExit):
            continue
        return True
    return False

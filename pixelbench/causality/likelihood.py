"""For a module that only offers `log_prob(images)`: is it a distribution at all, and which orders do its differences allow?

All images of a tiny shape are scored. Their probabilities must sum to one: a model that sees the sub-pixel it predicts gives too much to
every image. Two sub-pixels *interact* where the mixed difference of log p over both is not zero. In an order in which the model factorises,
summing out the last sub-pixel leaves no interaction among the others that was not there before; in a wrong order it generally does.
"""

import dataclasses
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pixelbench.causality.analysis.orders import named_sequences
from pixelbench.causality.interface.adapter import INPUTS, encode
from pixelbench.causality.module.float64_copy import device_of, float64_copy
from pixelbench.causality.module.refusals import SCORING
from pixelbench.causality.module.sandbox import float64, random_states, without_gradients
from pixelbench.causality.module.state import set_mode
from pixelbench.causality.probing.raster import folded
from pixelbench.errors import UserError, first_line, unknown

#: Shape and levels of the images that are enumerated by default: 2**6 or 2**4 of them.
TINY_SHAPE = (1, 2, 3)
TINY_LEVELS = 2
MOST_IMAGES = 2**16
_BATCH = 256
_TOLERANCE = 1e-9
#: Differences of log p carry the rounding of a sum over all sub-pixels and, later, of a sum over images.
_INTERACTION = 1e-8


@dataclass(frozen=True)
class LikelihoodReport:
    """The findings about `log_prob` on all images of a tiny shape.

    Attributes:
        images: how many there are: levels ** D.
        total: the sum of their probabilities.
        interactions: pairs of sub-pixels, out of `pairs`, whose mixed difference of log p is not zero.
        orders: the named orders in which summing out creates no interaction; None where they cannot be told (not a distribution, or an
            image of probability 0).
        tolerance: how far from one the total may be.
        notes: how what the module returned was read.
    """

    target: str
    shape: tuple[int, int, int]
    levels: int
    images: int
    total: float
    interactions: int
    pairs: int
    orders: tuple[str, ...] | None
    tolerance: float = _TOLERANCE
    notes: tuple[str, ...] = ()

    @property
    def normalised(self) -> bool:
        """The probabilities of all images sum to one."""
        return abs(self.total - 1) <= self.tolerance

    def to_json(self) -> dict[str, Any]:
        """JSON-safe; a total too large for a number is null."""
        document = dataclasses.asdict(self)
        document["total"] = self.total if math.isfinite(self.total) else None
        return document | {"schema": 1, "verdict": "normalised" if self.normalised else "not normalised"}

    def text(self) -> str:
        """The report for people."""
        size = "x".join(map(str, self.shape))
        read = "".join(f" {note}" for note in self.notes)
        head = f"{self.target}: the probabilities of all {self.images} images of {size} with {self.levels} levels sum to {self.total:.12g}"
        if not self.normalised:
            why = (
                "images get more than their share, as when a model sees the sub-pixel that it predicts"
                if self.total > 1
                else "probability is lost, as when log-softmax runs over the wrong axis, or a model sees the sub-pixel that it predicts"
            )
            return f"{head}, not to 1: its log_prob is no log-likelihood ({why}).{read}"
        lines = [f"{head}: log_prob is a log-likelihood.{read}", f"Interactions: {self.interactions} of {self.pairs} pairs of sub-pixels."]
        if self.orders is None:
            lines.append("Orders: cannot be told, since some image has probability 0.")
        elif self.orders:
            lines.append(f"Orders that fit: {'; '.join(self.orders)}.")
            lines += ["A log-likelihood alone cannot tell these from one another."] if len(self.orders) > 1 else []
        else:
            lines.append("Orders that fit: none of the named ones; the dependence map of conditionals would tell more.")
        return "\n".join(lines)


def check_log_prob(
    module: nn.Module,
    shape: Sequence[int] = TINY_SHAPE,
    *,
    levels: int = TINY_LEVELS,
    input: str = "auto",
    seed: int = 0,
    method: str = "log_prob",
    target: str | None = None,
) -> LikelihoodReport:
    """Score every image of a tiny shape with `module.log_prob(images)`, in float64 and eval mode.

    It gives (B,) nats, or (B, …) of sub-pixels, which are summed. What is nowhere negative, and makes probabilities with its sign turned,
    is a negative log-likelihood, and is said to be one.

    Args:
        module: any module with `log_prob`; it stays as it is.
        shape: (C, H, W) with levels ** (C*H*W) at most 65,536.
        levels: values of a sub-pixel, at least 2.
        input: how images enter: `int`, `unit`, `symmetric`, or `auto`: integers where they run, otherwise floats in [0, 1].
        seed: of the module's own random layers.
        method: what scores, by name.
        target: what to call it in the report.

    Raises:
        UserError: there is no `log_prob`, it fails or returns something else, or there are too many images.
    """
    channels, height, width = shape
    size = channels * height * width
    table, notes = scores(module, (channels, height, width), levels=levels, input=input, seed=seed, method=method)
    with np.errstate(over="ignore"):  # densities may add up to more than a number can hold
        total = float(np.exp(np.logaddexp.reduce(table)))
    cube = table.reshape((levels,) * size)
    finite = bool(np.isfinite(table).all())
    pairs = _interactions(cube) if finite else set()
    orders = _orders(cube, (channels, height, width), pairs) if finite and abs(total - 1) <= _TOLERANCE else None
    name = target or type(module).__name__
    counts = {"interactions": len(pairs), "pairs": size * (size - 1) // 2}
    return LikelihoodReport(name, (channels, height, width), levels, len(table), total, **counts, orders=orders, notes=tuple(notes))


def every_image(shape: tuple[int, int, int], levels: int) -> np.ndarray:
    """All images (levels ** D, D) in raster order, the last sub-pixel fastest.

    Raises:
        UserError: there are more than 65,536, or none.
    """
    size = math.prod(shape)
    if levels < 2 or min(shape) < 1:
        raise UserError(f"All images need at least 2 levels and positive sizes; got {tuple(shape)} with {levels} levels.")
    if size * math.log(levels) > math.log(MOST_IMAGES) + 1e-9:
        raise UserError(
            f"{levels} levels at {size} sub-pixels are more than {MOST_IMAGES:,} images; enumerate a smaller shape, "
            "for example --shape 1,2,3 --levels 2."
        )
    return np.array(list(itertools.product(range(levels), repeat=size)), dtype=np.int64)


def scores(
    module: nn.Module, shape: tuple[int, int, int], *, levels: int, input: str = "auto", seed: int = 0, method: str = "log_prob"
) -> tuple[np.ndarray, list[str]]:
    """The nats of all images, in the order of `every_image`, and sentences on how they were read; see `check_log_prob`.

    Raises:
        UserError: as there.
    """
    every = every_image(shape, levels)
    if not callable(getattr(module, method, None)):
        others = [name for name in SCORING if name != method and callable(getattr(module, name, None))]
        hint = (
            f"name what scores them with --method {' or '.join(others)}" if others else "without --sums-to-one its outputs can be checked"
        )
        raise UserError(f"{type(module).__name__} has no {method}(images); {hint}.")
    table, notes = _scores(module, folded(every, shape), levels, input, seed, method)
    # No probability is larger than one, and no sum of them smaller than the least that a uniform model gives to one image.
    if (table >= 0).all() and table.any() and np.logaddexp.reduce(-table) >= -math.log(len(table)):
        table, notes = -table, [*notes, f"{method} gives negative log-likelihoods, whose signs were turned."]
    return table, notes


def _scores(module: nn.Module, images: np.ndarray, levels: int, input: str, seed: int, method: str) -> tuple[np.ndarray, list[str]]:
    """(n,) nats, and how they were read."""
    if input not in INPUTS:
        raise unknown("input convention", input, INPUTS)
    copied: Any = float64_copy(module)
    set_mode(copied, "eval")
    device = device_of(module)
    batches = [torch.from_numpy(np.ascontiguousarray(images[i : i + _BATCH])).to(device) for i in range(0, len(images), _BATCH)]
    fault: Exception | None = None
    for convention in ("int", "unit") if input == "auto" else (input,):
        try:
            with float64():
                nats = [_nats(copied, encode(batch.clone(), convention, levels, torch.float64), seed, method) for batch in batches]
                summed = [f"{method} gives {tuple(nats[0].shape[1:])} for each image, which were summed."] if nats[0].ndim > 1 else []
                return np.concatenate([part.reshape(len(part), -1).sum(1) for part in nats]), summed
        except UserError:
            raise
        except Exception as error:  # whatever a foreign module throws: the other convention may be its own
            fault = fault or error
    assert fault is not None
    where = f"{type(module).__name__}.{method} failed on images of shape {tuple(batches[0].shape)}"
    raise UserError(f"{where}: {first_line(fault)}.") from fault


def _nats(module: Any, batch: Tensor, seed: int, method: str) -> np.ndarray:
    """(B,) or (B, …): of each sub-pixel."""
    with random_states(batch.device, seed):
        nats, _ = without_gradients(getattr(module, method), batch)
    if not isinstance(nats, Tensor) or tuple(nats.shape[:1]) != (len(batch),) or not nats.is_floating_point():
        what = f"{tuple(nats.shape)}" if isinstance(nats, Tensor) else f"a {type(nats).__name__}"
        loss = " One number for the whole batch looks like a loss." if isinstance(nats, Tensor) and not nats.dim() else ""
        raise UserError(f"{method} must return ({len(batch)},) floats for {len(batch)} images, in nats each; got {what}.{loss}")
    if bool(nats.isnan().any()):
        raise UserError(f"{method} returned NaN; fix that first.")
    return nats.detach().double().cpu().numpy()


def _interactions(cube: np.ndarray) -> set[tuple[int, int]]:
    """Pairs of axes over which the mixed difference, against level 0, is not zero anywhere."""
    scale = _INTERACTION * max(1.0, float(np.abs(cube).max()))
    return {pair for pair in itertools.combinations(range(cube.ndim), 2) if _mixed(cube, *pair) > scale}


def _mixed(cube: np.ndarray, one: int, other: int) -> float:
    along = cube - cube.take([0], one)
    return float(np.abs(along - along.take([0], other)).max())


def _orders(cube: np.ndarray, shape: tuple[int, int, int], pairs: set[tuple[int, int]]) -> tuple[str, ...]:
    """The named orders in which no summing out creates an interaction; one of several that are the same sequence here stands for all."""
    found: dict[tuple[int, ...], str] = {}
    for name, sequence in named_sequences(shape):
        found.setdefault(tuple(sequence), name)
    return tuple(name for sequence, name in found.items() if _factorises(cube, list(sequence), pairs))


def _factorises(cube: np.ndarray, sequence: list[int], pairs: set[tuple[int, int]]) -> bool:
    """Sum out the last of `sequence`, then the one before it, and so on, as long as no new interaction shows."""
    axes = list(range(cube.ndim))
    for last in reversed(sequence[1:]):
        axis = axes.index(last)
        cube, axes = np.logaddexp.reduce(cube, axis), [*axes[:axis], *axes[axis + 1 :]]
        now = {(axes[i], axes[j]) for i, j in _interactions(cube)}
        if not now <= pairs:
            return False
        pairs = now
    return True

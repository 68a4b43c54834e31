"""A module's own probabilities of all images of a tiny shape, and those that a faulty sampler would draw from instead."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from scipy.special import log_softmax, logsumexp
from torch import Tensor, nn

from pixelbench.causality.interface.adapter import ENTERING
from pixelbench.causality.interface.heads import LogisticMixture, log_probabilities
from pixelbench.causality.likelihood import every_image, scores
from pixelbench.causality.module.repeatable import Subject
from pixelbench.causality.options import Options
from pixelbench.causality.probing.raster import folded
from pixelbench.errors import UserError

_BATCH = 256
#: Modules that compute in single precision inside are as far from one as this.
_TOLERANCE = 1e-5
_LOG_PROB = "log_prob"


@dataclass(frozen=True)
class Table:
    """A distribution over all images of a shape.

    Attributes:
        shape: (C, H, W).
        levels: values of a sub-pixel.
        nats: log p, an axis of `levels` for each sub-pixel in raster order.
        read: how it was read from the module, a clause.
    """

    shape: tuple[int, int, int]
    levels: int
    nats: np.ndarray
    read: str = ""

    @cached_property
    def conditionals(self) -> list[np.ndarray]:
        """log p(sub-pixel | those before it in raster order), the sub-pixel's axis last; 0 in contexts of probability 0."""
        sums = [_summed(self.nats, tuple(range(place, self.nats.ndim))) for place in range(self.nats.ndim)] + [self.nats]
        with np.errstate(invalid="ignore"):
            found = [after - before[..., None] for before, after in itertools.pairwise(sums)]
        return [np.where(np.isnan(one), -np.log(self.levels), one) for one in found]

    def chained(self, change: Callable[[np.ndarray], np.ndarray]) -> "Table":
        """What is drawn where each conditional, (…, levels), is changed and the values drawn are fed back."""
        nats = np.zeros(())
        for conditional in self.conditionals:
            nats = nats[..., None] + change(conditional)
        return replace(self, nats=nats)

    def moved(self, change: Callable[[np.ndarray], np.ndarray]) -> "Table":
        """What is drawn where the values of a right draw are changed at last; `change`: levels → levels, in place of 0 … levels - 1."""
        nats, to = self.nats, change(np.arange(self.levels))
        for axis in range(nats.ndim):
            parts = [nats.take(np.flatnonzero(to == level), axis) for level in range(self.levels)]
            nats = np.stack([_summed(part, axis) for part in parts], axis)
        return replace(self, nats=nats)


def _summed(part: np.ndarray, axis: int | tuple[int, ...] | None = None) -> np.ndarray:
    """log of a sum of probabilities over axes, all by default; of none, log 0."""
    if isinstance(axis, int) and not part.shape[axis]:
        return np.full(np.delete(part.shape, axis), -np.inf)
    return np.asarray(logsumexp(part, axis=axis))


@dataclass(frozen=True)
class Own:
    """A module's own probabilities.

    Attributes:
        table: all of them.
        scaled: what it would draw from a canvas whose values are divided by `levels` and not by `levels - 1`; None where no floats enter.
        input: how images enter: `int`, `unit`, `symmetric`, or `auto`: not known.
        entering: the einops pattern of what enters.
    """

    table: Table
    scaled: Table | None = None
    input: str = "auto"
    entering: str = ENTERING[0]


def own_probabilities(module: nn.Module, shape: tuple[int, int, int], options: Options, method: str | None) -> Own:
    """Those of the module's output, or of the method that scores images.

    Args:
        module: any module.
        shape: (C, H, W) of which all images can be scored.
        options: how images enter, and how the output is read.
        method: what scores images, by name; its output by default, and `log_prob` where that gives no probabilities.

    Raises:
        UserError: neither can be read as probabilities, or they do not sum to one.
    """
    if method is not None:
        return Own(_of_scores(module, shape, options, method))
    try:
        subject = Subject(module, shape, options)
        own = _of_outputs(subject, options)
    except UserError:
        if options.head is None and callable(getattr(module, _LOG_PROB, None)):
            return Own(_of_scores(module, shape, options, _LOG_PROB))
        raise
    adapter = subject.adapter
    if adapter.input == "int":
        return Own(own, None, adapter.input, adapter.entering)
    subject.adapter = replace(adapter, levels=options.levels + 1)
    return Own(own, _of_outputs(subject, options, normalised=False), adapter.input, adapter.entering)


def _of_scores(module: nn.Module, shape: tuple[int, int, int], options: Options, method: str) -> Table:
    nats, notes = scores(module, shape, levels=options.levels, input=options.input, seed=options.seed, method=method)
    return _normalised(Table(shape, options.levels, _cube(nats, shape, options.levels), " ".join([f"those of {method}", *notes])))


def _of_outputs(subject: Subject, options: Options, *, normalised: bool = True) -> Table:
    images = folded(every_image(subject.shape, options.levels), subject.shape)
    output = torch.cat([subject(images[start : start + _BATCH]).detach() for start in range(0, len(images), _BATCH)])
    values = torch.from_numpy(images).to(output.device)
    nats, read = _log_probabilities(output, values, options)
    table = Table(subject.shape, options.levels, _cube(nats.flatten(1).sum(1).cpu().numpy(), subject.shape, options.levels), read)
    return _normalised(table) if normalised else table


def _log_probabilities(output: Tensor, values: Tensor, options: Options) -> tuple[Tensor, str]:
    """Outputs (B, K, C, H, W) and levels (B, C, H, W) → log p of the levels (B, C, H, W), and how they were read."""
    levels, head = options.levels, options.head
    if isinstance(head, LogisticMixture) or (isinstance(head, str) and head.startswith("logistic-mixture")):
        return log_probabilities(output, values, levels), "those of a mixture of logistics"
    among = values[:, None]
    if output.shape[1] == levels:
        if bool((output >= 0).all()) and bool(((output.sum(1) - 1).abs() < _TOLERANCE).all()):
            return output.log().gather(1, among)[:, 0], "its output as probabilities of the levels"
        return output.log_softmax(1).gather(1, among)[:, 0], "its output as logits of the levels"
    if output.shape[1] == 1 and levels == 2:
        if bool(((output >= 0) & (output <= 1)).all()):
            return torch.where(among == 1, output, 1 - output).log()[:, 0], "its output as the probability of the upper level"
        return nn.functional.logsigmoid(torch.where(among == 1, output, -output))[:, 0], "its output as the logit of the upper level"
    raise UserError(
        f"The output has {output.shape[1]} numbers for each sub-pixel and there are {levels} levels, so that no probabilities can be read "
        "from it; say with --head what it is, or with --method what scores images."
    )


def _cube(nats: np.ndarray, shape: tuple[int, int, int], levels: int) -> np.ndarray:
    return nats.reshape((levels,) * int(np.prod(shape)))


def _normalised(table: Table) -> Table:
    with np.errstate(over="ignore"):
        total = float(np.exp(_summed(table.nats)))
    if not abs(total - 1) <= _TOLERANCE:
        raise UserError(
            f"The probabilities of all images ({table.read}) sum to {total:.6g}, not to 1, so that no sampler can have them; check first, "
            "without --sampler, whether the module is causal."
        )
    return replace(table, nats=table.nats - _summed(table.nats))


def tempered(table: Table, temperature: float) -> Table:
    """What is drawn where the logits are divided by a temperature."""
    return table.chained(lambda conditional: log_softmax(conditional / temperature, axis=-1))

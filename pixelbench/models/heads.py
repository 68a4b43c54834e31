"""The meaning of a network's last maps: the distribution of every sub-pixel, by name.

| head | raw outputs | paper |
| --- | --- | --- |
| `softmax` | `levels` logits a sub-pixel | van den Oord et al. 2016a, section 2.2 |
| `bernoulli` | one logit a sub-pixel, two levels only | the same, for binary MNIST |
| `logistic-mixture` | weights, means and scales of K discretised logistics | Salimans et al. 2017, sections 2.1 and 2.2 |

Each comes in two forms. *Per colour*: the network itself conditions the colours (its maps are masked by colour, or colour conditioning is
off), so a colour's outputs alone decide its distribution. *Coupled*: the network gives one set of outputs a pixel that sees earlier pixels
only, and the head conditions G on R and B on R and G, linearly (2017, section 2.2).
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from pixelbench.models.settings.common import HeadName

#: A logistic's log scale is kept above this, as in the authors' code: below, a level's neighbours would have no probability at all.
_LEAST_LOG_SCALE = -7.0
#: Asked once, since the compiler of torch 2.11 cannot trace the question.
_WITH_AUTOCAST = frozenset(filter(torch.amp.is_autocast_available, ("cpu", "cuda", "mps", "xpu")))


class Output:
    """The distribution of each sub-pixel from raw outputs.

    Raw outputs are (B, P, C, H, W) where each colour has P of its own, and (B, P, H, W) where the head couples the colours of a pixel.

    Attributes:
        maps: how many output maps the network must have.
        colours: the colour of each of those maps, for masked networks; only in the form per colour.
    """

    def __init__(self, channels: int, levels: int, per_colour: int):
        self.channels, self.levels = channels, levels
        self.maps = channels * per_colour
        self.colours = [c for c in range(channels) for _ in range(per_colour)]

    def raw(self, maps: Tensor) -> Tensor:
        """The network's output maps (B, maps, H, W), channel-major → raw outputs."""
        return maps.unflatten(1, (self.channels, -1)).transpose(1, 2)

    def log_probs(self, raw: Tensor, images: Tensor) -> Tensor:
        """(B, levels, C, H, W) normalised log-probabilities in nats; `images` (B, C, H, W) are read by coupled heads only."""
        raise NotImplementedError

    def nats(self, raw: Tensor, images: Tensor) -> Tensor:
        """(B, C, H, W): -log p of the integer images."""
        raise NotImplementedError

    def colour_log_probs(self, parameters: Tensor) -> Tensor:
        """One colour of one pixel in the form per colour: (B, P) → (B, levels), normalised."""
        raw = parameters[:, :, None, None, None]
        return self.log_probs(raw, raw)[:, :, 0, 0, 0]

    def pixel_log_probs(self, maps: Tensor, values: Tensor, colour: int) -> Tensor:
        """One pixel, all of whose output maps (B, maps) are known, and its values so far (B, C) → (B, levels) of that colour."""
        return self.log_probs(self.raw(maps[:, :, None, None]), values[:, :, None, None])[:, :, colour, 0, 0]


class Softmax(Output):
    """`levels` logits a sub-pixel."""

    def __init__(self, channels: int, levels: int):
        super().__init__(channels, levels, levels)

    def log_probs(self, raw: Tensor, images: Tensor) -> Tensor:
        logits = _at_least_fp32(raw)
        by_colour = logits.transpose(1, 2)  # as a head's maps lie in memory: there log_softmax needs no copy of them all
        if by_colour.is_contiguous():
            return F.log_softmax(by_colour, 2).transpose(1, 2)
        return F.log_softmax(logits, 1)

    def nats(self, raw: Tensor, images: Tensor) -> Tensor:
        return F.cross_entropy(_at_least_fp32(raw), images.long(), reduction="none")


class CoupledSoftmax(Softmax):
    """Logits of a colour = its own + a row of weights times the value of each earlier colour, scaled to [-1, 1].

    6 * levels outputs a pixel for three colours, the 1536 of the ablation in Salimans et al. 2017, section 3.4.1, where logits depend
    linearly on earlier sub-pixels by coefficients that are outputs too; the scale of the values is not stated.
    """

    def __init__(self, channels: int, levels: int):
        super().__init__(channels, levels)
        self.terms = channels * (channels + 1) // 2
        self.maps = self.terms * levels

    def raw(self, maps: Tensor) -> Tensor:
        return maps

    def log_probs(self, raw: Tensor, images: Tensor) -> Tensor:
        return super().log_probs(self._logits(raw, images), images)

    def nats(self, raw: Tensor, images: Tensor) -> Tensor:
        return super().nats(self._logits(raw, images), images)

    def _logits(self, raw: Tensor, images: Tensor) -> Tensor:
        terms = _at_least_fp32(raw).unflatten(1, (self.terms, -1))  # (B, terms, levels, H, W)
        values = scaled(images, self.levels, terms.dtype)
        logits, used = [], 0
        for colour in range(self.channels):
            own = terms[:, used]
            for earlier in range(colour):
                own = own + terms[:, used + 1 + earlier] * values[:, earlier, None]
            logits.append(own)
            used += colour + 1
        return torch.stack(logits, 2)


class Bernoulli(Output):
    """One logit a sub-pixel: log p(1) - log p(0)."""

    def __init__(self, channels: int, levels: int):
        super().__init__(channels, levels, 1)

    def log_probs(self, raw: Tensor, images: Tensor) -> Tensor:
        logit = self._logit(raw, images)
        return torch.stack([F.logsigmoid(-logit), F.logsigmoid(logit)], 1)

    def nats(self, raw: Tensor, images: Tensor) -> Tensor:
        logit = self._logit(raw, images)
        return F.binary_cross_entropy_with_logits(logit, images.to(logit), reduction="none")

    def _logit(self, raw: Tensor, images: Tensor) -> Tensor:
        """(B, C, H, W)."""
        return _at_least_fp32(raw)[:, 0]


class CoupledBernoulli(Bernoulli):
    """The logit of a colour = its own + a weight times the value (-1 or 1) of each earlier colour."""

    def __init__(self, channels: int, levels: int):
        super().__init__(channels, levels)
        self.maps = channels * (channels + 1) // 2

    def raw(self, maps: Tensor) -> Tensor:
        return maps

    def _logit(self, raw: Tensor, images: Tensor) -> Tensor:
        terms = _at_least_fp32(raw)
        return torch.stack(
            _shifted(list(terms[:, : self.channels].unbind(1)), terms[:, self.channels :], scaled(images, 2, terms.dtype)), 1
        )


class LogisticMixture(Output):
    """K discretised logistics a sub-pixel, each colour with weights, means and log scales of its own.

    A level's mass is the logistic's between its two edges, levels 0 and `levels - 1` take the tails (2017, eq. 2); it is computed in log
    space from the edges themselves, so that the levels sum to one however narrow the logistic is.
    """

    def __init__(self, channels: int, levels: int, components: int):
        super().__init__(channels, levels, 3 * components)
        self.components = components

    def log_probs(self, raw: Tensor, images: Tensor) -> Tensor:
        weights, means, scales = _at_least_fp32(raw).chunk(3, 1)  # (B, K, C, H, W)
        return _mixture(weights.log_softmax(1), means, scales, self.levels)

    def nats(self, raw: Tensor, images: Tensor) -> Tensor:
        weights, means, scales = _at_least_fp32(raw).chunk(3, 1)
        return -(weights.log_softmax(1) + _log_mass(images[:, None], means, scales, self.levels)).logsumexp(1)


class CoupledLogisticMixture(Output):
    """K components a pixel: one weight each, and for each colour a mean, linear in the earlier colours, and a scale (2017, section 2.2).

    A component is chosen for the whole pixel. So a later colour's distribution weighs the components by what the earlier colours say of
    them: that is how `log_probs` gives each sub-pixel's own conditional, and `nats` splits the likelihood of a pixel into its colours.
    """

    def __init__(self, channels: int, levels: int, components: int):
        super().__init__(channels, levels, 1)
        self.components, self.pairs = components, channels * (channels - 1) // 2
        self.maps = components * (1 + 2 * channels + self.pairs)

    def raw(self, maps: Tensor) -> Tensor:
        return maps

    def log_probs(self, raw: Tensor, images: Tensor) -> Tensor:
        weights, means, scales = self._components(raw, images)
        found = []
        for colour in range(self.channels):
            mean, scale = means[:, :, colour, None], scales[:, :, colour, None]
            found.append(_mixture(weights[:, :, None], mean, scale, self.levels))
            seen = _log_mass(images[:, colour, None], means[:, :, colour], scales[:, :, colour], self.levels)
            weights = (weights + seen).log_softmax(1)
        return torch.cat(found, 2)

    def pixel_log_probs(self, maps: Tensor, values: Tensor, colour: int) -> Tensor:
        """As in `Output`, without the levels of the other colours, which would be most of the work of sampling."""
        pixel = values[:, :, None, None]
        weights, means, scales = self._components(self.raw(maps[:, :, None, None]), pixel)
        for earlier in range(colour):
            weights = weights + _log_mass(pixel[:, earlier, None], means[:, :, earlier], scales[:, :, earlier], self.levels)
        levels = torch.arange(self.levels, device=maps.device)
        masses = _log_mass(levels, means[:, :, colour, 0], scales[:, :, colour, 0], self.levels)  # (B, K, levels)
        return (weights[:, :, 0].log_softmax(1) + masses).logsumexp(1)

    def nats(self, raw: Tensor, images: Tensor) -> Tensor:
        weights, means, scales = self._components(raw, images)
        masses = _log_mass(images[:, None], means, scales, self.levels)
        joint = (weights[:, :, None] + masses.cumsum(2)).logsumexp(1)  # (B, C, H, W): log p of the colours up to each one
        return -torch.diff(joint, dim=1, prepend=torch.zeros_like(joint[:, :1]))

    def _components(self, raw: Tensor, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Log weights (B, K, H, W), means and log scales (B, K, C, H, W)."""
        parts = _at_least_fp32(raw).unflatten(1, (-1, self.components)).transpose(1, 2)  # (B, K, 1 + 2C + pairs, H, W)
        weights, means, scales, pairs = parts.split([1, self.channels, self.channels, self.pairs], 2)
        values = scaled(images, self.levels, parts.dtype)[:, None]
        coupled = _shifted(list(means.unbind(2)), torch.tanh(pairs), values, axis=2)
        return weights[:, :, 0].log_softmax(1), torch.stack(coupled, 2), scales


def make_output(head: HeadName, channels: int, levels: int, *, coupled: bool, components: int = 10) -> Output:
    """The head of that name.

    Args:
        head: its name.
        channels, levels: of the images.
        coupled: the head conditions the colours, not the network. One colour has nothing to couple.
        components: of a mixture.
    """
    coupled = coupled and channels > 1
    if head == "logistic-mixture":
        return (CoupledLogisticMixture if coupled else LogisticMixture)(channels, levels, components)
    if head == "bernoulli":
        return (CoupledBernoulli if coupled else Bernoulli)(channels, levels)
    return (CoupledSoftmax if coupled else Softmax)(channels, levels)


def outside_autocast(function: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
    """`function(*inputs)` in float32 or better, also where autocast is on: for whatever makes or reads the parameters of a distribution.

    Rounded to bfloat16, the means of a logistic mixture cost 0.0045, 0.025 and 0.063 bits/dim at log scales -5, -6 and -7. Without autocast
    this is the plain call.
    """
    device = inputs[0].device.type
    if not autocasts(device):
        return function(*inputs)
    with without_autocast(device):
        return function(*map(_at_least_fp32, inputs))


def without_autocast(device: str) -> AbstractContextManager[Any]:
    """Within, operations on a device of that type keep their precision, also where it has no autocast (`meta`)."""
    return torch.autocast(device, enabled=False) if device in _WITH_AUTOCAST else nullcontext()


def autocasts(device: str) -> bool:
    """Whether autocast is on for devices of that type; `meta` has none."""
    return device in _WITH_AUTOCAST and torch.is_autocast_enabled(device)


def scaled(values: Tensor, levels: int, dtype: torch.dtype) -> Tensor:
    """Levels 0 … levels-1 → -1 … 1."""
    return values.to(dtype) * (2 / (levels - 1)) - 1


def _shifted(own: list[Tensor], pairs: Tensor, values: Tensor, axis: int = 1) -> list[Tensor]:
    """Each colour's `own` plus, for each earlier colour, the pair's weight times that colour's value; pairs (1, 0), (2, 0), (2, 1), …."""
    coupled, used = [], 0
    for colour, mean in enumerate(own):
        for earlier in range(colour):
            mean = mean + pairs.select(axis, used) * values.select(axis, earlier)
            used += 1
        coupled.append(mean)
    return coupled


def _mixture(weights: Tensor, means: Tensor, scales: Tensor, levels: int) -> Tensor:
    """Log weights, means, log scales (B, K, C, H, W) → (B, levels, C, H, W).

    One component at a time, since all at once would need K times the memory.
    """
    values = torch.arange(levels, device=means.device).view(1, -1, 1, 1, 1)
    total: Tensor | None = None
    for k in range(means.shape[1]):
        one = slice(k, k + 1)
        component = weights[:, one] + _log_mass(values, means[:, one], scales[:, one], levels)
        total = component if total is None else torch.logaddexp(total, component)
    assert total is not None
    return total


def _log_mass(values: Tensor, means: Tensor, scales: Tensor, levels: int) -> Tensor:
    """Log of a logistic's mass in the bin of each level.

    With a and b the bin's edges in units of the scale: sigmoid(b) - sigmoid(a) = sigmoid(b) * sigmoid(-a) * (1 - exp(a - b)).
    """
    inverse = torch.exp(-scales.clamp(min=_LEAST_LOG_SCALE))
    centred = scaled(values, levels, means.dtype) - means
    half = 1 / (levels - 1)
    below, above = inverse * (centred - half), inverse * (centred + half)
    low = F.logsigmoid(-below).where(values > 0, 0.0)  # level 0 takes the whole lower tail
    high = F.logsigmoid(above).where(values < levels - 1, 0.0)
    width = torch.log(-torch.expm1(-2 * half * inverse))
    return low + high + torch.where((values > 0) & (values < levels - 1), width, 0.0)


def _at_least_fp32(raw: Tensor) -> Tensor:
    """A reported likelihood is fp32 or better."""
    return raw.float() if raw.dtype in (torch.bfloat16, torch.float16) else raw

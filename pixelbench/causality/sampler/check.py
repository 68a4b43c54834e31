"""Holds the frequencies of a module's own draws against its own probabilities, on images so small that all can be counted."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from torch import nn

from pixelbench.causality.likelihood import TINY_LEVELS, TINY_SHAPE
from pixelbench.causality.module.closures import Called
from pixelbench.causality.options import Options
from pixelbench.causality.probing.raster import folded
from pixelbench.causality.report import Diagnosis
from pixelbench.causality.sampler.draws import Sampler
from pixelbench.causality.sampler.faults import AT_ONCE, OFF_BY_ONE, TOGETHER, diagnose, without_power
from pixelbench.causality.sampler.fit import Fit, fitted
from pixelbench.causality.sampler.power import with_power
from pixelbench.causality.sampler.reading import as_levels
from pixelbench.causality.sampler.table import Own
from pixelbench.errors import UserError

#: Images that are drawn first, and how many times as many where these are unlikely.
_DRAWS, _AGAIN = 20_000, 4
#: First draws that would come about more rarely by chance call for more; of these, verdicts are wrong as rarely as this.
_UNLIKELY, _CHANCE = 0.01, 1e-6
#: For all draws; half of it for the first ones.
_SECONDS = 60.0
#: What is said of faults that could not have shown.
_HIDDEN = {
    TOGETHER: "Colours sampled together would not have shown: here no colour depends on another of its pixel enough.",
    OFF_BY_ONE: "Levels off by one would not have shown: here all levels are about as likely.",
}


@dataclass(frozen=True)
class SamplerReport:
    """The findings about a sampling function.

    Attributes:
        sampler: its name.
        draws: images drawn, of `images` that there are.
        statistic, degrees: G and its degrees of freedom.
        p_value: how often draws from the module's own probabilities would differ from them as much.
        example: the image whose number differs most: its values (C, H, W), drawn and expected times.
        diagnosis: why the draws are others, where that can be told.
        notes: how things were read, and what could not have shown.
        untested: sub-pixels depend too little on one another, or draws are too few, to show whether one is drawn given the others.
    """

    target: str
    sampler: str
    shape: tuple[int, int, int]
    levels: int
    draws: int
    images: int
    statistic: float
    degrees: int
    p_value: float
    example: tuple[Any, int, float]
    diagnosis: tuple[Diagnosis, ...]
    notes: tuple[str, ...]
    untested: bool = False

    @property
    def agrees(self) -> bool:
        """Nothing tells the draws from the module's own probabilities, and something could have."""
        return self.verdict == "agrees"

    @property
    def verdict(self) -> Literal["agrees", "differs", "undecided"]:
        """In one word."""
        if self.diagnosis or self.p_value <= _CHANCE:
            return "differs"
        return "undecided" if self.untested else "agrees"

    def to_json(self) -> dict[str, Any]:
        """JSON-safe."""
        document = dataclasses.asdict(self)
        document["diagnosis"] = [one.sentence for one in self.diagnosis]
        image, drawn, expected = self.example
        document["example"] = {"image": image, "drawn": drawn, "expected": expected}
        return document | {"schema": 1, "verdict": self.verdict, "faults": [one.name for one in self.diagnosis]}

    def summary(self) -> str:
        """One sentence, or two."""
        size = "x".join(map(str, self.shape))
        what = f"{self.draws:,} draws of {self.sampler} on {size} images of {self.levels} levels"
        test = f"(G = {self.statistic:.4g} on {self.degrees} degrees of freedom, p = {self.p_value:.2g})"
        if self.p_value <= _CHANCE:
            image, drawn, expected = self.example
            return f"{what} do not follow the module's own probabilities {test}: {image} came {drawn:,} times, not {expected:,.0f}."
        follow = f"as frequent as the module's own probabilities say {test}"
        if self.diagnosis:
            return f"{self.diagnosis[0].sentence} Put right, {what} are {follow}."
        if self.untested:
            return f"Undecided. {what} are {follow}, but whether a sub-pixel is drawn given the others would not show in these."
        return f"{what} are {follow}."

    def text(self) -> str:
        """The report for people."""
        lines = [f"{self.target}: {self.summary()}", *self.notes]
        return "\n".join(lines + (["Diagnosis:", *(f"- {one.name}: {one.sentence}" for one in self.diagnosis)] if self.diagnosis else []))


def check_sampler(
    module: nn.Module | Callable,
    shape: Sequence[int] = TINY_SHAPE,
    *,
    sampler: str | Callable,
    levels: int = TINY_LEVELS,
    method: str | None = None,
    input: str = "auto",
    output: str | None = None,
    select: int | str | None = None,
    input_layout: str | None = None,
    head: str | Callable | None = None,
    args: Mapping[str, float] | None = None,
    seed: int = 0,
    seconds: float | None = None,
    target: str | None = None,
) -> SamplerReport:
    """Draw images with a module's own function, in float64 and eval mode, and test whether they follow its own probabilities.

    Where the first 20,000 draws are unlikely, 80,000 others decide, so that a right sampler is accused in one of a million cases.

    Args:
        module: any module, or function of a batch; it stays as it is.
        shape: (C, H, W) with levels ** (C*H*W) at most 65,536.
        sampler: the name of its method, `FILE:function` or a function of the module and a number of images. Its arguments are told by their
            names; a temperature is set to 1. It gives levels as integers, or as floats in [0, 1] or [-1, 1].
        levels: values of a sub-pixel.
        method: what scores images, by name; by default the module's output is read, and `log_prob` where that gives no probabilities.
        input, output, select, input_layout, head: as of `check_causality`.
        args: further arguments of the call by name, also of the sampler's.
        seed: of all random numbers.
        seconds: draw no longer than this, but for two calls of the sampler; 60 by default.
        target: what to call it in the report.

    Raises:
        UserError: there is no such sampler, it fails, gives no levels or the same images at each call; or there are no probabilities.
    """
    options = Options(
        levels=levels,
        input=input,
        output=output,
        select=select,
        input_layout=input_layout,
        head=head,
        args=args,
        seed=seed,
        seconds=seconds,
    )
    size, limit = options.sized(shape), seconds or _SECONDS
    name = target or (type(module).__name__ if isinstance(module, nn.Module) else getattr(module, "__name__", "the function"))
    module = module if isinstance(module, nn.Module) else Called(module)
    drawn_from, own, factor = with_power(module, size, options, method, _DRAWS)
    source = Sampler(drawn_from, sampler, size, entering=own.entering, args=dict(args or {}), seed=seed)
    counts, off, how = _counted(source, own, _DRAWS, seed, limit / 2)
    fit = fitted(counts, own.table.nats)
    if fit.p_value < _UNLIKELY:
        counts, off, how = _counted(source, own, _AGAIN * _DRAWS, seed + 1, limit / 2)
        fit = fitted(counts, own.table.nats)
    found, hidden = _diagnosed(counts, own, fit, off), without_power(own, int(counts.sum()))
    notes = [f"Probabilities: {own.table.read}. Draws: {how}."]
    notes += (
        [f"For this the weights were multiplied by {factor:g}, and filled where they were zero: then more shows."] if factor != 1 else []
    )
    notes += [_HIDDEN[name] for name in hidden if name in _HIDDEN and not found]
    about = (name, source.name, size, levels, int(counts.sum()), counts.size)
    counted = (fit.statistic, fit.degrees, fit.p_value, _example(counts, own))
    return SamplerReport(*about, *counted, tuple(found), tuple(notes), untested=AT_ONCE in hidden)


def _counted(source: Sampler, own: Own, n: int, seed: int, seconds: float) -> tuple[np.ndarray, str, str]:
    """How often each image was drawn, an axis of levels for each sub-pixel; how levels are off by one; and how they were read."""
    draws, levels = source.draw(n, seed, seconds), own.table.levels
    if draws.same:
        raise UserError(
            f"{source.name} gives the same images at each call, as where it seeds the random numbers itself, so that its frequencies "
            "cannot be measured; take that out."
        )
    read = as_levels(draws, levels, own.input, source.name)
    places = read.images @ levels ** np.arange(own.table.nats.ndim)[::-1]
    return np.bincount(places, minlength=own.table.nats.size).reshape(own.table.nats.shape), read.fault, read.how


def _diagnosed(counts: np.ndarray, own: Own, fit: Fit, off: str) -> list[Diagnosis]:
    found = [Diagnosis(OFF_BY_ONE, off)] if off else []
    further = diagnose(counts, own) if fit.p_value <= _CHANCE else None
    if off and further is not None and further.name == OFF_BY_ONE:
        return [Diagnosis(OFF_BY_ONE, f"{off} {further.sentence}")]
    return found + ([further] if further is not None else [])


def _example(counts: np.ndarray, own: Own) -> tuple[Any, int, float]:
    """The image whose number is farthest from the expected one."""
    table = own.table
    expected = counts.sum() * np.exp(table.nats)
    place = int(np.abs(counts - expected).argmax())
    image = np.array(np.unravel_index(place, counts.shape))
    return folded(image, table.shape).tolist(), int(counts.ravel()[place]), float(expected.ravel()[place])

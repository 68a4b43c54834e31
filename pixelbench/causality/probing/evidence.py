"""Measurements, before anything is concluded from it: plain arrays, no torch."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from pixelbench.causality.report import Diagnosis, Method

#: Rounding measured on a few images is not its maximum; changes below this many times the noise are none.
_MARGIN = 10.0
_LEAST_NOISE = 1e-16

#: `near`: it ends; `fading`: it goes on, ever weaker, until rounding hides it; `everywhere`: it does not depend on the distance;
#: `by-the-first`: the first output stands out; `around`: from the other end of the image; `one-size`: no other size is taken.
Spread = Literal["", "near", "fading", "everywhere", "by-the-first", "around", "one-size"]


#: Doubts on whether the output is what it is read as: another layout of it, or of what enters, may fit, or it is a flow's z.
MISREAD, FLOW = "read-as-another-layout", "flow-output"


@dataclass(frozen=True)
class Evidence:
    """The changes that a check measured. A place is `(row * W + column) * C + channel`.

    Attributes:
        shape: (C, H, W).
        mode: `eval` or `train`.
        after_step: the weights were moved by one training step first.
        positions: (n,) places of the inputs that were changed, ascending.
        effects: (D, n) largest relative change of every output for changes of each of those inputs.
        joint: (output, input) places of the dependences that showed only when several inputs were exchanged at once.
        coupling: relative change of, and place in, one image when other images of its batch were exchanged; None where none was seen.
        repeatable: a second call gives what the first one gave.
        noise: the largest relative difference that rounding made between batch sizes and between equal calls.
        method: how it was measured; holds the tolerance.
        seconds: how long it took.
        former: relative change of, and place in, an image when the images of former calls were exchanged; None where none was seen.
        blur: the size of rounding inside the module that is coarser than double precision; 0.0 where none was met.
        doubts: why the absence of a leak is no evidence.
        notes: sentences for the reader.
        shared: one output serves all colours of a pixel.
        spread: how what leaks goes on with the distance, as a longer image has shown; empty where none was tried.
        padded: what leaks does so near the top and on the left only, as a larger image has shown.
        wide_gaps: in a wider image more of the row above is missed; None where that is not known.
    """

    shape: tuple[int, int, int]
    mode: str
    after_step: bool
    positions: np.ndarray
    effects: np.ndarray
    joint: tuple[tuple[int, int], ...]
    coupling: tuple[float, int] | None
    repeatable: bool
    noise: float
    method: Method
    seconds: float
    former: tuple[float, int] | None = None
    blur: float = 0.0
    doubts: tuple[Diagnosis, ...] = ()
    notes: tuple[str, ...] = ()
    shared: bool = False
    spread: Spread = ""
    padded: bool = False
    wide_gaps: bool | None = None

    @property
    def complete(self) -> bool:
        """Every input was changed."""
        return len(self.positions) == len(self.effects)

    @cached_property
    def forbidden(self) -> np.ndarray:
        """Bool (D, n): the input is the output itself or later in raster order."""
        return (np.arange(len(self.effects))[None, :] <= self.positions[:, None]).T  # laid out as the effects are

    @property
    def misread(self) -> bool:
        """What leaks may be only a layout that was guessed, or told, wrong, or the output is no conditional distribution."""
        return any(doubt.name in (MISREAD, FLOW) for doubt in self.doubts)

    @property
    def floor(self) -> float:
        """The noise level: a relative change above it is one."""
        return max(_MARGIN * max(self.noise, _LEAST_NOISE), self.method.tolerance if self.blur else 0.0)

    @cached_property
    def leaking(self) -> np.ndarray:
        """Bool (D, n): forbidden, and changed by more than the tolerance."""
        return self.forbidden & (self.effects > self.method.tolerance)

    @cached_property
    def dependence(self) -> np.ndarray:
        """Bool (D, n): the map. What is forbidden must exceed the tolerance, what is allowed only the noise."""
        return np.where(self.forbidden, self.leaking, self.effects > self.floor)

"""Measures by name, and whether one tells real images from its control."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from pydantic import Field

from pixelbench.errors import UserError, first_line
from pixelbench.evaluation.measures.compared import Compared
from pixelbench.registration import Registry
from pixelbench.units import MOST_AMOUNT

Unit = Literal["share", "ratio", "distance", "dB"]
Direction = Literal["higher", "lower", "near the floor"]
#: `independent-pixels`: draws of the histogram baseline; `copies`: training images; `repeated`: one training image again and again.
Control = Literal["independent-pixels", "copies", "repeated"]
Function = Callable[[Compared], float | None]
CONTROLS: tuple[Control, ...] = get_args(Control)
#: Two values differ where they lie farther apart than so many standard errors of their difference, as in a 95 % interval.
ERRORS = 2.0


@dataclass(frozen=True)
class Value:
    """A measured number and its standard error; None where it is undefined."""

    value: Annotated[float, Field(ge=-MOST_AMOUNT, le=MOST_AMOUNT)] | None
    error: Annotated[float, Field(ge=0, le=MOST_AMOUNT)] | None = None

    def beyond(self, other: "Value") -> float | None:
        """How much more it is than the other, in standard errors of the difference; None where one of them is undefined."""
        if self.value is None or other.value is None:
            return None
        difference, error = self.value - other.value, math.hypot(self.error or 0.0, other.error or 0.0)
        return difference / error if error > 0 else math.copysign(math.inf, difference) if difference else 0.0


@dataclass(frozen=True)
class Measure:
    """A number that says how samples differ from real images."""

    name: str
    title: str
    """The heading of its column in reports."""
    meaning: str
    """Its name as a part of a sentence: `the share of samples that lie among real images`."""
    source: str
    """The paper that it is from, or what it is."""
    function: Function
    better: Direction
    unit: Unit = "share"
    in_features: bool = True
    """Whether it is of features; otherwise of pixels, whatever features are chosen."""
    control: Control = "independent-pixels"
    """The images by which it is tried: they are wrong in the way that it is to find."""
    weight: int = 4
    """How soon a narrow terminal leaves its column out, highest first."""


MEASURES: Registry[Measure] = Registry("measure", "pixelbench.measures")


def register_measure(
    name: str,
    *,
    title: str,
    meaning: str,
    source: str,
    better: Direction,
    unit: Unit = "share",
    in_features: bool = True,
    control: Control = "independent-pixels",
    weight: int = 4,
) -> Callable[[Function], Function]:
    """Make a measure known by name: a decorator of its function, which takes a `Compared`.

    Args:
        name: small letters, digits and `_`.
        title, meaning, source, better, unit, in_features, control, weight: see `Measure`.

    Raises:
        UserError: the name is taken.
        ValueError: something else that no measure can have.
    """

    def registered(function: Function) -> Function:
        found = Measure(name, title, meaning, source, function, better, unit, in_features, control, weight)
        _check(found)
        MEASURES.add(name, found, function.__module__)
        return function

    return registered


def value_of(measure: Measure, sets: Compared) -> float | None:
    """The value of a measure, None where it is undefined.

    Raises:
        UserError: that of another package raises, or gives what is no number.
    """
    if MEASURES.is_own(measure.name):
        return measure.function(sets)
    try:
        found = measure.function(sets)
        value = None if found is None else float(found)
    except Exception as error:  # whatever somebody else's function does
        raise UserError(f"The measure '{measure.name}' raised {type(error).__name__}: {first_line(error)}.") from error
    if value is not None and not math.isfinite(value):
        raise UserError(f"The measure '{measure.name}' gave {value}; None says that it is undefined.")
    return value


def separates(measure: Measure, floor: Value, control: Value) -> bool:
    """Whether the measure tells real images from its control, in the direction in which it should, by more than the errors of both."""
    beyond = control.beyond(floor)
    if beyond is None:
        return False
    worse = {"higher": -beyond, "lower": beyond, "near the floor": abs(beyond)}[measure.better]
    return worse > ERRORS


def _check(measure: Measure) -> None:
    if not re.fullmatch("[a-z][a-z0-9_]*", measure.name):
        raise ValueError(f"measure '{measure.name}': its name is a column: small letters, digits and _ only")
    if not all(text.strip() for text in (measure.title, measure.meaning, measure.source)):
        raise ValueError(f"measure '{measure.name}': title, meaning and source are shown to people and must not be empty")
    for field, value, known in (
        ("unit", measure.unit, get_args(Unit)),
        ("better", measure.better, get_args(Direction)),
        ("control", measure.control, CONTROLS),
    ):
        if value not in known:
            raise ValueError(f"measure '{measure.name}': {field} must be one of {', '.join(known)}, got '{value}'")

"""Axes of the page's own drawings: from values to places, with round marks."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

#: Steps between marks, times a power of ten.
_STEPS = (1, 2, 5, 10)


@dataclass(frozen=True)
class Scale:
    """Values from `low` to `high` along 0 to `length` (100: per cent of the width)."""

    low: float
    high: float
    length: float = 100.0

    def at(self, value: float) -> float:
        """The place of a value, held within the axis; two decimals, so that pages are the same everywhere."""
        share = (value - self.low) / (self.high - self.low)
        return round(self.length * min(1.0, max(0.0, share)), 2)

    def marks(self, about: int = 4) -> list[tuple[float, str]]:
        """Places and labels of about so many round values."""
        raw = (self.high - self.low) / about
        power = 10.0 ** math.floor(math.log10(raw))
        step = min((one * power for one in _STEPS), key=lambda one: abs(math.log(one / raw)))
        decimals = max(0, -math.floor(math.log10(step) + 1e-9))
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [(self.at(number * step), f"{number * step:,.{decimals}f}") for number in range(first, last + 1)]


def axis_around(values: Iterable[float], length: float = 100.0, room: float = 0.08) -> Scale:
    """An axis that holds these values (at least one) with some room on both sides."""
    known = list(values)
    low, high = min(known), max(known)
    spare = room * (high - low) or 0.5 * abs(high) or 0.5
    return Scale(low - spare, high + spare, length)

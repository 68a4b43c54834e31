"""Which levels the values are that a sampling function gives: integers, floats in [0, 1] or in [-1, 1], or nearly these."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from pixelbench.causality.sampler.draws import Draws
from pixelbench.errors import UserError

#: Values of single precision are as far from a level as this, in levels.
_CLOSE = 1e-3

#: Values and how many steps there are from the lowest to the highest level → levels.
_TO_LEVELS: dict[str, Callable[[np.ndarray, int], np.ndarray]] = {
    "int": lambda values, steps: values,
    "unit": lambda values, steps: values * steps,
    "symmetric": lambda values, steps: (values + 1) / 2 * steps,
}
_WORDS = {"int": "integers", "unit": "floats in [0, 1]", "symmetric": "floats in [-1, 1]"}


@dataclass(frozen=True)
class Read:
    """Draws as levels.

    Attributes:
        images: (n, D) integers from 0 to levels - 1.
        how: what the values are taken for.
        fault: how they are off by one, a sentence; empty where they are not.
    """

    images: np.ndarray
    how: str
    fault: str = ""


def as_levels(draws: Draws, levels: int, input: str, name: str) -> Read:
    """The levels of what was drawn: in the convention that fits, those in which images enter the module first.

    Raises:
        UserError: the values are no levels.
    """
    first = ["int"] if draws.whole else [input] if input in _TO_LEVELS else []
    conventions = list(dict.fromkeys([*first, "unit", "symmetric", "int"]))
    for convention in conventions:
        found = _TO_LEVELS[convention](draws.values, levels - 1)
        if _integral(found) and found.min() > -_CLOSE and found.max() < levels - 1 + _CLOSE:
            return Read(_rounded(found), _WORDS[convention])
    near = next(_off_by_one(draws.values, levels, conventions, name), None)
    if near is not None:
        return near
    odd = draws.values.ravel()[np.argmax(np.abs(draws.values - np.round(draws.values)).ravel())]
    raise UserError(f"{name} gives values that are none of the {levels} levels, such as {odd:.4g}; a sampler of levels can be checked.")


def _off_by_one(values: np.ndarray, levels: int, conventions: list[str], name: str) -> Iterator[Read]:
    for convention in conventions:
        found = _TO_LEVELS[convention](values, levels - 1)
        if _integral(found) and found.min() > -1 - _CLOSE and found.max() < levels + _CLOSE:
            low, high = round(float(found.min())), round(float(found.max()))
            shift = 1 if low < 0 and high < levels - 1 else -1 if low > 0 else 0
            sentence = f"{name} gives levels from {low} to {high}, and there are those from 0 to {levels - 1}."
            yield Read(_rounded(found + shift).clip(0, levels - 1), _WORDS[convention], sentence)
    for convention in conventions:
        found = _TO_LEVELS[convention](values, levels)
        if convention != "int" and _integral(found) and found.min() > -_CLOSE and found.max() < levels + _CLOSE:
            sentence = (
                f"{name} gives levels divided by {levels}, their number; the highest one, {levels - 1}, must be the end of the range."
            )
            yield Read(_rounded(found).clip(0, levels - 1), _WORDS[convention], sentence)


def _integral(values: np.ndarray) -> bool:
    return bool(np.abs(values - np.round(values)).max() < _CLOSE)


def _rounded(values: np.ndarray) -> np.ndarray:
    return np.round(values).astype(np.int64)

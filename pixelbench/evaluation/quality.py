"""Statistics of a set of images that are comparable between samples and real test images: ours, and those that other packages register.

Each is declared once, and the record, the tidy table, the columns of reports and what explains them follow from that.
"""

import math
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from typing import Literal, get_args

import numpy as np

from pixelbench.errors import UserError, first_line
from pixelbench.registration import Registry

Unit = Literal["share", "ratio"]
Direction = Literal["as real images", "higher", "lower"]
Function = Callable[[np.ndarray, int], float | None]


@dataclass(frozen=True)
class Statistic:
    """A number measured on a set of images, pooled over all of them."""

    name: str
    """Its key in records and its column in the tidy table."""
    title: str
    """The heading of its column in reports."""
    meaning: str
    """Its name as a part of a sentence: `the share of values 0`."""
    function: Function
    """From integer images (N, C, H, W), N >= 1, and the number of levels to its value, None where it is undefined."""
    unit: Unit = "ratio"
    """How its values are written: a share as a percentage."""
    better: Direction = "as real images"
    """Which values are good."""
    weight: int | None = 4
    """How soon a narrow terminal leaves its column out, highest first; None has no column in reports."""
    coloured: bool = False
    """Whether it is defined for images of several channels only."""


STATISTICS: Registry[Statistic] = Registry("statistic", "pixelbench.statistics")


def register_statistic(
    name: str,
    *,
    title: str,
    meaning: str,
    unit: Unit = "ratio",
    better: Direction = "as real images",
    weight: int | None = 4,
    coloured: bool = False,
) -> Callable[[Function], Function]:
    """Make a statistic known by name: a decorator of its function, or called with it. It is then measured in every run.

    Args:
        name: letters, digits and `_`; no column that the tidy table has already.
        title, meaning, unit, better, weight, coloured: see `Statistic`.

    Raises:
        UserError: the name is taken.
        ValueError: something else that no statistic can have.
    """

    def registered(function: Function) -> Function:
        found = Statistic(name, title, meaning, function, unit, better, weight, coloured)
        _check(found)
        STATISTICS.add(name, found, function.__module__)
        return function

    return registered


def _check(statistic: Statistic) -> None:
    if not re.fullmatch("[a-z][a-z0-9_]*", statistic.name):
        raise ValueError(f"statistic '{statistic.name}': its name is a column: small letters, digits and _ only")
    if not statistic.title.strip() or not statistic.meaning.strip():
        raise ValueError(f"statistic '{statistic.name}': title and meaning are shown to people and must not be empty")
    for field, value, known in (("unit", statistic.unit, get_args(Unit)), ("better", statistic.better, get_args(Direction))):
        if value not in known:
            raise ValueError(f"statistic '{statistic.name}': {field} must be one of {', '.join(known)}, got '{value}'")


def sample_statistics(images: np.ndarray, levels: int) -> dict[str, float | None]:
    """All statistics of a set of images, by name.

    That of another package which raises, or is not finite, is None and a warning: no run is lost after its training for it.

    Args:
        images: integer (N, C, H, W), values 0 … levels-1, N >= 1.
        levels: how many values a sub-pixel can have.

    Raises:
        ValueError: no images, not four axes, or a value outside 0 … levels-1.
    """
    if images.ndim != 4 or len(images) == 0:
        raise ValueError(f"images must be (N, C, H, W) with N >= 1, got {images.shape}")
    if images.min() < 0 or images.max() >= levels:
        raise ValueError(f"images must hold 0 to {levels - 1}, got {images.min()} to {images.max()}")
    found: dict[str, float | None] = {}
    for name, statistic in STATISTICS.usable()[0].items():
        try:
            found[name] = value_of(statistic, images, levels)
        except UserError as error:
            warnings.warn(str(error), stacklevel=2)
            found[name] = None
    return found


def check_statistics(images: np.ndarray, levels: int) -> None:
    """Try the statistics of other packages on real images, before anything is trained.

    Raises:
        UserError: one raises, or gives what is no number.
    """
    for name, statistic in STATISTICS.usable()[0].items():
        if not STATISTICS.is_own(name):
            value_of(statistic, images, levels)


def own_statistics() -> list[str]:
    """The names of ours."""
    return [name for name in STATISTICS.usable()[0] if STATISTICS.is_own(name)]


def value_of(statistic: Statistic, images: np.ndarray, levels: int) -> float | None:
    """The value of a statistic, None where it is undefined.

    Raises:
        UserError: that of another package raises, or gives what is no number.
    """
    if STATISTICS.is_own(statistic.name):
        return statistic.function(images, levels)
    try:
        found = statistic.function(images.copy(), levels)
        value = None if found is None else float(found)
    except Exception as error:  # whatever somebody else's function does
        raise UserError(f"The statistic '{statistic.name}' raised {type(error).__name__}: {first_line(error)}.") from error
    if value is not None and not math.isfinite(value):
        raise UserError(f"The statistic '{statistic.name}' gave {value}; None says that it is undefined.")
    return value


def neighbour_differences(values: np.ndarray) -> np.ndarray:
    """First differences to the right-hand neighbour and to the one below: (N, C, H, W) → (C, places)."""
    right = np.diff(values, axis=3)
    below = np.diff(values, axis=2)
    channels = values.shape[1]
    return np.concatenate([part.transpose(1, 0, 2, 3).reshape(channels, -1) for part in (right, below)], axis=1)


@register_statistic("mean_level", title="mean level", meaning="the mean value as a share of the highest level", unit="share", weight=None)
def _mean_level(images: np.ndarray, levels: int) -> float:
    return float(images.astype(np.float64).mean() / (levels - 1))


@register_statistic("zeros", title="zeros", meaning="the share of values 0", unit="share", weight=2)
def _zeros(images: np.ndarray, levels: int) -> float:
    return float((images == 0).mean())


@register_statistic(
    "constant_images", title="constant images", meaning="the share of images in which no channel varies", unit="share", weight=None
)
def _constant_images(images: np.ndarray, levels: int) -> float:
    return float((images == images[:, :, :1, :1]).all(axis=(1, 2, 3)).mean())


@register_statistic(
    "spatial_correlation",
    title="spatial correlation",
    meaning="the correlation between horizontally and vertically adjacent values of one channel",
    weight=None,
)
def _spatial_correlation(images: np.ndarray, levels: int) -> float | None:
    """Pearson's, all pairs of all channels in one pool."""
    values = images.astype(np.float64)
    first = np.concatenate([values[..., :-1].ravel(), values[..., :-1, :].ravel()])
    second = np.concatenate([values[..., 1:].ravel(), values[..., 1:, :].ravel()])
    return _pearson(first, second)


@register_statistic(
    "colour_coherence",
    title="colour coherence",
    meaning="the correlation between the colour channels",
    weight=3,
    coloured=True,
)
def _colour_coherence(images: np.ndarray, levels: int) -> float | None:
    """Pearson's, between the neighbour differences of two channels at the same place, averaged over the pairs of channels."""
    correlations = [_pearson(a, b) for a, b in combinations(neighbour_differences(images.astype(np.float64)), 2)]
    if not correlations or None in correlations:
        return None
    return sum(c for c in correlations if c is not None) / len(correlations)


@register_statistic(
    "chroma_luma",
    title="chroma/luma",
    meaning="the energy of neighbour differences that the channels do not share, relative to what they share",
    weight=None,
    coloured=True,
)
def _chroma_luma(images: np.ndarray, levels: int) -> float | None:
    """With d_c the neighbour differences of channel c and m their mean over the channels, the mean of (d_c - m)² over places and channels,
    divided by the mean of m² over places. C independent channels of equal energy have C - 1, grey images 0."""
    differences = neighbour_differences(images.astype(np.float64))
    if len(differences) == 1:
        return None
    luma = differences.mean(axis=0)
    energy = float((luma**2).sum())
    return float(((differences - luma) ** 2).mean(axis=0).sum() / energy) if energy > 0 else None


def _pearson(first: np.ndarray, second: np.ndarray) -> float | None:
    """Pearson correlation, or None where one side does not vary."""
    if first.size == 0 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    a, b = first - first.mean(), second - second.mean()
    return float((a @ b) / np.sqrt((a @ a) * (b @ b)))

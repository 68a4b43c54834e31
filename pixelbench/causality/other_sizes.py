"""Second experiments on images of another size, before a cause is named that a small image cannot tell from another one.

In a small image a deep kernel reaches every pixel, as a normalisation does, and a kernel nearly as wide as the image misses the end of the
row above alone, as a recurrence over features does. A long strip tells the first two apart, a wide image the others. The time
that they take is part of the options, and of what the check was given.
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from pixelbench.causality.options import Options
from pixelbench.causality.probing.evidence import Evidence
from pixelbench.errors import UserError

_LONG, _NARROW = 64, 3
#: Rows apart from which on nothing is near.
_FAR = 40
_CHANGED = 8

Measure = Callable[[Sequence[int], Options], Evidence]


def reaches_far(measure: Measure, shape: tuple[int, int, int], options: Options) -> bool | None:
    """Do outputs see pixels very far below them? None where the module takes no long strip, or the time is too short for one."""
    channels = shape[0]
    last = np.arange(_LONG * _NARROW * channels)[-_CHANGED:]
    evidence = _on(measure, (channels, _LONG, _NARROW), options, last)
    if evidence is None or len(evidence.positions) < len(last):
        return None
    far = (np.arange(len(evidence.effects)) // channels // _NARROW) < _LONG - _FAR
    return bool(evidence.leaking[far].any())


def misses_more(measure: Measure, shape: tuple[int, int, int], options: Options) -> bool | None:
    """Does a pixel miss more of the row above in a wide image than its last pixel?

    None where the module takes no wide image, or the time is too short for one.
    """
    channels, _, width = shape
    wide = 2 * width + 8
    evidence = _on(measure, (channels, 3, wide), options, np.arange(wide * channels))
    if evidence is None or len(evidence.positions) < wide * channels:
        return None
    pixels = np.logical_or.reduce(evidence.dependence.reshape(3 * wide, channels, wide, channels), axis=(1, 3))
    seen = pixels[wide : 2 * wide]  # outputs of the second row, inputs of the first
    output, source = np.indices(seen.shape)
    return bool((~seen & (source > output) & (source - output < wide - 1)).any())


def _on(measure: Measure, shape: tuple[int, int, int], options: Options, positions: np.ndarray) -> Evidence | None:
    free = {"images": None, "order": "raster", "bases": ("random", "maximum")}
    try:
        return measure(shape, dataclasses.replace(options, positions=positions, **free))
    except UserError:
        return None

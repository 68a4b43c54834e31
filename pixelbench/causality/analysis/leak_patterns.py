"""The shapes that leaks take on the map. Each shape says which kinds of leak it explains; what none explains stays unknown.

Kinds are indexed as in `Offsets`: [output colour, input colour, row + H - 1, column + W - 1].
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pixelbench.causality.analysis.offsets import Offsets, pair_keys
from pixelbench.causality.probing.evidence import Evidence

#: A normalisation misses what no feature holds, the last pixel for instance: this share of all later pixels is "everything".
_EVERYTHING = 0.75
#: Dead units hide some dependences; a residue class of pixels with this share of leaks leaks.
_ALL = 0.9
#: Kernels leak at every pair with their offsets, but for dead units.
_REGULAR = 0.3
_PERIODS = (2, 3, 4, 8)
_WIDEST_BORDER = 3
#: Outputs and inputs whose effects are compared, how often rows and columns are levelled, and the spread (of natural logarithms) that is
#: left where all later pixels go through a few numbers: at most 0.1 under a normalisation, 0.6 and more under a dense layer.
_SAMPLED, _SWEEPS, _ONE_CAUSE = 200, 20, 0.25


@dataclass(frozen=True)
class Leaks:
    """The forbidden part of a map, by kind and by pairs of pixels."""

    evidence: Evidence
    offsets: Offsets
    order: str | None

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        return self.offsets.shape

    @cached_property
    def pixels(self) -> np.ndarray:
        """Bool (H*W, m): some colour of the output pixel leaks from some colour of the input pixel; m input pixels were probed."""
        outputs = self.evidence.leaking.reshape(-1, self.shape[0], len(self.evidence.positions)).any(axis=1)
        return np.logical_or.reduceat(outputs, self._first_of_pixel, axis=1)

    @cached_property
    def inputs(self) -> np.ndarray:
        """(m,) the input pixels that were probed, ascending."""
        return self.evidence.positions[self._first_of_pixel] // self.shape[0]

    @cached_property
    def later(self) -> np.ndarray:
        """Bool (H*W, m): the input pixel comes after the output pixel."""
        return np.arange(len(self.pixels))[:, None] < self.inputs[None, :]

    @property
    def _first_of_pixel(self) -> np.ndarray:
        return np.unique(self.evidence.positions // self.shape[0], return_index=True)[1]

    def at(self, row: int, column: int, kinds: np.ndarray) -> np.ndarray:
        """Bool (C, C): the pairs of colours of `kinds` at an offset."""
        return kinds[:, :, row + self.shape[1] - 1, column + self.shape[2] - 1]

    @cached_property
    def shares(self) -> np.ndarray:
        """Float (2H-1, 2W-1): which part of the pairs of pixels that were measured at an offset leaks."""
        shape = (1, *self.shape[1:])
        keys = pair_keys(np.arange(len(self.pixels))[:, None], self.inputs[None, :], shape)
        size = 2 * shape[1] - 1, 2 * shape[2] - 1
        pairs = np.bincount(keys.ravel(), minlength=size[0] * size[1])
        return (np.bincount(keys[self.pixels], minlength=len(pairs)) / np.maximum(pairs, 1)).reshape(size)

    @cached_property
    def joint(self) -> np.ndarray:
        """Bool, by kind: every leak of it showed only when several inputs were exchanged at once."""
        pairs = np.array(self.evidence.joint, dtype=np.int64).reshape(-1, 2)
        counts = np.bincount(pair_keys(pairs[:, 0], pairs[:, 1], self.shape), minlength=self.offsets.seen.size)
        return self.offsets.leaks & (self.offsets.seen <= counts.reshape(self.offsets.seen.shape))


LeakPattern = Callable[[Leaks, np.ndarray], np.ndarray | None]


def where(kinds: np.ndarray, leaks: Leaks) -> np.ndarray:
    """(n, 2): the offsets of `kinds`, without colours."""
    return np.argwhere(kinds.any(axis=(0, 1))) - np.array([leaks.shape[1] - 1, leaks.shape[2] - 1])


def everything(leaks: Leaks, left: np.ndarray) -> np.ndarray | None:
    """Nearly every output sees nearly every later pixel."""
    later = leaks.later
    if later.sum() < 2 or (leaks.pixels & later).sum() < _EVERYTHING * later.sum():
        return None
    return left


def of_one_cause(leaks: Leaks) -> bool:
    """How far an output answers is the same for all later pixels, but for a factor of each output and one of each pixel.

    So it is where all go through a few numbers, as those of a normalisation; the weights of a dense layer are of no such rank.
    """
    effects, places = leaks.evidence.effects, leaks.evidence.positions
    outputs, columns = (np.unique(np.linspace(0, size - 1, min(size, _SAMPLED)).astype(int)) for size in effects.shape)
    part = effects[np.ix_(outputs, columns)]
    later = (outputs[:, None] // leaks.shape[0] < places[None, columns] // leaks.shape[0]) & (part > leaks.evidence.method.tolerance)
    sizes = np.log(np.where(later, part, 1.0))
    for _ in range(_SWEEPS):
        for axis in (0, 1):
            mean = sizes.sum(axis, keepdims=True) / np.maximum(later.sum(axis, keepdims=True), 1)
            sizes = np.where(later, sizes - mean, 0.0)
    return bool(later.any()) and float(sizes[later].std()) < _ONE_CAUSE


def first_outputs(leaks: Leaks, left: np.ndarray) -> np.ndarray | None:
    """The first pixel and some near the beginning see nearly everything; most outputs leak nothing."""
    later = leaks.later.sum(1)
    share = (leaks.pixels & leaks.later).sum(1) / np.maximum(later, 1)
    leaking = (leaks.pixels.any(1)) & (later > 0)
    rows, columns = np.divmod(np.flatnonzero(leaking), leaks.shape[2])
    few = leaking.sum() <= 0.5 * (later > 0).sum() and (2 * rows < leaks.shape[1]).all()
    if not few or share[0] < _EVERYTHING or share[leaking].min() < 0.5 or columns.min(initial=1) > 0:
        return None
    return left


def next_in_raster(leaks: Leaks, left: np.ndarray) -> np.ndarray | None:
    """The pixel itself and the one that follows it, across the ends of rows: a raster sequence shifted by one the wrong way."""
    _, height, width = leaks.shape
    offsets = {(int(row), int(column)) for row, column in where(left, leaks)}
    if height < 2 or width < 3 or (1, 1 - width) not in offsets or not offsets <= {(0, 0), (0, 1), (1, 1 - width)}:
        return None
    return left


def periodic(leaks: Leaks, left: np.ndarray) -> np.ndarray | None:
    """Which offsets leak depends on the output's row and column modulo a small period."""
    _, height, width = leaks.shape
    for period in _PERIODS:
        for rows, columns in ((period, period), (period, 1), (1, period)):
            if 2 * rows <= height + rows % 2 and 2 * columns <= width + columns % 2 and _repeats(leaks, left, rows, columns):
                return left
    return None


def _repeats(leaks: Leaks, left: np.ndarray, rows: int, columns: int) -> bool:
    """Within each class of residues an offset leaks at all pairs or at none, and some offset in some classes only."""
    _, height, width = leaks.shape
    outputs, inputs = np.arange(height * width)[:, None], leaks.inputs[None, :]
    offset = pair_keys(outputs, inputs, (1, height, width))
    residue = outputs // width % rows * columns + outputs % width % columns
    keys = offset * (rows * columns) + residue
    size = (2 * height - 1) * (2 * width - 1), rows * columns
    pairs = np.bincount(keys.ravel(), minlength=size[0] * size[1]).reshape(size)
    found = np.bincount(keys[leaks.pixels], minlength=size[0] * size[1]).reshape(size)
    leaky = left.any(axis=(0, 1)).ravel()
    share = found[leaky] / np.maximum(pairs[leaky], 1)
    measured = pairs[leaky] > 0
    whole, none = measured & (share >= _ALL), measured & (share == 0)
    often = whole & (pairs[leaky] > 1)  # a class of one pair is always whole or empty
    return bool(((whole | none) == measured).all() and (often.any(1) & none.any(1)).any())


def wrapped(leaks: Leaks, left: np.ndarray) -> np.ndarray | None:
    """Only from the opposite side of the image."""
    _, height, width = leaks.shape
    offsets = where(left, leaks)
    far = (2 * offsets[:, 0] >= height) | (2 * offsets[:, 1] >= width)
    return left if far.all() and (offsets.max() > 1) else None


def border(leaks: Leaks, left: np.ndarray) -> np.ndarray | None:
    """Only where the input, or the output, lies at one border of the image, though the same offsets fit elsewhere."""
    return border_of(leaks, left)[1]


def border_of(leaks: Leaks, left: np.ndarray) -> tuple[str | None, np.ndarray | None]:
    """Which border, `inputs in the last column`, and the kinds confined to it: all kinds apart from those of the pixel itself."""
    _, height, width = leaks.shape
    outputs, columns = np.nonzero(leaks.pixels & (np.arange(len(leaks.pixels))[:, None] != leaks.inputs[None, :]))
    if not len(outputs) or not _fits_elsewhere(leaks):
        return None, None
    ends = {"inputs": np.divmod(leaks.inputs[columns], width), "outputs": np.divmod(outputs, width)}
    for border in range(1, _WIDEST_BORDER + 1):
        for end, (row, column) in ends.items():
            for name, place, length, along, side in (("row", row, height, column, width), ("column", column, width, row, height)):
                if length < 2 * border + 2 or 2 * len(np.unique(along)) < side:
                    continue
                for which, confined in (("first", place < border), ("last", place >= length - border)):
                    if confined.all():
                        claimed = left.copy()
                        claimed[:, :, height - 1, width - 1] = False
                        return f"{end} in the {which} {name if border == 1 else f'{border} {name}s'}", claimed
    return None, None


def _fits_elsewhere(leaks: Leaks) -> bool:
    """Most of the leaking offsets were measured at more pairs than leak: a far offset fits at a border only and says nothing."""
    share = leaks.shares.ravel()
    other = np.arange(len(share)) != len(share) // 2
    return bool((share[other & (share > 0)] <= 0.5).mean() >= 0.5)


def _regular(leaks: Leaks, left: np.ndarray) -> bool:
    """The leaks are at a good part of all pairs with their offsets, as those of a kernel or a pass are, not here and there."""
    return bool(np.median(leaks.shares[np.logical_or.reduce(left.reshape(-1, *left.shape[2:]), axis=0)]) >= _REGULAR)


def rows_below(leaks: Leaks, left: np.ndarray) -> np.ndarray | None:
    """Rows below the pixel; whatever else leaks may follow from that through deeper layers."""
    return left if (where(left, leaks)[:, 0] > 0).any() and _regular(leaks, left) else None


def whole_row(leaks: Leaks, left: np.ndarray) -> np.ndarray | None:
    """Every later pixel of the row, to its end or, where only earlier features are passed on, to the last but one."""
    width = leaks.shape[2]
    offsets = where(left, leaks)
    right = offsets[(offsets[:, 0] == 0) & (offsets[:, 1] > 0)]
    return left if width > 4 and len(right) >= width - 2 and (offsets[:, 0] == 0).all() else None


def to_the_right(leaks: Leaks, left: np.ndarray) -> np.ndarray | None:
    """Some pixels to the right, in the same row, and not the pixel itself."""
    offsets = where(left, leaks)
    return left if ((offsets[:, 0] == 0) & (offsets[:, 1] > 0)).all() and _regular(leaks, left) else None


def from_here_to_the_right(leaks: Leaks, left: np.ndarray) -> np.ndarray | None:
    """The pixel itself and some to the right, in the same row."""
    offsets = where(left, leaks)
    return left if (offsets[:, 0] == 0).all() and (offsets[:, 1] > 0).any() and _regular(leaks, left) else None


def whole_pixel(leaks: Leaks, left: np.ndarray) -> np.ndarray | None:
    """Every colour of the same pixel, where there are several."""
    channels = leaks.shape[0]
    own = _only_pixel(leaks, left)
    if own is None or channels == 1 or not own[np.triu_indices(channels)].all():
        return None
    return left


def itself(leaks: Leaks, left: np.ndarray) -> np.ndarray | None:
    """The same sub-pixel. Colours that are mixed up never make the *last* colour see itself: no later feature holds it."""
    own = _only_pixel(leaks, left)
    if own is None or not own[-1, -1]:
        return None
    claimed = np.zeros_like(left)
    diagonal = np.arange(leaks.shape[0])
    claimed[diagonal, diagonal, leaks.shape[1] - 1, leaks.shape[2] - 1] = True
    return claimed


def mixed_colours(leaks: Leaks, left: np.ndarray) -> np.ndarray | None:
    """Some colours of the same pixel."""
    return left if _only_pixel(leaks, left) is not None else None


def _only_pixel(leaks: Leaks, left: np.ndarray) -> np.ndarray | None:
    """Bool (C, C) [output, input] at offset (0, 0); None where there are leaks at other offsets."""
    offsets = where(left, leaks)
    return leaks.at(0, 0, left) if len(offsets) and (offsets == 0).all() else None


def attribute(leaks: Leaks, patterns: dict[str, LeakPattern]) -> Iterator[tuple[str | None, np.ndarray]]:
    """(name of a shape, the kinds it explains) until all are explained; at last (None, the rest), if any. Earlier shapes come first."""
    left = leaks.offsets.leaks & ~leaks.joint
    for name, shape in patterns.items():
        claimed = shape(leaks, left) if left.any() else None
        if claimed is not None and (claimed & left).any():
            yield name, claimed & left
            left = left & ~claimed
    if left.any():
        yield None, left

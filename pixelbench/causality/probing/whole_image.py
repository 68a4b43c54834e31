"""Images on which statistics of a whole image show: a maximum, a mean above a threshold, "all white" hardly ever move on random ones.

A statistic that enters the outputs moves them from nearly every place, on the right image. So a few places will do, spread over the image,
and only the images on which something forbidden moves there are tried at all places.
"""

from collections.abc import Iterator

import numpy as np

from pixelbench.causality.options import Options
from pixelbench.causality.probing.probes import Base
from pixelbench.causality.probing.sweep import Sweep, Swept

#: Places at which each image is changed; of a small image all.
_PLACES = 24
_ALL = 64
#: A few levels are all tried.
_FEW = 4
#: Images of the user's that are tried at most, the first ones, evenly spread.
_MOST_IMAGES = 32
_SPARSE = 0.05
#: Flat images of which the later part is exchanged.
_PAIRS = (("zeros", "maximum"), ("maximum", "zeros"), ("low", "maximum"), ("high", "zeros"), ("low", "zeros"), ("high", "maximum"))


class Extremes:
    """The images of `--bases extremes`, and the user's own.

    Attributes:
        single: images on which sub-pixels are changed one at a time.
        joint: pairs of images; of the first, all sub-pixels from some place on are exchanged for the second's.
    """

    def __init__(self, shape: tuple[int, int, int], options: Options, seed: int) -> None:
        self._shape, self._top, self._random = shape, options.levels - 1, np.random.default_rng((seed, 7))
        self.single: list[Base] = []
        self.joint: list[tuple[np.ndarray, np.ndarray]] = []
        if "extremes" in options.bases:
            named = dict(self._images())
            self.single += [Base(kind, image, options.levels <= _FEW) for kind, image in named.items()]
            pairs = [(named[one], named[other]) for one, other in _PAIRS]
            self.joint += [pair for pair in pairs if (pair[0] != pair[1]).all()]
            self.joint += [(self._noise(), named[name]) for name in ("zeros", "maximum")]
        if options.images is not None:
            chosen = np.unique(np.linspace(0, len(options.images) - 1, _MOST_IMAGES).astype(int))
            images = [np.asarray(options.images[i], dtype=np.int64) for i in chosen]
            self.single += [Base(f"image {i}", image, options.levels <= _FEW) for i, image in zip(chosen, images, strict=True)]
            self.joint += list(zip(images, images[1:] + images[:1], strict=True)) if len(images) > 1 else []

    def sentence(self) -> str:
        """What was changed, for the report."""
        own = sum(base.kind.startswith("image ") for base in self.single)
        kinds = [base.kind for base in self.single if not base.kind.startswith("image ")]
        parts = [f"on extreme images ({', '.join(kinds)})"] if kinds else []
        parts += [f"on {own} images that were given"] if own else []
        return " and ".join(parts)

    def _images(self) -> Iterator[tuple[str, np.ndarray]]:
        """Flat, of neighbouring levels, one odd pixel, half and half, sparse; names and images (C, H, W)."""
        shape, top = self._shape, self._top
        low, high, middle = min(1, top), max(0, top - 1), top // 2
        yield from (("zeros", np.zeros(shape, dtype=np.int64)), ("low", np.full(shape, low)))
        yield from (("high", np.full(shape, high)), ("maximum", np.full(shape, top)))
        checks = np.indices(shape).sum(0) % 2
        yield "two neighbouring levels", middle + checks if middle < top else middle - checks
        for name, ground, odd in (("one bright pixel", low if top > 1 else 0, top), ("one dark pixel", top, 0)):
            image = np.full(shape, ground)
            image[:, shape[1] // 2, shape[2] // 2] = odd
            yield name, image
        rows = np.indices(shape)[1] >= shape[1] / 2
        yield from (("dark above bright", np.where(rows, top, 0)), ("bright above dark", np.where(rows, 0, top)))
        few = self._random.random(shape) < _SPARSE
        yield from (("sparse", np.where(few, top, 0)), ("mostly bright", np.where(few, 0, top)))

    def _noise(self) -> np.ndarray:
        return self._random.integers(0, self._top + 1, self._shape)


def whole_image(sweep: Sweep, swept: Swept, extremes: Extremes) -> str:
    """Changes some of the places swept on the extreme images, and all of them on those where something forbidden moves.

    Adds to what was swept.

    Returns:
        What was done, for the report; empty where nothing was.
    """
    count = len(swept.positions)
    if not extremes.single or not sweep.has_time((len(extremes.single) + len(extremes.joint)) * _PLACES):
        return ""
    chosen = np.arange(count) if count <= _ALL else _spread(swept.positions)
    moved = [base for base in extremes.single if sweep.further(swept, [base], [], chosen)]
    joint = [pair for pair in extremes.joint if sweep.further(swept, [], [pair], chosen)]
    if len(chosen) < count and (moved or joint):
        sweep.further(swept, moved, joint, np.arange(count))
    where = "all of them" if len(chosen) == count else f"{len(chosen)} of them"
    return f"{where} {extremes.sentence()}, alone and together with all later ones"


def _spread(positions: np.ndarray) -> np.ndarray:
    """Columns of places that are spread over the image, the first and the last among them."""
    rank = np.argsort(positions)
    return rank[np.unique(np.linspace(0, len(rank) - 1, _PLACES).astype(int))]

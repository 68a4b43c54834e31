"""Which values are changed, on which images. Numpy only."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pixelbench.causality.probing.raster import copies, flat, folded
from pixelbench.errors import unknown

#: `joint` stands for a random image of which each sub-pixel is exchanged together with all later ones; on the others it changes alone.
#: `extremes`: flat, nearly flat and half and half images, on which statistics of a whole image show that noise hides; see `whole_image`.
KINDS = ("zeros", "maximum", "random", "joint", "extremes")
_FEW = 4
_SOME = 17
#: Images that all levels may cost where there are some, and images times sub-pixels that anything beyond the asked-for bases may cost.
_AFFORDABLE = 4096
_CHEAP = 60_000
_MOST_ROUNDS = 16
#: From so many sub-pixels on, images are exchanged jointly from one sub-pixel of each pixel on, not from each.
_MANY = 1024


@dataclass(frozen=True)
class Base:
    """An image (C, H, W) on which sub-pixels are changed one at a time: to every other level, or to one."""

    kind: str
    image: np.ndarray
    exhaustive: bool = False


class Probes:
    """The base images of a check and the changes made to them.

    Args:
        bases: names from `KINDS`; each `random` and `joint` draws images of its own.
        positions: how many sub-pixels will be probed: more is tried where that stays affordable.

    Attributes:
        single: base images on which sub-pixels are changed one at a time.
        joint: pairs of images that differ in every sub-pixel.
        rounds: how often all positions are probed once more, on random images of their own.

    Raises:
        UserError: an unknown base.
    """

    def __init__(self, shape: tuple[int, int, int], levels: int, bases: Sequence[str], positions: int, seed: int) -> None:
        strange = next((name for name in bases if name not in KINDS), None)
        if strange is not None:
            raise unknown("base image", strange, KINDS)
        self._random = np.random.default_rng(seed)
        self._shape, self._levels, self._kinds = shape, levels, tuple(bases)
        size = int(np.prod(shape))
        images = (levels - 1) * positions
        affordable = images * size <= _CHEAP or (levels <= _SOME and images <= _AFFORDABLE)
        self.single: list[Base] = []
        for kind in bases:
            if kind not in ("joint", "extremes"):
                self.single.append(Base(kind, self._image(kind), levels <= _FEW or (affordable and not self.single)))
        self.joint = [self.pair() for kind in bases if kind == "joint"]
        self.rounds = min(_MOST_ROUNDS, _CHEAP // (positions * size)) if {"random", "joint"} & set(bases) else 0

    def reduce(self) -> None:
        """Each sub-pixel takes one image and one joint exchange: more positions are worth more than more images for each."""
        self.single = [next((base for base in self.single if base.kind == "random"), self.single[0])]
        self.joint = self.joint[:1]

    def fresh(self) -> tuple[list[Base], list[tuple[np.ndarray, np.ndarray]]]:
        """New random bases and pairs, of the kinds asked for: what one further round takes."""
        single = [Base("random", self.random_images(1)[0])] if "random" in self._kinds else []
        return single, [self.pair()] if "joint" in self._kinds else []

    def changes(self, base: Base, positions: np.ndarray) -> Iterator[np.ndarray]:
        """Batches (n, C, H, W) of a base, image i with another value at `positions[i]`."""
        images = copies(base.image, len(positions))
        if not base.exhaustive:
            yield self.changed(images, positions)
            return
        raster = flat(images)
        place = np.arange(len(positions)), positions
        now = raster[place]
        for step in range(1, self._levels):
            raster[place] = (now + step) % self._levels
            yield folded(raster.copy(), self._shape)

    def changed(self, images: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """Images (n, C, H, W), each with another value at its position: the farther extreme or any, by the toss of a coin.

        So that equal weights meet all values in the end.
        """
        raster = flat(images).copy()
        place = np.arange(len(positions)), positions
        now = raster[place]
        far = np.where(2 * now < self._levels - 1, self._levels - 1, 0)
        raster[place] = np.where(self._random.random(now.shape) < 0.5, far, self._another(now))
        return folded(raster, self._shape)

    def cuts(self, positions: np.ndarray) -> np.ndarray:
        """Bool (n,): images are exchanged jointly from this position on. Of a large image that is one a pixel, its colour by turns."""
        if not self._thinned(len(positions)):
            return np.ones(len(positions), dtype=bool)
        pixel, colour = np.divmod(positions, self._shape[0])
        return colour == pixel % self._shape[0]

    def random_images(self, count: int) -> np.ndarray:
        """Random images (count, C, H, W)."""
        return self._random.integers(0, self._levels, (count, *self._shape))

    def pair(self) -> tuple[np.ndarray, np.ndarray]:
        """Two images that differ in every sub-pixel."""
        first = self.random_images(1)[0]
        return first, self._another(first)

    def sentence(self, positions: int, rounds: int) -> str:
        """The changed inputs in a sentence for the report; `positions` sub-pixels were asked for, and all probed `rounds` times more."""
        every = [base.kind for base in self.single if base.exhaustive]
        one = [base.kind for base in self.single if not base.exhaustive]
        parts = [f"set to every other level on base images ({', '.join(every)})"] if every else []
        parts += [f"set to one other level, the farther extreme or a random one, on base images ({', '.join(one)})"] if one else []
        which = "one sub-pixel of each pixel, its colour by turns, " if self._thinned(positions) else ""
        parts += [f"{which}exchanged together with all later ones on {len(self.joint)} random"] if self.joint else []
        parts += [f"all once more on random images, {rounds} times"] if rounds else []
        return "each probed sub-pixel " + "; ".join(parts)

    def _thinned(self, positions: int) -> bool:
        return self._shape[0] > 1 and positions == int(np.prod(self._shape)) >= _MANY

    def _image(self, kind: str) -> np.ndarray:
        if kind == "random":
            return self.random_images(1)[0]
        return np.full(self._shape, 0 if kind == "zeros" else self._levels - 1)

    def _another(self, values: np.ndarray) -> np.ndarray:
        return (values + self._random.integers(1, self._levels, values.shape)) % self._levels

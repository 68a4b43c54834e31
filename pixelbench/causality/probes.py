"""Which values are changed, on which images. Numpy only."""

from collections.abc import Iterator, Sequence

import numpy as np

from pixelbench.causality.raster import copies, flat, folded
from pixelbench.errors import unknown

#: `joint` stands for a random image of which each sub-pixel is exchanged together with all later ones; on the others it changes alone.
KINDS = ("zeros", "maximum", "random", "joint")
_FEW = 4
_SOME = 17
_AFFORDABLE = 4096


class Probes:
    """The base images of a check and the changes made to them.

    Args:
        bases: names from `KINDS`; each `random` and `joint` draws images of its own.
        positions: how many sub-pixels will be probed: all levels are tried only where that stays affordable.

    Attributes:
        single: base images by name, on which sub-pixels are changed one at a time.
        joint: pairs of images that differ in every sub-pixel.
        sentence: what is changed, for the report.

    Raises:
        UserError: an unknown base.
    """

    def __init__(self, shape: tuple[int, int, int], levels: int, bases: Sequence[str], positions: int, seed: int) -> None:
        strange = next((name for name in bases if name not in KINDS), None)
        if strange is not None:
            raise unknown("base image", strange, KINDS)
        self._random = np.random.default_rng(seed)
        self._shape = shape
        self._levels = levels
        self.single = {f"{i} {name}": self._image(name) for i, name in enumerate(bases) if name != "joint"}
        self.joint = [self._pair() for name in bases if name == "joint"]
        affordable = levels <= _SOME and (levels - 1) * positions <= _AFFORDABLE
        self._exhaustive = set(self.single if levels <= _FEW else list(self.single)[:1] if affordable else ())
        self.sentence = self._describe()

    def changes(self, name: str, positions: np.ndarray) -> Iterator[np.ndarray]:
        """Batches (n, C, H, W) of the base `name`, image i with another value at `positions[i]`."""
        raster = flat(copies(self.single[name], len(positions)))
        place = np.arange(len(positions)), positions
        now = raster[place]
        for values in self._values(name, now):
            raster[place] = values
            yield folded(raster.copy(), self._shape)

    def strangers(self, count: int) -> np.ndarray:
        """Random images (count, C, H, W), to stand beside a base in its batch."""
        return self._random.integers(0, self._levels, (count, *self._shape))

    def _values(self, name: str, now: np.ndarray) -> Iterator[np.ndarray]:
        """All other levels; or one: the farther extreme or any other, by the toss of a coin, so that equal weights meet all in the end."""
        if name in self._exhaustive:
            for step in range(1, self._levels):
                yield (now + step) % self._levels
            return
        far = np.where(2 * now < self._levels - 1, self._levels - 1, 0)
        yield np.where(self._random.random(now.shape) < 0.5, far, self._another(now))

    def _image(self, name: str) -> np.ndarray:
        if name == "random":
            return self.strangers(1)[0]
        return np.full(self._shape, 0 if name == "zeros" else self._levels - 1)

    def _pair(self) -> tuple[np.ndarray, np.ndarray]:
        first = self.strangers(1)[0]
        return first, self._another(first)

    def _another(self, values: np.ndarray) -> np.ndarray:
        return (values + self._random.integers(1, self._levels, values.shape)) % self._levels

    def _describe(self) -> str:
        names = [name.split(" ")[1] for name in self.single]
        every = [name.split(" ")[1] for name in self.single if name in self._exhaustive]
        one = names[len(every) :]
        parts = [f"set to every other level on base images ({', '.join(every)})"] if every else []
        parts += [f"set to one other level, the farther extreme or a random one, on base images ({', '.join(one)})"] if one else []
        parts += [f"exchanged together with all later ones on {len(self.joint)} random"] if self.joint else []
        return "each probed sub-pixel " + "; ".join(parts)

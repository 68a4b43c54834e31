"""Which values are changed, on which images. Numpy only.

A *still* base image is the same for every sub-pixel. The *sliding* one is another for each: the earlier sub-pixels of one random image and
the later ones of a second, so that, from position to position, every later sub-pixel changes together with all that follow. A leak that
needs several later sub-pixels to differ at once therefore shows, and is still pinned to the one that was changed last.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from pixelbench.errors import unknown

KINDS = ("zeros", "maximum", "random", "sliding")
_FEW = 4
_SOME = 17
_AFFORDABLE = 4096


class Probes:
    """The base images of a check and the changes made to them.

    Args:
        bases: names from `KINDS`; each `random` and `sliding` draws images of its own.
        positions: how many sub-pixels will be probed: all levels are tried only where that stays affordable.

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
        self._size = int(np.prod(shape))
        self.still = {f"{i} {name}": self._image(name) for i, name in enumerate(bases) if name != "sliding"}
        self._sliding = [self._pair() for name in bases if name == "sliding"]
        affordable = levels <= _SOME and (levels - 1) * positions <= _AFFORDABLE
        self._exhaustive = set(self.still if levels <= _FEW else list(self.still)[:1] if affordable else ())
        self.sentence = self._describe(bases)

    def of_still(self, name: str, positions: np.ndarray) -> Iterator[np.ndarray]:
        """Batches (n, C, H, W) of the still base `name`, image i with another value at `positions[i]`."""
        base = self.still[name]
        now = _at(base[None].repeat(len(positions), 0), positions)
        if name in self._exhaustive:
            for step in range(1, self._levels):
                yield self._changed(base, positions, (now + step) % self._levels)
            return
        far = np.where(2 * now < self._levels - 1, self._levels - 1, 0)
        yield self._changed(base, positions, far)
        yield self._changed(base, positions, self._another(now))

    def of_sliding(self, positions: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Pairs of batches (n, C, H, W): image i of the two differs at `positions[i]` and nowhere else."""
        places = np.arange(self._size)[None, :]
        for first, second in self._sliding:
            after = np.where(places > positions[:, None], _flat(second), _flat(first))
            before = np.where(places >= positions[:, None], _flat(second), _flat(first))
            yield self._folded(after), self._folded(before)

    def strangers(self, count: int) -> np.ndarray:
        """Random images (count, C, H, W), to stand beside a base in its batch."""
        return self._random.integers(0, self._levels, (count, *self._shape))

    def _image(self, name: str) -> np.ndarray:
        if name == "random":
            return self.strangers(1)[0]
        return np.full(self._shape, 0 if name == "zeros" else self._levels - 1)

    def _pair(self) -> tuple[np.ndarray, np.ndarray]:
        first = self.strangers(1)[0]
        return first, self._another(first)

    def _another(self, values: np.ndarray) -> np.ndarray:
        return (values + self._random.integers(1, self._levels, values.shape)) % self._levels

    def _changed(self, base: np.ndarray, positions: np.ndarray, values: np.ndarray) -> np.ndarray:
        images = np.repeat(_flat(base)[None], len(positions), 0)
        images[np.arange(len(positions)), positions] = values
        return self._folded(images)

    def _folded(self, raster: np.ndarray) -> np.ndarray:
        channels, height, width = self._shape
        return raster.reshape(-1, height, width, channels).transpose(0, 3, 1, 2)

    def _describe(self, bases: Sequence[str]) -> str:
        every = "every other level" if self._exhaustive else ""
        two = "the farther extreme and a random other level"
        if len(self._exhaustive) == len(self.still):
            values = every
        elif self._exhaustive:
            values = f"{every} on the first, {two} on the rest"
        else:
            values = two
        sliding = "; on sliding images (earlier sub-pixels of one random image, later ones of another) one change" if self._sliding else ""
        names = ", ".join(name for name in bases if name != "sliding")
        return f"every probed sub-pixel set to {values} (base images: {names}){sliding}"


def _flat(image: np.ndarray) -> np.ndarray:
    """(C, H, W) → (D,) in raster order."""
    return image.transpose(1, 2, 0).reshape(-1)


def _at(images: np.ndarray, positions: np.ndarray) -> np.ndarray:
    raster = images.transpose(0, 2, 3, 1).reshape(len(images), -1)
    return raster[np.arange(len(positions)), positions]

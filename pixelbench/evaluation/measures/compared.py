"""Samples beside real images, with all that several measures need of both, computed once."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from pixelbench.evaluation.measures.distances import distances
from pixelbench.evaluation.measures.power import spectra

#: Neighbours whose distance is the radius of an image's surroundings (Naeem et al. 2020).
NEIGHBOURS = 5


@dataclass(frozen=True)
class ImageSet:
    """Images with their features.

    `images`: (N, C, H, W) integers; `features`: (N, D); `to_train`: (N,) distance in pixels to the nearest training image other than
    itself; `units`: (N,) integers, the independent unit that each comes from, of samples each its own.
    """

    images: np.ndarray
    features: np.ndarray
    to_train: np.ndarray
    units: np.ndarray

    def __len__(self) -> int:
        return len(self.images)


class Compared:
    """Samples and real images that no training saw, the reference. A subset shares what was computed of the whole.

    Args:
        samples, reference: more than `NEIGHBOURS` images each.
        levels: how many values a sub-pixel can have.
    """

    def __init__(self, samples: ImageSet, reference: ImageSet, levels: int) -> None:
        if min(len(samples), len(reference)) <= NEIGHBOURS:
            raise ValueError(f"there must be more than {NEIGHBOURS} images on each side, got {len(samples)} and {len(reference)}")
        self._sides = samples, reference
        self.levels = levels
        self._whole: Compared | None = None
        self._chosen: tuple[np.ndarray, np.ndarray] = np.arange(len(samples)), np.arange(len(reference))

    def subset(self, samples: np.ndarray, reference: np.ndarray) -> "Compared":
        """These images of either side, by their indices."""
        part = Compared(*self._sides, self.levels)
        part._whole, part._chosen = self, (samples, reference)
        return part

    @property
    def counts(self) -> tuple[int, int]:
        """How many samples and reference images there are."""
        return len(self._chosen[0]), len(self._chosen[1])

    @property
    def units(self) -> tuple[np.ndarray, np.ndarray]:
        """The independent unit of each sample and each reference image."""
        return self._sides[0].units[self._chosen[0]], self._sides[1].units[self._chosen[1]]

    @property
    def sample_images(self) -> np.ndarray:
        """(N, C, H, W) integers."""
        return self._sides[0].images[self._chosen[0]]

    @property
    def samples(self) -> np.ndarray:
        """Features (N, D)."""
        return self._sides[0].features[self._chosen[0]]

    @property
    def reference(self) -> np.ndarray:
        """Features (M, D)."""
        return self._sides[1].features[self._chosen[1]]

    @property
    def to_train(self) -> tuple[np.ndarray, np.ndarray]:
        """Distances in pixels of samples (N,) and reference images (M,) to their nearest training image."""
        return self._sides[0].to_train[self._chosen[0]], self._sides[1].to_train[self._chosen[1]]

    @cached_property
    def between(self) -> np.ndarray:
        """Distances (N, M) of samples to reference images, in features."""
        return self._taken("between", (0, 1), lambda: distances(self.samples, self.reference))

    @cached_property
    def among_samples(self) -> np.ndarray:
        """Distances (N, N), in features."""
        return self._taken("among_samples", (0, 0), lambda: distances(self.samples, self.samples))

    @cached_property
    def among_reference(self) -> np.ndarray:
        """Distances (M, M), in features."""
        return self._taken("among_reference", (1, 1), lambda: distances(self.reference, self.reference))

    @cached_property
    def pixels_between(self) -> np.ndarray:
        """Distances (N, M) of samples to reference images, in pixels."""
        return self._taken("pixels_between", (0, 1), lambda: distances(*map(self._flat, self._sides)))

    @cached_property
    def pixels_among_reference(self) -> np.ndarray:
        """Distances (M, M), in pixels."""
        return self._taken("pixels_among_reference", (1, 1), lambda: distances(*[self._flat(self._sides[1])] * 2))

    @cached_property
    def sample_radii(self) -> np.ndarray:
        """(N,) distance to the `NEIGHBOURS`-th other sample."""
        return _radii(self.among_samples)

    @cached_property
    def reference_radii(self) -> np.ndarray:
        """(M,) likewise of the reference."""
        return _radii(self.among_reference)

    @cached_property
    def inside(self) -> np.ndarray:
        """(N, M) whether a sample lies in a reference image's surroundings; its border belongs to them."""
        return self.between <= self.reference_radii

    @cached_property
    def sample_kernel(self) -> np.ndarray:
        """The polynomial kernel of samples (N, N)."""
        return self._taken("sample_kernel", (0, 0), lambda: polynomial(self.samples, self.samples))

    @cached_property
    def reference_kernel(self) -> np.ndarray:
        """(M, M)."""
        return self._taken("reference_kernel", (1, 1), lambda: polynomial(self.reference, self.reference))

    @cached_property
    def kernel_between(self) -> np.ndarray:
        """(N, M)."""
        return self._taken("kernel_between", (0, 1), lambda: polynomial(self.samples, self.reference))

    @cached_property
    def sample_spectra(self) -> np.ndarray:
        """Power of each sample by frequency, see `spectra`."""
        return self._taken("sample_spectra", (0,), lambda: spectra(self._sides[0].images, self.levels))

    @cached_property
    def reference_spectra(self) -> np.ndarray:
        """Likewise of the reference."""
        return self._taken("reference_spectra", (1,), lambda: spectra(self._sides[1].images, self.levels))

    def _taken(self, name: str, sides: tuple[int, ...], compute: Callable[[], np.ndarray]) -> np.ndarray:
        """The part of the whole's array that is of this subset, `sides` saying which side each axis is; of the whole itself all of it."""
        if self._whole is None:
            return compute()
        whole: Any = getattr(self._whole, name)
        return whole[np.ix_(*(self._chosen[side] for side in sides))]

    def _flat(self, side: ImageSet) -> np.ndarray:
        return side.images.reshape(len(side), -1) / (self.levels - 1)


def polynomial(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(x·y / D + 1)^3 of all pairs, float64: the kernel of Binkowski et al. 2018."""
    return (first @ second.T / first.shape[1] + 1) ** 3


def _radii(among: np.ndarray) -> np.ndarray:
    """The distance to the `NEIGHBOURS`-th other: each is its own nearest."""
    return np.partition(among, NEIGHBOURS, axis=1)[:, NEIGHBOURS]

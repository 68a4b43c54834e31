"""Euclidean distances between many vectors, by matrix products: exact where vectors are equal, in blocks where there are many."""

from collections.abc import Iterable

import numpy as np

#: Squared distances below this share of the largest squared length are what rounding leaves of 0.
_ROUNDING = 1e-12
#: Rows of a block: 2,000 vectors of 3,072 numbers are 24 MB.
_BLOCK = 2000


def distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(N, D) and (M, D) → (N, M) float32.

    Computed in float64 and then rounded, so that distances which are equal come out equal: of binary images many are.
    """
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    lengths = np.einsum("id,id->i", first, first), np.einsum("jd,jd->j", second, second)
    smallest = _ROUNDING * max(float(lengths[0].max()), float(lengths[1].max()))
    found = np.empty((len(first), len(second)), np.float32)
    for begin in range(0, len(first), _BLOCK):
        rows = slice(begin, begin + _BLOCK)
        squared = lengths[0][rows, None] + lengths[1] - 2 * (first[rows] @ second.T)
        squared[squared <= smallest] = 0.0
        found[rows] = np.sqrt(squared)
    return found


def nearest(vectors: np.ndarray, pool: Iterable[np.ndarray]) -> np.ndarray:
    """The distance of each vector (N, D) to the nearest of a pool, which comes in blocks (m, D): (N,) float64.

    The nearest of a block is found in float32, and its distance computed again in float64, so that that of a copy is 0.
    """
    vectors = np.asarray(vectors, np.float64)
    rounded, smallest = vectors.astype(np.float32), np.full(len(vectors), np.inf)
    for block in pool:
        few = block.astype(np.float32)
        found = (np.einsum("jd,jd->j", few, few) / 2 - rounded @ few.T).argmin(1)
        smallest = np.minimum(smallest, np.linalg.norm(vectors - block[found], axis=1))
    return smallest

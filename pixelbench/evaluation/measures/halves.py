"""Standard errors of measures, by random halves.

The bootstrap draws images again and again, and a repeated image is its own nearest neighbour at distance 0, so that every measure by
neighbours is far off. Halves that are drawn without repetition have no such images; the deviation of a number over halves of n images is
that of the number itself, as for a mean: the delete-d jackknife with d = n / 2 (Shao and Wu 1989).
"""

from collections.abc import Callable, Mapping

import numpy as np

from pixelbench.evaluation.measures.compared import NEIGHBOURS, Compared

#: Halves that are drawn: a standard error is then known to a ninth of itself.
HALVES = 40
#: So few images cannot be halved.
LEAST = 4 * (NEIGHBOURS + 1)


def standard_errors(sets: Compared, functions: Mapping[str, Callable[[Compared], float | None]], seed: int) -> dict[str, float | None]:
    """The standard error of each function of two sets, over other samples and other real images.

    Images of one unit are kept or left out together, since they are not independent.

    Args:
        sets: at least `LEAST` images a side.
        functions: by name.
        seed: of the halves.

    Returns:
        By name; None where the number is undefined in more than half of them.
    """
    chance, found = np.random.default_rng(seed), {name: [] for name in functions}
    for _ in range(HALVES):
        part = sets.subset(*(_half(units, chance) for units in sets.units))
        for name, function in functions.items():
            value = function(part)
            if value is not None:
                found[name].append(value)
    return {name: float(np.std(values)) if 2 * len(values) > HALVES else None for name, values in found.items()}


def _half(units: np.ndarray, chance: np.random.Generator) -> np.ndarray:
    """The indices of the images of half of the units; of one unit alone, half of the images."""
    names = np.unique(units)
    if len(names) < 2:
        return np.sort(chance.permutation(len(units))[: len(units) // 2])
    odd = int(chance.integers(2)) if len(names) % 2 else 0  # of seven, three or four
    kept = chance.permutation(names)[: len(names) // 2 + odd]
    return np.flatnonzero(np.isin(units, kept))

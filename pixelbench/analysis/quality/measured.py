"""Which of a cell's measurements of samples is shown."""

from collections import Counter
from collections.abc import Sequence

from pixelbench.store.cells import Cell
from pixelbench.store.documents.measurements import Measurement

#: Feature sets in the order in which one of several is shown beside likelihoods; those of other packages come last.
PREFERRED = ("classifier", "random-conv", "pixels")


def preferred(cell: Cell, features: str | None = None) -> Measurement | None:
    """The measurement of a cell that is shown beside its likelihood: in `features` where it has that."""
    names = _features_of(cell)
    found = measurement_of(cell, features if features in names else names[0]) if names else None
    return None if found is None else found[0]


def shared_features(cells: Sequence[Cell]) -> str | None:
    """The feature set in which most of these cells were measured, of several the preferred one: in it they can be held together."""
    counts = Counter(name for cell in cells for name in _features_of(cell))
    return min(counts, key=lambda name: (-counts[name], preference(name)), default=None)


def _features_of(cell: Cell) -> list[str]:
    return sorted({one.features for run in cell.runs for one in run.stored.measured if not run.doubts}, key=preference)


def measurement_of(cell: Cell, features: str) -> tuple[Measurement, str] | None:
    """Of the lowest measured seed of a cell the measurement with most images, and its run's key."""
    for run in cell.runs:
        found = [one for one in run.stored.measured if one.features == features]
        if found and not run.doubts:
            return max(found, key=lambda one: (one.rules, one.n, -one.seed)), run.key
    return None


def preference(features: str) -> tuple[int, str]:
    """By what feature sets are put in order."""
    return (PREFERRED.index(features) if features in PREFERRED else len(PREFERRED)), features

"""Which of a cell's measurements of samples is shown."""

from pixelbench.store.cells import Cell
from pixelbench.store.documents.measurements import Measurement

#: Feature sets in the order in which one of several is shown beside likelihoods; those of other packages come last.
PREFERRED = ("classifier", "random-conv", "pixels")


def preferred(cell: Cell) -> Measurement | None:
    """The measurement of a cell that is shown beside its likelihood."""
    names = sorted({one.features for run in cell.runs for one in run.stored.measured}, key=preference)
    found = measurement_of(cell, names[0]) if names else None
    return None if found is None else found[0]


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

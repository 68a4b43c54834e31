"""The runs that are held against a published figure as plain values, and why the two may not speak of the same thing."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from pixelbench.data.task import Binarisation
from pixelbench.published.figures import Figure
from pixelbench.store.record import is_bound

#: An interval that ends where the band ends is inside; so much is rounding.
ROUNDING = 1e-9


@dataclass(frozen=True)
class Measured:
    """The runs of one cell."""

    values: tuple[float, ...]
    """Means over the split, one a seed that decides, in the figure's unit."""
    unit: str
    estimator: str
    split: str
    """By the name that the papers give these images."""
    task: str
    n_images: int
    limited: bool
    """Not all images of the split were scored."""
    budget: str
    """Of the suite's row that the cell is."""
    causality: str
    """`complete`, `partial`, `leaky` or `unchecked`, of the narrow copy's map."""
    probed: int | None
    """Sub-pixels of the trained model at which a leak was looked for; None where it was not."""
    binarisation: Binarisation | None = None
    conditional: bool = False
    consistent: bool = True
    """Bits/dim and nats of the records are the same number."""
    updates: int | None = None
    whole_budget: str = "paper"
    """The budget at which a verdict can fall."""
    wanted: int = 3
    """How many seeds decide: 0 to `wanted` - 1, whatever else is stored."""
    seeds: tuple[int, ...] | None = None
    """Of the values; None: 0, 1, …"""
    lacking: tuple[str, ...] = ()
    """Why some of the seeds that decide have no value: `seed 1 is not stored`."""
    diverged: tuple[int, ...] = ()
    """The seeds that decide and did not train."""
    published_images: int | None = None
    """Of the split, as papers score it, where known."""
    required_positions: int = 16
    """Sub-pixels of the trained model at which a leak must be looked for."""
    other_row: tuple[str, ...] = ()
    """Why the cell is not the row of the suite that the figure is about; empty where it is."""
    remarks: tuple[str, ...] = ()
    """Whole sentences that stand behind any verdict."""

    @property
    def mean(self) -> float:
        return float(np.mean(self.values))

    @property
    def of_seeds(self) -> str:
        """`seed 0`, `seeds 0 to 2`, `seeds 0, 2`: those of the values."""
        return seed_list(range(len(self.values)) if self.seeds is None else self.seeds)


def reasons_against(figure: Figure, measured: Measured) -> list[str]:
    """Why the two cannot be held against each other: only what is known to differ."""
    published, ours = split_of(figure.split), split_of(measured.split)
    reasons = dict.fromkeys(measured.other_row, True) | {
        f"a figure in {figure.unit} has no tolerance": figure.band is None,
        f"the published unit is {figure.unit}, ours {measured.unit}": figure.unit != measured.unit,
        "bits/dim and nats of the records contradict each other": not measured.consistent,
        "images that were trained or selected on are no test": bool({"selection", "train"} & {published, ours}),
        f"the published images are '{figure.split}', ours '{measured.split}'": published not in (None, ours),
        f"the published images are task {figure.task}, ours {measured.task}": figure.task != measured.task,
        f"the published split has {measured.published_images or 0:,} images, ours {measured.n_images:,}": (
            measured.published_images is not None and measured.n_images > measured.published_images
        ),
        f"the published binarisation is {figure.binarisation}, ours {measured.binarisation or 'none'}": (
            figure.binarisation not in (None, "any", measured.binarisation)
        ),
        f"the class of each image is given {'to the published model only' if figure.conditional else 'to ours only'}": (
            figure.conditional != measured.conditional
        ),
        estimators(figure, measured): not (same_estimator(figure, measured) or _better_all_the_same(figure, measured)),
    }
    return [reason for reason, holds in reasons.items() if holds]


def split_of(words: str) -> str | None:
    """`test`, `validation`, `train`; `selection` where choices were made on it; None where not stated; else the words themselves."""
    said = " ".join(words.lower().split())
    if "selection" in said or "selected" in said:
        return "selection"
    if not said or said.startswith("not stated"):
        return None
    return next((name for name in ("test", "validation", "train") if re.match(rf"{name}\b", said)), said)


def estimators(figure: Figure, measured: Measured) -> str:
    """`the published value is exact, ours a bound (ELBO)`"""
    return f"the published value is {estimator_in_words(figure.estimator)}, ours {estimator_in_words(measured.estimator)}"


def same_estimator(figure: Figure, measured: Measured) -> bool:
    """Also where the paper does not say which, or not which bound."""
    if is_vague(figure):
        return is_bound(measured.estimator) and not (figure.estimator == "iwae" and measured.estimator == "elbo")
    return figure.estimator == measured.estimator or (figure.estimator == "" and _samples(measured.estimator) is not None)


def is_vague(figure: Figure) -> bool:
    """Whether it is a bound, and it is not known by which estimator, or by how many importance samples."""
    return figure.estimator in ("bound", "iwae") or (figure.bound and figure.estimator in ("", "exact"))


def _better_all_the_same(figure: Figure, measured: Measured) -> bool:
    """Whether ours is a looser bound, which can only be too high, and lower than the band nevertheless."""
    published, ours = _samples(figure.estimator), _samples(measured.estimator)
    if is_vague(figure) or published is None or ours is None or figure.band is None:
        return False
    return ours < published and measured.mean < figure.value - figure.band - ROUNDING


def _samples(estimator: str) -> float | None:
    """How tight an estimator is: its number of importance samples, endless where exact; None of anything else."""
    if estimator == "exact":
        return float("inf")
    if estimator == "elbo":
        return 1.0
    found = re.fullmatch(r"iwae-(\d+)", estimator)
    return float(found[1]) if found else None


def estimator_in_words(name: str) -> str:
    """`a bound (ELBO)`"""
    if name.startswith("iwae-"):
        return f"a bound by {name.removeprefix('iwae-')} importance samples"
    return {
        "": "of an unknown estimator",
        "iwae": "a bound by importance samples",
        "elbo": "a bound (ELBO)",
        "code-length": "a code length",
    }.get(name, name)


def seeds_in_words(n: int) -> str:
    """`1 seed`, `3 seeds`"""
    return f"{n} seed{'' if n == 1 else 's'}"


def seed_list(seeds: Iterable[int]) -> str:
    """`seed 0`, `seeds 0 to 2`, `seeds 0, 2`"""
    numbers = sorted(seeds)
    if len(numbers) == 1:
        return f"seed {numbers[0]}"
    whole = len(numbers) > 2 and numbers == list(range(numbers[0], numbers[-1] + 1))
    return f"seeds {f'{numbers[0]} to {numbers[-1]}' if whole else ', '.join(map(str, numbers))}"

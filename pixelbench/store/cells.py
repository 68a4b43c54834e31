"""Stored runs as a report sees them, and the cells they form: what was asked for, but for the seed."""

import math
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from pixelbench.data import usual_digest
from pixelbench.statistics import PooledVariance, pooled_variance
from pixelbench.store.artifacts import SAMPLES
from pixelbench.store.record import CausalStatus, Likelihood, Record, is_bound
from pixelbench.store.scan import Scan, StoredRun
from pixelbench.units import bits_to_nats

#: Where a record has a status, of a run whose number is not believed.
NOT_BELIEVED = "does not add up"
#: What a cell is certified as, worst first: it is no better certified than its worst run.
CERTAINTY: tuple[CausalStatus, ...] = ("leaky", "unchecked", "partial", "complete")
#: Bits/dim of seeds that are no farther apart are one number, rounded otherwise.
_ROUNDING = 1e-6


@dataclass(frozen=True)
class Run:
    """One stored run."""

    stored: StoredRun

    @property
    def folder(self) -> Path:
        return self.stored.folder

    @property
    def record(self) -> Record:
        return self.stored.record

    @property
    def doubts(self) -> tuple[str, ...]:
        """Why its number is not believed; empty where the run adds up."""
        return self.stored.doubts

    @property
    def key(self) -> str:
        return self.record.run_key

    @property
    def task(self) -> str:
        return self.record.task.name

    @property
    def data(self) -> tuple[Any, ...]:
        """The identity of its test images among others of the same name: name, digest, shape and levels.

        Rows that are trained on more of the images are held against each other, since they score the same ones.
        """
        task = self.record.task
        return task.name, usual_digest(task.name, task.digest), *task.shape, task.levels

    @property
    def variant(self) -> str:
        return self.record.variant.name

    @property
    def family(self) -> str:
        return self.record.variant.family

    @property
    def seed(self) -> int:
        return self.record.seed

    @property
    def updates(self) -> int:
        return self.record.budget.updates

    @property
    def done(self) -> bool:
        return self.record.status == "done"

    @property
    def end(self) -> str:
        """The record's status, or that it is not believed."""
        return NOT_BELIEVED if self.doubts else self.record.status

    @property
    def leaky(self) -> bool:
        return self.record.leaky

    @cached_property
    def nats(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Per test image: negative log-likelihood in nats (N,) float64, and the unit it was cut from (N,). None where not kept."""
        return None if self.doubts else self.stored.nats()


@dataclass(frozen=True)
class Cell:
    """The runs of one task and variant that differ in nothing but the seed, in the order of their seeds.

    `label` is the variant's name, with the budget, what else differs, or the run key behind it where two cells of a task would read the
    same. `task` is the task's name, with the digest behind it where the store has several sets of images of that name: these are never
    compared.
    """

    label: str
    task: str
    runs: tuple[Run, ...]
    seed_variance: PooledVariance | None = None
    """Of bits/dim over seeds, pooled over the cells of this task and number of updates in which no leak was found: of the trained ones
    where it is trained, of the fitted ones that seeds move where it is one of them."""

    @property
    def shown_run(self) -> Run:
        """The run whose samples stand for the cell: the lowest seed that has any, or the lowest."""
        return next((run for run in self.runs if run.stored.artifact(SAMPLES)), self.runs[0])

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.runs[0].record.task.shape

    @property
    def levels(self) -> int:
        return self.runs[0].record.task.levels

    @property
    def unit(self) -> str:
        """What papers give the likelihoods of such images in: of two levels nats for a whole image, else bits/dim."""
        return "nats/image" if self.levels == 2 else "bits/dim"

    def in_unit(self, bits: float) -> float:
        """Bits/dim in `unit`."""
        return bits * bits_to_nats(math.prod(self.shape)) if self.unit == "nats/image" else bits

    @property
    def family(self) -> str:
        return self.runs[0].family

    @property
    def settings(self) -> dict[str, Any]:
        return self.runs[0].record.variant.settings

    @property
    def expected(self) -> str:
        return self.runs[0].record.expect

    @property
    def leaky(self) -> bool:
        """One leaking seed is enough: the fault is the architecture's."""
        return any(run.leaky for run in self.runs)

    @property
    def causality(self) -> CausalStatus:
        """A leak in any run, else the worst of those that have a number; where none has, of those that add up."""
        counting = self.scored or [run for run in self.runs if not run.doubts]
        statuses: set[CausalStatus] = {"leaky"} if self.leaky else {run.record.causality.status for run in counting}
        return min(statuses, key=CERTAINTY.index) if statuses else "unchecked"

    @property
    def scored(self) -> list[Run]:
        """The runs that came to their end, have a likelihood, and add up."""
        return [run for run in self.runs if run.done and run.record.likelihood and not run.doubts]

    @property
    def likelihoods(self) -> list[Likelihood]:
        """Of the scored runs."""
        return [run.record.likelihood for run in self.scored if run.record.likelihood]

    @property
    def estimator(self) -> str | None:
        """Of its likelihoods; of several the one that says least, so that no bound is taken for an exact value."""
        return max((score.estimator for score in self.likelihoods), key=_vagueness, default=None)

    @property
    def comparable(self) -> bool:
        """Whether its likelihood may be ranked and compared: exact, of the image alone, and of a model in which no leak was found."""
        return not self.leaky and self.estimator == "exact" and not self.conditional

    @property
    def conditional(self) -> bool:
        """Whether the model is conditional on the class of each test image, so that its likelihood is of another thing."""
        return self.settings.get("condition", "none") != "none"

    @property
    def bound(self) -> bool:
        """Whether its numbers are upper bounds of what the model needs."""
        return is_bound(self.estimator)

    def mean(self, section: str, name: str) -> float | None:
        """Mean over the scored runs of a number of their records, or None where no run has it."""
        sections = [getattr(run.record, section) for run in self.scored]
        values = [value for part in sections if part is not None and (value := getattr(part, name)) is not None]
        return float(np.mean(values)) if values else None

    def statistic(self, name: str, *, of: str = "statistics") -> float | None:
        """Mean over the scored runs of a sample statistic; `of="real"` gives the real test images'."""
        samples = [run.record.samples for run in self.scored if run.record.samples]
        values = [value for sample in samples if (value := getattr(sample, of).get(name)) is not None]
        return float(np.mean(values)) if values else None

    @property
    def trained(self) -> bool:
        """Whether gradients made its weights, so that another seed gives other numbers."""
        return self.runs[0].record.trained

    @property
    def by_chance(self) -> bool:
        """Whether another seed gives other numbers: where it is trained, or fitted from a random start, as a mixture is by what its seeds
        show."""
        bits = [score.bits_per_dim for score in self.likelihoods]
        return self.trained or (len(bits) > 1 and max(bits) - min(bits) > _ROUNDING)

    @cached_property
    def nats(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Nats of the test images, a row a scored seed (S, N), and the unit that each image comes from (N,). None where a run kept none or
        scored other images."""
        kept = [run.nats for run in self.scored]
        if not kept or any(arrays is None for arrays in kept):
            return None
        arrays = [pair for pair in kept if pair is not None]
        clusters = arrays[0][1]
        if any(not np.array_equal(clusters, other) for _, other in arrays):
            return None
        return np.stack([nats for nats, _ in arrays]), clusters

    def same_request_as(self, other: "Cell") -> bool:
        """Whether images, recipe, updates and evaluation are the same, so that only the networks can differ."""
        mine, its = self.runs[0], other.runs[0]
        same = mine.record.recipe == its.record.recipe and mine.record.evaluation == its.record.evaluation
        return same and mine.data == its.data and mine.updates == its.updates

    def differs_only_in(self, other: "Cell", setting: str, value: object) -> bool:
        """Whether `other` is this cell with `setting` put to `value` and everything else the same."""
        settings = {**self.settings, setting: value}
        return self.family == other.family and settings == other.settings != self.settings and self.same_request_as(other)


def load_runs(found: Scan, keys: Collection[str] | None = None) -> list[Run]:
    """The runs of a store, or those of `keys` (a suite is a view on the store), ordered by task, variant, seed and key."""
    runs = [Run(stored) for key, stored in found.items() if keys is None or key in keys]
    return sorted(runs, key=lambda run: (run.task, run.variant, run.seed, run.key))


def cells_of(runs: list[Run]) -> list[Cell]:
    """Group runs that differ in nothing but the seed and were executed by code that computes the same; names are no difference."""
    groups: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        groups.setdefault((run.record.spec.cell_key, run.record.code), []).append(run)
    kin: dict[tuple[Any, ...], list[Run]] = {}
    for first, *_ in groups.values():
        kin.setdefault((first.data, first.variant), []).append(first)
    labels = {first.key: label for namesakes in kin.values() for first, label in zip(namesakes, _labels(namesakes), strict=True)}
    data = {of_run for of_run, _ in kin}
    return _with_seed_variance([Cell(labels[group[0].key], _task(group[0], data), tuple(group)) for group in groups.values()])


def _with_seed_variance(cells: list[Cell]) -> list[Cell]:
    """Nets of one task and budget are moved by their seeds about alike, so that one with a single seed can borrow from the others."""
    alike: dict[tuple[Any, ...], list[Cell]] = {}
    for cell in cells:
        if cell.by_chance:
            alike.setdefault((cell.runs[0].data, cell.runs[0].updates, cell.trained), []).append(cell)
    pools: dict[int, PooledVariance | None] = {}
    for members in alike.values():
        pool = pooled_variance([[score.bits_per_dim for score in cell.likelihoods] for cell in members if not cell.leaky])
        pools |= {id(cell): pool for cell in members}
    return [replace(cell, seed_variance=pools.get(id(cell))) for cell in cells]


def _task(run: Run, data: set[tuple[Any, ...]]) -> str:
    namesakes = [other for other in data if other[0] == run.task]
    return run.task if len(namesakes) == 1 else f"{run.task} (digest {run.data[1][:12]})"


def _labels(namesakes: list[Run]) -> list[str]:
    """A label for each of the cells that these runs are the first of, by what tells it from all others of its variant's name."""
    if len(namesakes) == 1:
        return [namesakes[0].variant]
    labels: dict[int, str] = {}
    for differing in (_budgets, _settings, _recipes, _evaluations, _codes):
        said = differing(namesakes)
        counts = Counter(said)
        for index, (run, words) in enumerate(zip(namesakes, said, strict=True)):
            if words and counts[words] == 1:
                labels.setdefault(index, f"{run.variant} ({words})")
    for index, run in enumerate(namesakes):
        labels.setdefault(index, f"{run.variant} ({run.record.budget.name}, {run.key[:6]})")
    return [labels[index] for index in range(len(namesakes))]


def _budgets(runs: list[Run]) -> list[str]:
    same = len({run.updates for run in runs}) == 1
    return ["" if same else run.record.budget.name for run in runs]


def _settings(runs: list[Run]) -> list[str]:
    return _differing([run.record.variant.settings for run in runs])


def _recipes(runs: list[Run]) -> list[str]:
    return _differing([run.record.spec.recipe for run in runs])


def _evaluations(runs: list[Run]) -> list[str]:
    return _differing([run.record.spec.evaluation for run in runs])


def _codes(runs: list[Run]) -> list[str]:
    """Of other code only where all that was asked for is the same."""
    same = len({run.record.code for run in runs}) == 1
    return ["" if same else f"code {run.record.code}" for run in runs]


def _differing(given: list[dict[str, Any]]) -> list[str]:
    """`learning_rate 0.002`: of each the entries in which not all agree."""
    names = dict.fromkeys(name for values in given for name in values)
    differing = {name for name in names if any(values.get(name) != given[0].get(name) for values in given)}
    return [", ".join(f"{name} {value}" for name, value in values.items() if name in differing) for values in given]


def _vagueness(estimator: str) -> tuple[int, int]:
    """Exact values first, then code lengths, then bounds: the more importance samples, the tighter."""
    if is_bound(estimator):
        return 2, -int(estimator.partition("-")[2] or 1)
    return int(estimator == "code-length"), 0

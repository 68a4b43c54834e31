"""The real images of a task that samples are held against, with the floor and the controls that every measure stands between."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from pixelbench.data import Task
from pixelbench.errors import UserError
from pixelbench.evaluation import quality
from pixelbench.evaluation.features import FeatureSet
from pixelbench.evaluation.measures import MEASURES, Control, Value, registry
from pixelbench.evaluation.measures.compared import Compared, ImageSet
from pixelbench.evaluation.measures.distances import nearest
from pixelbench.evaluation.measures.halves import LEAST, standard_errors
from pixelbench.evaluation.measures.registry import CONTROLS, Function
from pixelbench.evaluation.quality import STATISTICS
from pixelbench.experiments.measuring.drawing import Progress
from pixelbench.models.families import create_model
from pixelbench.training.redraw import redraw
from pixelbench.training.seeding import derive, generator

#: Training images that are looked through at once.
_BLOCK = 5000


@dataclass(frozen=True)
class Measured:
    """Values by name, and the seconds that they took."""

    values: dict[str, Value]
    seconds: float


class RealImages:
    """Of one task, feature set, number and seed. What is computed of them is kept for the next run.

    The reference are `n` images that no training sees, validation and test together. The floor are `n` training images, held against it
    as if a model had drawn them, without themselves among the training images.

    Args:
        task: with the split that the run was trained on.
        features: of its images.
        requested: how many images are wanted; there are fewer where the task has not so many.
        seed: of which are taken.

    Raises:
        UserError: the task's images are not there, or too few.
    """

    def __init__(self, task: Task, features: FeatureSet, requested: int, seed: int) -> None:
        if said := task.missing():
            raise UserError(said)
        data = task.load()
        self.task, self.features = task, features
        self._train = data.train.images
        if task.redrawn:
            self._train = redraw(torch.from_numpy(self._train), generator(seed, "measured pixels")).numpy()
        held = np.concatenate([data.test.images, data.validation.images])
        units = task.unit_of(np.concatenate([data.test.clusters, data.validation.clusters]))
        self.n = min(requested, len(held), len(self._train) // 2)
        if self.n < LEAST:
            raise UserError(
                f"Measures need at least {LEAST} images that no training sees and as many to train on; '{task.name}' has too few."
            )
        self._seed = derive(seed, "measured real images")
        chance = np.random.default_rng(self._seed)
        chosen, self._floor = chance.permutation(len(held))[: self.n], chance.permutation(len(self._train))[: self.n]
        self._copied = chance.permutation(len(self._train))[: self.n]
        self.reference = self.image_set(held[chosen], units[chosen])
        self._train_units = task.unit_of(data.train.clusters)
        self._known: dict[str, dict[str, Value]] = {}

    def image_set(self, images: np.ndarray, units: np.ndarray | None = None) -> ImageSet:
        """Images (N, C, H, W) with features and distances to the training images; each a unit of its own if none are given."""
        return ImageSet(images, *self._described(images), np.arange(len(images)) if units is None else units)

    def measure(self, images: ImageSet, names: Sequence[str]) -> Measured:
        """Measures and statistics of images beside the reference, by name, with their errors."""
        began = time.monotonic()
        sets, functions = Compared(images, self.reference, self.task.levels), {name: _function(name) for name in names}
        values = {name: function(sets) for name, function in functions.items()}
        errors = standard_errors(sets, {name: functions[name] for name, value in values.items() if value is not None}, self._seed)
        found = {name: Value(value, errors.get(name)) for name, value in values.items()}
        return Measured(found, time.monotonic() - began)

    def floor(self, names: Sequence[str], progress: Progress) -> dict[str, Value]:
        """The values of real images."""
        return self._kept("real images", names, progress)

    def controls(self, names: Sequence[str], progress: Progress) -> dict[Control, dict[str, Value]]:
        """The values of images that are wrong in a known way."""
        return {control: self._kept(control, names, progress) for control in CONTROLS}

    def statistics(self, names: Sequence[str]) -> dict[str, Value]:
        """The statistics of the reference itself, of those among the names that are statistics."""
        return self.measure(self.reference, [name for name in names if name in STATISTICS]).values

    def _kept(self, which: str, names: Sequence[str], progress: Progress) -> dict[str, Value]:
        known = self._known.setdefault(which, {})
        missing = [name for name in names if name not in known]
        if missing:
            progress(f"measuring {which}", 0, 1)
            known |= self.measure(self._sets[which](), missing).values
        return {name: known[name] for name in names}

    @cached_property
    def _sets(self):
        """Floor and controls, by name, each computed when it is first asked for."""
        return {
            "real images": self._floor_set,
            "independent-pixels": self._independent_pixels,
            "copies": lambda: self._copies(self._train[self._copied]),
            "repeated": lambda: self._copies(np.repeat(self._train[self._copied[:1]], self.n, axis=0)),
        }

    def _floor_set(self) -> ImageSet:
        images = self._train[self._floor]
        to_train = nearest(self._flat(images), self._blocks(without=self._floor))
        return ImageSet(images, self.features.extract(images, self.task.levels), to_train, self._train_units[self._floor])

    def _copies(self, images: np.ndarray) -> ImageSet:
        features = self.features.extract(images, self.task.levels)
        return ImageSet(images, features, np.zeros(len(images)), np.arange(len(images)))

    def _independent_pixels(self) -> ImageSet:
        """Draws of the histogram baseline, which counts the training images."""
        channels, height, width = self.task.shape
        model = create_model("histogram", channels=channels, height=height, width=width, levels=self.task.levels)
        model.fit(torch.from_numpy(self._train))
        return self.image_set(model.sample(self.n, generator=generator(self._seed, "independent pixels")).numpy())

    def _described(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self.features.extract(images, self.task.levels), nearest(self._flat(images), self._blocks())

    def _blocks(self, without: np.ndarray | None = None) -> Iterator[np.ndarray]:
        """The training images as vectors, in blocks."""
        left = np.ones(len(self._train), bool)
        if without is not None:
            left[without] = False
        for begin in range(0, len(self._train), _BLOCK):
            block = self._train[begin : begin + _BLOCK][left[begin : begin + _BLOCK]]
            if len(block):
                yield self._flat(block)

    def _flat(self, images: np.ndarray) -> np.ndarray:
        """(N, D) float32 of 0 … 1."""
        return images.reshape(len(images), -1).astype(np.float32) / np.float32(self.task.levels - 1)


def _function(name: str) -> Function:
    """A measure, or a statistic of the samples alone."""
    if name in MEASURES:
        measure = MEASURES[name]
        return lambda sets: registry.value_of(measure, sets)
    statistic = STATISTICS[name]
    return lambda sets: quality.value_of(statistic, sets.sample_images, sets.levels)

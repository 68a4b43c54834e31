"""Measures a stored run: draws from its weights and holds the samples against real images."""

import hashlib
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version

import numpy as np

from pixelbench import __version__
from pixelbench.data import get_task
from pixelbench.errors import UserError, unknown
from pixelbench.evaluation.features import FEATURES, feature_set
from pixelbench.evaluation.measures import MEASURES
from pixelbench.evaluation.quality import STATISTICS
from pixelbench.experiments import stages
from pixelbench.experiments.measuring.drawing import Drawing, Progress, draw_many
from pixelbench.experiments.measuring.real import RealImages
from pixelbench.experiments.stored import load_run, weights_path
from pixelbench.models.base import AutoregressiveModel
from pixelbench.models.families import get_family
from pixelbench.store.artifacts import WEIGHTS
from pixelbench.store.documents.measurements import Measurement
from pixelbench.store.scan import StoredRun

#: Rises when a measure or what it is measured on changes, so that values of two versions are never held against each other.
RULES = 1
#: A model without the incremental mode draws a whole forward a sub-pixel, so it draws fewer, and the errors are wider.
MOST_NAIVE = 250
#: Families that are fitted again where no weights are kept. A mixture of Bernoullis is fitted too, and takes minutes.
_COUNTED = ("histogram", "uniform")


@dataclass
class Measuring:
    """The measuring of several runs with the same settings; real images are prepared once for all runs of a task.

    `names`: measures and statistics. `n`: images a run. `seed`: of drawing and of real images.
    """

    names: Sequence[str]
    n: int = 1000
    seed: int = 0
    progress: Progress = lambda what, done, total: None
    _real: dict[tuple[object, ...], RealImages] = field(default_factory=dict)

    def measure(self, run: StoredRun, features: Sequence[str]) -> list[Measurement]:
        """One measurement a feature set, all of the same samples.

        Raises:
            UserError: there is nothing to draw from, or the task's images or features are not there.
        """
        if said := refusal(run):
            raise UserError(said)
        model = _model(run)
        method = method_of(run, model)
        requested = min(self.n, MOST_NAIVE) if method == "naive" else self.n
        real = [self._real_images(run, name, requested) for name in features]
        began = time.monotonic()
        images = draw_many(model, real[0].n, self.seed, method, self.progress)
        seconds = time.monotonic() - began
        return [self._measured(one, images, method, seconds) for one in real]

    def _measured(self, real: RealImages, images: np.ndarray, method: Drawing, draw_seconds: float) -> Measurement:
        self.progress(f"measuring in {real.features.name}", len(images), len(images))
        floor, controls = real.floor(self.names, self.progress), real.controls(self.names, self.progress)
        began = time.monotonic()
        values = real.measure(real.image_set(images), self.names).values
        return Measurement(
            features=real.features.name,
            features_digest=real.features.digest,
            requested=self.n,
            n=real.n,
            seed=self.seed,
            method=method,
            values=values,
            floor=floor,
            controls=controls,
            reference=real.statistics(self.names),
            draw_seconds=round(draw_seconds, 3),
            measure_seconds=round(time.monotonic() - began, 3),
            rules=RULES,
            versions={"pixelbench": __version__, "python": platform.python_version(), **{one: version(one) for one in ("torch", "numpy")}},
        )

    def _real_images(self, run: StoredRun, features: str, requested: int) -> RealImages:
        task = get_task(run.record.task.name).with_split(run.record.spec.split)
        if task.digest != run.record.task.digest:
            raise UserError(f"The images of task '{task.name}' are others now than those that run {run.record.run_key} was trained on.")
        key = (task.name, task.digest, requested)
        if not any(known[:3] == key for known in self._real):
            self._real.clear()  # one task at a time, since its matrices are large
        if (*key, features) not in self._real:
            self.progress("preparing real images", 0, 1)
            self._real[*key, features] = RealImages(task, feature_set(features, task), requested, self.seed)
        return self._real[*key, features]

    def outstanding(self, run: StoredRun, features: Sequence[str], *, rerun: bool = False) -> tuple[list[str], list[str]]:
        """The feature sets in which a run is not measured yet with these settings, and a sentence for each that its images do not have.

        `rerun`: all that they have.

        Raises:
            UserError: no such task.
        """
        task, missing, reasons = get_task(run.record.task.name), [], []
        for name in features:
            try:
                found = feature_set(name, task)
            except UserError as error:
                reasons.append(str(error))
                continue
            settings = (found.name, found.digest, self.n, self.seed, RULES)
            known = next((one for one in run.measured if one.settings == settings), None)
            if rerun or known is None or not set(self.names) <= set(known.values):
                missing.append(name)
        return missing, reasons


def measurable(names: Sequence[str]) -> list[str]:
    """Names of measures and statistics, all of them where none are given.

    Raises:
        UserError: one is neither; the message names the nearest.
    """
    known = [*MEASURES.usable()[0], *STATISTICS.usable()[0]]
    for name in names:
        if name not in known:
            raise unknown("measure or statistic", name, known)
    return list(dict.fromkeys(names)) or known


def feature_names(text: str) -> list[str]:
    """`pixels,random-conv` → both names.

    Raises:
        UserError: one is none; the message names the nearest.
    """
    names = list(dict.fromkeys(name.strip() for name in text.split(",")))
    for name in names:
        if name not in FEATURES:
            raise unknown("feature set", name, FEATURES)
    return names


def refusal(run: StoredRun) -> str | None:
    """Why a run has no samples to measure, whatever is there of its task; None where it has."""
    record = run.record
    name = f"{record.task.name}/{record.variant.name} seed {record.seed}"
    if record.status != "done":
        return f"{name} ended as {record.status}."
    if run.doubts:
        return f"{name} does not add up: {run.doubts[0]}."
    if get_family(record.variant.family).kind == "codec":
        return f"{name} is a lossless image format, which draws nothing."
    if not _fitted_again(run) and not weights_path(run.folder).is_file():
        return f"The weights of {name} are not in this results folder."
    return None


def weights_digest(run: StoredRun) -> str | None:
    """SHA-256 of the run's weights' file; None of a baseline that is fitted again."""
    path = weights_path(run.folder)
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def method_of(run: StoredRun, model: AutoregressiveModel) -> Drawing:
    """As the run drew: `naive` of a model that leaks or has no incremental mode, `own` of a module whose own method was found right.

    Raises:
        UserError: a model that nothing draws from.
    """
    if run.record.samples is not None and run.record.samples.method == "own":
        return "own"
    if not model.factorised:
        raise UserError(f"{run.record.spec.label} has a likelihood and nothing that draws from it.")
    return "naive" if run.record.leaky or model.leaks_by_design or not model.incremental else "cached"


def _fitted_again(run: StoredRun) -> bool:
    """Whether it is a baseline whose weights nobody kept, and which is counted from the training images in a second."""
    return run.record.variant.family in _COUNTED and WEIGHTS not in run.record.artifacts and weights_digest(run) is None


def _model(run: StoredRun) -> AutoregressiveModel:
    if not _fitted_again(run):
        return load_run(run)
    spec = run.record.spec
    task = get_task(spec.task["name"]).with_split(spec.split)
    if said := task.missing():
        raise UserError(said)
    model = stages.build(spec)
    stages.fit(model, task.load(), spec, redrawn=task.redrawn)
    return model.eval()

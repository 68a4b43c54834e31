"""The stages of one run, each a function of model and images: build, score, sample, and find what is wrong."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from pixelbench.causality import CausalityReport
from pixelbench.data import Split, TaskData
from pixelbench.errors import UserError, first_line
from pixelbench.evaluation.diagnosis import diagnose_samples
from pixelbench.evaluation.grids import grid_png
from pixelbench.evaluation.likelihood import SplitLikelihood, score, sequential_nats, summarise
from pixelbench.evaluation.quality import sample_statistics
from pixelbench.evaluation.sample_batches import affordable_images, sample_in_batches
from pixelbench.levels import integers_for
from pixelbench.models.base import AutoregressiveModel, Fitted, LatentVariable
from pixelbench.models.families import create_model
from pixelbench.models.sampling import Method
from pixelbench.store import record
from pixelbench.store.spec import RunSpec
from pixelbench.training.loop import Trainer, TrainingPlan
from pixelbench.training.recipe import Recipe
from pixelbench.training.redraw import redraw
from pixelbench.training.seeding import generator, seed_everything
from pixelbench.training.world import ALONE, World

if TYPE_CHECKING:
    from pixelbench.experiments.foreign.own_sampler import OwnSampler

#: How many images each block of the sample picture shows.
SHOWN = 16


def build(spec: RunSpec, **overrides: Any) -> AutoregressiveModel:
    """The run's freshly initialised model, on the CPU; `overrides` change settings, or `levels`."""
    seed_everything(spec.seed, "weights")
    requested = {name: spec.task[name] for name in ("channels", "height", "width", "levels")} | spec.settings
    return create_model(spec.family, **(requested | overrides))


def fit(model: AutoregressiveModel, data: TaskData, spec: RunSpec, *, redrawn: bool) -> None:
    """Count the training images of a fitted baseline; of a redrawn task, pixels that are drawn from its greys once.

    Raises:
        UserError: a family of the kind `fitted` whose network has no `fit`.
    """
    if not isinstance(model, Fitted):
        raise UserError(f"{type(model).__name__} has no fit(images), which a family of the kind 'fitted' needs.")
    images = torch.from_numpy(data.train.images)
    if redrawn:
        images = redraw(images, generator(spec.seed, "pixels"))
    model.fit(images)


def trainer(
    model: AutoregressiveModel,
    data: TaskData,
    spec: RunSpec,
    *,
    redrawn: bool,
    max_seconds: float | None = None,
    micro_batch: int | None = None,
    **hooks: Any,
) -> Trainer:
    """The training of a network as the run asks for it; `hooks` are those of `Trainer`: identity, accepts, save, stop, world."""
    train, validation = condition_of(model, data.train), condition_of(model, data.validation)
    return Trainer(
        model,
        torch.from_numpy(data.train.images),
        torch.from_numpy(data.validation.images),
        Recipe(**spec.recipe),
        TrainingPlan(spec.updates, spec.seed, max_seconds, micro_batch),
        redrawn=redrawn,
        conditions=None if train is None or validation is None else (train, validation),
        **hooks,
    )


@dataclass(frozen=True)
class Scores:
    """Test likelihood, its mean on validation images where there are any, and of a leaking model what its samples are worth."""

    test: SplitLikelihood
    validation_bits_per_dim: float | None
    sequential: SplitLikelihood | None
    estimator: str

    def to_record(self) -> tuple[record.Likelihood, record.Likelihood | None]:
        """The record's fields `likelihood` and `sequential`."""
        test = _recorded(self.test, self.estimator, self.validation_bits_per_dim)
        return test, None if self.sequential is None else _recorded(self.sequential, self.estimator)


def evaluate(
    model: AutoregressiveModel, data: TaskData, spec: RunSpec, *, leaky: bool, together: Callable[[], World] = lambda: ALONE
) -> Scores:
    """Score test once; a leaking model is scored in sequence as well, on as many images as the evaluation allows.

    `together`: calls the processes that share the images of the teacher-forced scores, where there are several.
    """
    sequential = None
    if leaky and not model.latent:  # of a bound it would be another quantity
        few = data.test[: spec.evaluation["sequential_images"]]
        nats = sequential_nats(model, torch.from_numpy(few.images), condition_of(model, few))
        sequential = summarise(nats, few.clusters, model.shape)
    test, validation = likelihoods(model, data, spec, together())
    estimator = model.estimator(spec.evaluation["importance_samples"])
    return Scores(test, None if validation is None else validation.bits_per_dim, sequential, estimator)


def likelihoods(
    model: AutoregressiveModel, data: TaskData, spec: RunSpec, world: World = ALONE
) -> tuple[SplitLikelihood, SplitLikelihood | None]:
    """The likelihood of test images, and of validation images where there are any; called by each process of `world`, the same in all."""
    with world.together():
        validation = _score(model, data.validation, spec, "validation likelihood", world) if len(data.validation) else None
        return score_test(model, data.test, spec, world), validation


def score_test(model: AutoregressiveModel, test: Split, spec: RunSpec, world: World = ALONE) -> SplitLikelihood:
    """The likelihood of test images as the run's record states it; of a bound, by the run's own draws."""
    return _score(model, test, spec, "test likelihood", world)


def condition_of(model: AutoregressiveModel, split: Split) -> Tensor | None:
    """The condition of the images, (N,) classes, for a model that needs it."""
    if not model.conditional:
        return None
    assert split.labels is not None, "a suite with a conditional model on a task without labels is refused when it is loaded"
    return torch.from_numpy(split.labels)


def classes_in_turn(model: AutoregressiveModel, n: int) -> Tensor | None:
    """(n,) classes 0, 1, … and again, for a model that needs a condition; the first k of them are those of k images."""
    return torch.arange(n) % model.settings.classes if model.conditional else None


def latent_use(model: AutoregressiveModel, data: TaskData) -> record.LatentUse | None:
    """How much the latents say of the test images, with several levels their sum and under `levels` each; None for a model without any.

    Raises:
        UserError: a network with `latent` that has no `latent_statistics`.
    """
    if not model.latent:
        return None
    if not isinstance(model, LatentVariable):
        raise UserError(f"{type(model).__name__} has no latent_statistics(images), which a network with latent = True needs.")
    found = model.latent_statistics(torch.from_numpy(data.test.images).to(model.device))
    parts = [found] if "kl" in found else list(found.values())
    each = tuple(kl for part in parts for kl in part["kl_per_dimension"])
    sums = {name: sum(part[name] for part in parts) for name in ("kl", "active_units", "dimensions")}
    return record.LatentUse(**sums, kl_per_dimension=each, levels=None if "kl" in found else found)


@dataclass(frozen=True)
class DrawnSamples:
    """Drawn images, what is measured on them and on real ones, and how much of them the initial canvas decided.

    `sampler`: what is known of the sampling method that a module has itself; None where it was not asked for.
    """

    images: np.ndarray
    from_random_canvas: np.ndarray | None
    method: str
    statistics: dict[str, float | None]
    real: dict[str, float | None]
    canvas_agreement: float | None
    sampler: str | None = None

    def to_record(self) -> record.Samples:
        """The record's field `samples`."""
        return record.Samples(
            method=self.method,
            n=len(self.images),
            statistics=self.statistics,
            real=self.real,
            canvas_agreement=self.canvas_agreement,
            sampler=self.sampler,
        )


def draw(
    model: AutoregressiveModel,
    test_images: np.ndarray,
    spec: RunSpec,
    *,
    leaky: bool,
    own: "OwnSampler | None" = None,
    most: int | None = None,
) -> DrawnSamples | None:
    """Samples for the statistics, and the canvas test: same generator, canvas of zeros against a random one, any difference is a leak.

    The cached sampler never looks at its canvas, so the canvas test takes the naive one: a single image where the model is causal, all
    of them where it leaks and can be sampled no other way. A causal model without the incremental mode is sampled naively too, but for one
    whose `own` sampling method was found right. None of a model without conditionals, unless its own method draws.

    `most`: at most so many images at once, but by a model's own method; None draws all, 0 as many as memory holds. They are the same.
    """
    if not model.factorised:
        return _drawn_by_itself(model, test_images, spec, own)
    most = affordable_images(model) if most == 0 else most
    n = spec.evaluation["sequential_images"] if leaky else spec.evaluation["samples"]
    tried = n if leaky else 1
    kind = getattr(torch, integers_for(model.levels))
    noise = torch.randint(model.levels, (tried, *model.shape), generator=generator(spec.seed, "canvas"), dtype=kind)

    def drawn(count: int, method: Method, canvas: Tensor | None = None) -> np.ndarray:
        condition, chance = classes_in_turn(model, count), generator(spec.seed, "samples")
        return sample_in_batches(model, count, most, condition=condition, generator=chance, method=method, canvas=canvas).cpu().numpy()

    blank, noisy = drawn(tried, "naive"), drawn(tried, "naive", noise)
    method: Method = "naive" if leaky or not model.incremental else "cached"
    by_itself, own = (None, own) if own is None or leaky or not own.right else _own_draws(model, n, spec, own)
    images = by_itself if by_itself is not None else blank if leaky else drawn(n, method)
    return DrawnSamples(
        images,
        noisy,
        method if by_itself is None else "own",
        sample_statistics(images, model.levels),
        sample_statistics(test_images, model.levels),
        float((blank == noisy).mean()),
        None if own is None else own.said(used=by_itself is not None),
    )


def _drawn_by_itself(model: AutoregressiveModel, test_images: np.ndarray, spec: RunSpec, own: "OwnSampler | None") -> DrawnSamples | None:
    """Of a model that nothing but its own method draws from; there is no canvas."""
    if own is None or not own.usable(model):
        return None
    images, own = _own_draws(model, spec.evaluation["samples"], spec, own)
    if images is None:
        return None
    measured = sample_statistics(images, model.levels), sample_statistics(test_images, model.levels)
    return DrawnSamples(images, None, "own", *measured, None, own.said(used=True))


def _own_draws(model: AutoregressiveModel, n: int, spec: RunSpec, own: "OwnSampler") -> "tuple[np.ndarray | None, OwnSampler]":
    """Images of a module's own method, or None where it fails at this size, and what is known of it then."""
    from pixelbench.experiments.foreign.own_sampler import own_draws
    from pixelbench.experiments.foreign.wrapped import OthersModel

    assert isinstance(model, OthersModel)
    try:
        drawn = own_draws(model, n, classes_in_turn(model, n), generator(spec.seed, "samples"))
    except Exception as error:  # whatever somebody's module does, its run is not lost
        return None, replace(own, verdict="differs", sentence=f"it failed on images of the real size: {first_line(error)}.")
    return drawn.numpy(), own


def picture(samples: DrawnSamples, model: AutoregressiveModel, test: Split, *, leaky: bool) -> bytes:
    """Real images beside samples, and for a leaking model beside samples that began on a random canvas; of classes, one column each."""
    classes = model.settings.classes if model.conditional else None
    shown = min(SHOWN if classes is None else classes * math.ceil(SHOWN / classes), len(samples.images))
    real = test.images[:shown] if classes is None else test.by_label().images[:shown]
    columns, said = (None, "") if classes is None else (min(classes, shown), f", a column a class from 0 to {min(classes, shown) - 1}")
    blocks = [("real test images", real), (f"samples{', canvas of zeros' if leaky else ''}{said}", samples.images[:shown])]
    if leaky and samples.from_random_canvas is not None:
        blocks.append((f"samples, random canvas{said}", samples.from_random_canvas[:shown]))
    return grid_png(blocks, model.levels, columns)


def find_faults(evidence: CausalityReport | None, scores: Scores, samples: DrawnSamples) -> tuple[record.Diagnosis, ...]:
    """The diagnoses by name, from what was measured: symptoms in the samples, causes in the dependence map that shows them.

    Args:
        evidence: the narrow copy's certificate, or where only the trained model leaks, that one's; None where there is no map.
    """
    later = [] if evidence is None else [(colour, seen) for colour, seen in evidence.colour_conditioning.items() if colour > 0]
    found = diagnose_samples(
        samples.statistics,
        samples.real,
        sees_itself=None if evidence is None else evidence.sees_itself,
        sees_same_pixel_colours=any(other < colour for colour, seen in later for other in seen) if later else None,
        canvas_agreement=samples.canvas_agreement,
        teacher_bits=scores.test.bits_per_dim,
        sequential_bits=scores.sequential.bits_per_dim if scores.sequential else None,
    )
    return tuple(record.Diagnosis(diagnosis.name, diagnosis.sentence) for diagnosis in found)


def limited(data: TaskData, spec: RunSpec) -> TaskData:
    """The run's validation and test images: a prefix, which covers every cluster since tasks deal them out in turn."""
    limits = spec.evaluation
    return TaskData(data.train, data.validation[: limits["validation_images"]], data.test[: limits["test_images"]])


def _score(model: AutoregressiveModel, split: Split, spec: RunSpec, purpose: str, world: World) -> SplitLikelihood:
    estimation: dict[str, Any] = {}
    if model.latent:
        draws = generator(spec.seed, purpose, model.device)
        estimation = {"generator": draws, "importance_samples": spec.evaluation["importance_samples"]}
    shared = {"turn": (world.rank, world.size), "add_up": world.add_up}
    return score(model, torch.from_numpy(split.images), split.clusters, condition_of(model, split), **shared, **estimation)


def _recorded(likelihood: SplitLikelihood, estimator: str, validation: float | None = None) -> record.Likelihood:
    return record.Likelihood(
        bits_per_dim=likelihood.bits_per_dim,
        bits_per_dim_se=likelihood.bits_per_dim_se,
        nats_per_image=likelihood.nats_per_image,
        estimator=estimator,
        n_images=likelihood.n_images,
        n_clusters=likelihood.n_clusters,
        validation_bits_per_dim=validation,
    )

"""The behaviour of the code in a few numbers: a miniature of its whole protocol, by the functions that the run itself goes through.

Stored results stay current while the code still gives the same numbers, whatever was renamed or moved. Of the fingerprint
(`pixelbench.store.behaviour` compares two of them)

- `numbers` are float64, equal to 1e-9 on any machine: training, likelihood, and rates, weights and losses late in the real training;
- `rough` are float32 and bfloat16, equal to 1e-4;
- `exact` are digests, counts and names;
- `libraries` are what a library decides, by its name and version: of no meaning beside another one.

Nothing of the protocol is written a second time here, or a change of the original would not be seen.
"""

import copy
import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import nn

from pixelbench.data import TaskData
from pixelbench.evaluation.codecs import as_mosaic, code_length_bits, encoder
from pixelbench.evaluation.likelihood import SplitLikelihood
from pixelbench.evaluation.quality import own_statistics
from pixelbench.experiments import stages
from pixelbench.experiments.verify.miniature import (
    SEED,
    VERSION,
    batches_of_two,
    double,
    is_redrawn,
    miniature,
    sheltered,
    tiny_images,
    training_images,
    with_own_schedules,
)
from pixelbench.models.base import AutoregressiveModel
from pixelbench.models.families import get_family
from pixelbench.models.scoring import largest_batch
from pixelbench.store.spec import RunSpec
from pixelbench.training.ema import ExponentialMovingAverage
from pixelbench.training.loop import CurvePoint, Trainer
from pixelbench.training.optimisers import learning_rate
from pixelbench.training.recipe import Recipe
from pixelbench.training.redraw import redraw
from pixelbench.training.seeding import BatchOrder, generator, seed_everything
from pixelbench.units import bits_per_dim, bits_to_nats

#: At how many updates of the real training its rates, shares and losses are looked at, and how many of its first batches are.
_LOOKS, _BATCHES = 20, 20
#: So many updates are made late in the real training, after this share of it: so late, and rates have not yet come down to nothing.
_LATE_UPDATES, _LATE = 3, 7 / 8
#: A generator of this seed gives a 0 among its first 16 uniform numbers: only there one can see whether a pixel of grey 0 could become 1.
_SEED_OF_A_ZERO = 1_753_191


@dataclass
class _Found:
    """The parts found so far, by name."""

    numbers: dict[str, list[float]] = field(default_factory=dict)
    rough: dict[str, list[float]] = field(default_factory=dict)
    exact: dict[str, Any] = field(default_factory=dict)
    libraries: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The groups; a part with numbers that JSON has no word for becomes an exact one that says so."""
        for group in (self.numbers, self.rough):
            for name in [name for name, values in group.items() if not all(map(math.isfinite, values))]:
                del group[name]
                self.exact[name] = "not finite"
        return vars(self)


def fingerprint(spec: RunSpec) -> dict[str, Any]:
    """Plain JSON values that are equal as long as the code treats the run as it did; the same for all seeds of a cell.

    Takes about a second, one thread of the CPU and no data. The random state, precision, threads and gradient mode of the process are
    left as they were. Where the code can no longer do it, the part `failure` says why, and no fingerprint is equal to that one.
    """
    found, small = _Found(), miniature(spec)
    data = stages.limited(tiny_images(small), small)
    protocol = {"network": _network, "fitted": _fitted, "codec": _codec}[get_family(spec.family).kind]
    with sheltered():
        try:
            protocol(spec, small, data, found)
        except Exception as error:  # whatever the changed code does now: it is not what it did
            found.exact["failure"] = f"{type(error).__name__}: {error}"[:200]
    return {"miniature": VERSION, "torch": torch.__version__.split("+")[0], **found.to_json()}


def _network(spec: RunSpec, small: RunSpec, data: TaskData, found: _Found) -> None:
    looks, at_late = _looks(spec.updates), with_own_schedules(spec, small)
    _schedules(spec, looks, data, found)
    with double():
        model, late = (stages.build(run).double() for run in (small, at_late))
    if model.latent:
        found.exact["images scored at once"] = _images_at_once(spec)
    with batches_of_two():
        trainer = _trainer(model, small, data)
        found.numbers["training curve"] = _curve(list(trainer.run()))
        found.exact["status"] = trainer.status
        _evaluated(trainer.evaluated, small, data, found)
        _other_precisions(trainer, small, data, found)
        late.load_state_dict(trainer.model.state_dict())
        if late.latent:  # its objective changes while it is trained
            late.begin_training(training_images(spec) / spec.recipe["batch"])
            found.numbers["loss over the training"] = _losses(late, looks, data)
        found.numbers["nats after late updates"] = _late_updates(late, at_late, small, data)
        if trainer.selected_update is not None:
            found.exact["selected update"] = trainer.selected_update
            found.numbers["nats of selected weights"] = _nats_of_selected(trainer, small, data)


def _fitted(spec: RunSpec, small: RunSpec, data: TaskData, found: _Found) -> None:
    model = stages.build(small)
    if is_redrawn(spec):
        found.exact["redrawn pixels"] = _redrawn(data)
    stages.fit(model, data, small, redrawn=is_redrawn(spec))
    with batches_of_two():
        _evaluated(model, small, data, found)


def _codec(spec: RunSpec, small: RunSpec, data: TaskData, found: _Found) -> None:
    images = data.test.images
    bits, mosaic = code_length_bits(images, small.task["levels"], spec.family), as_mosaic(images)
    found.numbers["bits/dim of a bit"] = [float(bits_per_dim(bits_to_nats(1.0), images.shape[1:]))]
    found.exact |= {"mosaic": _digest(mosaic), "bits a byte": bits / len(encoder(spec.family)(mosaic))}
    found.libraries[f"pillow {version('pillow')}"] = {"code length": bits}


def _looks(updates: int) -> list[int]:
    """Updates from the first to the last, denser at the beginning, where warm-ups are."""
    return [round((updates - 1) * (i / (_LOOKS - 1)) ** 2) for i in range(_LOOKS)]


def _schedules(spec: RunSpec, looks: list[int], data: TaskData, found: _Found) -> None:
    """The schedules of the real training at its own updates, and with its own number of images."""
    recipe = Recipe(**spec.recipe)
    found.numbers["learning rates"] = [learning_rate(recipe, update, spec.updates) for update in looks]
    if recipe.ema:
        found.numbers["shares of the averaging"] = _shares(recipe.ema, looks)
    if is_redrawn(spec):
        found.exact["redrawn pixels"] = _redrawn(data)
    order = BatchOrder(training_images(spec), recipe.batch, SEED)
    found.exact["order of batches"] = _digest(torch.stack([order.indices(update) for update in range(_BATCHES)]).numpy())


def _shares(decay: float, looks: list[int]) -> list[float]:
    """How far the average moves towards the model at these updates: with a weight of 1 in the model and of 0 in the average."""
    model = nn.Linear(1, 1, bias=False, dtype=torch.float64)
    nn.init.ones_(model.weight)
    ema, shares = ExponentialMovingAverage(model, decay), []
    for update in looks:
        nn.init.zeros_(ema.average.weight)
        ema.update(model, update)
        shares.append(float(ema.average.weight))
    return shares


def _images_at_once(spec: RunSpec) -> int:
    """For a bound this decides which draws an image gets; otherwise it changes no number."""
    images: Any = SimpleNamespace(levels=spec.task["levels"], shape=tuple(spec.task[name] for name in ("channels", "height", "width")))
    return largest_batch(images)


def _redrawn(data: TaskData) -> str:
    """Pixels drawn from the greys of training, and from blacks with a random number that is exactly 0."""
    greys, blacks = torch.from_numpy(data.train.images), torch.zeros(4, 4, dtype=torch.uint8)
    drawn = redraw(greys, generator(SEED, "pixels")), redraw(blacks, torch.Generator().manual_seed(_SEED_OF_A_ZERO))
    return _digest(*(pixels.numpy() for pixels in drawn))


def _trainer(model: AutoregressiveModel, run: RunSpec, data: TaskData, stop: Callable[[], bool] = lambda: False) -> Trainer:
    return stages.trainer(model, data, run, redrawn=is_redrawn(run), stop=stop)


def _curve(points: list[CurvePoint]) -> list[float]:
    return [value for p in points for value in (p.train_bits_per_dim, p.validation_bits_per_dim) if value is not None]


def _losses(model: AutoregressiveModel, looks: list[int], data: TaskData) -> list[float]:
    """The loss of the real training at these updates, by the same draws."""
    images, losses = torch.from_numpy(data.train.images[:2]), []
    model.train()
    for update in looks:
        seed_everything(SEED, "losses")
        model.begin_update(update)
        losses.append(model.loss(images).item())
    return losses


def _late_updates(model: AutoregressiveModel, run: RunSpec, small: RunSpec, data: TaskData) -> list[float]:
    """Nats of the test images by average and model after some updates as the real training makes them, from weights of the miniature."""
    first = min(int(_LATE * run.updates), max(0, run.updates - _LATE_UPDATES))
    trainer = _trainer(model, run, data, stop=lambda: trainer.update >= first + _LATE_UPDATES)
    trainer.update = first
    for _ in trainer.run():
        pass
    return [nats for m in (trainer.evaluated, trainer.model) for nats in stages.evaluate(m, data, small, leaky=False).test.nats.tolist()]


def _nats_of_selected(trainer: Trainer, small: RunSpec, data: TaskData) -> list[float]:
    """Nats of the test images after the last weights are gone: where the miniature's best point is its last, they would be the same."""
    for weight in trainer.averaged.parameters():
        nn.init.zeros_(weight)
    return stages.evaluate(trainer.evaluated, data, small, leaky=False).test.nats.tolist()


def _evaluated(model: AutoregressiveModel, small: RunSpec, data: TaskData, found: _Found) -> None:
    """The record's description of the model."""
    leaky = model.leaks_by_design
    scores = stages.evaluate(model, data, small, leaky=leaky)
    found.numbers["nats of test images"] = scores.test.nats.tolist()
    on_validation = [] if scores.validation_bits_per_dim is None else [scores.validation_bits_per_dim]
    found.numbers["likelihood"] = [*_summary(scores.test), *on_validation]
    found.exact |= {"estimator": scores.estimator, "test images": [scores.test.n_images, scores.test.n_clusters]}
    if scores.sequential is not None:
        found.numbers["sequential likelihood"] = [*scores.sequential.nats.tolist(), *_summary(scores.sequential)]
    if (latent := stages.latent_use(model, data)) is not None:
        found.numbers["use of the latents"] = [*latent.kl_per_dimension, latent.kl, latent.active_units, latent.dimensions]
    samples = stages.draw(model, data.test.images, small, leaky=leaky)
    if samples is None or samples.from_random_canvas is None or samples.canvas_agreement is None:  # a likelihood of whole images alone
        return
    found.exact |= {"sampler": samples.method, "samples": _digest(samples.images)}
    found.exact["samples from a random canvas"] = _digest(samples.from_random_canvas)
    found.numbers["canvas agreement"] = [samples.canvas_agreement]
    found.numbers["image statistics"] = [value for name in own_statistics() if (value := samples.real.get(name)) is not None]


def _summary(likelihood: SplitLikelihood) -> list[float]:
    errors = [] if likelihood.bits_per_dim_se is None else [likelihood.bits_per_dim_se]
    return [likelihood.bits_per_dim, *errors, likelihood.nats_per_image]


def _other_precisions(trainer: Trainer, small: RunSpec, data: TaskData, found: _Found) -> None:
    """The trained weights scored in float32, as a run's are; where it is trained under autocast, also that; one loss as it is trained."""
    single = copy.deepcopy(trainer.evaluated).float()
    nats = stages.evaluate(single, data, small, leaky=False).test.nats
    found.rough["nats in float32"] = nats.tolist()
    if small.recipe["precision"] == "bf16":
        with torch.autocast("cpu", torch.bfloat16):
            found.rough["nats under autocast"] = stages.evaluate(single, data, small, leaky=False).test.nats.tolist()
    first = _trainer(copy.deepcopy(trainer.model).float(), replace(small, updates=1), data)
    found.rough["training loss"] = [point.train_bits_per_dim for point in first.run()]
    if single.latent:  # without weights posterior and prior are one, and what is left is the pixels' float32
        for weight in single.parameters():
            nn.init.zeros_(weight)
        once = replace(small, evaluation={**small.evaluation, "importance_samples": 1})
        nats = stages.evaluate(single, data, once, leaky=False).test.nats
    found.exact["sums in float64"] = bool((nats.astype(np.float32) != nats).any())


def _digest(*arrays: np.ndarray) -> str:
    text = b"".join(repr(array.shape).encode() + array.tobytes() for array in arrays)
    return hashlib.sha256(text).hexdigest()[:16]

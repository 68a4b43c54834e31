"""The fingerprint of behaviour: every injected fault changes it for every run concerned, and nothing else does."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from pixelbench.evaluation import likelihood
from pixelbench.experiments import stages
from pixelbench.experiments.verify import fingerprint as behaviour
from pixelbench.experiments.verify.fingerprint import fingerprint
from pixelbench.models import sampling
from pixelbench.models.base import AutoregressiveModel
from pixelbench.models.families.pixelvae import PixelVAE
from pixelbench.models.heads import Softmax
from pixelbench.models.layers import causal
from pixelbench.models.sampling import raster
from pixelbench.store.behaviour import differences
from pixelbench.training import loop
from pixelbench.training.ema import ExponentialMovingAverage
from pixelbench.training.loop import Trainer
from pixelbench.training.seeding import BatchOrder
from tests.support.behaviour_runs import NETWORKS, genuine, run

Patch = pytest.MonkeyPatch
LATE, NATS = "nats after late updates", "nats of test images"


def step_twice(patch: Patch) -> None:
    make = loop.make_optimiser

    def doubled(*arguments: Any) -> torch.optim.Optimizer:
        optimiser = make(*arguments)
        step = optimiser.step
        optimiser.step = lambda: (step(), step())[1]  # type: ignore[method-assign]
        return optimiser

    patch.setattr(loop, "make_optimiser", doubled)


def other_average_late(patch: Patch) -> None:
    update = ExponentialMovingAverage.update

    def later(self: Any, model: Any, number: int) -> None:
        decay, self.decay = self.decay, 0.9 if number >= 300 else self.decay
        update(self, model, number)
        self.decay = decay

    patch.setattr(ExponentialMovingAverage, "update", later)


def other_kl_weight_late(patch: Patch) -> None:
    weight = PixelVAE.kl_weight.fget
    assert weight is not None
    patch.setattr(PixelVAE, "kl_weight", property(lambda self: 0.9 if (self.update or 0) > 2000 else weight(self)))


def other_order_of_batches(patch: Patch) -> None:
    indices = BatchOrder.indices
    patch.setattr(BatchOrder, "indices", lambda self, update: indices(self, update + 1))


def other_order_late(patch: Patch) -> None:
    indices = BatchOrder.indices
    patch.setattr(BatchOrder, "indices", lambda self, update: indices(self, update + (update > 300)))


def clip_nothing(patch: Patch) -> None:
    patch.setattr(torch.nn.utils, "clip_grad_norm_", lambda parameters, norm: None)


def clip_no_value(patch: Patch) -> None:
    patch.setattr(torch.nn.utils, "clip_grad_value_", lambda parameters, value: None)


def always_scale_to_the_clip(patch: Patch) -> None:
    clip = torch.nn.utils.clip_grad_norm_

    def scaled(parameters: Any, norm: float) -> None:
        weights = [weight for weight in parameters if weight.grad is not None]
        for weight in weights:
            weight.grad *= 1e6
        clip(weights, norm)

    patch.setattr(torch.nn.utils, "clip_grad_norm_", scaled)


def drop_the_last_short_batch(patch: Patch) -> None:
    for module in (loop, likelihood):
        whole = module.batched_nats
        patch.setattr(module, "batched_nats", lambda model, images, *rest, whole=whole, **more: whole(model, images, *rest, **more)[:-1])


def drop_it_with_its_clusters(patch: Patch) -> None:
    score = stages.score
    patch.setattr(stages, "score", lambda model, images, clusters, *rest, **more: score(model, images[:-1], clusters[:-1], *rest, **more))


def average_logarithms_of_weights(patch: Patch) -> None:
    def log_prob(self: PixelVAE, images: Tensor, *, generator: Any, importance_samples: int) -> Tensor:
        return self.log_weights(images, importance_samples, generator).mean(0)

    patch.setattr(PixelVAE, "log_prob", log_prob)


def scale_the_likelihood(patch: Patch) -> None:
    for family in (AutoregressiveModel, PixelVAE):
        whole = family.log_prob
        patch.setattr(family, "log_prob", lambda self, *given, whole=whole, **more: 0.999 * whole(self, *given, **more))


def scale_what_is_trained(patch: Patch) -> None:
    for family in (AutoregressiveModel, PixelVAE):
        whole = family.loss
        patch.setattr(family, "loss", lambda self, *given, whole=whole: 1.001 * whole(self, *given))


def mask_a_tap(patch: Patch) -> None:
    make = causal.CausalConv2d.__init__

    def masked(self: causal.CausalConv2d, *given: Any, **more: Any) -> None:
        make(self, *given, **more)
        if self.mask.shape[-1] > 1:
            self.mask[:, :, -1, 0] = 0

    patch.setattr(causal.CausalConv2d, "__init__", masked)


def let_the_pixel_be_seen(patch: Patch) -> None:
    seen = causal.may_see
    patch.setattr(causal, "may_see", lambda *colours, itself, conditioning: seen(*colours, itself=True, conditioning=conditioning))


def draw_in_another_order(patch: Patch) -> None:
    uniforms = sampling._uniforms
    patch.setattr(sampling, "_uniforms", lambda *given: uniforms(*given).flip(-1))


def sample_with_a_fault_in_the_cache(patch: Patch) -> None:
    read = causal.IncrementalConv2d.read

    def late(self: causal.IncrementalConv2d, column: int, colour: int) -> Tensor:
        return read(self, max(column - 1, 0), colour)

    patch.setattr(causal.IncrementalConv2d, "read", late)


def take_columns_first(patch: Patch) -> None:
    patch.setattr(sampling, "raster", lambda shape: sorted(raster(shape), key=lambda place: (place[1], place[0], place[2])))


def validate_the_last_weights(patch: Patch) -> None:
    validate = Trainer._validate

    def other(self: Trainer) -> float | None:
        ema, self.ema = self.ema, None
        found = validate(self)
        self.ema = ema
        return found

    patch.setattr(Trainer, "_validate", other)


def sum_in_float32(patch: Patch) -> None:
    patch.setattr(AutoregressiveModel, "log_prob", lambda self, *given: -self._nats(*given).sum((1, 2, 3)).double())

    def likelihood(self: PixelVAE, images: Tensor, z: Tensor, known: Any = None) -> Tensor:
        return -self._nats(images, z).sum((1, 2, 3))

    patch.setattr(PixelVAE, "_log_likelihood", likelihood)


def redraw_by(compare: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Patch], None]:
    def inject(patch: Patch) -> None:
        def redrawn(greys: Tensor, generator: torch.Generator) -> Tensor:
            return compare(torch.rand(greys.shape, generator=generator) * 255, greys).to(torch.uint8)

        patch.setattr(behaviour, "redraw", redrawn)
        patch.setattr(loop, "redraw", redrawn)

    return inject


def lose_a_number(patch: Patch) -> None:
    nats = Softmax.nats

    def lost(self: Softmax, *given: Tensor) -> Tensor:
        found = nats(self, *given)
        return found.where(found < found.max(), torch.nan)

    patch.setattr(Softmax, "nats", lost)


def train_with_wrong_classes(patch: Patch) -> None:
    batch = Trainer._batch

    def other(self: Trainer, update: int) -> tuple[Tensor, ...]:
        images, classes = batch(self, update)
        return images, classes.roll(1)

    patch.setattr(Trainer, "_batch", other)


def score_with_wrong_classes(patch: Patch) -> None:
    score = stages.score
    patch.setattr(stages, "score", lambda model, images, clusters, classes, **more: score(model, images, clusters, classes.roll(1), **more))


def draw_wrong_classes(patch: Patch) -> None:
    classes = stages.classes_in_turn
    patch.setattr(stages, "classes_in_turn", lambda model, n: None if not model.conditional else classes(model, n + 1)[1:])  # type: ignore[index]


def other_rate_late(patch: Patch) -> None:
    rate = loop.learning_rate
    patch.setattr(loop, "learning_rate", lambda recipe, update, updates: rate(recipe, update, updates) * (1.001 if update > 300 else 1))


def fit_fewer_images(patch: Patch) -> None:
    from pixelbench.models.families.baselines import Histogram

    fit = Histogram.fit
    patch.setattr(Histogram, "fit", lambda self, images: fit(self, images[1:]))


def count_bits_as_bytes(patch: Patch) -> None:
    bits = behaviour.code_length_bits
    patch.setattr(behaviour, "code_length_bits", lambda *given: bits(*given) // 8)


def leave_a_codec_an_image(patch: Patch) -> None:
    from pixelbench.evaluation import codecs

    mosaic = codecs.as_mosaic
    for module in (codecs, behaviour):
        patch.setattr(module, "as_mosaic", lambda images: mosaic(images[:-1]))


def evaluate_the_last_weights(patch: Patch) -> None:
    patch.setattr(Trainer, "evaluated", property(lambda self: self.averaged))


def select_the_worst(patch: Patch) -> None:
    patch.setattr(loop, "min", max, raising=False)


SCORED = ["gated", "leaky", "diagonal", "class", "snail", "vae", "histogram", "uniform"]
MASKED = ["gated", "colour", "leaky", "pixelcnn", "plain", "row-lstm", "vae", "redrawn"]
SELECTING = ["selecting", "selecting-vae", "selecting-nade"]
#: Fault → the parts that must be named, and the kinds of run that it concerns.
FAULTS: dict[str, tuple[Callable[[Patch], None], set[str], list[str]]] = {
    "optimiser.step() twice": (step_twice, {"training curve", NATS}, NETWORKS),
    "another average late": (other_average_late, {"shares of the averaging", LATE}, ["gated", "colour", "pp", "vae"]),
    "another KL weight late": (other_kl_weight_late, {"loss over the training", LATE}, ["vae"]),
    "another order of batches": (other_order_of_batches, {"order of batches", "training curve"}, ["gated", "vae", "redrawn", "class"]),
    "another order late": (other_order_late, {LATE}, ["gated", "colour"]),
    "another rate late": (other_rate_late, {LATE}, ["gated", "vae"]),
    "clipping left out": (clip_nothing, {"training curve"}, ["gated", "plain", "row-lstm", "snail", "vae", "two-levels"]),
    "clipping by value left out": (clip_no_value, {"training curve"}, ["by-value", "by-value-vae"]),
    "gradients always of one length": (always_scale_to_the_clip, {LATE}, ["gated", "vae"]),
    "last short batch dropped": (drop_the_last_short_batch, {"training curve", "failure"}, ["gated", "vae", "leaky"]),
    "dropped with its clusters": (drop_it_with_its_clusters, {NATS, "test images"}, ["gated", "vae", "histogram", "uniform"]),
    "importance weights": (average_logarithms_of_weights, {NATS, "likelihood"}, ["vae"]),
    "likelihood scaled": (scale_the_likelihood, {NATS, "likelihood"}, SCORED),
    "a likelihood that is no number": (lose_a_number, {NATS, "likelihood"}, ["gated", "histogram"]),
    "loss scaled": (scale_what_is_trained, {"training curve"}, ["gated", "vae", "snail"]),
    "a mask changed": (mask_a_tap, {"training curve", NATS}, MASKED),
    "a mask that lets the pixel through": (let_the_pixel_be_seen, {NATS}, ["gated", "colour", "diagonal", "vae", "two-levels"]),
    "random numbers in another order": (draw_in_another_order, {"samples", "samples from a random canvas"}, SCORED),
    "the cached sampler's layers": (sample_with_a_fault_in_the_cache, {"samples"}, ["gated", "pixelcnn", "row-lstm", "vae"]),
    "columns before rows": (take_columns_first, {"samples from a random canvas"}, ["gated", "leaky"]),
    "validation on other weights": (validate_the_last_weights, {"training curve"}, ["gated", "vae", "class"]),
    "sums in float32": (sum_in_float32, {"sums in float64"}, ["gated", "colour", "class", "snail", "vae", "two-levels", "redrawn"]),
    "selected, and the last are scored": (evaluate_the_last_weights, {"nats of selected weights"}, SELECTING),
    "the worst point selected": (select_the_worst, {"selected update", NATS}, SELECTING),
    "redraw inverted": (redraw_by(torch.ge), {"redrawn pixels"}, ["redrawn", "redrawn-histogram"]),
    "redraw with <=": (redraw_by(torch.le), {"redrawn pixels"}, ["redrawn", "redrawn-histogram"]),
    "trained with wrong classes": (train_with_wrong_classes, {"training curve"}, ["class", "pp-class"]),
    "scored with wrong classes": (score_with_wrong_classes, {NATS}, ["class", "pp-class"]),
    "drawn of wrong classes": (draw_wrong_classes, {"samples"}, ["class", "pp-class"]),
    "a histogram of fewer images": (fit_fewer_images, {NATS}, ["histogram"]),
    "bits counted as bytes": (count_bits_as_bytes, {"bits a byte"}, ["png", "webp"]),
    "a codec left without an image": (leave_a_codec_an_image, {"mosaic"}, ["png", "webp"]),
}


@pytest.mark.by_default(14)
@pytest.mark.parametrize(("fault", "kind"), [(fault, kind) for fault, (_, _, kinds) in FAULTS.items() for kind in kinds])
def test_a_fault_is_named(fault: str, kind: str, monkeypatch: Patch) -> None:
    before = genuine(kind)
    inject, parts, _ = FAULTS[fault]
    inject(monkeypatch)
    found = json.loads(json.dumps(fingerprint(run(kind)), allow_nan=False))
    assert parts <= set(differences(before, found))

"""The loop against a training written out in a few lines: weights, average and curve, to the last digits."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from pixelbench.models.base import AutoregressiveModel
from pixelbench.models.families import create_model
from pixelbench.training.loop import CurvePoint, Trainer, TrainingPlan
from pixelbench.training.recipe import Recipe
from pixelbench.training.seeding import BatchOrder, seed_everything
from pixelbench.units import LN2

IMAGES = torch.randint(4, (50, 3, 3, 4), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
TRAIN, VALIDATION = IMAGES[:37], IMAGES[37:]  # 37 images in batches of 8: no epoch ends with a batch
#: The average still warms up, the rate falls after four updates, and the gradients' norms are on both sides of these clips.
CLIPS = {"gated-pixelcnn": 0.064, "pixelcnn-pp": 1.0}
UPDATES = 23


def recipe(family: str) -> Recipe:
    return Recipe(learning_rate=3e-2, batch=8, warmup=4, final_rate=0.1, ema=0.7, clip=CLIPS[family], precision="fp32")


def fresh(family: str) -> AutoregressiveModel:
    seed_everything(1, "weights")
    settings: dict[str, Any] = {"scales": 1, "dropout": 0.3, "components": 2} if family == "pixelcnn-pp" else {"head_maps": 6}
    return create_model(family, channels=3, height=3, width=4, levels=4, maps=6, layers=1, **settings).double()


@dataclass(frozen=True)
class Rules:
    """What the written-out training does at an update; each field can be got wrong."""

    steps: int = 1
    clip: Callable[[float, float], float] = lambda clip, norm: min(1.0, clip / (norm + 1e-6))  # torch's own small number
    rate: Callable[[int], float] = lambda u: (
        3e-2 * (u + 1) / 4 if u < 4 else 3e-3 + 0.5 * (3e-2 - 3e-3) * (1 + math.cos(math.pi * (u - 4) / (UPDATES - 4)))
    )
    decay: Callable[[int], float] = lambda u: min(0.7, (1 + u) / (10 + u))
    batch: Callable[[int], int] = lambda u: u
    training: bool = True
    keeps_gradients: bool = False


@dataclass(frozen=True)
class Outcome:
    weights: list[Tensor]
    average: list[Tensor]
    curve: list[CurvePoint]
    norms: list[float]


def written_out(family: str, rules: Rules) -> Outcome:
    model, order = fresh(family).to(memory_format=torch.channels_last), BatchOrder(len(TRAIN), 8, seed=5)  # type: ignore[call-overload]
    model.prepare(TRAIN[order.indices(0)])
    average = fresh(family)
    average.load_state_dict(model.state_dict())
    optimiser = torch.optim.AdamW(model.parameters(), lr=1.0, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01)
    seed_everything(5, "training")
    curve, norms = [], []
    for update in range(UPDATES):
        model.train(rules.training)
        if not rules.keeps_gradients:
            optimiser.zero_grad()
        loss = model.loss(TRAIN[order.indices(rules.batch(update))])
        loss.backward()
        gradients = [weight.grad for weight in model.parameters() if weight.grad is not None]
        norms.append(math.sqrt(sum(float(gradient.square().sum()) for gradient in gradients)))
        for gradient in gradients:
            gradient.mul_(rules.clip(CLIPS[family], norms[-1]))
        optimiser.param_groups[0]["lr"] = rules.rate(update)
        for _ in range(rules.steps):
            optimiser.step()
        with torch.no_grad():
            for mean, weight in zip(average.parameters(), model.parameters(), strict=True):
                mean.copy_(rules.decay(update) * mean + (1 - rules.decay(update)) * weight)
        validated = (update + 1) % 4 == 0 or update + 1 == UPDATES
        curve.append(CurvePoint(update + 1, float(loss.detach()) / LN2, bits(average) if validated else None))
    return Outcome([*model.parameters()], [*average.parameters()], curve, norms)


def bits(model: AutoregressiveModel) -> float:
    with torch.no_grad():
        return float(-model.eval().log_prob(VALIDATION).sum()) / len(VALIDATION) / 36 / LN2


def trained(family: str) -> Outcome:
    trainer = Trainer(fresh(family), TRAIN, VALIDATION, recipe(family), TrainingPlan(UPDATES, 5))
    curve = list(trainer.run())
    return Outcome([*trainer.model.parameters()], [*trainer.evaluated.parameters()], curve, [])


def distance(one: list[Tensor], other: list[Tensor]) -> float:
    return max(float((a - b).detach().abs().max()) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("family", ["gated-pixelcnn", "pixelcnn-pp"])  # the second with dropout, and prepared from the first batch
def test_a_training_is_the_one_written_out(family: str):
    found, expected = trained(family), written_out(family, Rules())
    assert max(expected.norms) > 1.2 * CLIPS[family] > 1.2 * min(expected.norms)  # the clip binds, and not always
    assert distance(found.weights, expected.weights) <= 1e-9
    assert distance(found.average, expected.average) <= 1e-9
    assert distance(found.weights, found.average) > 1e-3
    for point, other in zip(found.curve, expected.curve, strict=True):
        assert point.update == other.update
        assert point.train_bits_per_dim == pytest.approx(other.train_bits_per_dim, rel=1e-9)
        assert (point.validation_bits_per_dim is None) == (other.validation_bits_per_dim is None)
        assert (point.validation_bits_per_dim or 0) == pytest.approx(other.validation_bits_per_dim or 0, rel=1e-9)


WRONG: dict[str, dict[str, Any]] = {
    "two steps": {"steps": 2},
    "no clip": {"clip": lambda clip, norm: 1.0},
    "always scaled to the clip": {"clip": lambda clip, norm: clip / norm},
    "constant rate": {"rate": lambda u: 3e-2},
    "average without warm-up": {"decay": lambda u: 0.7},
    "another average": {"decay": lambda u: min(0.71, (1 + u) / (10 + u))},
    "another order": {"batch": lambda u: u + 1},
    "last batch dropped": {"batch": lambda u: u % 4},
    "no dropout": {"training": False},
    "gradients kept": {"keeps_gradients": True},
}


@pytest.mark.by_default(5)
@pytest.mark.parametrize("wrong", WRONG)
def test_any_rule_got_wrong_is_another_training(wrong: str):
    """Negative control: the comparison above would see each of these."""
    found, other = trained("pixelcnn-pp"), written_out("pixelcnn-pp", replace(Rules(), **WRONG[wrong]))
    assert max(distance(found.weights, other.weights), distance(found.average, other.average)) > 1e-6


@pytest.fixture
def constant(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A model whose only weight changes nothing; its loss is what `price(update)` says."""
    model = create_model("histogram", channels=3, height=3, width=4, levels=4)
    model.register_parameter("shift", torch.nn.Parameter(torch.zeros(())))
    told: list[int] = []
    monkeypatch.setattr(model, "begin_update", told.append)
    monkeypatch.setattr(model, "loss", lambda images: 0 * model.shift + model.price(told[-1]))
    model.told, model.price = told, lambda update: 1.0
    return model


@pytest.mark.parametrize("updates", [1, 2, 4, 7, 23, 49, 50, 99, 101, 160, 200])
def test_a_curve_has_about_fifty_points_and_the_last_is_validated(constant: Any, updates: int):
    curve = list(Trainer(constant, TRAIN, VALIDATION, Recipe(batch=8, precision="fp32"), TrainingPlan(updates, 5)).run())
    assert constant.told == list(range(updates))
    assert curve[-1].update == updates
    assert curve[-1].validation_bits_per_dim is not None
    assert len({b.update - a.update for a, b in pairwise(curve[:-1])}) <= 1  # even, but for the last
    assert min(updates, 50) <= len(curve) <= 100
    validated = [point.update for point in curve if point.validation_bits_per_dim is not None]
    assert len(validated) <= 10
    if updates % 50 == 0:
        assert validated == [updates * part // 5 for part in range(1, 6)]


def test_a_point_is_the_mean_of_the_batches_since_the_point_before(constant: Any):
    constant.price = lambda update: 10.0 ** -(update % 4)
    curve = list(Trainer(constant, TRAIN, VALIDATION, Recipe(batch=8, precision="fp32"), TrainingPlan(204, 5)).run())
    assert [point.train_bits_per_dim for point in curve] == pytest.approx([1.111 / 4 / LN2] * 51)


def test_the_losses_of_very_many_updates_are_summed_in_float64(constant: Any):
    """A float32 sum would no longer see the small ones behind the large one."""
    constant.price = lambda update: 2.0**24 if update == 0 else 1.0
    trainer = Trainer(constant, TRAIN, VALIDATION, Recipe(batch=8, precision="fp32"), TrainingPlan(5000, 5))
    assert next(trainer.run()).train_bits_per_dim == pytest.approx((2**24 + 99) / 100 / LN2, rel=1e-12)


def test_without_an_average_the_model_itself_is_evaluated(constant: Any):
    trainer = Trainer(constant, TRAIN, VALIDATION, Recipe(batch=8, precision="fp32"), TrainingPlan(1, 5))
    assert trainer.evaluated is trainer.model

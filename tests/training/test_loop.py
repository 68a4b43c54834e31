"""The loop: what is learned, how it ends, what a curve says."""

import math
from typing import Any

import pytest
import torch

from pixelbench.models.families import create_model
from pixelbench.training.loop import Trainer, TrainingPlan
from pixelbench.training.optimisers import learning_rate, make_optimiser
from pixelbench.training.recipe import Recipe
from pixelbench.training.seeding import BatchOrder, seed_everything

#: The right half repeats the left one: two of four columns are free, so 1 bit/dim of 2 can be learned.
HALF = torch.randint(4, (4200, 1, 4, 2), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
IMAGES = torch.cat([HALF, HALF], 3)


def trainer(updates: int, *, cap: float | None = None, **recipe: Any) -> Trainer:
    seed_everything(0, "weights")
    settings: dict[str, Any] = {"maps": 16, "layers": 1, "head_maps": 16, "input_encoding": "one-hot"}
    model = create_model("gated-pixelcnn", channels=1, height=4, width=4, levels=4, **settings)
    return Trainer(model, IMAGES[:4000], IMAGES[4000:], Recipe(precision="fp32", **recipe), TrainingPlan(updates, 0, cap))


def test_it_learns_what_can_be_learned_and_no_more():
    run = trainer(300, learning_rate=1e-2, ema=0.95)
    points = list(run.run())
    assert run.status == "done"
    assert points == run.curve
    last = points[-1]
    assert last.validation_bits_per_dim is not None
    assert last.update == 300
    assert last.validation_bits_per_dim == pytest.approx(1.0, abs=0.15)
    assert last.validation_bits_per_dim > 0.98  # less than the entropy would be a leak
    assert points[0].train_bits_per_dim == pytest.approx(math.log2(4), abs=0.3)


def test_a_learning_rate_far_too_high_ends_as_diverged_and_early():
    run = trainer(400, learning_rate=1e4, clip=0.0, schedule="constant", optimiser="rmsprop")
    points = list(run.run())
    assert run.status == "diverged"
    assert points[-1].update < 400


def test_the_cap_ends_a_training_as_timeout():
    run = trainer(10_000_000, cap=0.3)
    for _ in run.run():
        pass
    assert run.status == "timeout"
    assert 0 < run.update < 10_000_000


def test_bf16_autocast_trains_to_about_the_same_loss():
    full, half = trainer(40, learning_rate=5e-3), trainer(40, learning_rate=5e-3)
    half.recipe = Recipe(learning_rate=5e-3, precision="bf16")
    ends = [list(run.run())[-1].train_bits_per_dim for run in (full, half)]
    assert ends[0] != ends[1]
    assert ends[0] == pytest.approx(ends[1], abs=0.05)


@pytest.mark.parametrize(("images", "batch"), [(10, 4), (7, 7), (3, 8)])
def test_every_image_is_seen_once_an_epoch_and_none_is_dropped(images: int, batch: int):
    order = BatchOrder(images, batch, seed=0)
    stream = torch.cat([order.indices(update) for update in range(images)])
    epochs = stream.view(batch, images)
    assert all(sorted(epoch.tolist()) == list(range(images)) for epoch in epochs)
    assert torch.equal(BatchOrder(images, batch, seed=0).indices(2), order.indices(2))
    if images > 3:
        assert not torch.equal(BatchOrder(images, batch, seed=1).indices(0), order.indices(0))


def test_schedules():
    cosine = Recipe(learning_rate=1.0, warmup=4, final_rate=0.1)
    assert [learning_rate(cosine, u, 104) for u in (0, 3, 4)] == [0.25, 1.0, 1.0]
    assert learning_rate(cosine, 54, 104) == pytest.approx(0.55)
    assert learning_rate(cosine, 104, 104) == pytest.approx(0.1)
    assert learning_rate(Recipe(learning_rate=2.0, schedule="exponential", decay=0.5), 3, 10) == 0.25
    assert learning_rate(Recipe(learning_rate=2.0, schedule="constant"), 9, 10) == 2.0


@pytest.mark.parametrize(
    ("name", "constants", "expected"),
    [
        ("adamw", {"weight_decay": 0.1}, {"betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.1}),
        ("adam", {"beta1": 0.95, "beta2": 0.9995}, {"betas": (0.95, 0.9995), "weight_decay": 0.0}),
        ("adagrad", {"epsilon": 1e-6, "weight_decay": 0.1}, {"eps": 1e-6, "weight_decay": 0.1}),
        ("rmsprop", {"alpha": 0.9, "momentum": 0.5, "epsilon": 1e-4}, {"alpha": 0.9, "momentum": 0.5, "eps": 1e-4}),
    ],
)
def test_an_optimiser_gets_the_constants_of_its_recipe(name, constants, expected):
    optimiser = make_optimiser(torch.nn.Linear(2, 2), Recipe(optimiser=name, learning_rate=0.5, constants=constants))
    group = optimiser.param_groups[0]
    assert group["lr"] == 0.5
    assert {key: group[key] for key in expected} == expected


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"learning_rate": 0.0}, "learning_rate must be above 0"),
        ({"ema": 1.0}, "ema must be at least 0 and below 1"),
        ({"batch": 0}, "batch must be at least 1"),
        ({"constants": {"beta1": 1.0}}, "constants.beta1 must be at least 0 and below 1, got 1"),  # torch refuses it when training begins
        ({"constants": {"beta2": -0.1}}, "constants.beta2 must be at least 0"),
        ({"constants": {"weight_decay": -1.0}}, "constants.weight_decay must be at least 0, got -1"),
        ({"optimiser": "rmsprop", "constants": {"alpha": 1.5}}, "constants.alpha must be at least 0 and below 1"),
        ({"optimiser": "adagrad", "constants": {"epsilon": -1e-8}}, "constants.epsilon must be at least 0"),
        ({"constants": {"alpha": 0.9}}, "constants of adamw are beta1, beta2, epsilon, weight_decay; got alpha"),
    ],
)
def test_a_recipe_that_makes_no_sense_is_refused(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        Recipe(**wrong)


@pytest.mark.parametrize(
    "odd", [{"constants": {"beta1": 0.0, "weight_decay": 2.0}}, {"optimiser": "rmsprop", "constants": {"epsilon": 1.0, "momentum": 0.99}}]
)
def test_a_recipe_that_is_only_odd_is_made(odd):
    make_optimiser(torch.nn.Linear(2, 2), Recipe(**odd))

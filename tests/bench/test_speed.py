"""Training step, cached and naive sampler of both families: recorded by pytest-benchmark, never asserted.

Sizes are tiny, so that a default run stays short; `test_ratios.py` holds the ratios at the sizes that matter.
"""

import time
from typing import Any

import pytest
import torch

from pixelbench.models.families import create_model
from pixelbench.training.loop import Trainer, TrainingPlan
from pixelbench.training.recipe import Recipe

FAMILIES = ("pixelcnn", "gated-pixelcnn")
#: Settings, optimiser, and how often each weight is used an image: forwards, for its gradient, and for that of its input where it has one.
SEQUENCES: dict[str, tuple[dict[str, Any], Any, int]] = {
    "fvsbn": ({}, "adam", 2),
    "nade": ({"hidden": 50}, "adam", 5),
    "made": ({"hidden": 1000, "direct": True}, "adagrad", 5),
}
ROUNDS = {"rounds": 3, "iterations": 1, "warmup_rounds": 1}


def small(family: str):
    torch.manual_seed(0)
    return create_model(family, channels=1, height=8, width=8, levels=16, maps=24, layers=3, head_maps=24)


@pytest.mark.parametrize("family", FAMILIES)
def test_training_step(benchmark, family: str):
    images = torch.randint(16, (128, 1, 8, 8), dtype=torch.uint8)
    trainer = Trainer(small(family), images, images[:1], Recipe(batch=64, precision="fp32"), TrainingPlan(1000, 0))
    benchmark.pedantic(trainer._step, **ROUNDS)
    assert trainer.update in (1, 4)  # one round where tests run side by side, since times mean nothing there


@pytest.mark.parametrize("family", ["row-lstm", "diagonal-bilstm"])
def test_training_step_of_a_recurrence(benchmark, family: str):
    """`against.py` holds it against another checkout, at the sizes of the paper."""
    torch.manual_seed(0)
    images = torch.randint(2, (32, 1, 28, 28), dtype=torch.uint8)
    model = create_model(family, channels=1, height=28, width=28, levels=2, maps=16, layers=1, head_maps=32, skip=True, head="bernoulli")
    trainer = Trainer(model, images, images[:1], Recipe(optimiser="rmsprop", batch=16, precision="fp32"), TrainingPlan(1000, 0))
    benchmark.pedantic(trainer._step, **ROUNDS)
    assert trainer.update in (1, 4)


@pytest.mark.parametrize("family", SEQUENCES)
def test_training_step_of_a_sequence(benchmark, family: str):
    """On images of 28x28; `multiply_adds` a step, and `product_rate`, so many a second of a plain matrix product, make it a share."""
    settings, optimiser, layers = SEQUENCES[family]
    torch.manual_seed(0)
    images = torch.randint(2, (200, 1, 28, 28), dtype=torch.uint8)
    model = create_model(family, channels=1, height=28, width=28, levels=2, **settings)
    trainer = Trainer(model, images, images[:1], Recipe(optimiser=optimiser, batch=100, precision="fp32"), TrainingPlan(1000, 0))
    benchmark.extra_info |= {"multiply_adds": layers * 100 * 784 * settings.get("hidden", 784), "product_rate": product_rate()}
    benchmark.pedantic(trainer._step, **ROUNDS)
    assert trainer.update in (1, 4)


def product_rate() -> float:
    """Multiply-adds a second of the shapes that a batch of 100 has."""
    batch, weight = torch.randn(100, 784), torch.randn(784, 2000)
    seconds = []
    for _ in range(5):
        began = time.perf_counter()
        torch.mm(batch, weight)
        seconds.append(time.perf_counter() - began)
    return 100 * 784 * 2000 / min(seconds)


@pytest.mark.parametrize("method", ["cached", "naive"])
@pytest.mark.parametrize("family", FAMILIES)
def test_sampler(benchmark, family: str, method: str):
    model = small(family)
    images = benchmark.pedantic(model.sample, (4,), {"method": method}, **ROUNDS)
    assert images.shape == (4, 1, 8, 8)

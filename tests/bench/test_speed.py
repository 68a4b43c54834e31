"""Training step, cached and naive sampler of both families: recorded by pytest-benchmark, never asserted.

Sizes are tiny, so that a default run stays short; `test_ratios.py` holds the ratios at the sizes that matter.
"""

import pytest
import torch

from pixelbench.models.families import create_model
from pixelbench.training.loop import Plan, Trainer
from pixelbench.training.recipe import Recipe

FAMILIES = ("pixelcnn", "gated-pixelcnn")
ROUNDS = {"rounds": 3, "iterations": 1, "warmup_rounds": 1}


def small(family: str):
    torch.manual_seed(0)
    return create_model(family, channels=1, height=8, width=8, levels=16, maps=24, layers=3, head_maps=24)


@pytest.mark.parametrize("family", FAMILIES)
def test_training_step(benchmark, family: str):
    images = torch.randint(16, (128, 1, 8, 8), dtype=torch.uint8)
    trainer = Trainer(small(family), images, images[:1], Recipe(batch=64, precision="fp32"), Plan(1000, 0))
    benchmark.pedantic(trainer._step, **ROUNDS)
    assert trainer.update in (1, 4)  # one round where tests run side by side, since times mean nothing there


@pytest.mark.parametrize("method", ["cached", "naive"])
@pytest.mark.parametrize("family", FAMILIES)
def test_sampler(benchmark, family: str, method: str):
    model = small(family)
    images = benchmark.pedantic(model.sample, (4,), {"method": method}, **ROUNDS)
    assert images.shape == (4, 1, 8, 8)

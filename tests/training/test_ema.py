"""The average trails the weights, warms up, and takes over what is no weight."""

import pytest
import torch
from torch import nn

from pixelbench.training.ema import ExponentialMovingAverage

pytestmark = pytest.mark.quick


def test_it_trails_by_the_decay_and_faster_at_first():
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    ema = ExponentialMovingAverage(model, 0.5)
    nn.init.ones_(model.weight)
    ema.update(model, 0)  # decay (1 + 0) / (10 + 0)
    assert float(ema.average.weight) == pytest.approx(0.9)
    nn.init.zeros_(model.weight)
    ema.update(model, 1000)
    assert float(ema.average.weight) == pytest.approx(0.45)


def test_running_statistics_are_copied():
    model = nn.BatchNorm1d(2)
    ema = ExponentialMovingAverage(model, 0.9)
    model(torch.randn(8, 2) + 5)
    ema.update(model, 0)
    copied, own = ema.average.state_dict()["running_mean"], model.state_dict()["running_mean"]
    assert torch.equal(copied, own)
    assert float(copied.mean()) > 0.1


def test_the_average_is_not_trained():
    ema = ExponentialMovingAverage(nn.Linear(2, 2), 0.9)
    assert not any(parameter.requires_grad for parameter in ema.average.parameters())

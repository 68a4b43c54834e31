"""Scores: exact, over all images, with an error that knows about clusters."""

import numpy as np
import pytest
import torch

from pixelbench.evaluation.likelihood import score
from pixelbench.models import scoring
from pixelbench.models.families import create_model


def test_the_uniform_distribution_costs_log_levels_bits():
    model = create_model("uniform", channels=3, height=4, width=5, levels=16)
    result = score(model, torch.zeros(7, 3, 4, 5, dtype=torch.uint8), np.arange(7))
    assert result.bits_per_dim == pytest.approx(4.0)
    assert result.nats_per_image == pytest.approx(60 * np.log(16))
    assert (result.n_images, result.n_clusters) == (7, 7)


def test_the_histogram_is_what_counting_says():
    images = torch.tensor([0, 0, 0, 1]).view(4, 1, 1, 1)
    model = create_model("histogram", channels=1, height=1, width=1, levels=2)
    model.fit(images)
    np.testing.assert_allclose(model.conditionals(images)[0].exp().flatten(), [3.5 / 5, 1.5 / 5], rtol=1e-6)


def test_every_image_counts_once_whatever_the_batches(monkeypatch: pytest.MonkeyPatch):
    model = create_model("gated-pixelcnn", channels=1, height=3, width=3, levels=4, maps=4, layers=1, head_maps=4).double()
    images = torch.randint(4, (11, 1, 3, 3))
    whole = score(model, images, np.arange(11))
    monkeypatch.setattr(scoring, "_OUTPUTS", 4 * 9 * 4)  # batches of 4, 4 and 3
    parts = score(model, images, np.arange(11))
    np.testing.assert_allclose(parts.nats, whole.nats, rtol=1e-12)
    assert parts.bits_per_dim == pytest.approx(whole.bits_per_dim, rel=1e-12)


def test_scoring_leaves_the_mode_of_the_model_alone():
    model = create_model("uniform", channels=1, height=2, width=2, levels=2).train()
    score(model, torch.zeros(1, 1, 2, 2, dtype=torch.uint8), np.arange(1))
    assert model.training

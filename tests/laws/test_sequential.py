"""Law: for a causal model the sequential score, with a canvas that holds only earlier sub-pixels, is the likelihood itself."""

import numpy as np
import torch

from pixelbench.evaluation.likelihood import sequential_nats
from pixelbench.models.base import AutoregressiveModel
from tests.laws.families import SHAPES, random_images, tiny


def test_the_sequential_score_of_a_causal_model_is_its_likelihood(model: AutoregressiveModel):
    images = random_images(3, model.shape, model.levels)
    with torch.inference_mode():
        teacher = -model.log_prob(images).numpy()
    np.testing.assert_allclose(sequential_nats(model, images), teacher, rtol=1e-12)


def test_it_differs_for_a_leaking_one():
    model = tiny("gated-pixelcnn-mask-b", SHAPES["colour"])
    images = random_images(3, model.shape, model.levels)
    with torch.inference_mode():
        teacher = -model.log_prob(images).numpy()
    assert np.abs(sequential_nats(model, images) - teacher).min() > 1e-3

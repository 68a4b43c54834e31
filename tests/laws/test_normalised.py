"""Law: the probabilities of all images of a tiny shape sum to one."""

import itertools

import pytest
import torch

from pixelbench.models.base import AutoregressiveModel
from tests.laws.families import BINARY, CAUSAL, cases, tiny

SHAPES = {"grey": ((1, 3, 2), 3), "colour": ((3, 1, 2), 3)}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", cases([*CAUSAL, *BINARY]))
def test_all_images_sum_to_one(name: str, shape: str):
    (size, levels) = SHAPES[shape]
    model = tiny(name, size, levels)
    every = torch.tensor(list(itertools.product(range(model.levels), repeat=6))).view(-1, *size)
    with torch.inference_mode():
        total = float(model.log_prob(every).exp().sum())
    assert total == pytest.approx(1, abs=1e-12)


def test_conditionals_agree_with_the_likelihood(model: AutoregressiveModel):
    images = torch.randint(model.levels, (3, *model.shape))
    logp = model.conditionals(images)
    assert logp.shape == (3, model.levels, *model.shape)
    torch.testing.assert_close(logp.exp().sum(1), torch.ones(3, *model.shape, dtype=torch.float64))
    picked = logp.gather(1, images[:, None])[:, 0].sum((1, 2, 3))
    torch.testing.assert_close(picked, model.log_prob(images))

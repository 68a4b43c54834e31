"""Law: a sampler that draws what the scorer scores has, over its own samples, a mean NLL equal to the mean of its conditional entropies."""

import pytest
import torch

from pixelbench.models.base import AutoregressiveModel
from tests.laws.families import BINARY, CAUSAL, SHAPES, cases, tiny

SAMPLES = 400


def surprise(model: AutoregressiveModel, images: torch.Tensor) -> torch.Tensor:
    """(N,) NLL minus the sum of the conditional entropies, in nats; over the model's own samples its mean is 0."""
    with torch.inference_mode():
        logp = model.conditionals(images)
        entropies = -(logp.exp() * logp).sum((1, 2, 3, 4))
        return -model.log_prob(images) - entropies


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", cases([*CAUSAL, *BINARY]))
def test_own_samples_are_as_surprising_as_their_entropy_says(name: str, shape: str):
    model = tiny(name, SHAPES[shape])
    images = model.sample(SAMPLES, generator=torch.Generator().manual_seed(11))
    excess = surprise(model, images)
    assert abs(float(excess.mean())) <= 4 * float(excess.std()) / SAMPLES**0.5 + 1e-9


def test_samples_of_another_process_are_found():
    """Negative control: colours drawn from the right marginals, but not given each other."""
    model = tiny("gated", SHAPES["colour"])
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.5)
    images = model.sample(SAMPLES, generator=torch.Generator().manual_seed(11)).clone()
    images[:, 1] = images[torch.randperm(SAMPLES, generator=torch.Generator().manual_seed(1)), 1]
    excess = surprise(model, images)
    assert abs(float(excess.mean())) > 4 * float(excess.std()) / SAMPLES**0.5

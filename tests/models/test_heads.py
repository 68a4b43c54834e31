"""Heads: normalised over the levels, coupled ones colour by colour, exact in the tails, and each form equal to a plain computation."""

import itertools
import math

import pytest
import torch

from pixelbench.errors import UserError
from pixelbench.models.families import create_model
from pixelbench.models.heads import LogisticMixture, Output, make_output
from pixelbench.models.layers.causal import colours
from pixelbench.models.settings.common import HeadName

pytestmark = pytest.mark.quick

MIXED: list[HeadName] = ["softmax", "logistic-mixture"]
FORMS: list[tuple[HeadName, bool, int]] = [(head, coupled, channels) for head in MIXED for coupled in (False, True) for channels in (1, 3)]


def raw_outputs(output: Output, batch: int = 2, size: int = 3, scale: float = 2.0) -> torch.Tensor:
    maps = torch.randn(batch, output.maps, size, size + 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return output.raw(maps * scale)


@pytest.mark.parametrize(("head", "coupled", "channels"), [*FORMS, ("bernoulli", False, 3), ("bernoulli", True, 3)])
@pytest.mark.parametrize("levels", [2, 5])
def test_levels_sum_to_one_and_nats_are_theirs(head, coupled: bool, channels: int, levels: int):
    levels = 2 if head == "bernoulli" else levels
    output = make_output(head, channels, levels, coupled=coupled, components=3)
    raw = raw_outputs(output)
    images = torch.randint(levels, (2, channels, 3, 4), generator=torch.Generator().manual_seed(1))
    logp = output.log_probs(raw, images)
    assert logp.shape == (2, levels, channels, 3, 4)
    torch.testing.assert_close(logp.exp().sum(1), torch.ones(2, channels, 3, 4, dtype=torch.float64), rtol=0, atol=1e-12)
    torch.testing.assert_close(output.nats(raw, images), -logp.gather(1, images[:, None])[:, 0])


@pytest.mark.parametrize("head", ["softmax", "bernoulli", "logistic-mixture"])
def test_a_coupled_head_lets_a_colour_depend_on_earlier_colours_only(head):
    output = make_output(head, 3, 2, coupled=True, components=3)
    raw = raw_outputs(output, batch=1, size=1)[..., :1, :1]
    seen = torch.zeros(3, 3, dtype=torch.bool)
    for other in range(3):
        images = torch.zeros(1, 3, 1, 1, dtype=torch.long)
        changed = images.clone()
        changed[:, other] = 1
        moved = (output.log_probs(raw, images) - output.log_probs(raw, changed)).abs().amax((0, 1, 3, 4))
        seen[:, other] = moved > 1e-6
    assert torch.equal(seen, torch.ones(3, 3).tril(-1).bool())


def test_the_coupled_mixture_is_the_mixture_of_the_paper():
    """Against 2017, eq. 1 to 3, written out for one pixel: a sum over components of products over colours."""
    levels, components = 4, 3
    output = make_output("logistic-mixture", 3, levels, coupled=True, components=components)
    raw = raw_outputs(output, batch=1, size=1)[..., :1, :1]
    parts = raw[0, :, 0, 0].view(1 + 6 + 3, components)
    weights, means, scales, pairs = parts[0].softmax(0), parts[1:4], parts[4:7].clamp(min=-7).exp(), parts[7:].tanh()
    total = 0.0
    for pixel in itertools.product(range(levels), repeat=3):
        x = [2 * v / (levels - 1) - 1 for v in pixel]
        probability = 0.0
        for k in range(components):
            centre = [means[0, k], means[1, k] + pairs[0, k] * x[0], means[2, k] + pairs[1, k] * x[0] + pairs[2, k] * x[1]]
            product = float(weights[k])
            for colour, value in enumerate(pixel):
                below = 0.0 if value == 0 else torch.sigmoid((x[colour] - 1 / (levels - 1) - centre[colour]) / scales[colour, k])
                above = 1.0 if value == levels - 1 else torch.sigmoid((x[colour] + 1 / (levels - 1) - centre[colour]) / scales[colour, k])
                product *= float(above - below)
            probability += product
        nats = float(output.nats(raw, torch.tensor(pixel).view(1, 3, 1, 1)).sum())
        assert math.exp(-nats) == pytest.approx(probability, rel=1e-9)
        total += probability
    assert total == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("log_scale", [-12.0, -7.0, 0.0, 12.0])
@pytest.mark.parametrize("mean", [-30.0, 0.1, 1.0, 30.0])
def test_a_mixture_is_finite_and_normalised_however_narrow_or_far_away(mean: float, log_scale: float):
    output = LogisticMixture(1, 256, 1)
    raw = torch.tensor([0.0, mean, log_scale], dtype=torch.float32).view(1, 3, 1, 1, 1).requires_grad_()
    logp = output.log_probs(raw, torch.zeros(1, 1, 1, 1))
    assert torch.isfinite(logp).all()
    assert float(logp.detach().exp().sum()) == pytest.approx(1, abs=1e-5)
    (gradient,) = torch.autograd.grad(output.nats(raw, torch.full((1, 1, 1, 1), 7)).sum(), raw)
    assert torch.isfinite(gradient).all()


def test_one_pixel_alone_is_the_pixel_of_an_image():
    for head, coupled, channels in FORMS:
        output = make_output(head, channels, 4, coupled=coupled, components=3)
        maps = torch.randn(2, output.maps, 1, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        values = torch.randint(4, (2, channels), generator=torch.Generator().manual_seed(1))
        logp = output.log_probs(output.raw(maps), values[:, :, None, None])
        for colour in range(channels):
            torch.testing.assert_close(output.pixel_log_probs(maps[:, :, 0, 0], values, colour), logp[:, :, colour, 0, 0])


@pytest.mark.parametrize("family", ["pixelcnn", "pixelcnn-plain", "gated-pixelcnn"])
def test_bernoulli_is_for_two_levels(family: str):
    with pytest.raises(UserError, match=f"{family}: head = 'bernoulli' is for images of 2 levels, these have 4"):
        create_model(family, channels=1, height=4, width=4, levels=4, head="bernoulli")


def test_a_colour_without_maps_is_refused():
    with pytest.raises(UserError, match="maps must be at least 3, one a colour, got 2"):
        create_model("gated-pixelcnn", channels=3, height=4, width=4, levels=4, maps=2)
    assert colours(4, 3) == [0, 0, 1, 2]

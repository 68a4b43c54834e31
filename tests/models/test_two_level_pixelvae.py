"""PixelVAE with a map of latents above the pixels and a vector above the map."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from pixelbench.causality import check_causality
from pixelbench.errors import UserError
from pixelbench.models.families import create_model
from pixelbench.models.families.pixelvae import PixelVAE
from pixelbench.models.layers.latent import Gaussian
from pixelbench.models.layers.latent_prior import TwoLevels
from pixelbench.models.sampling import cached_log_probs

TINY: dict[str, Any] = {"layers": 1, "maps": 6, "head_maps": 6, "encoder_maps": 4, "first_kernel": 3, "latent": 3, "latent_maps": 2}
SHAPE = (1, 13, 15)


def tiny(shape: tuple[int, int, int] = SHAPE, **settings: Any) -> PixelVAE:
    torch.manual_seed(0)
    channels, height, width = shape
    chosen = {**TINY, "hierarchy": 2, "decoder": "spatial", **settings}
    return create_model("pixelvae", channels=channels, height=height, width=width, levels=2, **chosen).double()


def latents_of(model: PixelVAE) -> TwoLevels:
    assert isinstance(model.latents, TwoLevels)
    return model.latents


def images_of(model: PixelVAE, n: int) -> Tensor:
    return torch.randint(2, (n, *model.shape), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(5)


def test_the_latent_prior_is_causal_over_places_and_sees_all_earlier_ones_but_the_blind_spot():
    prior = latents_of(tiny()).prior
    torch.manual_seed(1)
    z1 = torch.randn(1, 2, 4, 4, dtype=torch.float64, requires_grad=True)
    z2 = torch.randn(1, 3, dtype=torch.float64)
    found = prior(z1, z2)
    outputs = torch.cat([found.mean, found.log_sigma], 1)[0].flatten(1)  # (4, places)
    for place in range(16):
        for output in outputs[:, place]:
            (gradient,) = torch.autograd.grad(output, z1, retain_graph=True)
            seen = gradient[0].flatten(1).abs().amin(0)  # both numbers of an earlier place alike
            assert (seen[place:] == 0).all()
            assert (gradient[0].flatten(1)[:, place:] == 0).all()
            assert (seen[max(0, place - place % 4) : place] > 0).all()
            assert place < 4 or (seen[place - 4] > 0)


def test_a_later_place_moves_no_earlier_gaussian():
    prior = latents_of(tiny()).prior
    torch.manual_seed(1)
    z1, z2 = torch.randn(1, 2, 4, 4, dtype=torch.float64), torch.randn(1, 3, dtype=torch.float64)
    changed = z1.clone()
    changed[:, :, 2, 1] += 100
    before, after = prior(z1, z2), prior(changed, z2)
    for a, b in ((before.mean, after.mean), (before.log_sigma, after.log_sigma)):
        moved = (a != b).any(1).flatten()
        assert not moved[: 2 * 4 + 2].any()
        assert moved[2 * 4 + 2]
    assert (prior(z1, z2 + 1).mean != before.mean).all()


def test_what_the_prior_draws_is_what_it_scores():
    """The normals that made a draw come back from the Gaussians that score it, and their densities agree."""
    prior = latents_of(tiny()).prior
    normals = torch.randn(5, 2, 4, 4, dtype=torch.float64, generator=seeded())
    z2 = torch.randn(5, 3, dtype=torch.float64, generator=seeded())
    with torch.no_grad():
        z1 = prior.draw(normals, z2)
        scored = prior(z1, z2)
    torch.testing.assert_close((z1 - scored.mean) / scored.log_sigma.exp(), normals)
    expected = Gaussian.standard(normals).log_prob(normals) - scored.log_sigma.flatten(1).sum(1)
    torch.testing.assert_close(scored.log_prob(z1), expected)


@pytest.mark.by_default(1)
@pytest.mark.parametrize("decoder", ["spatial", "with-upsampling"])
def test_the_decoder_of_a_given_z1_is_causal_and_has_both_modes(decoder: str):
    model = tiny(decoder=decoder)
    bound = model.certifiable()
    assert tuple(bound.condition.shape) == (1, 2, 4, 4)
    assert check_causality(bound, model.shape, levels=2).status == "complete"
    images, z1 = images_of(model, 2), bound.condition.expand(2, -1, -1, -1)
    with torch.inference_mode():
        full = model.conditionals(images, z1)
    cached = cached_log_probs(model, images, z1)
    assert float((full - cached).abs().max()) <= 1e-10 * float(full.abs().max())


@pytest.mark.parametrize("shape", [(1, 13, 15), (3, 16, 17), (1, 28, 28)])
def test_it_trains_scores_samples_and_completes(shape: tuple[int, int, int]):
    model = tiny(shape)
    images = images_of(model, 2)
    model.loss(images).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    weights = model.log_weights(images, 5, seeded())
    assert tuple(weights.shape) == (5, 2)
    assert weights.isfinite().all()
    streamed = model.log_prob(images, generator=seeded(), importance_samples=5)
    torch.testing.assert_close(streamed, weights.logsumexp(0) - math.log(5))
    drawn = model.sample(2, generator=seeded())
    assert tuple(drawn.shape) == (2, *shape)
    known = torch.zeros(shape, dtype=torch.bool)
    known[:, : shape[1] // 2] = True
    done = model.sample(given=images, known=known, generator=seeded())
    assert torch.equal(done[:, known], images[:, known])


def test_both_samplers_draw_the_same_images():
    model = tiny()
    assert torch.equal(model.sample(2, generator=seeded(), method="cached"), model.sample(2, generator=seeded(), method="naive"))


def test_weights_of_prior_draws_are_those_of_the_densities():
    """p(x, z1, z2) / q by hand, from the pieces."""
    model = tiny()
    images, generator = images_of(model, 3), seeded()
    normals = [torch.randn(3, *shape, dtype=torch.float64, generator=generator) for shape in model.latents.shapes]
    with torch.no_grad():
        q1, q2 = model._infer(images)
        z1, z2 = q1.at(normals[0]), q2.at(normals[1])
        joint = model.log_prob(images, z1) + latents_of(model).prior(z1, z2).log_prob(z1) + Gaussian.standard(z2).log_prob(z2)
        expected = joint - q1.log_prob(z1) - q2.log_prob(z2)
    torch.testing.assert_close(model.log_weights(images, 1, seeded())[0], expected)


def test_the_loss_is_the_negative_elbo_per_sub_pixel():
    """So the KL of z1, analytic at each place given the drawn earlier ones, has the right mean."""
    model = tiny().eval()
    images = images_of(model, 4)
    with torch.no_grad():
        losses = torch.stack([model.loss(images) for _ in range(300)])
    elbo = model.log_weights(images, 300, seeded()).mean(1) / -math.prod(SHAPE)
    error = math.hypot(float(losses.std()), float(elbo.std())) / math.sqrt(300)
    assert abs(float(losses.mean() - elbo.mean())) < 4 * error


def test_each_level_tells_how_much_it_is_used():
    model = tiny()
    images = images_of(model, 40)
    images[:20] = 0
    used = model.latent_statistics(images)
    assert set(used) == {"z1", "z2"}
    assert [used[level]["dimensions"] for level in ("z1", "z2")] == [2, 3]
    assert used["z1"]["active_units"] == 2
    assert used["z1"]["kl"] == pytest.approx(sum(used["z1"]["kl_per_dimension"]))
    with torch.no_grad():
        latents_of(model).inferred_top.weight.zero_()
    ignored = model.latent_statistics(images)
    assert (ignored["z2"]["active_units"], ignored["z2"]["kl"]) == (0, 0)
    assert ignored["z1"]["active_units"] == 2


def test_a_few_training_steps_lower_the_loss_and_keep_it_causal():
    model = tiny()
    images = images_of(model, 1).expand(8, -1, -1, -1)
    optimiser = torch.optim.Adam(model.parameters(), 0.02)
    losses = []
    for _ in range(30):
        loss = model.loss(images)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.6 * losses[0]
    assert check_causality(model.certifiable(), model.shape, levels=2).status == "complete"


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"height": 12}, "hierarchy = 2 needs images of at least 13x13, whose quarter has 4x4 places; got 12x15"),
        ({"decoder": "straight"}, "hierarchy = 2 needs decoder = 'spatial' or 'with-upsampling', got 'straight'"),
        ({"hierarchy": 1}, "latent_maps = 2 has no meaning with hierarchy = 1"),
        ({"hierarchy": 3}, "hierarchy: Input should be 1 or 2"),
        ({"hierarchy": 1, "latent_maps": 0, "height": 7}, "images must be at least 8x8"),
        ({"hierarchy": 1, "latent_maps": 0, "decoder": "straight", "condition_maps": 3}, "condition_maps = 3 has no meaning"),
        ({"latent": 0}, "latent must be at least 1, got 0"),
        ({"head": "bernoulli", "levels": 4}, "head = 'bernoulli' is for images of 2 levels"),
        ({"maps": 2, "channels": 3}, "maps must be at least 3, one a colour, got 2"),
    ],
)
def test_what_does_not_fit_is_one_sentence(settings: dict[str, Any], sentence: str):
    given = {**TINY, "hierarchy": 2, "decoder": "spatial", "channels": 1, "height": 13, "width": 15, "levels": 2, **settings}
    with pytest.raises(UserError) as caught:
        create_model("pixelvae", **given)
    assert sentence in str(caught.value)

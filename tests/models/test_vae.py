"""The convolutional VAE: for a given z a table of independent sub-pixels, whose bound is held against quadrature."""

import itertools
import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from pixelbench.causality import check_causality
from pixelbench.errors import UserError
from pixelbench.models.families import create_model, get_family
from pixelbench.models.families.vae import VAE, FactorisedDecoder
from pixelbench.models.layers.latent import Gaussian
from pixelbench.models.sampling import cached_log_probs

TINY: dict[str, Any] = {"latent": 2, "encoder_maps": 4, "maps": 5, "components": 2}
#: H != W, and each head in both forms.
CASES = [
    ((1, 8, 9), {"head": "bernoulli"}),
    ((1, 9, 8), {"head": "softmax"}),
    ((3, 8, 9), {"head": "softmax"}),
    ((3, 8, 9), {"head": "softmax", "colour_conditioning": True}),
    ((3, 9, 8), {"head": "logistic-mixture", "colour_conditioning": True}),
    ((1, 9, 8), {"head": "logistic-mixture", "weight_norm": True}),
]
cases = pytest.mark.parametrize(
    ("shape", "settings"), CASES, ids=lambda value: "-".join(map(str, getattr(value, "values", lambda: value)()))
)


def tiny(shape: tuple[int, int, int] = (1, 8, 9), **settings: Any) -> VAE:
    torch.manual_seed(0)
    channels, height, width = shape
    levels = 2 if settings.get("head") == "bernoulli" else 3
    return create_model("vae", channels=channels, height=height, width=width, levels=levels, **(TINY | settings)).double().eval()


def images_of(model: VAE, n: int = 3) -> Tensor:
    return torch.randint(model.levels, (n, *model.shape), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)


def seeded(seed: int = 5) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.by_default(2)
@cases
def test_for_a_given_z_it_is_causal_and_normalised_and_both_modes_are_the_same(shape: tuple[int, int, int], settings: dict[str, Any]):
    model = tiny(shape, **settings)
    bound = model.certifiable()
    report = check_causality(bound, model.shape, levels=model.levels)
    assert report.status == "complete", report.counter_example
    images = images_of(model)
    z = bound.condition.expand(3, -1)
    with torch.inference_mode():
        full = model.conditionals(images, z)
        torch.testing.assert_close(full.exp().sum(1), torch.ones(3, *model.shape, dtype=torch.float64))
        torch.testing.assert_close(full.gather(1, images[:, None].long())[:, 0].sum((1, 2, 3)), bound.log_prob(images))
    assert float((full - cached_log_probs(model, images, z)).abs().max()) <= 1e-10 * float(full.abs().max())


@cases
def test_every_method_draws_the_same_images(shape: tuple[int, int, int], settings: dict[str, Any]):
    model = tiny(shape, **settings)
    cached = model.sample(3, generator=seeded(), method="cached")
    assert torch.equal(cached, model.sample(3, generator=seeded(), method="naive"))
    assert torch.equal(cached, model.sample(3, generator=seeded(), method="naive", canvas=images_of(model)))


@pytest.mark.parametrize("coupled", [False, True])
def test_all_images_sum_to_one_for_given_maps(coupled: bool):
    torch.manual_seed(0)
    settings = get_family("vae").parse({**TINY, "colour_conditioning": coupled})
    decoder = FactorisedDecoder(3, 1, 2, 2, settings).double()  # type: ignore[arg-type]
    every = torch.tensor(list(itertools.product(range(2), repeat=6))).view(-1, 3, 1, 2)
    maps = torch.randn(1, 5, 1, 2, dtype=torch.float64)
    with torch.inference_mode():
        assert decoder.log_prob(every, maps.expand(len(every), -1, -1, -1)).exp().sum().item() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("coupled", [False, True])
def test_sub_pixels_are_independent_for_a_given_z_but_for_the_colours_that_the_head_couples(coupled: bool):
    model = tiny((3, 8, 9), colour_conditioning=coupled, maps=30)  # so many that at each place some are above 0
    images, z = images_of(model, 1), model.certifiable().condition
    before = model.conditionals(images, z)
    for colour, (row, column) in itertools.product(range(3), [(0, 0), (4, 5)]):
        other = images.clone()
        other[:, colour, row, column] = (other[:, colour, row, column] + 1) % 3
        moved = ((model.conditionals(other, z) - before).abs().amax((0, 1)) > 0).nonzero().tolist()
        assert moved == ([[later, row, column] for later in range(colour + 1, 3)] if coupled else [])


def test_z_changes_the_distribution_everywhere():
    model = tiny()
    z = torch.tensor([[-1.0, 0.5], [1.0, 0.5]], dtype=torch.float64)
    with torch.inference_mode():
        gap = (model.conditionals(images_of(model, 2), z) - model.conditionals(images_of(model, 2), z.flip(0))).abs()
    assert float(gap.amax((0, 1)).min()) > 1e-6


def test_the_bound_is_below_the_truth_and_comes_near():
    """The truth by quadrature: the integral of p(x|z) p(z) over one latent."""
    model = tiny(latent=1, head="bernoulli")
    images = images_of(model, 2)
    z = torch.linspace(-6, 6, 2001, dtype=torch.float64)[:, None]
    prior, cell = Gaussian.standard(z).log_prob(z), 12 / 2000
    with torch.inference_mode():
        truth = torch.stack([(model.log_prob(one.expand(len(z), *model.shape), z) + prior).logsumexp(0) + math.log(cell) for one in images])
        weights = model.log_weights(images, 40 * 5, seeded()).view(40, 5, -1)
        near = model.log_prob(images, generator=seeded(), importance_samples=5000)
    assert (weights.mean((0, 1)) <= truth + 1e-3).all()
    assert ((weights.logsumexp(1) - math.log(5)).mean(0) <= truth + 2e-2).all()
    torch.testing.assert_close(near, truth, rtol=0, atol=0.05)


def test_samples_for_a_given_z_cost_what_their_conditionals_say():
    """Nats minus the sum of the conditionals' entropies has mean 0 over a model's own samples."""
    model = tiny((3, 8, 9), colour_conditioning=True, head="logistic-mixture")
    z = torch.tensor([[0.7, -1.1]], dtype=torch.float64).expand(200, 2)
    images = model.sample(200, condition=z, generator=seeded())
    with torch.inference_mode():
        logp = model.conditionals(images, z)
        gaps = -model.log_prob(images, z) + (logp * logp.exp()).sum((1, 2, 3, 4))
    assert abs(float(gaps.mean())) < 4 * float(gaps.std()) / math.sqrt(200)


def test_the_known_part_of_a_completed_image_is_held():
    model = tiny(head="bernoulli")
    images = images_of(model)
    known = torch.zeros(1, 8, 9, dtype=torch.bool)
    known[:, :4] = True
    done = model.sample(given=images, known=known, generator=seeded())
    assert torch.equal(done[:, :, :4], images[:, :, :4])


def test_training_lowers_the_bound_and_reaches_every_weight():
    model = tiny(head="bernoulli", latent=3).train()
    images = torch.arange(16).remainder(2).view(-1, 1, 1, 1).expand(-1, *model.shape)  # black or white: one bit for a latent to say
    optimiser = torch.optim.Adam(model.parameters(), 3e-3)
    torch.manual_seed(0)
    losses = []
    for update in range(100):
        model.begin_update(update)
        optimiser.zero_grad()
        loss = model.loss(images)
        loss.backward()
        if update == 0:
            assert all(weight.grad is not None and weight.grad.abs().max() > 0 for weight in model.parameters())
        optimiser.step()
        losses.append(float(loss.detach()))
    assert sum(losses[-10:]) < 0.5 * sum(losses[:10])


def test_every_layer_is_normalised_where_the_settings_say_so():
    normed, plain = tiny(weight_norm=True), tiny()
    layers = [layer for layer in plain.modules() if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear))]
    assert sum(name.endswith("original0") for name, _ in normed.named_parameters()) == len(layers)
    images, z = images_of(plain), torch.ones(3, 2, dtype=torch.float64)
    torch.testing.assert_close(normed.conditionals(images, z), plain.conditionals(images, z))  # the same function to begin with


def test_conditionals_without_z_and_images_that_are_too_small_are_refused():
    model = tiny()
    with pytest.raises(ValueError, match=r"a VAE has conditionals only for a given z; use bound\(z\)"):
        model.conditionals(images_of(model))
    with pytest.raises(UserError, match="images must be at least 8x8"):
        create_model("vae", channels=1, height=7, width=9, levels=2)
    with pytest.raises(UserError, match="maps must be at least 1, got 0"):
        get_family("vae").parse({"maps": 0})

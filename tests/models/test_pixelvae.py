"""PixelVAE: for a given z an exact autoregressive model, for none a bound, held against quadrature; latents that are seen when ignored."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from pixelbench.causality import check_causality
from pixelbench.errors import UserError
from pixelbench.key_fields import key_values
from pixelbench.models.base import AutoregressiveModel
from pixelbench.models.families import FAMILIES, create_model, latent_variable
from pixelbench.models.families.gated_pixelcnn import GatedPixelCNN, example_condition
from pixelbench.models.families.pixelvae import PixelVAE
from pixelbench.models.layers.latent import Gaussian, halvings
from pixelbench.models.sampling import cached_log_probs
from pixelbench.models.scoring import batched_nats
from pixelbench.training.loop import Trainer, TrainingPlan
from pixelbench.training.recipe import Recipe

DECODERS = ("without-upsampling", "straight", "spatial", "with-upsampling")
TINY: dict[str, Any] = {"layers": 1, "maps": 7, "head_maps": 8, "encoder_maps": 4, "first_kernel": 3, "latent": 2}
SHAPES = {"grey": (1, 8, 9), "colour": (3, 8, 8)}


def tiny(decoder: str = "without-upsampling", shape: tuple[int, int, int] = (1, 8, 8), levels: int = 2, **settings: Any) -> PixelVAE:
    torch.manual_seed(0)
    channels, height, width = shape
    chosen = {**TINY, "decoder": decoder, **settings}
    return create_model("pixelvae", channels=channels, height=height, width=width, levels=levels, **chosen).double()


def images_of(model: AutoregressiveModel, n: int, seed: int = 1) -> Tensor:
    return torch.randint(model.levels, (n, *model.shape), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


def seeded(seed: int = 5) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def grid(dimensions: int, points: int) -> tuple[Tensor, float]:
    """Every point of a grid over [-6, 6]^dimensions, and the volume of a cell."""
    line = torch.linspace(-6, 6, points, dtype=torch.float64)
    return torch.cartesian_prod(*[line] * dimensions).view(-1, dimensions), (12 / (points - 1)) ** dimensions


@torch.inference_mode()
def by_quadrature(model: PixelVAE, images: Tensor, points: int) -> Tensor:
    """(B,) log of the integral of p(x|z) p(z)."""
    z, cell = grid(model.settings.latent, points)
    prior = Gaussian.standard(z).log_prob(z)
    return torch.stack([(model.log_prob(image.expand(len(z), *model.shape), z) + prior).logsumexp(0) + math.log(cell) for image in images])


@pytest.mark.by_default(3)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("decoder", DECODERS)
def test_for_a_given_z_it_is_causal_and_normalised_and_cached_is_full(decoder: str, shape: str):
    model = tiny(decoder, SHAPES[shape], levels=3)
    bound = model.certifiable()
    report = check_causality(bound, model.shape, levels=3)
    assert report.status == "complete", report.counter_example
    images = images_of(model, 3)
    z = bound.condition.expand(3, *bound.condition.shape[1:])
    with torch.inference_mode():
        full = model.conditionals(images, z)
        torch.testing.assert_close(full.exp().sum(1), torch.ones(3, *model.shape, dtype=torch.float64))
        torch.testing.assert_close(full.gather(1, images[:, None].long())[:, 0].sum((1, 2, 3)), bound.log_prob(images))
    cached = cached_log_probs(model, images, z)
    assert float((full - cached).abs().max()) <= 1e-10 * float(full.abs().max())


@pytest.mark.parametrize("decoder", DECODERS)
def test_all_images_of_a_tiny_shape_sum_to_one_in_the_decoder(decoder: str):
    torch.manual_seed(0)
    settings = FAMILIES["pixelvae"].parse({**TINY, "decoder": decoder}).decoder_settings  # type: ignore[attr-defined]
    model = GatedPixelCNN(1, 3, 2, 3, settings).double()
    every = torch.cartesian_prod(*[torch.arange(3)] * 6).view(-1, 1, 3, 2)
    with torch.inference_mode():
        total = model.bound(example_condition(settings, 3, 2).double()).log_prob(every).exp().sum()
    assert float(total) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("decoder", DECODERS)
def test_z_changes_the_distribution(decoder: str):
    model = tiny(decoder)
    images = images_of(model, 2)
    z = torch.tensor([[-1.0, 0.5], [1.0, 0.5]], dtype=torch.float64)
    with torch.inference_mode():
        gap = (model.conditionals(images, z) - model.conditionals(images, z.flip(0))).abs()
    assert float(gap.amax((0, 1)).min()) > 1e-6  # everywhere, the first sub-pixel included


@pytest.mark.parametrize("head", ["softmax", "bernoulli", "logistic-mixture"])
@pytest.mark.parametrize("decoder", DECODERS)
def test_every_method_draws_the_same_images(decoder: str, head: str):
    model = tiny(decoder, head=head)
    cached = model.sample(3, generator=seeded(), method="cached")
    assert torch.equal(cached, model.sample(3, generator=seeded(), method="naive"))
    assert torch.equal(cached, model.sample(3, generator=seeded(), method="naive", canvas=images_of(model, 3)))
    assert cached.dtype == torch.uint8


def test_a_sample_is_the_decoders_for_a_z_of_the_prior():
    model, generator = tiny(), seeded()
    z = torch.randn(3, 2, dtype=torch.float64, generator=generator)
    expected = model.decoder.sample(3, condition=z, generator=generator)
    assert torch.equal(model.sample(3, generator=seeded()), expected)


@pytest.mark.parametrize("decoder", DECODERS)
def test_samples_for_a_given_z_cost_what_their_conditionals_say(decoder: str):
    """Nats minus the sum of the conditionals' entropies has mean 0 over a model's own samples."""
    model = tiny(decoder, levels=3)
    z = torch.tensor([[0.7, -1.1]], dtype=torch.float64).expand(200, 2)
    images = model.sample(200, condition=z, generator=seeded())
    with torch.inference_mode():
        logp = model.conditionals(images, z)
        gaps = -model.log_prob(images, z) + (logp * logp.exp()).sum((1, 2, 3, 4))
    assert abs(float(gaps.mean())) < 4 * float(gaps.std()) / math.sqrt(200)


@pytest.mark.parametrize("use", [lambda m, x: m.conditionals(x), lambda m, x: m(x), lambda m, x: m.stepper(len(x))])
def test_conditionals_without_z_are_refused(use: Any):
    model = tiny()
    with pytest.raises(ValueError, match=r"use bound\(z\)"):
        use(model, images_of(model, 1))


def test_a_z_of_another_shape_is_refused():
    model = tiny()
    with pytest.raises(ValueError, match=r"expected z of shape \(B, 2\), got \(1, 3\)"):
        model.conditionals(images_of(model, 1), torch.zeros(1, 3))


@pytest.mark.by_default(1)
@pytest.mark.parametrize(("dimensions", "points"), [(1, 2001), (2, 91)])
def test_the_bound_is_below_the_truth_and_comes_near(dimensions: int, points: int):
    model = tiny(latent=dimensions)
    images = images_of(model, 3 - dimensions)
    truth, error = by_quadrature(model, images, points), 2e-3  # ReLUs make kinks in z
    torch.testing.assert_close(truth, by_quadrature(model, images, points + 10), rtol=0, atol=error)
    for seed, k in ((1, 5), (2, 50)):
        weights = model.log_weights(images, 40 * k, seeded(seed)).view(40, k, -1)
        iwae = weights.logsumexp(1) - math.log(k)
        assert (iwae >= weights.mean(1)).all()
        assert (iwae.mean(0) <= truth + 4 * iwae.std(0) / math.sqrt(40) + error).all()
    near = model.log_prob(images, generator=seeded(), importance_samples=5000)
    torch.testing.assert_close(near, truth, rtol=0, atol=0.05)


def test_a_streamed_bound_is_that_of_all_weights_in_bounded_batches(monkeypatch: pytest.MonkeyPatch):
    model = tiny()
    images = images_of(model, 3)
    weights = model.log_weights(images, 500, seeded())
    batches: list[int] = []
    model.decoder.register_forward_pre_hook(lambda module, inputs: batches.append(len(inputs[0])))
    streamed = model.log_prob(images, generator=seeded(), importance_samples=500)
    torch.testing.assert_close(streamed, weights.logsumexp(0) - math.log(500), rtol=1e-12, atol=0)
    assert max(batches) <= 256
    assert not streamed.requires_grad
    for largest in (2, 7):
        monkeypatch.setattr(latent_variable, "largest_batch", lambda model, largest=largest: largest)
        batches.clear()
        in_parts = model.log_prob(images, generator=seeded(), importance_samples=40)
        torch.testing.assert_close(in_parts, weights[:40].logsumexp(0) - math.log(40), rtol=1e-12, atol=0)
        assert max(batches) <= largest


def test_scoring_passes_on_what_a_bound_needs_and_the_estimator_says_which():
    model = tiny()
    images = images_of(model, 3)
    nats = batched_nats(model, images, generator=seeded(), importance_samples=4)
    torch.testing.assert_close(nats, -model.log_prob(images, generator=seeded(), importance_samples=4))
    assert [model.estimator(1), model.estimator(50)] == ["elbo", "iwae-50"]
    assert model.latent
    assert not model.conditional
    assert model.completion == "approximate"


def test_the_analytic_kl_is_that_of_many_draws():
    torch.manual_seed(0)
    q, p = (Gaussian.of(torch.randn(1, 6, dtype=torch.float64)) for _ in range(2))
    draws = 200_000
    z = q.repeated(draws).at(torch.randn(draws, 3, dtype=torch.float64))
    ratios = q.log_prob(z) - p.log_prob(z)
    assert abs(float(ratios.mean() - q.kl(p).sum())) < 4 * float(ratios.std()) / math.sqrt(draws)
    assert float(q.kl(q).abs().max()) < 1e-15
    reference = torch.distributions.Normal(q.mean, q.log_sigma.exp()).log_prob(z[:1]).sum(1)
    torch.testing.assert_close(q.log_prob(z[:1]), reference)


def test_the_loss_is_the_negative_elbo_per_sub_pixel():
    model = tiny().eval()
    images = images_of(model, 4)
    with torch.no_grad():
        losses = torch.stack([model.loss(images) for _ in range(400)])
    elbo = model.log_weights(images, 400, seeded()).mean(1) / -64
    error = math.hypot(float(losses.std()), float(elbo.std())) / 20
    assert abs(float(losses.mean() - elbo.mean())) < 4 * error


def test_the_kl_weight_rises_with_the_updates_in_training_only():
    model, plain = tiny(kl_warmup=10), tiny()
    assert model.kl_weight == 1
    weights = []
    for update in (0, 5, 10, 25):
        model.begin_update(update)
        plain.begin_update(update)
        weights.append(model.kl_weight)
        assert plain.kl_weight == 1
    assert weights == [0, 0.5, 1, 1]
    model.begin_update(0)
    assert model.eval().kl_weight == 1


def test_no_latent_costs_anything_at_weight_zero():
    model = tiny(kl_warmup=10)
    model.begin_update(0)
    with torch.no_grad():
        for parameter in model.decoder.parameters():
            parameter.zero_()
    torch.testing.assert_close(model.loss(images_of(model, 3)), torch.tensor(math.log(2), dtype=torch.float64))


def test_a_resumed_training_is_the_uninterrupted_one():
    def trainer() -> Trainer:
        model = tiny(kl_warmup=8).float()
        return Trainer(model, images_of(model, 12), images_of(model, 4, seed=3), Recipe(batch=4), TrainingPlan(updates=6, seed=1))

    whole = trainer()
    points = list(whole.run())
    first = trainer()
    interrupted = iter(first.run())
    next(interrupted)
    next(interrupted)
    state, second = first.state(), trainer()
    second.restore(state)
    assert second.update == 2
    list(second.run())
    assert second.curve == points
    assert second.model.train().kl_weight == 5 / 8


def test_a_latent_that_tells_nothing_is_seen():
    model = tiny(latent=4)
    images = images_of(model, 50)
    images[:25] = 0
    used = model.latent_statistics(images)
    assert used["dimensions"] == len(used["kl_per_dimension"]) == 4
    assert used["active_units"] == 4
    assert used["kl"] == pytest.approx(sum(used["kl_per_dimension"]))
    by_hand = model.latents.kl(model._infer(images), [])[0].mean(0)
    torch.testing.assert_close(torch.tensor(used["kl_per_dimension"], dtype=torch.float64), by_hand.detach())
    inferred = model.latents.inferred
    assert isinstance(inferred, nn.Linear)
    with torch.no_grad():
        inferred.weight.view(2, 4, -1)[:, 1:] = 0
    assert model.latent_statistics(images)["active_units"] == 1
    with torch.no_grad():
        inferred.weight.zero_()
    ignored = model.latent_statistics(images)
    assert (ignored["active_units"], ignored["kl"]) == (0, 0)


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 9, 11), (3, 12, 8), (1, 28, 28)])
def test_any_size_from_8x8_trains_scores_samples_and_completes(shape: tuple[int, int, int], decoder: str):
    model = tiny(decoder, shape, levels=4)
    images = images_of(model, 2)
    model.loss(images).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    assert model.log_prob(images, importance_samples=2).isfinite().all()
    known = torch.zeros(shape, dtype=torch.bool)
    known[:, : shape[1] - 1] = True
    done = model.sample(given=images, known=known, generator=seeded())
    assert torch.equal(done[:, known], images[:, known])


@pytest.mark.by_default(1)
@pytest.mark.parametrize("decoder", DECODERS)
def test_a_few_training_steps_lower_the_loss_and_keep_the_laws(decoder: str):
    model = tiny(decoder)
    images = images_of(model, 1).expand(8, -1, -1, -1)
    optimiser = torch.optim.Adam(model.parameters(), 0.02)
    losses = []
    for update in range(30):
        model.begin_update(update)
        loss = model.loss(images)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.6 * losses[0]
    assert check_causality(model.certifiable(), model.shape, levels=2).status == "complete"
    assert torch.equal(model.sample(2, generator=seeded()), model.sample(2, generator=seeded(), method="naive"))


def test_halving_rounds_up_until_a_side_has_four():
    assert halvings((28, 28)) == [(28, 28), (14, 14), (7, 7), (4, 4)]
    assert halvings((9, 33)) == [(9, 33), (5, 17), (3, 9)]
    assert halvings((13, 16), 2) == [(13, 16), (7, 8), (4, 4)]


def test_completions_hold_what_is_known_and_are_the_same_from_both_samplers():
    model = tiny("spatial")
    given = images_of(model, 3)
    known = torch.zeros(3, *model.shape, dtype=torch.bool)
    known[0, :, :3] = True
    known[1, :, :, 5:] = True
    cached = model.sample(given=given, known=known, generator=seeded(), method="cached")
    assert torch.equal(cached[known], given[known])
    assert torch.equal(cached, model.sample(given=given, known=known, generator=seeded(), method="naive"))
    assert not torch.equal(cached, given)


def test_latents_of_a_partial_image_follow_their_posterior():
    """z for the three first rows of an image: mean and spread of p(z | these rows) by quadrature."""
    model = tiny(latent=1)
    assert isinstance(model.decoder, GatedPixelCNN)
    with torch.no_grad():  # so that z tells
        model.decoder.head.out.weight.mul_(3)
    image = model.sample(1, condition=torch.tensor([[1.5]]), generator=seeded())
    known = torch.zeros(model.shape, dtype=torch.bool)
    known[:, :3] = True
    z, _ = grid(1, 401)
    with torch.inference_mode():
        likelihood = model._log_likelihood(image.expand(401, *model.shape), z, known.expand(401, *model.shape))
        posterior = (likelihood + Gaussian.standard(z).log_prob(z)).softmax(0)
    mean = float((posterior * z[:, 0]).sum())
    spread = math.sqrt(float((posterior * (z[:, 0] - mean) ** 2).sum()))
    drawn = model.latents_given(image.expand(400, *model.shape), known, seeded())
    assert abs(mean) > 0.2  # or the prior would pass as well
    assert float(drawn.mean()) == pytest.approx(mean, abs=4 * spread / math.sqrt(400))
    assert float(drawn.std()) == pytest.approx(spread, rel=0.15)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({}, "n must be at least 1"),
        ({"n": 1, "known": torch.ones(1, 8, 8, dtype=torch.bool)}, "belong together"),
        ({"n": 1, "given": torch.full((1, 1, 8, 8), 2), "known": torch.ones(1, 8, 8, dtype=torch.bool)}, "levels 0 to 1, got 2 to 2"),
        ({"n": 2, "condition": torch.zeros(1, 2)}, "n is 2 but 1 conditions are given"),
    ],
)
def test_contradicting_arguments_of_a_sample_are_refused(arguments: dict[str, Any], sentence: str):
    with pytest.raises(ValueError, match=sentence):
        tiny().sample(**arguments)


def test_the_kl_weight_rises_with_the_epochs_in_training_only():
    model = tiny(kl_warmup_epochs=2.0)
    model.begin_training(updates_an_epoch=2.5)
    weights = []
    for update in (0, 1, 4, 5, 25):
        model.begin_update(update)
        weights.append(model.kl_weight)
    assert weights == [0, 0.2, 0.8, 1, 1]
    model.begin_update(0)
    assert model.eval().kl_weight == 1


def test_epochs_that_nobody_told_are_no_warm_up_of_none():
    model = tiny(kl_warmup_epochs=2.0)
    model.begin_update(3)
    with pytest.raises(RuntimeError, match="begin_training"):
        model.loss(images_of(model, 2))


def test_the_loop_tells_how_long_an_epoch_is():
    model = tiny(kl_warmup_epochs=0.5).float()
    trainer = Trainer(model, images_of(model, 24), images_of(model, 4), Recipe(batch=4, precision="fp32"), TrainingPlan(updates=6, seed=1))
    seen = [model.train().kl_weight for _ in trainer.run()]
    assert seen == [0, 1 / 3, 2 / 3, 1, 1, 1]  # of the update just made; 6 updates an epoch


def test_free_bits_are_the_objective_of_kingma_written_out():
    """Eq. 15: the larger of lambda and the batch's mean KL of each latent, in training; without them and out of it the ELBO."""
    model, images = tiny(latent=3, free_bits=0.3), images_of(tiny(), 5)
    for training, free in ((True, 0.3), (False, 0.0)):
        model.train(training)
        torch.manual_seed(3)
        found = model.loss(images)
        torch.manual_seed(3)
        (posterior,) = model._infer(images)
        z = posterior.at(torch.randn_like(posterior.mean))
        kl = posterior.kl(Gaussian.standard(posterior.mean)).mean(0)
        assert (kl < 0.3).any()
        assert (kl > 0.3).any()
        expected = model._nats(images, z).mean() + sum(max(free, one) for one in kl.tolist()) / 64
        torch.testing.assert_close(found, expected)


def test_free_bits_of_a_map_are_of_all_its_places():
    model = tiny("spatial", (1, 16, 16), hierarchy=2, latent_maps=2, free_bits=1.0)
    kl = torch.rand(3, 2, 4, 4, dtype=torch.float64)
    expected = sum(max(1.0, float(kl[:, i].sum((1, 2)).mean())) for i in range(2))
    assert float(model._cost(kl)) == pytest.approx(expected)
    assert float(model._cost(kl / 100)) == 2.0


def test_a_free_latent_is_not_pushed_to_say_nothing():
    model, images = tiny(free_bits=50.0), images_of(tiny(), 4)
    with torch.no_grad():
        for parameter in model.decoder.parameters():
            parameter.zero_()  # the pixels say nothing of z
    model.loss(images).backward()
    assert all(weight.grad is None or not weight.grad.any() for weight in model.latents.parameters())
    paid = tiny()
    paid.loss(images).backward()
    assert any(weight.grad is not None and weight.grad.any() for weight in paid.latents.parameters())


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"kl_warmup": 3, "kl_warmup_epochs": 0.5}, "kl_warmup counts updates and kl_warmup_epochs epochs; say one of the two"),
        ({"kl_warmup_epochs": -1.0}, "kl_warmup_epochs must be at least 0, got -1"),
        ({"kl_warmup_epochs": math.nan}, "kl_warmup_epochs must be at most"),
        ({"free_bits": -0.1}, "free_bits must be at least 0, got -0.1"),
        ({"free_bits": math.inf}, "free_bits must be at most"),
    ],
)
def test_settings_of_the_latents_that_make_no_sense(settings: dict[str, Any], said: str):
    with pytest.raises(UserError, match=said):
        tiny(**settings)


def test_neither_is_part_of_a_key_where_it_is_not_asked_for():
    plain = key_values(tiny().settings)
    assert not {"kl_warmup_epochs", "free_bits"} & set(plain)
    assert set(key_values(tiny(kl_warmup_epochs=1.0, free_bits=0.5).settings)) - set(plain) == {"kl_warmup_epochs", "free_bits"}


def test_free_bits_of_a_batch_are_not_trained_in_parts():
    for free in (0.5, 0.0):
        model = tiny(free_bits=free).float()
        arguments = (model, images_of(model, 8), images_of(model, 2), Recipe(batch=4, precision="fp32"))
        assert Trainer(*arguments, TrainingPlan(2, 0)).parts
        if free:
            with pytest.raises(UserError, match="free_bits is of the mean of a whole batch"):
                Trainer(*arguments, TrainingPlan(2, 0, micro_batch=2))
        else:
            assert len(Trainer(*arguments, TrainingPlan(2, 0, micro_batch=2)).parts) == 2

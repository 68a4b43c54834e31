"""The families before PixelRNN against their formulas, and orders: what is a distribution, what only looks like one."""

import itertools
import math
from typing import Any

import pytest
import torch
from torch import Tensor

from pixelbench.causality import check_causality
from pixelbench.errors import UserError
from pixelbench.models.base import AutoregressiveModel
from pixelbench.models.families import create_model, nade
from pixelbench.models.families.mixture_of_bernoullis import MixtureOfBernoullis
from pixelbench.models.heads import Softmax
from pixelbench.models.layers.mixing import mixed_log_prob, mixed_logits

TINY = {"channels": 1, "height": 3, "width": 2, "levels": 2}
EVERY = torch.tensor(list(itertools.product(range(2), repeat=6))).view(-1, 1, 3, 2)
FAMILIES = ("mixture-of-bernoullis", "fvsbn", "nade", "made")


def made_of(family: str, seed: int = 0, **settings: Any) -> Any:
    torch.manual_seed(seed)
    return create_model(family, **(TINY | settings)).double().eval()


def bits_of(n: int, size: int) -> Tensor:
    return torch.randint(2, (n, size), generator=torch.Generator().manual_seed(1)).double()


def test_nade_is_its_formula():
    model = made_of("nade", hidden=4)
    bits = bits_of(5, 6)
    for d in range(6):
        hidden = torch.sigmoid(model.hidden_bias + bits[:, :d] @ model.weight[:d])
        torch.testing.assert_close(model.logits(bits)[:, d], model.bias[d] + hidden @ model.out[d])


@pytest.mark.parametrize("at_once", [1, 3 * 4 * 5, 1 << 20])
def test_nade_has_the_derivatives_of_its_formula_however_many_bits_are_taken_at_once(at_once: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(nade, "_AT_ONCE", at_once)
    model = made_of("nade", hidden=4)
    bits = bits_of(5, 6).requires_grad_()
    inputs = (bits, *(parameter.detach().requires_grad_() for parameter in (model.weight, model.hidden_bias, model.out)))
    assert torch.autograd.gradcheck(nade._Cumulative.apply, inputs)


def test_fvsbn_is_one_logistic_regression_a_bit_and_starts_from_the_marginals():
    model = made_of("fvsbn")
    bits = bits_of(5, 6)
    for d in range(6):
        torch.testing.assert_close(model.logits(bits)[:, d], model.bias[d] + bits[:, :d] @ model.weight[d, :d])
    images = (torch.rand(4000, 1, 3, 2, generator=torch.Generator().manual_seed(2)) < 0.2).to(torch.uint8)
    model.prepare(images)
    torch.testing.assert_close(model.bias.sigmoid(), images.double().mean(0).flatten(), atol=1e-3, rtol=0)


def test_each_net_of_made_sees_what_its_degrees_allow():
    """By paths: an input reaches an output if it reaches a unit of each layer in turn, each of at least the degree before."""
    model = made_of("made", hidden=5, layers=2, masks=2)
    for k in range(2):
        first, second = model.degrees[k].tolist()
        jacobian = torch.autograd.functional.jacobian(lambda bits: model.net(k, bits[None])[0], bits_of(1, 6)[0])  # noqa: B023
        reached = {
            (output, place)
            for output in range(6)
            for place in range(6)
            if any(place + 1 <= a <= b <= output for a in first for b in second)
        }
        assert {(o, i) for o, i in jacobian.nonzero().tolist()} <= reached
        assert all(place < output for output, place in reached)
    assert model.degrees.min() >= 1
    assert model.degrees.max() <= 5
    assert not torch.equal(model.degrees[0], model.degrees[1])


def test_made_trains_its_masks_in_turn_and_is_their_mixture():
    model = made_of("made", hidden=30, masks=3)
    with torch.inference_mode():
        losses = []
        for update in range(6):
            model.begin_update(update)
            losses.append(float(model.loss(EVERY)))
        assert losses[:3] == losses[3:]
        assert len(set(losses)) == 3
        each = []
        for k in range(3):
            logits, bits = model.net(k, model.bits(EVERY)), model.bits(EVERY)
            each.append(-torch.nn.functional.binary_cross_entropy_with_logits(logits, bits, reduction="none").sum(1))
        torch.testing.assert_close(model.log_prob(EVERY), torch.stack(each).logsumexp(0) - math.log(3))


def test_masks_are_part_of_the_architecture():
    same, other, seeds = made_of("made", seed=1), made_of("made", mask_seed=1), made_of("made")
    assert torch.equal(same.degrees, seeds.degrees)
    assert not torch.equal(other.degrees, seeds.degrees)
    assert not torch.equal(same.weights[0], seeds.weights[0])


def test_conditionals_of_a_mixture_follow_from_its_joint():
    """p(bit d | before) by summing the joint over all later bits, on all images."""
    log_weights = torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64).log()
    logits = 3 * torch.randn(1, 3, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    bits = EVERY.view(-1, 6).double()
    joint = mixed_log_prob(log_weights, logits, bits).exp()
    torch.testing.assert_close(joint.sum(), torch.ones((), dtype=torch.float64))
    found = mixed_logits(log_weights, logits, bits)
    for d in range(6):
        on, off = (torch.stack([joint[(bits[:, :d] == b[:d]).all(1) & (bits[:, d] == value)].sum() for b in bits]) for value in (1, 0))
        torch.testing.assert_close(found[:, d], (on / off).log())


def test_em_never_makes_its_images_less_likely_and_finds_the_components_of_its_images():
    components = torch.tensor([[0.9] * 3 + [0.1] * 3, [0.1] * 3 + [0.9] * 3], dtype=torch.float64)
    generator = torch.Generator().manual_seed(4)
    which = (torch.rand(3000, generator=generator) < 0.3).long()
    images = (torch.rand(3000, 6, generator=generator) < components[which]).to(torch.uint8).view(-1, 1, 3, 2)
    reached, model = [], None
    for iterations in range(1, 12):
        model = made_of("mixture-of-bernoullis", components=2, iterations=iterations, pseudo_count=1e-6)
        model.fit(images)
        reached.append(float(model.log_prob(images).mean()))
    assert all(later >= earlier - 1e-9 for earlier, later in itertools.pairwise(reached))
    assert isinstance(model, MixtureOfBernoullis)
    found = model.table.sigmoid()[model.log_weights.argsort(descending=True)]
    torch.testing.assert_close(found, components, atol=0.05, rtol=0)
    torch.testing.assert_close(model.log_weights.exp().sort(descending=True).values, torch.tensor([0.7, 0.3]).double(), atol=0.05, rtol=0)


def test_the_likeliest_of_several_fits_is_kept():
    images = torch.randint(2, (60, 1, 3, 2), generator=torch.Generator().manual_seed(5), dtype=torch.uint8)
    reached = []
    for restarts in (1, 2, 8):
        model = made_of("mixture-of-bernoullis", components=4, restarts=restarts, pseudo_count=1e-6)
        model.fit(images)
        reached.append(float(model.log_prob(images).mean()))
    assert reached == sorted(reached)
    assert reached[2] > reached[0]


def test_an_unseen_pixel_has_a_probability():
    model = made_of("mixture-of-bernoullis", components=3)
    model.fit(torch.zeros(20, 1, 3, 2, dtype=torch.uint8))
    assert torch.isfinite(model.log_prob(EVERY)).all()


@pytest.mark.parametrize("family", FAMILIES)
def test_an_order_is_a_permutation_that_the_settings_decide(family: str):
    size = {"channels": 2, "height": 4, "width": 3}
    raster, first, again, other = (
        made_of(family, seed, **size, **order)
        for seed, order in ((0, {}), (0, {"order": "random"}), (1, {"order": "random"}), (0, {"order": "random", "order_seed": 1}))
    )
    places = [(row, column, colour) for row in range(4) for column in range(3) for colour in range(2)]
    assert list(raster.order()) == places
    assert sorted(first.order()) == places
    assert first.order() == again.order()
    assert len({raster.order(), first.order(), other.order()}) == 3
    images = torch.arange(24).view(1, 2, 4, 3)
    assert first.bits(images)[0].tolist() == [images[0, colour, row, column] for row, column, colour in first.order()]
    assert torch.equal(first.as_images(first.bits(images)), images.double())


class Averaged(AutoregressiveModel):
    """Two models of different orders whose *conditionals* are averaged, as an ensemble is often, and wrongly, made."""

    def __init__(self, *models: AutoregressiveModel):
        super().__init__(1, 3, 2, 2, None)
        self.models = torch.nn.ModuleList(models)
        self.output = Softmax(1, 2)

    def forward(self, images: Tensor) -> Tensor:
        return torch.stack([model.conditionals(images) for model in self.models]).logsumexp(0) - math.log(2)  # type: ignore[operator]


def of_two_orders() -> tuple[AutoregressiveModel, AutoregressiveModel]:
    """With weights large enough that they do not agree."""
    models = made_of("nade", hidden=6), made_of("nade", 1, hidden=6, order="random", order_seed=2)
    with torch.no_grad():
        for model in models:
            for parameter in model.parameters():
                parameter.mul_(8)
    return models


def test_averaging_conditionals_over_orders_is_no_distribution():
    averaged = Averaged(*of_two_orders())
    with torch.inference_mode():
        assert abs(float(averaged.log_prob(EVERY).exp().sum()) - 1) > 1e-3
    assert check_causality(averaged, averaged.shape, levels=2).status == "leaky"


def test_averaging_likelihoods_over_orders_is_one():
    with torch.inference_mode():
        joint = torch.stack([model.log_prob(EVERY) for model in of_two_orders()]).logsumexp(0) - math.log(2)
    assert float(joint.exp().sum()) == pytest.approx(1, abs=1e-12)


def test_averaging_conditionals_in_one_order_is_a_distribution_but_another_one_than_the_mixture():
    models = made_of("nade", hidden=6), made_of("nade", 1, hidden=6)
    averaged = Averaged(*models)
    with torch.inference_mode():
        assert float(averaged.log_prob(EVERY).exp().sum()) == pytest.approx(1, abs=1e-12)
        mixture = torch.stack([model.log_prob(EVERY) for model in models]).logsumexp(0) - math.log(2)
        assert float((averaged.log_prob(EVERY) - mixture).abs().max()) > 1e-6
    assert check_causality(averaged, averaged.shape, levels=2).status == "complete"


@pytest.mark.parametrize(
    ("family", "settings", "sentence"),
    [
        *[(family, {"levels": 4}, f"{family}: this family is for images of 2 levels, these have 4; choose a task") for family in FAMILIES],
        *[(family, {"order": "spiral"}, f"{family}: order: Input should be 'raster' or 'random'.") for family in FAMILIES],
        ("nade", {"order": "random", "order_seed": -1}, "nade: order_seed must be at least 0, got -1."),
        ("nade", {"order_seed": 3}, "nade: order_seed chooses a random order, got 3 with order = 'raster'; say order = 'random'."),
        ("made", {"masks": 0}, "made: masks must be at least 1, got 0."),
        ("made", {"layers": 0}, "made: layers must be at least 1, got 0."),
        ("nade", {"hidden": 0}, "nade: hidden must be at least 1, got 0."),
        ("mixture-of-bernoullis", {"components": 0}, "mixture-of-bernoullis: components must be at least 1, got 0."),
        ("mixture-of-bernoullis", {"pseudo_count": 0.0}, "mixture-of-bernoullis: pseudo_count must be above 0"),
    ],
)
def test_what_cannot_be_is_one_sentence(family: str, settings: dict, sentence: str):
    with pytest.raises(UserError) as caught:
        create_model(family, **(TINY | settings))
    assert str(caught.value).startswith(sentence)
    assert "\n" not in str(caught.value)

"""Weight normalisation: torch's own where there is no mask, by what is seen where there is one, and the same function in both modes."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize

from pixelbench.causality import check_causality
from pixelbench.key_fields import key_values
from pixelbench.models.base import AutoregressiveModel
from pixelbench.models.families import create_model
from pixelbench.models.families.gated_pixelcnn import GatedPixelCNN
from pixelbench.models.layers.causal import CausalConv2d
from pixelbench.models.sampling import cached_log_probs
from pixelbench.models.weight_norm import normalise_weights
from pixelbench.training.loop import Trainer, TrainingPlan
from pixelbench.training.recipe import Recipe

SMALL: dict[str, Any] = {"maps": 7, "layers": 2, "head_maps": 9, "first_kernel": 5}
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "pixelcnn": ("pixelcnn", {"skip": True}),
    "gated": ("gated-pixelcnn", {}),
    "gated-one-stack": ("gated-pixelcnn", {"stacks": "one", "skip": True}),
    "gated-class": ("gated-pixelcnn", {"condition": "class", "classes": 3, "per_position": True}),
    "pixelvae": ("pixelvae", {"latent": 2, "encoder_maps": 3}),
    "pixelvae-upsampling": ("pixelvae", {"latent": 2, "encoder_maps": 3, "decoder": "with-upsampling"}),
}


def network(name: str, **settings: Any) -> AutoregressiveModel:
    family, own = MODELS[name]
    torch.manual_seed(0)
    return create_model(family, channels=3, height=8, width=9, levels=4, **SMALL, **own, **settings).double().eval()


def gains_changed(model: AutoregressiveModel) -> AutoregressiveModel:
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith("original0"):
                weight.mul_(0.5 + torch.rand(weight.shape, generator=generator, dtype=weight.dtype))
    return model


def given(model: AutoregressiveModel, n: int) -> tuple[Tensor, ...]:
    if model.latent:
        return (torch.randn(n, 2, generator=torch.Generator().manual_seed(2), dtype=torch.float64),)
    return (torch.arange(n) % 3,) if model.conditional else ()


def images_of(model: AutoregressiveModel, n: int = 2) -> Tensor:
    return torch.randint(model.levels, (n, *model.shape), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)


def part(layer: nn.Module, index: int) -> Tensor:
    """The gain (0) or the direction (1) of a layer."""
    return dict(layer.named_parameters())[f"parametrizations.weight.original{index}"]


def pointwise() -> CausalConv2d:
    torch.manual_seed(0)
    return CausalConv2d([0] * 4, [0] * 5, 1, above=False, itself=True, conditioning=True)


def test_a_layer_of_1x1_is_torch_s_own():
    mine, its, x = pointwise(), nn.Conv2d(4, 5, 1), torch.randn(2, 4, 3, 3)
    its.load_state_dict(mine.state_dict())
    normalise_weights(mine)
    parametrizations.weight_norm(its)
    for layer in (mine, its):
        with torch.no_grad():
            part(layer, 0).mul_(torch.linspace(0.5, 2, 5).view(5, 1, 1, 1))
        layer(x).square().sum().backward()
    torch.testing.assert_close(mine(x), its(x))
    for one, other in zip(mine.parameters(), its.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad)


def test_the_length_is_over_what_the_mask_lets_through():
    torch.manual_seed(0)
    layer = CausalConv2d([0, 0, 1], [0, 1, 1], 3, above=True, itself=False, conditioning=True)
    normalise_weights(layer)
    with torch.no_grad():
        part(layer, 0).copy_(torch.tensor([1.0, 2.0, 3.0]).view(3, 1, 1, 1))
    lengths = torch.linalg.vector_norm(layer.weight * layer.mask, dim=(1, 2, 3))
    torch.testing.assert_close(lengths, torch.tensor([1.0, 2.0, 3.0]))
    before = layer.weight.clone()
    with torch.no_grad():
        part(layer, 1).add_((1 - layer.mask) * 100)
    assert torch.equal(layer.weight, before)
    assert not (layer.weight * (1 - layer.mask)).any()
    with torch.no_grad():
        part(layer, 1).add_(layer.mask * 0.1)  # the mirror image: what is seen does count
    assert not torch.allclose(layer.weight, before)


def test_outputs_that_see_nothing_stay_at_their_bias():
    layer = CausalConv2d([0, 1], [0, 1], 1, above=False, itself=False, conditioning=True)  # colour 0 sees no colour
    normalise_weights(layer)
    out = layer(torch.randn(1, 2, 3, 3))
    assert not out[:, 0].any()
    out.square().sum().backward()
    assert all(weight.grad is None or torch.isfinite(weight.grad).all() for weight in layer.parameters())


@pytest.mark.parametrize("name", MODELS)
def test_a_network_starts_as_the_function_that_it_was(name: str):
    plain, normed = network(name), network(name, weight_norm=True)
    images = images_of(plain)
    torch.testing.assert_close(normed.conditionals(images, *given(plain, 2)), plain.conditionals(images, *given(plain, 2)))
    changed = gains_changed(normed).conditionals(images, *given(plain, 2))
    assert not torch.allclose(changed, plain.conditionals(images, *given(plain, 2)))


@pytest.mark.parametrize("name", MODELS)
def test_every_layer_has_a_gain(name: str):
    """But for biases every parameter is a gain or a direction."""
    names = [name for name, _ in network(name, weight_norm=True).named_parameters()]
    assert names
    assert all(name.endswith(("bias", "original0", "original1")) for name in names)
    assert not any(map(parametrize.is_parametrized, network(name).modules()))


@torch.inference_mode()
@pytest.mark.parametrize("name", MODELS)
def test_the_incremental_mode_is_the_forward(name: str):
    model = gains_changed(network(name, weight_norm=True))
    images, condition = images_of(model), given(model, 2)
    full, cached = model.conditionals(images, *condition), cached_log_probs(model, images, *condition)
    assert float((full - cached).abs().max()) < 1e-10


@pytest.mark.by_default(1)
@pytest.mark.parametrize("name", ["gated", "pixelvae"])
def test_it_is_causal(name: str):
    model = gains_changed(network(name, weight_norm=True))
    report = check_causality(model.certifiable(), model.shape, levels=4)
    assert (report.verdict, report.unresolved) == ("causal", 0)


def test_a_leak_is_found_through_it_too():
    model = create_model("gated-pixelcnn", channels=1, height=5, width=6, levels=4, **SMALL, first_layer="mask-b", weight_norm=True)
    assert check_causality(model, model.shape, levels=4).leaky


def test_it_trains_with_an_average_and_goes_on_from_a_checkpoint():
    def trainer() -> Trainer:
        model = network("gated", weight_norm=True).float()
        recipe = Recipe(batch=4, ema=0.9, precision="fp32", learning_rate=1e-2)
        return Trainer(model, images_of(model, 12), images_of(model, 4), recipe, TrainingPlan(6, 1))

    whole, first = trainer(), trainer()
    points = list(whole.run())
    going = first.run()
    next(going)
    second = trainer()
    second.restore(first.state())
    list(second.run())
    assert second.curve == points
    start = dict(trainer().model.named_parameters())
    gains = [(weight, start[name]) for name, weight in whole.model.named_parameters() if name.endswith("original0")]
    assert all(not torch.equal(weight, before) for weight, before in gains)


def test_a_copy_has_weights_of_its_own():
    model = network("gated", weight_norm=True)
    assert isinstance(model, GatedPixelCNN)
    other = copy.deepcopy(model)
    gains_changed(other)
    assert not torch.equal(model.head.out.weight, other.head.out.weight)


def test_it_is_no_part_of_a_key_where_it_is_not_asked_for():
    for name in ("pixelcnn", "gated", "pixelvae"):
        assert "weight_norm" not in key_values(network(name).settings)
        assert key_values(network(name, weight_norm=True).settings)["weight_norm"] is True

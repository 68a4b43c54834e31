"""PixelSNAIL: attention to strictly earlier pixels, its incremental mode, how it starts, leaks by design. The laws are in tests/laws."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from pixelbench.causality import check_causality
from pixelbench.causality.check import measure
from pixelbench.errors import UserError
from pixelbench.models.base import count_parameters
from pixelbench.models.families import create_model, get_family, pixelsnail
from pixelbench.models.families.pixelsnail import PixelSNAIL, attend, coordinates
from pixelbench.models.layers.shifted import Normed
from pixelbench.models.sampling import cached_log_probs

Shape = tuple[int, int, int]


def model_of(shape: Shape, **settings: Any) -> PixelSNAIL:
    """In float64 and eval mode; two levels for a Bernoulli, else three."""
    torch.manual_seed(0)
    channels, height, width = shape
    small = {"blocks": 2, "layers": 1, "maps": 6, "key_maps": 3, "value_maps": 5, "components": 2} | settings
    levels = 2 if settings.get("head") == "bernoulli" else 3
    return create_model("pixelsnail", channels=channels, height=height, width=width, levels=levels, **small).double().eval()


def images_of(model: PixelSNAIL, n: int = 4) -> Tensor:
    return torch.randint(model.levels, (n, *model.shape), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)


def maps(n: int, height: int = 3, width: int = 4) -> Tensor:
    return torch.randn(2, n, height, width, dtype=torch.float64, generator=torch.Generator().manual_seed(n))


def test_attention_is_a_weighted_mean_of_strictly_earlier_values():
    query, keys, values = maps(3), maps(4)[:, :3], maps(5)
    found = attend(query, keys, values).flatten(2)
    q, k, v = (x.flatten(2) for x in (query, keys, values))
    for pixel in range(1, 12):
        weights = torch.softmax(torch.einsum("bk,bkn->bn", q[:, :, pixel], k[:, :, :pixel]) / 3**0.5, 1)
        torch.testing.assert_close(found[:, :, pixel], torch.einsum("bn,bvn->bv", weights, v[:, :, :pixel]))


def test_the_first_pixel_attends_to_nothing_and_gets_zeros():
    assert not attend(maps(3), maps(4)[:, :3], maps(5))[:, :, 0, 0].any()
    one = attend(maps(3, 1, 1), maps(4, 1, 1)[:, :3], maps(5, 1, 1))
    assert one.shape == (2, 5, 1, 1)
    assert not one.any()


def test_extreme_scores_stay_finite_also_in_the_gradient():
    query = (1e4 * maps(3)).requires_grad_()
    found = attend(query, 1e4 * maps(4)[:, :3], maps(5))
    found.sum().backward()
    assert found.isfinite().all()
    assert query.grad is not None
    assert query.grad.isfinite().all()


def test_coordinates_are_rows_and_columns_around_the_middle():
    found = coordinates(2, 4, torch.empty(0))
    assert found[0, 0].tolist() == [[-0.5] * 4, [0.0] * 4]
    assert found[0, 1].tolist() == [[-0.5, -0.25, 0.0, 0.25]] * 2


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(1, 5, 4), (3, 4, 3)])
def test_it_sees_everything_earlier_in_one_block(shape: Shape):
    model = model_of(shape, blocks=1, layers=0)
    dependence = measure(model, shape, levels=model.levels).dependence
    channels = shape[0]
    for output in range(len(dependence)):
        pixel = output // channels * channels
        assert dependence[output, :pixel].all()
        assert not dependence[output, output:].any()


@pytest.mark.by_default(2)
@pytest.mark.parametrize(
    ("shape", "settings"),
    [
        ((1, 4, 3), {"head": "softmax", "input_encoding": "one-hot"}),
        ((3, 3, 2), {"head": "softmax"}),
        ((3, 3, 2), {"head": "softmax", "colour_conditioning": False}),
        ((1, 4, 3), {"head": "bernoulli", "layers": 0}),
        ((3, 2, 3), {"head": "bernoulli", "colour_conditioning": False}),
        ((3, 1, 4), {}),
        ((3, 4, 1), {}),
    ],
)
def test_every_head_is_causal_and_the_same_a_pixel_at_a_time(shape: Shape, settings: dict[str, Any]):
    model = model_of(shape, **settings)
    report = check_causality(model, shape, levels=model.levels)
    assert report.status == "complete", report.counter_example
    images = images_of(model)
    with torch.inference_mode():
        full = model.conditionals(images)
    torch.testing.assert_close(full.exp().sum(1), torch.ones(4, *shape, dtype=torch.float64))
    assert (full - cached_log_probs(model, images)).abs().max() <= 1e-10 * full.abs().max()
    drawn = [model.sample(2, generator=torch.Generator().manual_seed(5), method=method) for method in ("cached", "naive")]
    assert torch.equal(drawn[0], drawn[1])


def test_the_first_batch_gives_every_layer_its_scale_and_leaves_the_model_causal():
    model = model_of((3, 4, 4))
    images = images_of(model, 32)
    model.train().prepare(images)
    assert model.training
    outputs: dict[str, tuple[Normed, Tensor]] = {}
    hooks = [
        layer.register_forward_hook(lambda layer, _, out, name=name: outputs.update({name: (layer, out)}))
        for name, layer in model.named_modules()
        if isinstance(layer, Normed)
    ]
    model.eval()(images)
    assert len(outputs) == len(hooks)
    for layer, out in outputs.values():
        assert out.mean((0, 2, 3)).abs().max() < 1e-9
        torch.testing.assert_close(out.std((0, 2, 3), correction=0), torch.full_like(layer.gain, layer.scale))
    for hook in hooks:
        hook.remove()
    report = check_causality(model, model.shape, levels=model.levels)
    assert report.status == "complete", report.counter_example


def test_training_with_dropout_lowers_the_loss_and_keeps_it_causal():
    model = model_of((1, 4, 3), dropout=0.3)
    images = images_of(model, 16)[:1].repeat(16, 1, 1, 1)
    model.train().prepare(images_of(model, 16))
    optimiser = torch.optim.Adam(model.parameters(), 1e-2)
    losses = []
    for _ in range(80):
        optimiser.zero_grad()
        loss = model.loss(images)
        loss.backward()
        assert all(parameter.grad is not None for parameter in model.parameters())
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2
    report = check_causality(model, model.shape, levels=model.levels)
    assert report.status == "complete", report.counter_example


def inclusive(query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """The fault of a mask that lets a pixel attend to itself."""
    q, k, v = (x.flatten(2).transpose(1, 2) for x in (query, keys, values))
    return F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).unflatten(2, query.shape[2:])


def uniform_where_empty(query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """The fault of a large negative number for a mask: the first pixel, with nothing to attend to, attends to everything."""
    q, k, v = (x.flatten(2).transpose(1, 2) for x in (query, keys, values))
    later = torch.ones(q.shape[1], q.shape[1], dtype=torch.bool).triu()
    weights = (q @ k.transpose(1, 2)).masked_fill(later, -1e10).softmax(2)
    return (weights @ v).transpose(1, 2).unflatten(2, query.shape[2:])


@pytest.mark.by_default(2)
@pytest.mark.parametrize(
    ("fault", "kind", "itself"), [("attend", inclusive, True), ("attend", uniform_where_empty, True), ("right_shift", lambda x: x, True)]
)
def test_an_injected_fault_is_found(fault: str, kind: Any, itself: bool, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pixelsnail, fault, kind)
    model = model_of((1, 3, 4))
    report = check_causality(model, model.shape, levels=model.levels)
    assert report.status == "leaky"
    assert report.sees_itself == itself


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"blocks": 0}, "blocks must be at least 1, got 0"),
        ({"layers": -1}, "layers must be at least 0, got -1"),
        ({"key_maps": 0}, "key_maps must be at least 1, got 0"),
        ({"dropout": -0.1}, "dropout must be at least 0 and below 1, got -0.1"),
        ({"head": "bernoulli"}, "head = 'bernoulli' is for images of 2 levels, these have 4"),
    ],
)
def test_what_cannot_be_built_gets_one_sentence(settings: dict[str, Any], sentence: str):
    with pytest.raises(UserError) as caught:
        create_model("pixelsnail", channels=1, height=4, width=4, levels=4, **settings)
    assert sentence in str(caught.value)


def test_the_published_settings_make_a_network():
    (published,) = get_family("pixelsnail").published
    channels, height, width = published.shape
    with torch.device("meta"):
        model = create_model("pixelsnail", channels=channels, height=height, width=width, levels=published.levels, **published.settings)
    assert model.output.maps == 100
    assert model.settings.dropout == 0.5
    assert 40e6 < count_parameters(model) < 60e6

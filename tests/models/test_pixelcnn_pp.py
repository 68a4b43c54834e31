"""PixelCNN++ at several resolutions, on sizes that can be halved: the laws, what it sees, how it starts, leaks by design."""

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor

from pixelbench.causality import check_causality
from pixelbench.causality.check import measure
from pixelbench.errors import UserError
from pixelbench.key_fields import key_values
from pixelbench.models.base import count_parameters
from pixelbench.models.families import create_model, get_family, pixelcnn_pp
from pixelbench.models.families.pixelcnn_pp import PixelCNNPP
from pixelbench.models.layers.pointwise_blocks import Deepened
from pixelbench.models.layers.shifted import GatedBlock, Normed, Pointwise, concat_elu
from pixelbench.models.sampling import cached_log_probs

Shape = tuple[int, int, int]
CASES: list[tuple[Shape, dict[str, Any]]] = [
    ((1, 8, 4), {"scales": 2}),
    ((3, 4, 8), {"scales": 2, "skip": False}),
    ((1, 8, 4), {"scales": 3}),
    ((3, 4, 8), {"scales": 3}),
    ((3, 4, 2), {"scales": 2, "colour_conditioning": False}),
    ((3, 4, 2), {"scales": 2, "head": "softmax", "input_encoding": "one-hot"}),
    ((3, 2, 4), {"scales": 2, "head": "softmax", "colour_conditioning": False}),
    ((3, 2, 4), {"scales": 2, "head": "bernoulli"}),
    ((1, 4, 2), {"scales": 2, "head": "bernoulli"}),
    ((3, 4, 2), {"scales": 1, "nin_blocks": 2}),
    ((3, 4, 2), {"scales": 1, "channel_sets": 4}),
    ((1, 8, 4), {"scales": 3, "middle_layers": 2, "nin_blocks": 1, "channel_sets": 3}),
    ((3, 4, 8), {"scales": 2, "middle_layers": 1, "skip": False}),
]
cases = pytest.mark.parametrize(
    ("shape", "settings"), CASES, ids=lambda value: "-".join(str(v) for v in (value.values() if isinstance(value, dict) else value))
)


def model_of(shape: Shape, **settings: Any) -> PixelCNNPP:
    """In float64 and eval mode; two levels for a Bernoulli, else three."""
    torch.manual_seed(0)
    channels, height, width = shape
    small = {"maps": 6, "layers": 1, "components": 2} | settings
    levels = 2 if settings.get("head") == "bernoulli" else 3
    return create_model("pixelcnn-pp", channels=channels, height=height, width=width, levels=levels, **small).double().eval()


def images_of(model: PixelCNNPP, n: int = 4) -> Tensor:
    return torch.randint(model.levels, (n, *model.shape), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)


def seen_from(model: PixelCNNPP, row: int, column: int) -> set[tuple[int, int]]:
    """The (row, column) that the derivative of a grey pixel's outputs is not 0 for."""
    values = images_of(model, 1).double().requires_grad_()
    (gradient,) = torch.autograd.grad(model(values)[:, :, 0, row, column].sum(), values)
    return {(r, c) for r, c in gradient[0, 0].nonzero().tolist()}


@pytest.mark.by_default(3)
@cases
def test_a_row_and_a_pixel_at_a_time_it_is_the_same_function(shape: Shape, settings: dict[str, Any]):
    model = model_of(shape, **settings)
    images = images_of(model)
    with torch.inference_mode():
        full = model.conditionals(images)
    assert (full - cached_log_probs(model, images)).abs().max() <= 1e-10 * full.abs().max()
    drawn = [model.sample(2, generator=torch.Generator().manual_seed(5), method=method) for method in ("cached", "naive")]
    assert torch.equal(drawn[0], drawn[1])


@pytest.mark.by_default(3)
@cases
def test_it_is_causal_and_its_conditionals_are_distributions(shape: Shape, settings: dict[str, Any]):
    model = model_of(shape, **settings)
    report = check_causality(model, shape, levels=model.levels)
    assert report.status == "complete", report.counter_example
    images = images_of(model)
    logp = model.conditionals(images)
    torch.testing.assert_close(logp.exp().sum(1), torch.ones(4, *shape, dtype=torch.float64))
    picked = logp.gather(1, images.long()[:, None])[:, 0].sum((1, 2, 3))
    torch.testing.assert_close(picked, model.log_prob(images))


@pytest.mark.parametrize(("shape", "levels"), [((1, 2, 4), 3), ((3, 2, 2), 2)])
@pytest.mark.parametrize("scales", [1, 2])
def test_all_images_sum_to_one(shape: Shape, levels: int, scales: int):
    torch.manual_seed(0)
    channels, height, width = shape
    settings = {"maps": 6, "layers": 1, "components": 2, "scales": scales}
    model = create_model("pixelcnn-pp", channels=channels, height=height, width=width, levels=levels, **settings).double().eval()
    size = channels * height * width
    every = torch.tensor(list(itertools.product(range(levels), repeat=size))).view(-1, *shape)
    with torch.inference_mode():
        assert model.log_prob(every).exp().sum().item() == pytest.approx(1, abs=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("conditioning", [True, False])
def test_green_sees_red_at_its_own_pixel_only_with_colour_conditioning(conditioning: bool):
    model = model_of((3, 2, 4), scales=2, colour_conditioning=conditioning)
    dependence = measure(model, model.shape, levels=model.levels).dependence
    red, green = 3 * 5, 3 * 5 + 1
    assert dependence[green, red] == conditioning
    assert dependence[green, red - 3 : red].all()  # the pixel to the left, in all colours


#: The small networks of Table 2: their fields are 11 and 15 wide, and reach 5 and 7 pixels to the left.
SMALL = [(middle, more) for middle in (0, 1) for more in ({}, {"nin_blocks": 3}, {"channel_sets": 4})]


@pytest.mark.parametrize(("middle", "more"), SMALL)
def test_at_one_scale_it_sees_the_field_that_the_docstring_says(middle: int, more: dict[str, Any]):
    """n blocks: own row 1 + 2n to the left; 3 + 2n rows above, from 2 + 2n to the left to 1 + 2n to the right; 1x1 blocks widen nothing."""
    height, width, row, column = 11, 18, 10, 9
    model, n = model_of((1, height, width), scales=1, middle_layers=middle, **more), 2 + middle
    found = seen_from(model, row, column)
    expected = {(row, c) for c in range(column - 1 - 2 * n, column)}
    expected |= {(r, c) for r in range(row - 3 - 2 * n, row) for c in range(column - 2 - 2 * n, column + 2 + 2 * n)}
    assert found == {(r, c) for r, c in expected if r >= 0 and 0 <= c < width}
    assert len(found) == (7 + 9 * 16 if middle else 5 + 7 * 12)


def test_with_more_scales_it_sees_all_rows_above_but_of_an_odd_row_only_what_the_finest_scale_reaches():
    """Coarse features of row 7 were made for row 6 and 4; by itself, one block down and two up, the finest scale reaches 6 to the left."""
    found = seen_from(model_of((1, 8, 8), scales=3), 7, 7)
    assert {(row, column) for row in range(8) for column in range(8)} - found == {(7, 0), (7, 7)}


def test_the_first_batch_gives_every_layer_outputs_of_mean_0_and_its_scale():
    model = model_of((3, 8, 8), scales=2)
    images = images_of(model, 32)
    model.train().prepare(images)
    assert model.training
    outputs: dict[str, tuple[Normed, Tensor]] = {}
    for name, layer in model.named_modules():
        if isinstance(layer, Normed):
            layer.register_forward_hook(lambda layer, _, out, name=name: outputs.update({name: (layer, out)}))
    model.eval()(images)
    assert len(outputs) == sum(isinstance(layer, Normed) for layer in model.modules())
    for layer, out in outputs.values():
        assert out.mean((0, 2, 3)).abs().max() < 1e-9
        torch.testing.assert_close(out.std((0, 2, 3), correction=0), torch.full_like(layer.gain, layer.scale))


@pytest.mark.slow
def test_the_first_batch_decides_everything_and_leaves_the_model_causal():
    once, again = (model_of((3, 4, 4), scales=2) for _ in range(2))
    for model in (once, again):
        model.train().prepare(images_of(model, 8))
    for one, other in zip(once.state_dict().values(), again.state_dict().values(), strict=True):
        assert torch.equal(one, other)
    report = check_causality(once, once.shape, levels=once.levels)
    assert report.status == "complete", report.counter_example
    images = images_of(once.eval())
    full = once.conditionals(images).detach()
    assert (full - cached_log_probs(once, images)).abs().max() <= 1e-10 * full.abs().max()


def test_a_black_first_batch_does_no_harm():
    model = model_of((1, 4, 4), scales=2)
    model.prepare(torch.zeros(4, 1, 4, 4, dtype=torch.uint8))
    assert model.log_prob(images_of(model)).isfinite().all()


@pytest.mark.slow
def test_training_with_dropout_lowers_the_loss_and_keeps_it_causal():
    model = model_of((1, 4, 4), scales=2, dropout=0.3)
    images = images_of(model, 16)[:1].repeat(16, 1, 1, 1)
    model.train().prepare(images_of(model, 16))
    optimiser = torch.optim.Adam(model.parameters(), 1e-2)
    losses = []
    for _ in range(40):
        optimiser.zero_grad()
        loss = model.loss(images)
        loss.backward()
        assert all(parameter.grad is not None for parameter in model.parameters())
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2
    report = check_causality(model, model.shape, levels=model.levels)
    assert report.status == "complete", report.counter_example


@pytest.mark.by_default(1)
@pytest.mark.parametrize("shift", ["right_shift", "down_shift"])
def test_a_stream_without_its_shift_is_found(shift: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pixelcnn_pp, shift, lambda x: x)
    model = model_of((1, 4, 4), scales=2)
    report = check_causality(model, model.shape, levels=model.levels)
    assert report.status == "leaky"
    assert report.sees_itself


@pytest.mark.parametrize(
    ("shape", "settings", "sentence"),
    [
        ((1, 28, 30), {"scales": 3}, "divisible by 4, the images are 28x30; crop or pad them to 28x28 or 28x32, or choose scales = 2"),
        ((1, 3, 8), {"scales": 3}, "crop or pad them to 4x8, or choose scales = 1"),
        ((1, 4, 4), {"scales": 0}, "scales must be at least 1, got 0"),
        ((1, 4, 4), {"scales": 9}, "scales must be at most 8, got 9"),
        ((1, 4, 4), {"dropout": 1.0}, "dropout must be at least 0 and below 1, got 1"),
        ((1, 4, 4), {"head": "bernoulli"}, "head = 'bernoulli' is for images of 2 levels, these have 4"),
        ((1, 4, 4), {"kernel": 3}, "kernel"),
        ((1, 4, 4), {"condition": "class"}, "classes must be at least 2 with condition = 'class', got 0"),
        ((1, 4, 4), {"classes": 3}, "classes = 3 has no meaning with condition = 'none'"),
        ((1, 4, 4), {"condition": "vector"}, "condition"),
    ],
)
def test_what_cannot_be_built_gets_one_sentence(shape: Shape, settings: dict[str, Any], sentence: str):
    channels, height, width = shape
    with pytest.raises(UserError) as caught:
        create_model("pixelcnn-pp", channels=channels, height=height, width=width, levels=4, **settings)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("scales", [1, 2])
def test_with_classes_both_modes_are_the_same_function_in_every_class(scales: int):
    model = model_of((3, 4, 6), scales=scales, condition="class", classes=4)
    images, classes = images_of(model), torch.arange(4)
    with torch.inference_mode():
        full = model.conditionals(images, classes)
        assert (full - cached_log_probs(model, images, classes)).abs().max() <= 1e-10 * full.abs().max()
        same = model.conditionals(images[:1].expand(4, -1, -1, -1), classes)
    assert len({round(float(of_class[0, 0, 0, 0]), 6) for of_class in same}) == 4


def test_a_class_is_a_bias_of_every_block_and_the_first_batch_does_not_rescale_it():
    torch.manual_seed(0)
    model = model_of((3, 8, 8), scales=2, condition="class", classes=4)
    blocks = [module for module in model.modules() if isinstance(module, GatedBlock)]
    before = [block.conditional.weight.clone() for block in blocks if block.conditional is not None]
    assert len(before) == len(blocks) == 2 * (2 + 3)
    images = images_of(model, 32)
    model.train().prepare(images, torch.arange(32) % 4)
    assert all(torch.equal(a, b.conditional.weight) for a, b in zip(before, blocks, strict=True) if b.conditional is not None)
    spread = [layer.gain.std() for layer in model.modules() if isinstance(layer, Normed) and len(layer.gain) > 1]
    assert min(spread) > 0  # the first batch was seen


def test_of_ten_classes_the_published_network_has_a_bias_for_every_block_more():
    (published,) = get_family("pixelcnn-pp").published
    channels, height, width = published.shape
    settings = published.settings | {"condition": "class", "classes": 10}
    with torch.device("meta"):
        model = create_model("pixelcnn-pp", channels=channels, height=height, width=width, levels=published.levels, **settings)
    assert count_parameters(model) == authors_weights(160) + 2 * (15 + 17) * 10 * 2 * 160


def authors_weights(f: int) -> int:
    """Counted by hand from the authors' network for CIFAR-10, five blocks a scale: v, g and b of every layer of `f` maps."""

    def layer(rows: int, columns: int, inputs: int, outputs: int) -> int:
        return rows * columns * inputs * outputs + 2 * outputs

    first = layer(2, 3, 4, f) + layer(1, 3, 4, f) + layer(2, 1, 4, f)
    down = layer(2, 3, 2 * f, f) + layer(2, 3, 2 * f, 2 * f)
    down_right = layer(2, 2, 2 * f, f) + layer(2, 2, 2 * f, 2 * f)
    short, both = layer(1, 1, 2 * f, f), layer(1, 1, 4 * f, f)
    changes = 4 * (layer(2, 3, f, f) + layer(2, 2, f, f))
    return first + 15 * (down + down_right + short) + 17 * (down + short + down_right + both) + changes + layer(1, 1, f, 100)


def test_the_published_settings_have_the_weights_of_the_authors_network():
    (published,) = get_family("pixelcnn-pp").published
    channels, height, width = published.shape
    with torch.device("meta"):
        model = create_model("pixelcnn-pp", channels=channels, height=height, width=width, levels=published.levels, **published.settings)
    assert model.output.maps == 100
    assert model.settings.dropout == 0.5
    assert count_parameters(model) == authors_weights(160) == 53_659_080


def test_blocks_of_1x1_convolutions_stand_between_any_two_blocks_of_both_streams():
    model = model_of((1, 4, 6), scales=1, middle_layers=1, nin_blocks=3)
    found = {name: len(block.blocks) for name, block in model.named_modules() if isinstance(block, Deepened)}
    assert found == {f"{stream}.{place}.0": 3 for stream in ("down", "down_right") for place in ("down.0", "middle")}


def test_each_set_of_maps_reads_the_sets_before_it_and_no_later_one():
    """A change in one set of the features behind a block reaches that set and the later ones."""
    torch.manual_seed(0)
    block = GatedBlock(7, 0, Pointwise, concat_elu, 0.0)
    deepened = Deepened(block, 7, sets=3, blocks=0, dropout=0.0).double().eval()
    sets = [torch.arange(7).tensor_split(3)[i].tolist() for i in range(3)]
    assert sets == [[0, 1, 2], [3, 4], [5, 6]]
    x = torch.randn(1, 7, 2, 3, dtype=torch.float64)
    linked = deepened.twin(lambda layer: (lambda x, extra=None: x) if layer is block else layer)
    before = linked(x, None)
    for changed, first in enumerate(sets):
        other = x.clone()
        other[:, first] += 1.0
        moved = (linked(other, None) - before).abs().amax((0, 2, 3)) > 0
        assert [any(moved[maps]) for maps in sets] == [i >= changed for i in range(3)]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"nin_blocks": -1}, "nin_blocks must be at least 0, got -1"),
        ({"middle_layers": -1}, "middle_layers must be at least 0, got -1"),
        ({"channel_sets": 0}, "channel_sets must be at least 1, got 0"),
        ({"channel_sets": 7, "maps": 6}, "channel_sets must be at most maps, 6, so that each set has a map, got 7"),
        ({"middle_layers": 10_001}, "middle_layers must be at most 10,000"),
    ],
)
def test_small_networks_that_cannot_be_are_refused(settings: dict[str, Any], said: str):
    with pytest.raises(UserError, match=said):
        get_family("pixelcnn-pp").parse(settings)


def test_settings_of_the_small_networks_change_no_stored_key():
    """Nor the weights that a network without them starts from."""
    settings = get_family("pixelcnn-pp").parse({"scales": 1})
    assert not {"middle_layers", "nin_blocks", "channel_sets"} & set(key_values(settings))
    assert {"nin_blocks", "channel_sets"} < set(key_values(get_family("pixelcnn-pp").parse({"nin_blocks": 3, "channel_sets": 4})))

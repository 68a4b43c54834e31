"""Every family against independent code with the same weights: what the README beside this says, to the tolerances that it says."""

import re
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from pixelbench.models.base import AutoregressiveModel
from pixelbench.models.families.pixelsnail import attend
from pixelbench.models.layers.causal import CausalConv2d
from pixelbench.models.sampling import cached_log_probs
from tests.parity.golden import ATTENTION, FOLDER, MIXTURES, NETWORKS, Golden, load

EXACT, STEP = 1e-12, 2.0**-10
#: Absolute for `raw`, relative for `log_prob`, of max(1, |value|) for sub-pixels.
TOLERANCES = {
    torch.float64: {"raw": EXACT, "log_prob": EXACT, "sub_pixel": EXACT},
    torch.float32: {"raw": 1e-5, "log_prob": 1e-6, "sub_pixel": 1e-4},
}
PRECISIONS = [pytest.param(dtype, id=str(dtype).removeprefix("torch.")) for dtype in TOLERANCES]
MASKED = [name for name in NETWORKS if not name.startswith(("pixelcnn_pp", "pixelsnail"))]  # the others shift instead
CONDITIONAL = [name for name in NETWORKS if "class" in name]


def arguments(golden: Golden, images: Tensor, condition: Tensor | None = None) -> tuple[Tensor, ...]:
    given = golden.condition if condition is None else condition
    return (images,) if given is None else (images, given)


def raw_error(model: AutoregressiveModel, golden: Golden, condition: Tensor | None = None) -> float:
    """The largest absolute difference of the raw outputs from the judge's."""
    with torch.inference_mode():
        return float((model(*arguments(golden, golden.images, condition)) - golden.tensor("raw")).abs().max())


def nats_error(model: AutoregressiveModel, golden: Golden) -> float:
    """The largest relative difference of the log-likelihoods from the judge's."""
    expected = golden.tensor("log_prob")
    with torch.inference_mode():
        found = model.log_prob(*arguments(golden, golden.images))
    assert found.dtype == torch.float64
    return float(((found - expected) / expected).abs().max())


def at_the_image(conditionals: Tensor, images: Tensor) -> Tensor:
    """(B, C, H, W): the log-probability of each sub-pixel's own value."""
    return conditionals.gather(1, images.long()[:, None])[:, 0].double()


def each_mixture(golden: Golden, dtype: torch.dtype) -> Iterator[tuple[int, AutoregressiveModel, Tensor]]:
    """(i, model with that image's bias, the image) of a mixture file."""
    model = golden.model(dtype)
    head = model.get_parameter("head.bias")
    for i, bias in enumerate(golden.tensor("head_bias")):
        with torch.no_grad():
            head.copy_(bias)
        yield i, model, golden.images[i : i + 1]


def scored(golden: Golden) -> Iterator[tuple[AutoregressiveModel, Tensor, tuple[Tensor, ...]]]:
    """(model, images, what it is given): all images at once, or one by one where each has a bias of its own."""
    if "head_bias" in golden.arrays:
        yield from ((model, image, (image,)) for _, model, image in each_mixture(golden, torch.float64))
    else:
        yield golden.model(), golden.images, arguments(golden, golden.images)


def masked_layers(model: AutoregressiveModel) -> list[tuple[str, CausalConv2d]]:
    """The layers whose mask removes something."""
    found = [(name, layer) for name, layer in model.named_modules() if isinstance(layer, CausalConv2d)]
    return [(name, layer) for name, layer in found if bool((layer.mask == 0).any())]


def test_no_file_is_left_out_and_the_readme_names_each():
    assert {path.stem for path in FOLDER.glob("*.npz")} == {*NETWORKS, *MIXTURES, ATTENTION}
    rows = [line.split("|")[1] for line in (FOLDER / "README.md").read_text().splitlines() if line.startswith("| ")]
    named = {name for row in rows for name in re.findall(r"\w+", row)}
    assert {*NETWORKS, *MIXTURES, ATTENTION} <= named


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_is_the_one_of_independent_code(name: str, dtype: torch.dtype):
    golden, tolerance = load(name), TOLERANCES[dtype]
    model = golden.model(dtype)
    assert raw_error(model, golden) <= tolerance["raw"]
    assert nats_error(model, golden) <= tolerance["log_prob"]


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("name", MIXTURES)
def test_a_mixture_is_the_one_of_exact_arithmetic(name: str, dtype: torch.dtype):
    golden, tolerance = load(name), TOLERANCES[dtype]
    for i, model, image in each_mixture(golden, dtype):
        kind = str(golden.arrays["kind"][i])
        with torch.inference_mode():
            raw, nats = model(image)[0].double(), model.log_prob(image)[0]
            levels = at_the_image(model.conditionals(image), image)[0]
        expected, total = golden.tensor("sub_pixel_log_prob")[i], golden.tensor("log_prob")[i]
        assert float((raw - golden.tensor("raw")[i][..., None, None]).abs().max()) <= tolerance["raw"], kind
        assert abs(float((nats - total) / total)) <= tolerance["log_prob"], kind
        assert float(((levels - expected).abs() / expected.abs().clamp(min=1)).max()) <= tolerance["sub_pixel"], kind


def test_attention_is_that_of_independent_code():
    golden = load(ATTENTION)
    query, keys, values, expected = (golden.tensor(name) for name in ("query", "keys", "values", "expected"))
    assert float((attend(query, keys, values) - expected).abs().max()) <= EXACT
    assert float((attend(keys, query, values) - expected).abs().max()) > 1e-3


@pytest.mark.parametrize("name", [*NETWORKS, *MIXTURES])
def test_the_conditionals_at_the_image_sum_to_the_likelihood(name: str):
    golden = load(name)
    for model, images, given in scored(golden):
        with torch.inference_mode():
            total, conditionals = model.log_prob(*given), model.conditionals(*given)
        assert float(((at_the_image(conditionals, images).sum((1, 2, 3)) - total) / total).abs().max()) <= EXACT
        assert float(conditionals.logsumexp(1).abs().max()) <= EXACT


@pytest.mark.parametrize("name", [*NETWORKS, *MIXTURES])
def test_the_incremental_sampler_follows_the_conditionals(name: str):
    for model, _, given in scored(load(name)):
        with torch.inference_mode():
            full = model.conditionals(*given)
        assert float((cached_log_probs(model, *given) - full).abs().max()) <= EXACT * float(full.abs().max())


@pytest.mark.by_default("gated_rgb", "pixelcnn_binary", "pixelsnail_rgb")
@pytest.mark.parametrize("name", NETWORKS)
def test_one_entry_of_any_tensor_changed_is_seen(name: str):
    """Negative control: the entry with the largest slope, moved by 2^-10, whichever tensor it is of."""
    golden = load(name)
    model = golden.model()
    raw = model(*arguments(golden, golden.images))
    weighed = raw * torch.randn(raw.shape, dtype=raw.dtype, generator=torch.Generator().manual_seed(0))
    weighed.sum().backward()
    for label, weight in model.named_parameters():
        assert weight.grad is not None, label
        entry = int(weight.grad.abs().argmax())
        kept = weight.detach().clone()
        with torch.no_grad():
            weight.view(-1)[entry] += STEP
        assert raw_error(model, golden) > 100 * EXACT, label
        with torch.no_grad():
            weight.copy_(kept)
    assert raw_error(model, golden) <= EXACT


@pytest.mark.parametrize("name", MASKED)
def test_any_mask_dropped_is_seen(name: str):
    """Negative control: the entries under a mask hold numbers that the masks must remove."""
    golden = load(name)
    model = golden.model()
    layers = masked_layers(model)
    assert layers
    for label, layer in layers:
        mask = layer.mask.clone()
        layer.mask.fill_(1)
        assert raw_error(model, golden) > 1e-3, label
        layer.mask.copy_(mask)
    assert raw_error(model, golden) <= EXACT


@pytest.mark.parametrize("name", MASKED)
def test_other_numbers_under_the_masks_change_nothing(name: str):
    """The mirror image of a dropped mask: not one bit of the outputs, whole or incremental."""
    golden = load(name)
    model, other = golden.model(), golden.model()
    generator = torch.Generator().manual_seed(1)
    for _, layer in masked_layers(other):
        with torch.no_grad():
            layer.weight.add_((1 - layer.mask) * torch.randn(layer.mask.shape, dtype=layer.mask.dtype, generator=generator))
    given = arguments(golden, golden.images)
    with torch.inference_mode():
        assert torch.equal(other(*given), model(*given))
    assert torch.equal(cached_log_probs(other, *given), cached_log_probs(model, *given))


@pytest.mark.parametrize("name", CONDITIONAL)
def test_classes_in_another_order_are_seen(name: str):
    golden = load(name)
    assert golden.condition is not None
    assert raw_error(golden.model(), golden, golden.condition.roll(1)) > 1e-3


@pytest.mark.parametrize("name", MIXTURES)
def test_the_bias_of_another_image_is_seen(name: str):
    """Negative control of the mixtures, whose other weights are without effect."""
    golden = load(name)
    expected = golden.tensor("log_prob")
    for i, model, _ in each_mixture(golden, torch.float64):
        others = torch.cat([golden.images[:i], golden.images[i + 1 :]])
        with torch.inference_mode():
            found = model.log_prob(others)
        assert float(((found - torch.cat([expected[:i], expected[i + 1 :]])) / found).abs().min()) > 1e-6


@pytest.mark.parametrize("name", [*NETWORKS, *MIXTURES])
def test_a_value_one_level_off_is_seen(name: str):
    """Negative control of the likelihood: one sub-pixel of one image."""
    golden = load(name)
    for model, images, given in scored(golden):
        moved = images.clone()
        moved[0, 0, -1, -1] += 1 if moved[0, 0, -1, -1] == 0 else -1
        with torch.inference_mode():
            before, after = model.log_prob(*given), model.log_prob(moved, *given[1:])
        assert abs(float((after[0] - before[0]) / before[0])) > 1e-9


def test_the_authors_own_loss_differs_only_where_it_replaces_bins():
    """It takes density times width for bins of a mass below 1e-5; wide logistics have no such bin."""
    golden = load("mixture_rgb")
    ratio = (golden.tensor("log_prob_authors") / golden.tensor("log_prob") - 1).abs()
    wide = torch.from_numpy(golden.arrays["kind"] == "wide")
    assert float(ratio[wide].max()) <= EXACT
    assert 1e-6 < float(ratio[~wide].max()) < 1e-2

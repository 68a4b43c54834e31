"""Images of 512 levels, such as maps of codes: the laws of two families, in integers of two bytes."""

from typing import Any

import pytest
import torch

from pixelbench.causality import check_causality
from pixelbench.errors import UserError
from pixelbench.levels import integers_for
from pixelbench.models.base import AutoregressiveModel
from pixelbench.models.families import FAMILIES, create_model
from pixelbench.models.sampling import cached_log_probs

LEVELS = 512
SMALL: dict[str, dict[str, Any]] = {
    "gated-pixelcnn": {"maps": 5, "layers": 1, "head_maps": 6, "first_kernel": 3},
    "gated-pixelcnn one-hot": {"maps": 5, "layers": 1, "head_maps": 6, "first_kernel": 3, "input_encoding": "one-hot"},
    "pixelcnn-pp": {"maps": 5, "layers": 1, "scales": 1, "dropout": 0.0, "components": 3},
}


def model_of(name: str, height: int = 3, width: int = 4, channels: int = 1) -> AutoregressiveModel:
    torch.manual_seed(0)
    model = create_model(name.split()[0], channels=channels, height=height, width=width, levels=LEVELS, **SMALL[name])
    return model.double().eval()


def images_of(model: AutoregressiveModel, n: int) -> torch.Tensor:
    return torch.randint(LEVELS, (n, *model.shape), generator=torch.Generator().manual_seed(1), dtype=torch.int16)


@pytest.mark.slow
@torch.inference_mode()
@pytest.mark.parametrize("name", ["gated-pixelcnn", "pixelcnn-pp"])  # how images enter changes nothing about a sum
def test_all_images_of_two_pixels_sum_to_one(name: str) -> None:
    model = model_of(name, height=1, width=2)
    total = 0.0
    values = torch.arange(LEVELS, dtype=torch.int16)
    for first in values.split(16):
        pairs = torch.cartesian_prod(first, values).view(-1, 1, 1, 2)
        total += float(model.log_prob(pairs).exp().sum())
    assert total == pytest.approx(1.0, abs=1e-9)


@torch.inference_mode()
@pytest.mark.parametrize("name", SMALL)
def test_the_sampler_is_the_scorer(name: str) -> None:
    model = model_of(name)
    images = images_of(model, 3)
    full = model.conditionals(images)
    assert full.shape == (3, LEVELS, 1, 3, 4)
    torch.testing.assert_close(full.exp().sum(1), torch.ones(3, 1, 3, 4, dtype=torch.float64))
    assert float((cached_log_probs(model, images) - full).abs().max()) < 1e-10
    nats = -full.gather(1, images.long()[:, None])[:, 0].sum((1, 2, 3))
    torch.testing.assert_close(-model.log_prob(images), nats)


@pytest.mark.parametrize("name", SMALL)
def test_samplers_agree_and_draw_what_no_byte_holds(name: str) -> None:
    model = model_of(name)
    cached, naive = (model.sample(40, generator=torch.Generator().manual_seed(4), method=method) for method in ("cached", "naive"))
    assert torch.equal(cached, naive)
    assert cached.dtype == torch.int16
    assert 255 < int(cached.max()) < LEVELS
    known = torch.zeros(40, 1, 3, 4, dtype=torch.bool)
    known[:, :, 0] = True
    given = images_of(model, 40)
    done = model.sample(given=given, known=known)
    assert torch.equal(done[known], given[known])


@pytest.mark.by_default(1)
@pytest.mark.parametrize("name", SMALL)
def test_it_is_causal(name: str) -> None:
    model = model_of(name, channels=3)
    report = check_causality(model.certifiable(), model.shape, levels=LEVELS)
    assert (report.verdict, report.unresolved) == ("causal", 0)


def test_a_leak_is_found_at_so_many_levels() -> None:
    leaky = create_model("gated-pixelcnn", channels=1, height=3, width=4, levels=LEVELS, first_layer="mask-b", **SMALL["gated-pixelcnn"])
    assert check_causality(leaky, leaky.shape, levels=LEVELS).leaky


@pytest.mark.parametrize(("levels", "kind"), [(2, "uint8"), (256, "uint8"), (257, "int16"), (32_768, "int16"), (32_769, "int32")])
def test_integers_hold_all_levels_and_are_no_wider_than_before(levels: int, kind: str) -> None:
    assert integers_for(levels) == kind
    assert torch.iinfo(getattr(torch, kind)).max >= levels - 1


@pytest.mark.parametrize("levels", [-1, 1, 65_537, 10**9])
def test_absurd_levels_are_refused_in_a_sentence(levels: int) -> None:
    with pytest.raises(UserError, match=r"Images need positive sizes and 2 to 65,536 levels; got 1x3x4 with .* levels\."):
        create_model("gated-pixelcnn", channels=1, height=3, width=4, levels=levels)
    with pytest.raises(UserError, match="levels must be at"):
        check_causality(torch.nn.Identity(), (1, 3, 4), levels=levels)


def test_families_of_bytes_and_of_bits_say_so() -> None:
    for name, said in (("png", "stores a byte for each value, so at most 256 levels"), ("nade", "images of 2 levels")):
        family = FAMILIES[name]
        incompatibility = family.incompatibility(family.parse({}), 1, 3, 4, LEVELS)
        assert incompatibility is not None
        assert said in incompatibility
    assert FAMILIES["png"].incompatibility(FAMILIES["png"].parse({}), 1, 3, 4, 256) is None

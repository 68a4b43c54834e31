"""Under autocast the parameters of a distribution, and its likelihood, stay float32: in every family, with every head."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from pixelbench.models.base import AutoregressiveModel
from pixelbench.models.families import FAMILIES, create_model
from pixelbench.models.heads import make_output, outside_autocast
from pixelbench.models.layers.sequence import SequenceModel
from pixelbench.units import nats_to_bits

NETWORKS = [name for name, family in FAMILIES.items() if family.kind == "network"]
SMALL: dict[str, Any] = {"maps": 12, "layers": 1, "head_maps": 12, "components": 2, "encoder_maps": 4, "latent": 4, "dropout": 0.0}
SMALL |= {"hidden": 40, "blocks": 1, "scales": 1, "key_maps": 4, "value_maps": 4}
HEADS = ("softmax", "logistic-mixture", "bernoulli")
CASES = [(family, head) for family in NETWORKS for head in (HEADS if FAMILIES[family].levels is None else (None,))]


def network(family: str, head: str | None) -> tuple[AutoregressiveModel, Tensor]:
    torch.manual_seed(0)
    known = {field.name for field in fields(FAMILIES[family].settings)}
    settings = {name: value for name, value in SMALL.items() if name in known} | ({} if head is None else {"head": head})
    levels = 2 if head in (None, "bernoulli") else 8
    model = create_model(family, channels=1, height=8, width=10, levels=levels, **settings)
    images = torch.randint(levels, (3, 1, 8, 10), dtype=torch.uint8)
    model.prepare(images)
    return model, images


def raw_of(model: AutoregressiveModel, images: Tensor) -> Tensor:
    return model(images, torch.randn(3, 4)) if model.latent else model(images)


def is_rounded(values: Tensor) -> bool:
    """Whether all values are such as bfloat16 can hold, whatever the tensor's own type."""
    return bool((values.float() == values.bfloat16().float()).all())


@contextlib.contextmanager
def without_shelter(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every module of ours that calls `outside_autocast` just calls what it is given."""
    holders = [module for name, module in list(sys.modules.items()) if name.startswith("pixelbench.models.")]
    with monkeypatch.context() as patch:
        for module in holders:
            if hasattr(module, "outside_autocast"):
                patch.setattr(module, "outside_autocast", lambda function, *inputs: function(*inputs))
        yield


@pytest.mark.parametrize(("family", "head"), CASES)
def test_the_parameters_of_a_head_are_not_rounded_under_autocast(family: str, head: str | None):
    model, images = network(family, head)
    with torch.autocast("cpu", torch.bfloat16):
        raw = raw_of(model, images)
        loss = model.loss(images)
    assert raw.dtype == torch.float32
    assert not is_rounded(raw)
    assert loss.dtype == torch.float32
    loss.backward()
    learning = [weight.grad is not None and bool(weight.grad.abs().sum() > 0) for weight in model.parameters()]
    assert any(learning)
    assert all(weight.grad is None or torch.isfinite(weight.grad).all() for weight in model.parameters())


@pytest.mark.parametrize(("family", "head"), [case for case in CASES if case[0] != "nade"])  # which never computes in bfloat16
def test_the_same_look_finds_a_rounded_head(family: str, head: str | None, monkeypatch: pytest.MonkeyPatch):
    model, images = network(family, head)
    if family in ("fvsbn", "made"):
        cast(SequenceModel, model).bias.data.zero_()  # which they add in float32
    with without_shelter(monkeypatch), torch.autocast("cpu", torch.bfloat16):
        assert is_rounded(raw_of(model, images))


@pytest.mark.parametrize(("family", "head"), CASES)
def test_without_autocast_nothing_changes(family: str, head: str | None, monkeypatch: pytest.MonkeyPatch):
    model, images = network(family, head)
    with torch.no_grad():
        torch.manual_seed(1)
        sheltered = raw_of(model, images)
        with without_shelter(monkeypatch):
            torch.manual_seed(1)
            assert torch.equal(raw_of(model, images), sheltered)


def test_gradients_of_the_last_layer_are_those_of_float32():
    """The layer before may be in bfloat16; the last one gives the gradients of a layer in float32 that reads the same."""
    layer, x = torch.nn.Linear(7, 5), torch.randn(3, 7).bfloat16().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        loss = outside_autocast(layer, x).square().sum()
    loss.backward()
    assert layer.weight.grad is not None
    assert x.grad is not None
    found = (layer.weight.grad.clone(), x.grad.clone())
    layer.zero_grad()
    again = x.detach().float().requires_grad_()
    layer(again).square().sum().backward()
    assert again.grad is not None
    assert torch.equal(found[0], layer.weight.grad)
    assert torch.equal(found[1], again.grad.bfloat16())


@pytest.mark.parametrize(("log_scale", "least"), [(-5.0, 0.002), (-6.0, 0.01), (-7.0, 0.03)])
def test_what_rounding_costs_a_narrow_mixture(log_scale: float, least: float):
    """The reason for all this: means of bfloat16 are up to half a level away."""
    output = make_output("logistic-mixture", 1, 256, coupled=False, components=1)
    values = torch.arange(256).repeat(40)[:, None, None, None]
    means = values * (2 / 255) - 1 + 0.002 * torch.randn(values.shape, generator=torch.Generator().manual_seed(0))
    raw = torch.stack([torch.zeros_like(means), means, torch.full_like(means, log_scale)], 1)
    assert rounding_costs(lambda: output.nats(raw.bfloat16(), values), lambda: output.nats(raw, values)) > least
    assert rounding_costs(lambda: output.nats(raw.double(), values), lambda: output.nats(raw, values)) < 1e-4


def rounding_costs(rounded: Callable[[], Tensor], exact: Callable[[], Tensor]) -> float:
    """Bits/dim."""
    return float(nats_to_bits(float((rounded() - exact()).mean())))


def test_an_output_of_a_weight_in_bfloat16_is_left_alone():
    """A module that somebody made in bfloat16 throughout, outside autocast."""
    layer = torch.nn.Linear(3, 2).bfloat16()
    assert outside_autocast(layer, torch.ones(1, 3, dtype=torch.bfloat16)).dtype == torch.bfloat16


def test_a_device_without_autocast_is_none_of_its_business():
    assert outside_autocast(torch.relu, torch.empty(2, device="meta")).device.type == "meta"

"""Law: between two batches, or two sub-pixels, no value comes back to the host and nothing lies elsewhere; and a compiler sees it whole.

Shown without a device: an update on `meta`, forward passes on fake tensors, traces without a break. Each family inherits it all.
"""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch._dynamo.exc import TorchDynamoException

from pixelbench.models.families import FAMILIES
from pixelbench.models.layers.causal import CausalConv2d
from tests.laws import devices
from tests.laws.devices import Elsewhere, Fault, Way, left_behind, trainer_on, updates_on_meta
from tests.laws.families import BASELINES, BINARY, CAUSAL, CONDITIONED, GRID, LATENT, NETWORKS, SEQUENCES, TYPICAL, shape_of, tiny

TRAINED = [name for name in (NETWORKS | GRID | CONDITIONED | LATENT | BINARY) if not name.startswith("mixture")]
FAULTS: list[tuple[Fault, Fault]] = [
    (devices.reads_a_value, devices.computes_a_value),
    (devices.masks_from_the_host, devices.masks_in_place),
    (devices.keeps_a_plain_tensor, devices.keeps_a_buffer),
]
WAYS: list[Way] = ["scored", "naive", "cached"]


def typical(names: list[str]) -> list[Any]:
    """These variants, those that are not typical of their family only in the exhaustive grid."""
    return [pytest.param(name, id=name, marks=() if name in TYPICAL else pytest.mark.grid) for name in names]


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Elsewhere]:
    found = Elsewhere()
    yield found
    found.end()


def test_every_family_that_is_trained_is_here():
    trained = {name for name, family in FAMILIES.items() if family.kind == "network" and family.is_own}
    assert trained <= {(CAUSAL | CONDITIONED | LATENT | BINARY)[name][0] for name in TYPICAL & set(TRAINED)}


@pytest.mark.by_default(6)
@pytest.mark.parametrize("name", typical(TRAINED))
def test_an_update_needs_no_value(name: str):
    updates_on_meta(name)


@pytest.mark.parametrize("name", [*TRAINED, *BASELINES, *(name for name in SEQUENCES if name.startswith("mixture"))])
def test_all_tensors_of_a_model_are_moved(name: str):
    assert left_behind(tiny(name, shape_of(name, (3, 5, 4)))) == []


@pytest.mark.by_default(6)
@pytest.mark.parametrize("name", typical([*TRAINED, *BASELINES, "mixture"]))
def test_scoring_and_sampling_need_no_value(name: str, elsewhere: Elsewhere):
    naive: list[Way] = ["naive"] if name in ("plain", "made-masks-random") else []  # whole forwards again, which scoring has tried
    assert elsewhere.fails(name, ["scored", *naive, "cached"]) is None


@pytest.mark.parametrize(("fault", "mirror"), FAULTS)
def test_a_fault_is_found_in_an_update_and_its_mirror_image_is_none(fault: Fault, mirror: Fault):
    with pytest.raises((RuntimeError, NotImplementedError), match=r"meta|same device"):
        updates_on_meta("gated", fault)
    updates_on_meta("gated", mirror)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("fault", "mirror"), FAULTS)
def test_a_fault_is_found_in_scoring_and_sampling_and_its_mirror_image_is_none(fault: Fault, mirror: Fault, way: Way, elsewhere: Elsewhere):
    found = elsewhere.fails("plain", [way], fault)
    assert found is not None
    # torch 2.11 raises the same as a RuntimeError without a name of its own
    assert re.match(
        "DataDependent" if fault is devices.reads_a_value else r"FakeTensorDeviceMismatch|.*found two different devices", found
    ), found
    assert elsewhere.fails("plain", [way], mirror) is None


def test_what_is_no_buffer_is_left_behind():
    fault, mirror = FAULTS[-1]
    for change, expected in ((fault, ["model.factors"]), (mirror, [])):
        model = tiny("plain", (1, 3, 3))
        change(model)
        assert left_behind(model) == expected


@pytest.mark.by_default(2)
@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")  # the compiler does that
@pytest.mark.parametrize("name", typical(TRAINED))
def test_a_compiler_traces_an_update_whole(name: str):
    torch._dynamo.reset()
    found = []
    for compiled in (False, True):
        trainer = trainer_on("cpu", name)
        trainer.model.train()
        trainer.model.begin_update(0)
        forward = torch.compile(trainer._forward, fullgraph=True, backend="eager") if compiled else trainer._forward
        torch.manual_seed(1)
        loss = forward(trainer._batch(0))
        loss.backward()
        found.append([loss.detach(), *(weight.grad for weight in trainer.model.parameters() if weight.grad is not None)])
    assert len(found[0]) > 1
    for eager, traced in zip(*found, strict=True):
        assert torch.equal(eager, traced)


def breaks_the_graph(model: Any) -> None:
    devices._scaled_by(model, lambda raw: [1.0, torch._dynamo.graph_break()][0])


def turns_on_a_value(model: Any) -> None:
    devices._scaled_by(model, lambda raw: 1.0 if raw.detach().mean() > 0 else 2.0)


@pytest.mark.parametrize("fault", [turns_on_a_value, breaks_the_graph])
def test_a_break_is_found_and_its_mirror_image_is_none(fault: Fault):
    for change, breaks in ((fault, True), (devices.computes_a_value, False)):
        torch._dynamo.reset()
        trainer = trainer_on("cpu", "plain", change)
        forward = torch.compile(trainer._forward, fullgraph=True, backend="eager")
        if breaks:
            with pytest.raises(TorchDynamoException):
                forward(trainer._batch(0))
        else:
            forward(trainer._batch(0))


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_products_are_cast_where_the_recipe_says_so_and_parameters_of_distributions_never(precision: str):
    trainer = trainer_on("cpu", "plain")
    object.__setattr__(trainer.recipe, "precision", precision)
    kinds: list[tuple[bool, torch.dtype]] = []
    trainer.model.register_forward_hook(lambda module, given, raw: kinds.append((torch.is_autocast_enabled("cpu"), raw.dtype)))
    inside: list[torch.dtype] = []
    first = next(layer for layer in trainer.model.modules() if isinstance(layer, CausalConv2d))
    first.register_forward_hook(lambda module, given, maps: inside.append(maps.dtype))
    trainer._step()
    assert kinds == [(precision == "bf16", torch.float32)]
    assert inside == [torch.bfloat16 if precision == "bf16" else torch.float32]
    assert {weight.grad.dtype for weight in trainer.model.parameters() if weight.grad is not None} == {torch.float32}
    assert not torch.is_autocast_enabled("cpu")

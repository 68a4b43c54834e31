"""A measurement measures what it says: each kind of family, once in a process of its own."""

import math
from dataclasses import replace
from typing import Any

import pytest
import torch

from pixelbench.errors import NothingMatched, UserError
from pixelbench.experiments.bench import measure as module
from pixelbench.experiments.bench import rounds
from pixelbench.experiments.bench.actions import Actions, convolution, flop_of, matrix_product
from pixelbench.experiments.bench.measure import measure
from pixelbench.experiments.bench.own_process import measure_alone
from pixelbench.experiments.bench.rounds import best_batch, in_rounds
from pixelbench.experiments.bench.subjects import Named, of_family, of_suite
from pixelbench.suites.load import load_suite

SMALL: dict[str, dict[str, Any]] = {
    "gated-pixelcnn": {"layers": 1, "maps": 6, "head_maps": 6, "condition": "class", "classes": 3},
    "vae": {"maps": 6, "latent": 2, "encoder_maps": 4},
    "histogram": {},
    "png": {},
}


def named(family: str, **changes: Any) -> Named:
    shape = (1, 9, 8) if family == "vae" else (1, 4, 3)
    return of_family(family, settings=SMALL.get(family, {}), **{"shape": shape, "batch": 4} | changes)


@pytest.fixture
def small_roof(monkeypatch: pytest.MonkeyPatch) -> None:
    """A product and a convolution of no time."""
    monkeypatch.setattr("pixelbench.experiments.bench.actions._PRODUCT", {"cpu": 16})
    monkeypatch.setattr("pixelbench.experiments.bench.actions._CONVOLVED", {"cpu": 1})
    monkeypatch.setattr(rounds, "_LEAST_SECONDS", 0.0)


@pytest.mark.by_default(2)
@pytest.mark.usefixtures("small_roof")
@pytest.mark.parametrize("family", SMALL)
def test_each_kind_of_family_is_measured(family: str):
    said: list[str] = []
    record = measure(named(family), "cpu", 1.0, lambda what, done, total: said.append(what))
    expected = {"scoring", "product", "convolution"}
    expected |= {"training"} if family in ("gated-pixelcnn", "vae") else set()
    expected |= set() if family == "png" else {"forward", "forward-best", "sampling", "sampling-best"}
    assert set(record.timings) == expected
    assert all(rounds.LEAST_ROUNDS <= len(timing.seconds) <= rounds.MOST_ROUNDS for timing in record.timings.values())
    assert record.memory["start"] <= record.memory["training"] <= record.memory["all"]
    assert record.device.startswith("cpu")
    assert (record.threads, record.cached) == (torch.get_num_threads(), family != "png")
    assert {"building", "rounds"} <= set(said)
    if family == "gated-pixelcnn":
        assert (record.timings["training"].flop or 0) > 2 * (record.timings["scoring"].flop or 0) > 0


@pytest.mark.usefixtures("small_roof")
def test_without_time_only_one_image_is_tried(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "_CALL_SHARE", 0.0)
    kept = measure(named("gated-pixelcnn"), "cpu", 0.1)
    assert kept.tried == ((1, kept.tried[0][1]),)


@pytest.mark.slow
def test_in_a_process_of_its_own():
    record = measure_alone(named("fvsbn"), "cpu", 0.1)
    assert record.name == "fvsbn"
    assert record.memory["all"] > 50 << 20
    broken = Named("broken", replace(named("fvsbn").subject, family="no-such-family"))
    with pytest.raises(UserError, match=r"^broken cannot be measured: .*no-such-family"):
        measure_alone(broken, "cpu", 0.1)


def test_work_is_that_of_the_products():
    """A product of n x n matrices is 2 n^3, a convolution 2 for each tap, map and position; three times that in a training step."""
    one, other = torch.randn(8, 8), torch.randn(8, 8)
    assert flop_of(lambda: one @ other) == 2 * 8**3
    layer = torch.nn.Conv2d(5, 7, 3, padding=1)
    images = torch.randn(2, 5, 6, 4, requires_grad=True)
    forward = 2 * 5 * 7 * 9 * 2 * 6 * 4
    assert flop_of(lambda: layer(images)) == forward
    assert flop_of(lambda: layer(images).sum().backward()) == 3 * forward
    assert flop_of(lambda: one + other) == 0


def test_the_roof_is_what_its_work_says():
    assert flop_of(matrix_product("cpu", "fp32")) == 2 * 1024**3
    assert flop_of(convolution("cpu", "fp32")) == 2 * 64 * 64 * 9 * 28 * 28 * 32


@pytest.mark.parametrize(("skip", "products"), [(True, 22), (False, 21)])
def test_a_step_of_M_is_the_work_that_its_layers_need(skip: bool, products: int):
    """12 h^2 multiply-adds of the vertical convolution for a pixel and layer, 4 of the link, 4 of the horizontal one, 1 of the residual
    and 1 of a skip connection; 7 layers of 64 maps, 28x28 pixels, 64 images. First layer and head add less than a twentieth.

    Counted for one image: all work grows with the batch.
    """
    settings = {"layers": 7, "maps": 64, "head_maps": 32, "head": "bernoulli", "skip": skip}
    step = Actions(of_family("gated-pixelcnn", settings=settings, batch=1).subject, "cpu").training()
    assert step is not None
    counted = 64 * flop_of(step) / 1e9
    layers = 3 * 2 * products * 64**2 * 7 * 784 * 64 / 1e9
    assert layers < counted < 1.05 * layers


def test_rounds_are_interleaved_and_at_least_five():
    calls: list[str] = []
    found = in_rounds({name: lambda name=name: calls.append(name) for name in "ab"}, 0.0)
    assert {name: len(times) for name, times in found.items()} == {"a": 5, "b": 5}
    firsts = [name for before, name in zip([None, *calls], calls, strict=False) if before != name]
    assert firsts[-10:] == ["a", "b"] * 5


@pytest.mark.parametrize(
    ("seconds", "limits", "tried"),
    [
        (lambda n: 1.0, {"most_seconds": 10, "most_images": 64}, 7),  # as long for 64 as for one
        (lambda n: n, {"most_seconds": 100, "most_images": 64}, 3),  # a doubling brings nothing, twice
        (lambda n: 1.0, {"most_seconds": 1, "most_images": 64}, 1),  # two images could take two seconds
        (lambda n: 1.0, {"most_seconds": 10, "most_images": 3}, 2),
        (lambda n: math.sqrt(n), {"most_seconds": 5, "most_images": 1 << 20}, 4),
    ],
)
def test_the_best_batch_is_looked_for_as_far_as_it_is_worth_it(seconds: Any, limits: dict[str, int], tried: int):
    found = best_batch(seconds, **limits)
    assert [count for count, _ in found] == [1 << power for power in range(tried)]


def test_a_suite_is_each_of_its_networks_once():
    suite = load_suite("quick")
    found = of_suite(suite)
    assert len({str(each.subject) for each in found}) == len(found) > 3
    assert of_suite(suite, only=["digits/gated-pixelcnn"], batch=8)[0].subject.batch == 8
    with pytest.raises(NothingMatched):
        of_suite(suite, only=["nothing/*"])


def test_a_subject_is_the_same_after_its_way_to_another_process():
    import json

    one = named("gated-pixelcnn")
    assert Named.from_json(json.loads(json.dumps(one.to_json()))) == one


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"settings": {"layer": 2}}, "Did you mean 'layers'"),
        ({"settings": {"maps": 0}}, "maps"),
        ({"batch": 0}, "--batch: batch must be at least 1"),
        ({"levels": 256, "settings": {"head": "bernoulli"}}, "images of 2 levels"),
        ({"precision": "fp8"}, "fp8"),
    ],
)
def test_what_cannot_be_measured_is_one_sentence(options: dict[str, Any], said: str):
    with pytest.raises(UserError, match=said):
        of_family("gated-pixelcnn", **dict[str, Any](settings={}) | options)

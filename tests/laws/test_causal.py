"""Law: what a sub-pixel's distribution depends on comes strictly earlier in the model's order. And the leaks by design are found."""

import pytest
import torch

from pixelbench.causality import check_causality
from pixelbench.causality.check import measure
from pixelbench.models.base import AutoregressiveModel
from pixelbench.models.layers.sequence import SequenceModel
from tests.laws.families import GRID, LEAKY, NETWORKS, SEQUENCES, SHAPES, cases, derivatives, tiny, train_a_little


@pytest.mark.by_default("colour")
def test_no_leak_anywhere(model: AutoregressiveModel):
    report = check_causality(model.certifiable(), model.shape, levels=model.levels)
    assert report.status == "complete", report.counter_example
    assert report.unresolved == 0


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", cases(name for name, (_, settings) in (NETWORKS | GRID).items() if "input_encoding" not in settings))
def test_derivatives_by_later_sub_pixels_are_exactly_zero(name: str, shape: str):
    found = derivatives(tiny(name, SHAPES[shape]))
    later = torch.ones_like(found).triu().bool()
    assert (found[later] == 0).all()
    assert (found[~later] != 0).any()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", SEQUENCES)
def test_derivatives_by_bits_that_come_later_in_its_own_order_are_exactly_zero(name: str, shape: str):
    model = tiny(name, SHAPES[shape])
    assert isinstance(model, SequenceModel)
    found = derivatives(model)[model.places][:, model.places]
    later = torch.ones_like(found).triu().bool()
    assert (found[later] == 0).all()
    assert (found[~later] != 0).float().mean() > 0.9


@pytest.mark.parametrize("name", [name for name in SEQUENCES if name.endswith("-random")])
def test_an_order_of_its_own_leaks_in_raster_order_and_is_found(name: str):
    model = tiny(name, SHAPES["grey"])
    report = check_causality(model, model.shape, levels=2)
    assert (report.status, report.order) == ("leaky", "listed")


@pytest.mark.parametrize("name", cases([*NETWORKS, *GRID, *(name for name in SEQUENCES if not name.startswith("mixture"))]))
def test_training_keeps_it_causal(name: str):
    model = train_a_little(tiny(name, SHAPES["colour"]))
    positions = range(0, torch.Size(model.shape).numel(), 7)
    report = check_causality(model.certifiable(), model.shape, levels=model.levels, positions=positions)
    assert not report.leaky, report.counter_example


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", LEAKY)
def test_an_injected_fault_is_found_with_its_offset(name: str, shape: str):
    model = tiny(name, SHAPES[shape])
    report = check_causality(model, model.shape, levels=model.levels)
    assert report.status == "leaky"
    assert report.sees_itself
    # The fault adds the pixel itself, nothing to its right or below.
    assert {leak.offset for leak in report.leaks} == {(0, 0)}
    assert all(leak.input_colour == leak.output_colour for leak in report.leaks)


@pytest.mark.parametrize("name", LEAKY)
def test_an_injected_fault_is_seen_in_the_derivatives(name: str):
    seen = derivatives(tiny(name, SHAPES["colour"])).diagonal() != 0
    assert float(seen.double().mean()) > 0.7  # a ReLU may be shut at some places


@pytest.mark.by_default("pixelcnn", "gated")
@pytest.mark.parametrize("name", cases(name for name in NETWORKS | GRID if f"{name}-no-colour" in NETWORKS | GRID))
def test_colour_conditioning_is_seen_in_the_map(name: str):
    model, without = tiny(name, SHAPES["colour"]), tiny(f"{name}-no-colour", SHAPES["colour"])
    report = check_causality(model, model.shape, levels=model.levels)
    assert report.colour_conditioning == {0: (), 1: (0,), 2: (0, 1)}
    assert "colour-blind" not in report.faults
    blind = check_causality(without, model.shape, levels=model.levels)
    assert blind.colour_conditioning == {0: (), 1: (), 2: ()}
    assert "colour-blind" in blind.faults


@pytest.mark.parametrize("name", cases(name for name in NETWORKS | GRID if name.endswith("no-colour")))
def test_without_colour_conditioning_all_colours_of_earlier_pixels_stay_visible(name: str):
    channels, _, width = SHAPES["colour"]
    model = tiny(name, SHAPES["colour"])
    dependence = measure(model, model.shape, levels=model.levels).dependence
    left, here = (2 * width + 1) * channels, (2 * width + 2) * channels
    assert dependence[here : here + channels, left : left + channels].all()

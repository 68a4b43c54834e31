"""Law: what a sub-pixel's distribution depends on comes strictly earlier in raster order. And the planted faults are found."""

import pytest
from families import LEAKY, SHAPES, tiny

from pixelbench.causality import check_causality
from pixelbench.causality.check import measure
from pixelbench.models.base import AutoregressiveModel


def test_no_leak_anywhere(model: AutoregressiveModel):
    report = check_causality(model, model.shape, levels=model.levels)
    assert report.status == "complete", report.counter_example
    assert report.unresolved == 0


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", LEAKY)
def test_a_planted_fault_is_found_with_its_offset(name: str, shape: str):
    model = tiny(name, SHAPES[shape])
    report = check_causality(model, model.shape, levels=model.levels)
    assert report.status == "leaky"
    assert report.sees_itself
    # The fault adds the pixel itself, nothing to its right or below.
    assert {leak.offset for leak in report.leaks} == {(0, 0)}
    assert all(leak.input_colour == leak.output_colour for leak in report.leaks)


@pytest.mark.parametrize("name", ["pixelcnn", "gated"])
def test_colour_conditioning_is_seen_in_the_map(name: str):
    model, without = tiny(name, SHAPES["colour"]), tiny(f"{name}-no-colour", SHAPES["colour"])
    report = check_causality(model, model.shape, levels=model.levels)
    assert report.colour_conditioning == {0: (), 1: (0,), 2: (0, 1)}
    assert "colour-blind" not in report.faults
    blind = check_causality(without, model.shape, levels=model.levels)
    assert blind.colour_conditioning == {0: (), 1: (), 2: ()}
    assert "colour-blind" in blind.faults


@pytest.mark.parametrize("name", ["pixelcnn-no-colour", "gated-no-colour"])
def test_without_colour_conditioning_all_colours_of_earlier_pixels_stay_visible(name: str):
    channels, _, width = SHAPES["colour"]
    model = tiny(name, SHAPES["colour"])
    dependence = measure(model, model.shape, levels=model.levels).dependence
    left, here = (2 * width + 1) * channels, (2 * width + 2) * channels
    assert dependence[here : here + channels, left : left + channels].all()


def test_two_stacks_have_no_blind_spot_and_one_has():
    """From the middle of the last row everything above within reach must be seen; one stack misses the upper right."""
    blind = {}
    for name in ("pixelcnn", "gated"):
        model = tiny(name, (1, 7, 9))
        dependence = measure(model, model.shape, levels=model.levels).dependence
        output = 6 * 9 + 4
        blind[name] = [(row, column) for row in range(3, 6) for column in range(9) if not dependence[output, row * 9 + column]]
    assert blind["gated"] == []
    assert (5, 8) in blind["pixelcnn"]

"""The causal layers against their definition, one tap at a time: the whole image and the incremental mode, in every setting."""

import itertools
import math
from typing import Any

import pytest
import torch
from torch import Tensor

from pixelbench.models.layers.causal import CausalConv2d, RowsAboveConv2d, SlidingRows, colours, gate, may_see, slices_by_colour

pytestmark = pytest.mark.quick

HEIGHT, WIDTH = 6, 5
#: Colours of input and output maps; a gate holds every colour twice, and widths need not be divisible.
GROUPS = {"grey": ([0, 0], [0, 0, 0]), "colour": ([0, 0, 1, 2], [0, 1, 1, 2, 0, 1, 1, 2])}
SETTINGS = list(itertools.product(GROUPS, (1, 3, 5), (True, False), (True, False), (True, False), (1, 2, 3)))


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def layer_of(groups: str, kernel: int, above: bool, itself: bool, conditioning: bool, dilation: int) -> CausalConv2d:
    """With random numbers everywhere, also where the mask must remove them."""
    inputs, outputs = GROUPS[groups]
    layer = CausalConv2d(inputs, outputs, kernel, above=above, itself=itself, conditioning=conditioning, dilation=dilation).double()
    with torch.no_grad():
        layer.weight.copy_(drawn(*layer.weight.shape, seed=1))
        layer.bias.copy_(drawn(len(outputs), seed=2))
    return layer


def may_read(down: int, right: int, source: int, target: int, *, above: bool, itself: bool, conditioning: bool) -> bool:
    """Whether an output of colour `target` may read an input of colour `source` so many rows down and columns to the right."""
    if down < 0:
        return above
    if down > 0 or right > 0:
        return False
    return right < 0 or (source == target and itself) or (source < target and conditioning)


def by_definition(
    layer: CausalConv2d, x: Tensor, groups: str, kernel: int, above: bool, itself: bool, conditioning: bool, dilation: int
) -> Tensor:
    inputs, outputs = GROUPS[groups]
    reach, rows = kernel // 2, layer.weight.shape[2]
    result = layer.bias[None, :, None, None].expand(len(x), -1, HEIGHT, WIDTH).clone()
    for down, right in itertools.product(range(-reach, 1), range(-reach, reach + 1)):
        for (o, target), (i, source) in itertools.product(enumerate(outputs), enumerate(inputs)):
            if may_read(down, right, source, target, above=above, itself=itself, conditioning=conditioning):
                weight = layer.weight[o, i, rows - 1 + down, reach + right]
                result[:, o] += weight * moved(x[:, i], down * dilation, right * dilation)
    return result.detach()


def moved(x: Tensor, down: int, right: int) -> Tensor:
    """(B, H, W): at each place the value so many rows down and columns to the right, 0 beyond the edge."""
    result = torch.zeros_like(x)
    for r, c in itertools.product(range(HEIGHT), range(WIDTH)):
        if 0 <= r + down < HEIGHT and 0 <= c + right < WIDTH:
            result[:, r, c] = x[:, r + down, c + right]
    return result


@pytest.mark.parametrize(("groups", "kernel", "above", "itself", "conditioning", "dilation"), SETTINGS)
def test_a_causal_convolution_is_the_sum_over_the_taps_it_may_read(
    groups: str, kernel: int, above: bool, itself: bool, conditioning: bool, dilation: int
):
    layer = layer_of(groups, kernel, above, itself, conditioning, dilation)
    x = drawn(2, len(GROUPS[groups][0]), HEIGHT, WIDTH)
    expected = by_definition(layer, x, groups, kernel, above, itself, conditioning, dilation)
    with torch.no_grad():
        torch.testing.assert_close(layer(x), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("groups", "kernel", "above", "itself", "conditioning", "dilation"), SETTINGS)
def test_the_incremental_mode_is_the_same_function(groups: str, kernel: int, above: bool, itself: bool, conditioning: bool, dilation: int):
    layer = layer_of(groups, kernel, above, itself, conditioning, dilation)
    x = drawn(2, len(GROUPS[groups][0]), HEIGHT, WIDTH)
    with torch.no_grad():
        expected = layer(x)
        torch.testing.assert_close(incremental(layer, x, itself=itself), expected, rtol=0, atol=1e-12)
        extra = drawn(2, HEIGHT, WIDTH, len(layer.outputs), seed=3)
        torch.testing.assert_close(
            incremental(layer, x, itself=itself, extra=extra), expected + extra.permute(0, 3, 1, 2), rtol=0, atol=1e-12
        )


def incremental(layer: CausalConv2d, x: Tensor, *, itself: bool, extra: Tensor | None = None) -> Tensor:
    """All outputs in raster order; with mask A a colour is read before it is written."""
    step, groups = layer.incremental(len(x), WIDTH), max(layer.inputs) + 1
    result = torch.full((len(x), len(layer.outputs), HEIGHT, WIDTH), math.nan, dtype=x.dtype)
    places = [[i for i, c in enumerate(layer.inputs) if c == colour] for colour in range(groups)]
    wanted = [[o for o, c in enumerate(layer.outputs) if c == colour] for colour in range(groups)]
    for row in range(HEIGHT):
        step.begin_row(None if extra is None else extra[:, row])
        for column, colour in itertools.product(range(WIDTH), range(groups)):
            if itself:
                step.write(column, colour, x[:, places[colour], row, column])
            result[:, wanted[colour], row, column] = step.read(column, colour)
            if not itself:
                step.write(column, colour, x[:, places[colour], row, column])
        torch.testing.assert_close(step.written(), x[:, :, row].transpose(1, 2), rtol=0, atol=0)
    return result


@pytest.mark.parametrize(("kernel", "strict", "dilation"), list(itertools.product((3, 5), (True, False), (1, 2, 3))))
def test_rows_above_are_the_sum_over_their_taps(kernel: int, strict: bool, dilation: int):
    """Strict: from the row above on; else from the row itself, which deeper inputs have left behind already."""
    layer, x, reach = RowsAboveConv2d(3, 4, kernel, strict=strict, dilation=dilation).double(), drawn(2, 3, HEIGHT, WIDTH), kernel // 2
    with torch.no_grad():
        layer.bias.copy_(drawn(4, seed=2))
    rows = layer.weight.shape[2]
    assert rows == reach + (not strict)
    expected = layer.bias[None, :, None, None].expand(2, -1, HEIGHT, WIDTH).clone()
    for up, right, o, i in itertools.product(range(rows), range(-reach, reach + 1), range(4), range(3)):
        weight = layer.weight[o, i, rows - 1 - up, reach + right]
        expected[:, o] += weight * moved(x[:, i], -strict - dilation * up, dilation * right)
    with torch.no_grad():
        torch.testing.assert_close(layer(x), expected, rtol=0, atol=1e-12)
        step, given = layer.incremental(2, WIDTH), [x[:, :, row].transpose(1, 2) for row in range(HEIGHT)]
        newest = [None, *given[:-1]] if strict else given
        slid = torch.stack([step.slide(row) for row in newest], 1).permute(0, 3, 1, 2)
        torch.testing.assert_close(slid, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", [RowsAboveConv2d, CausalConv2d])
def test_without_a_dilation_neighbours_are_read(kind: Any):
    x, arguments = drawn(1, 2, HEIGHT, WIDTH), {"strict": False}
    inputs: Any = 2
    outputs: Any = 3
    if kind is CausalConv2d:
        inputs, outputs, arguments = [0, 0], [0, 0, 0], {"above": True, "itself": True, "conditioning": True}
    plain, one = kind(inputs, outputs, 3, **arguments).double(), kind(inputs, outputs, 3, **arguments, dilation=1).double()
    one.load_state_dict(plain.state_dict())
    assert torch.equal(plain(x), one(x))


def test_no_row_above_the_image_is_a_row_of_zeros():
    sliding = SlidingRows(drawn(4, 3, 2, 3), drawn(4), 2, WIDTH, 1)
    above = sliding.slide(None)
    torch.testing.assert_close(above, drawn(4).expand(2, WIDTH, 4), rtol=0, atol=1e-12)


@pytest.mark.parametrize(("maps", "groups"), [(1, 1), (7, 1), (3, 3), (7, 3), (8, 3), (9, 3), (10, 4)])
def test_maps_are_dealt_out_to_colours_in_order_and_evenly(maps: int, groups: int):
    dealt = colours(maps, groups)
    counts = [dealt.count(colour) for colour in range(groups)]
    assert dealt == sorted(dealt)
    assert sum(counts) == maps
    assert max(counts) - min(counts) <= 1
    assert [colour for part in slices_by_colour(dealt, groups) for colour in set(dealt[part])] == list(range(groups))


def test_a_colour_without_maps_has_an_empty_slice():
    assert [[0, 0, 2][part] for part in slices_by_colour([0, 0, 2], 4)] == [[0, 0], [], [2], []]


@pytest.mark.parametrize(("itself", "conditioning"), list(itertools.product((True, False), repeat=2)))
def test_colours_see_earlier_ones_and_themselves_as_the_mask_says(itself: bool, conditioning: bool):
    seen = may_see([0, 1, 2, 0], [2, 1, 0], itself=itself, conditioning=conditioning)
    expected = [[may_read(0, 0, s, t, above=False, itself=itself, conditioning=conditioning) for s in (2, 1, 0)] for t in (0, 1, 2, 0)]
    assert torch.equal(seen, torch.tensor(expected).float())


def test_a_gate_is_tanh_of_the_first_half_times_sigmoid_of_the_second():
    x = drawn(2, 6, 3, 4)
    expected = torch.stack([x[:, m].tanh() / (1 + (-x[:, 3 + m]).exp()) for m in range(3)], 1)
    torch.testing.assert_close(gate(x), expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("kernel", [1, 3, 7])
@pytest.mark.parametrize("above", [True, False])
def test_a_layer_starts_with_the_variance_of_its_input(kernel: int, above: bool):
    """Uniform, variance 1 / (taps that the mask lets through); a masked tap is no input. Biases start at 0."""
    torch.manual_seed(0)
    maps = colours(120, 3)
    layer = CausalConv2d(maps, maps, kernel, above=above, itself=True, conditioning=True)
    taps = float((layer.mask != 0).sum()) / 120
    open_weights = layer.weight.detach()[layer.mask != 0].double()
    assert float(open_weights.square().mean()) * taps == pytest.approx(1, abs=0.05)
    assert float(open_weights.abs().max()) == pytest.approx(math.sqrt(3 / taps), rel=0.01)
    assert not layer.bias.any()
    vertical = RowsAboveConv2d(120, 90, 3, strict=False)
    assert float(vertical.weight.detach().double().square().mean()) * 120 * 6 == pytest.approx(1, abs=0.05)
    assert not vertical.bias.any()


def test_masks_are_no_part_of_what_is_stored():
    """Exported weights and checkpoints hold parameters only, so that no stored mask can differ from the code's."""
    layer = layer_of("colour", 3, True, True, True, 1)
    assert set(layer.state_dict()) == {"weight", "bias"}

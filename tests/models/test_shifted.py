"""Shifted, weight-normalised layers: what they see, how they are initialised, and that their incremental twins are the same functions."""

from collections.abc import Callable
from typing import cast

import pytest
import torch
from torch import Tensor

from pixelbench.models.base import InputEncoding
from pixelbench.models.layers.shifted import (
    Expand2d,
    GatedBlock,
    Normed,
    Pointwise,
    ShiftedConv2d,
    concat_elu,
    down_shift,
    initialise_from,
    right_shift,
    with_ones,
)
from pixelbench.models.layers.shifted_incremental import Cursor, IncrementalBlock, IncrementalPixels, IncrementalRows, PixelRow

HEIGHT, WIDTH = 4, 6
Seen = set[tuple[int, int]]


def seen(layer: Callable[[Tensor], Tensor], output: tuple[int, int], height: int = HEIGHT, width: int = WIDTH) -> Seen:
    """The (row, column) of the inputs that an output depends on."""
    x = torch.randn(1, 3, height, width, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(layer(x)[0, :, output[0], output[1]].sum(), x)
    return {(row, column) for row, column in gradient[0].abs().sum(0).nonzero().tolist()}


def conv(kernel: tuple[int, int], *, right: bool, stride: int = 1) -> ShiftedConv2d:
    torch.manual_seed(0)
    return ShiftedConv2d(3, 5, kernel, right=right, stride=stride).double()


@pytest.mark.parametrize(
    ("kernel", "right", "expected"),
    [
        ((2, 3), False, {(1, 2), (1, 3), (1, 4), (2, 2), (2, 3), (2, 4)}),
        ((1, 3), False, {(2, 2), (2, 3), (2, 4)}),
        ((2, 2), True, {(1, 2), (1, 3), (2, 2), (2, 3)}),
        ((2, 1), True, {(1, 3), (2, 3)}),
    ],
)
def test_a_shifted_convolution_sees_this(kernel: tuple[int, int], right: bool, expected: Seen):
    layer = conv(kernel, right=right)
    assert seen(layer, (2, 3)) == expected
    assert layer(torch.zeros(2, 3, HEIGHT, WIDTH, dtype=torch.float64)).shape == (2, 5, HEIGHT, WIDTH)


@pytest.mark.parametrize("right", [False, True])
def test_a_stride_picks_every_second_output(right: bool):
    kernel = (2, 2) if right else (2, 3)
    strided, plain = conv(kernel, right=right, stride=2), conv(kernel, right=right)
    x = torch.randn(2, 3, HEIGHT, WIDTH, dtype=torch.float64)
    torch.testing.assert_close(strided(x), plain(x)[:, :, ::2, ::2])


def test_expanding_reaches_no_pixel_before_its_own():
    torch.manual_seed(0)
    right, down = Expand2d(3, right=True).double(), Expand2d(3, right=False).double()
    assert right(torch.zeros(1, 3, 2, 3, dtype=torch.float64)).shape == (1, 3, 4, 6)
    assert down(torch.zeros(1, 3, 2, 3, dtype=torch.float64)).shape == (1, 3, 4, 6)
    for row in range(4):
        for column in range(6):
            assert seen(right, (row, column), 2, 3) == {(row // 2, column // 2)}
            beside = {(row // 2, column // 2 + 1)} if column % 2 and column < 5 else set()
            assert seen(down, (row, column), 2, 3) == {(row // 2, column // 2)} | beside


def test_shifts_move_by_one_place_and_put_zeros_in():
    x = torch.arange(1.0, 7).view(1, 1, 2, 3)
    assert down_shift(x)[0, 0].tolist() == [[0, 0, 0], [1, 2, 3]]
    assert right_shift(x)[0, 0].tolist() == [[0, 1, 2], [0, 4, 5]]
    assert with_ones(x)[0, 1].tolist() == [[1, 1, 1], [1, 1, 1]]


def test_concat_elu_has_both_signs():
    x = torch.tensor([[2.0, -1.0]])
    torch.testing.assert_close(
        concat_elu(x), torch.tensor([[2.0, torch.tensor(-1.0).expm1().item(), torch.tensor(-2.0).expm1().item(), 1.0]])
    )


@pytest.mark.parametrize("layer", [conv((2, 3), right=False), Pointwise(3, 5), Expand2d(3, right=True)])
def test_the_gain_is_the_length_of_each_outputs_weight(layer: Normed):
    torch.nn.init.uniform_(layer.gain, 0.5, 2)
    weight = layer.weight().transpose(0, layer.axis).flatten(1)
    torch.testing.assert_close(weight.norm(dim=1), layer.gain)


def test_the_direction_has_no_length_of_its_own():
    layer = conv((2, 2), right=True)
    before = layer.weight()
    with torch.no_grad():
        layer.direction.mul_(7)
    torch.testing.assert_close(layer.weight(), before)


@pytest.mark.parametrize("layer", [conv((2, 3), right=False), conv((2, 2), right=True, stride=2), Expand2d(3, right=False).double()])
def test_the_first_batch_gives_outputs_of_mean_0_and_variance_1(layer: Normed):
    x = 3 + 5 * torch.randn(8, 3, 6, 4, dtype=torch.float64)
    initialise_from(layer, x)
    out = layer(x)
    torch.testing.assert_close(out.mean((0, 2, 3)), torch.zeros(out.shape[1], dtype=torch.float64), atol=1e-12, rtol=0)
    torch.testing.assert_close(out.var((0, 2, 3), correction=0), torch.ones(out.shape[1], dtype=torch.float64))


def test_a_map_that_is_constant_in_the_first_batch_is_not_blown_up():
    layer = Pointwise(3, 5).double()
    initialise_from(layer, torch.ones(4, 3, 2, 2, dtype=torch.float64))
    assert layer.gain.tolist() == [1] * 5
    torch.testing.assert_close(layer(torch.ones(1, 3, 1, 1, dtype=torch.float64)), torch.zeros(1, 5, 1, 1, dtype=torch.float64))


def block(*, right: bool, extra: int) -> GatedBlock:
    torch.manual_seed(1)
    kernel = (2, 2) if right else (2, 3)

    def layer(inputs: int, outputs: int, scale: float) -> Normed:
        return ShiftedConv2d(inputs, outputs, kernel, right=right, scale=scale)

    return GatedBlock(4, extra, layer, concat_elu, 0.5).double().eval()


def test_a_block_starts_near_the_identity_and_gates_its_residual():
    made, x, extra = block(right=True, extra=3), torch.randn(2, 4, 3, 5, dtype=torch.float64), torch.randn(2, 3, 3, 5, dtype=torch.float64)
    assert 0 < (made(x, extra) - x).abs().max() < (made(x, extra)).abs().max() / 2
    with torch.no_grad():
        made.leave.bias[4:] = -100  # a closed gate
    torch.testing.assert_close(made(x, extra), x)


def test_only_training_drops_out():
    made, x = block(right=True, extra=0), torch.randn(2, 4, 3, 5, dtype=torch.float64)
    assert torch.equal(made(x), made(x))
    made.train()
    assert not torch.equal(made(x), made(x))


@pytest.mark.parametrize("extra", [0, 3])
def test_a_block_is_the_same_a_row_and_a_pixel_at_a_time(extra: int):
    x, other = torch.randn(2, 4, HEIGHT, WIDTH, dtype=torch.float64), torch.randn(2, 3, HEIGHT, WIDTH, dtype=torch.float64)
    given = other if extra else None
    cursor = Cursor()
    for right in (False, True):
        made = block(right=right, extra=extra)
        incremental = IncrementalPixels(2, WIDTH, 1, cursor) if right else IncrementalRows(cursor)
        step, full = cast("IncrementalBlock", incremental(made, 0)), made(x, given)
        for row in range(HEIGHT):
            cursor.row = row
            if isinstance(incremental, IncrementalRows):
                part = slice(row, row + 1)
                torch.testing.assert_close(step(x[:, :, part], None if given is None else given[:, :, part]), full[:, :, part])
                continue
            incremental.begin_row()
            for column in range(WIDTH):
                cursor.column = column
                found = step(x[:, :, row, column], None if given is None else given[:, :, row, column])
                torch.testing.assert_close(found, full[:, :, row, column])


def test_coarser_scales_move_on_in_every_second_row_and_column():
    cursor = Cursor()
    cursor.row, cursor.column = 0, 0
    assert cursor.scales(3, columns=True) == 3
    found = []
    for row in range(4):
        cursor.row = row
        for column in range(5):
            cursor.column = column
            found.append(cursor.scales(3, columns=True))
    assert found == [3, 1, 2, 1, 3, 1, 1, 1, 1, 1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1]
    cursor.row, cursor.column = 2, 1
    assert cursor.scales(3, columns=False) == 2


@pytest.mark.parametrize("kind", ["scalar", "one-hot"])
def test_a_row_of_pixels_is_what_the_image_would_be(kind: str):
    encoding = InputEncoding(kind, 3, 4)
    images = torch.randint(4, (2, 3, 2, 5))
    full = with_ones(encoding.images(images, torch.float64))
    pixels = PixelRow(encoding, 2, 5, full)
    assert not pixels.begin_row().any()
    for column in range(5):
        for colour in range(3):
            pixels.put(column, colour, images[:, colour, 0, column])
        assert torch.equal(pixels.values, images[:, :, 0, column])
        assert torch.equal(pixels.at(column), full[:, :, 0, column])
    assert torch.equal(pixels.begin_row(), full[:, :, :1])

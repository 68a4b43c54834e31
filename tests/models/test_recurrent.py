"""Row LSTM and Diagonal BiLSTM: what they see, and that the whole-image recurrence is the one written out pixel by pixel."""

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pixelbench.causality import check_causality
from pixelbench.causality.check import measure
from pixelbench.errors import UserError
from pixelbench.models.families import create_model
from pixelbench.models.sampling import cached_log_probs

FAMILIES = ("row-lstm", "diagonal-bilstm")
HEIGHT, WIDTH = 7, 9


def small(family: str, shape: tuple[int, int, int] = (3, 4, 5), levels: int = 4, seed: int = 0, **settings: Any) -> Any:
    """A float64 model whose initial states are no zeros."""
    torch.manual_seed(seed)
    channels, height, width = shape
    chosen = {"maps": 7, "layers": 2, "head_maps": 11, "first_kernel": 3} | settings
    model = create_model(family, channels=channels, height=height, width=width, levels=levels, **chosen).double()
    for name, parameter in model.named_parameters():
        if "first_hidden" in name or "first_cell" in name:
            nn.init.uniform_(parameter, -1, 1)
    return model


def triangle(first_kernel: int, kernel: int, layers: int) -> set[tuple[int, int]]:
    """The (row, column) offsets that a Row LSTM of at least one layer sees, in closed form.

    With r = kernel // 2, a layer that climbs n rows reaches n * r to the right and (n + 1) * r to the left, where its input-to-state
    convolution reads too. So L layers that climb n rows in all read features from (n + L) * r left to n * r right. Of a feature's row the
    first layer sees w = first_kernel // 2 pixels to the left, of up to w rows above as many on both sides.
    """
    w, r = first_kernel // 2, kernel // 2
    seen = {(0, -side) for side in range(1, layers * r + w + 1)}
    for up in range(1, HEIGHT):
        right = max(up * r - 1, (up - 1) * r + w)  # from features of the row itself, or of the row below
        seen |= {(-up, side) for side in range(-(up + layers) * r - w, right + 1)}
    return seen


@pytest.mark.by_default(1)
@pytest.mark.parametrize(("first_kernel", "kernel", "layers"), [(3, 3, 1), (3, 3, 3), (5, 3, 2), (3, 5, 1), (3, 5, 2), (7, 3, 1)])
def test_a_row_lstm_sees_exactly_the_triangle_above(first_kernel: int, kernel: int, layers: int):
    model = small("row-lstm", (1, HEIGHT, WIDTH), first_kernel=first_kernel, kernel=kernel, layers=layers)
    places = list(itertools.product(range(HEIGHT), range(WIDTH)))
    offsets = triangle(first_kernel, kernel, layers)
    expected = np.array([[(a - row, b - column) in offsets for a, b in places] for row, column in places])
    np.testing.assert_array_equal(measure(model, model.shape, levels=4).dependence, expected)


@pytest.mark.by_default(1)
@pytest.mark.parametrize("layers", [1, 2])
def test_a_diagonal_bilstm_sees_every_earlier_pixel_but_the_end_of_the_row_above(layers: int):
    """The right-to-left pass stops at the last column, whose features know nothing of their own pixel.

    So the last pixel of the row above is seen only through the first layer's window. Depth does not help: no feature of that row knows it.
    """
    first_kernel = 5
    model = small("diagonal-bilstm", (1, HEIGHT, WIDTH), first_kernel=first_kernel, layers=layers)
    expected = np.tri(HEIGHT * WIDTH, k=-1, dtype=bool)
    for row, column in itertools.product(range(1, HEIGHT), range(WIDTH)):
        expected[row * WIDTH + column, row * WIDTH - 1] = column + first_kernel // 2 >= WIDTH - 1
    np.testing.assert_array_equal(measure(model, model.shape, levels=4).dependence, expected)
    assert [found.name for found in check_causality(model, model.shape, levels=4).diagnosis] == ["row-end-missing-widely"]


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(1, 6, 4), (3, 3, 4)])
def test_one_diagonal_layer_sees_every_earlier_pixel_where_the_first_window_is_as_wide_as_the_image(shape: tuple[int, int, int]):
    model = small("diagonal-bilstm", shape, first_kernel=7, layers=1)
    total = torch.Size(shape).numel()
    np.testing.assert_array_equal(measure(model, shape, levels=4).dependence, np.tri(total, k=-1, dtype=bool))


def cell(gates: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
    """(B, 4h), (B, h) → hidden and cell state; equation 3 of the paper, one gate at a time."""
    o, f, i, g = gates.chunk(4, 1)
    after = torch.sigmoid(f) * before + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(after), after


def row_written_out(layer: Any, x: Tensor) -> Tensor:
    """Pixel by pixel and tap by tap, as slow and as plain as can be; what `recur` is held against."""
    (batch, _, height, width), gates, h = x.shape, layer.input(x), len(layer.first_hidden)
    hidden = {(-1, c): layer.first_hidden.expand(batch, -1) for c in range(width)}
    cells = {(-1, c): layer.first_cell.expand(batch, -1) for c in range(width)}
    nothing = x.new_zeros(batch, h)
    for r, c in itertools.product(range(height), range(width)):
        drive = gates[:, :, r, c]
        for tap in range(layer.kernel):
            above = hidden.get((r - 1, c + tap - layer.kernel // 2), nothing)
            drive = drive + above @ layer.state[tap * h : (tap + 1) * h]
        hidden[r, c], cells[r, c] = cell(drive, cells[r - 1, c])
    return torch.stack([torch.stack([hidden[r, c] for c in range(width)], 2) for r in range(height)], 2)


def diagonal_written_out(layer: Any, x: Tensor) -> Tensor:
    """The same of both passes, the second one row lower."""
    batch, _, height, width = x.shape
    nothing = x.new_zeros(batch, layer.first_hidden.shape[1])
    passes = []
    for direction, (convolution, before) in enumerate([(layer.left, -1), (layer.right, 1)]):
        gates, first = convolution(x), layer.first_hidden[direction].expand(batch, -1)
        above_weight, beside_weight = layer.state[direction].chunk(2)
        hidden: dict[tuple[int, int], Tensor] = {}
        cells: dict[tuple[int, int], Tensor] = {}
        first_cell: Tensor = layer.first_cell[direction].expand(batch, -1)
        for r, c in itertools.product(range(height), range(width)[::-before]):
            above, beside = hidden.get((r - 1, c), first), hidden.get((r, c + before), first)
            drive = gates[:, :, r, c] + above @ above_weight + beside @ beside_weight
            hidden[r, c], cells[r, c] = cell(drive, cells.get((r, c + before), first_cell))
        passes.append([torch.stack([hidden[r, c] for c in range(width)], 2) for r in range(height)])
    left, right = passes
    return torch.stack([a + b for a, b in zip(left, [nothing[:, :, None].expand_as(right[0]), *right[:-1]], strict=True)], 2)


WRITTEN_OUT = {"row-lstm": row_written_out, "diagonal-bilstm": diagonal_written_out}


@pytest.mark.parametrize(("height", "width"), [(4, 5), (5, 3), (1, 4), (4, 1), (1, 1)])
@pytest.mark.parametrize(("colours", "batch"), [(3, 2), (1, 1), (3, 1)])
@pytest.mark.parametrize(("family", "settings"), [("row-lstm", {}), ("row-lstm", {"kernel": 5}), ("diagonal-bilstm", {})])
def test_the_recurrence_and_its_derivatives_are_those_written_out(
    family: str, settings: dict[str, int], colours: int, batch: int, height: int, width: int
):
    layer = small(family, (colours, height, width), **settings).layers[0]
    generator = torch.Generator().manual_seed(5)
    x = torch.randn(batch, 14, height, width, dtype=torch.float64, generator=generator).requires_grad_()
    names, weights = zip(*((name, p) for name, p in layer.named_parameters() if not name.startswith("widen")), strict=True)
    towards = torch.randn(batch, 7, height, width, dtype=torch.float64, generator=generator)
    slow, fast = WRITTEN_OUT[family](layer, x), layer.recur(x)
    torch.testing.assert_close(fast, slow, rtol=1e-12, atol=1e-12)
    expected, found = (torch.autograd.grad((states * towards).sum(), (x, *weights), materialize_grads=True) for states in (slow, fast))
    for name, a, b in zip(("x", *names), expected, found, strict=True):
        torch.testing.assert_close(b, a, rtol=1e-10, atol=1e-10, msg=lambda text, name=name: f"{name}: {text}")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_recurrence_can_be_differentiated_again_but_not_twice(family: str):
    layer = small(family).layers[0]
    x = torch.randn(2, 14, 4, 5, dtype=torch.float64).requires_grad_()
    states = layer.recur(x).square().sum()
    first, second = (torch.autograd.grad(states, x, retain_graph=True)[0] for _ in range(2))
    assert torch.equal(first, second)
    slope = torch.autograd.grad(layer.recur(x).square().sum(), x, create_graph=True)[0]
    with pytest.raises(RuntimeError, match="once_differentiable"):
        slope.sum().backward()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_network_of_products_is_the_one_of_convolutions(family: str):
    """Output and derivatives by the modules' own `forward`, whose layout is another one."""
    model = small(family, (3, 4, 5), skip=True)
    images = torch.randint(4, (2, 3, 4, 5))
    raw = model(images)
    h = model.first(model.encoding.images(images, torch.float64))
    reached = [h]
    for layer in model.layers:
        h = h + layer.widen(WRITTEN_OUT[family](layer, h))
        reached.append(h)
    expected = model.output.raw(model.head(model.skips(reached)))
    torch.testing.assert_close(raw, expected, rtol=1e-12, atol=1e-12)
    slow, fast = (torch.autograd.grad(out.square().sum(), list(model.parameters())) for out in (expected, raw))
    for a, b in zip(slow, fast, strict=True):
        torch.testing.assert_close(b, a, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("family", FAMILIES)
def test_under_autocast_states_keep_their_precision_and_derivatives_come_in_that_of_the_weights(family: str):
    model = small(family, (1, 4, 5)).float()
    images = torch.randint(4, (2, 1, 4, 5))
    exact = torch.autograd.grad(model.loss(images), list(model.parameters()))
    with torch.autocast("cpu", torch.bfloat16):
        assert model.layers[0].recur(torch.randn(2, 14, 4, 5)).dtype == torch.float32
        loss = model.loss(images)
    rough = torch.autograd.grad(loss, list(model.parameters()))
    for a, b in zip(exact, rough, strict=True):
        assert b.dtype == torch.float32
        assert float((a - b).norm()) <= 0.05 * float(a.norm())


@pytest.mark.parametrize("family", FAMILIES)
def test_shapes_of_a_training_step_are_known_without_numbers(family: str):
    """On the `meta` device, with the outline of every derivative."""
    model = small(family, (1, 4, 5)).float().to("meta")
    model.loss(torch.zeros(2, 1, 4, 5, dtype=torch.uint8, device="meta")).backward()
    assert all(p.grad is not None and p.grad.shape == p.shape for p in model.parameters())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")  # torch's own, as it traces a Function
@pytest.mark.parametrize("family", FAMILIES)
def test_a_training_step_is_one_graph(family: str):
    model = small(family, (1, 4, 5))
    images = torch.randint(4, (2, 1, 4, 5))
    expected = torch.autograd.grad(model.loss(images), list(model.parameters()))
    loss = torch.compile(model.loss, backend="eager", fullgraph=True)(images)
    for a, b in zip(expected, torch.autograd.grad(loss, list(model.parameters())), strict=True):
        torch.testing.assert_close(b, a, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("family", FAMILIES)
def test_both_modes_start_from_the_learned_state(family: str):
    model = small(family)
    images = torch.randint(4, (3, *model.shape))
    with torch.inference_mode():
        full = model.conditionals(images)
    assert float((full - cached_log_probs(model, images)).abs().max()) <= 1e-10 * float(full.abs().max())


@pytest.mark.parametrize("family", FAMILIES)
def test_the_initial_state_is_learned(family: str):
    model = create_model(family, channels=1, height=3, width=4, levels=4, maps=4, layers=1)
    model.loss(torch.randint(4, (2, 1, 3, 4))).backward()
    layer = model.layers[0]
    for state in (layer.first_hidden, layer.first_cell):
        assert (state.grad != 0).all()


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("head", ["bernoulli", "softmax"])
def test_two_levels_sum_to_one_over_all_images_with_either_head(family: str, head: str):
    model = small(family, (1, 3, 3), levels=2, head=head)
    every = torch.tensor(list(itertools.product(range(2), repeat=9))).view(-1, 1, 3, 3)
    with torch.inference_mode():
        assert float(model.log_prob(every).exp().sum()) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_bernoulli_head_is_the_softmax_of_two_levels(family: str):
    softmax, bernoulli = (small(family, (1, 3, 4), levels=2, head=head) for head in ("softmax", "bernoulli"))
    state = softmax.state_dict()
    for name in ("head.out.weight", "head.out.bias"):
        state[name] = state[name][1:] - state[name][:1]
    bernoulli.load_state_dict(state)
    images = torch.randint(2, (5, 1, 3, 4))
    torch.testing.assert_close(bernoulli.conditionals(images), softmax.conditionals(images), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"maps": 2}, "maps must be at least 3, one a colour, got 2"),
        ({"head_maps": 1}, "head_maps must be at least 3, one a colour, got 1"),
        ({"first_kernel": 4}, "first_kernel must be odd and at least 3, got 4"),
        ({"layers": -1}, "layers must be at least 0, got -1"),
        ({"head": "bernoulli"}, "head = 'bernoulli' is for images of 2 levels, these have 4"),
        ({"residul": False}, "Did you mean 'residual'?"),
    ],
)
def test_errors_get_one_sentence(family: str, settings: dict[str, Any], sentence: str):
    with pytest.raises(UserError) as caught:
        create_model(family, channels=3, height=4, width=4, levels=4, **settings)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_kernel_along_the_row_is_the_row_lstms_alone():
    with pytest.raises(UserError, match="kernel must be odd and at least 3, got 2"):
        create_model("row-lstm", channels=1, height=4, width=4, levels=4, kernel=2)
    with pytest.raises(UserError, match="Unknown setting of diagonal-bilstm 'kernel'"):
        create_model("diagonal-bilstm", channels=1, height=4, width=4, levels=4, kernel=3)

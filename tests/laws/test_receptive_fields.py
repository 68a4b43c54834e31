"""Law: a fresh convolutional network sees exactly the closed-form receptive field of its layers, no more and no less."""

from typing import Any

import numpy as np
import pytest
import torch

from pixelbench.causality.check import measure
from pixelbench.models.families import create_model

HEIGHT, WIDTH = 7, 9

#: (row, column) offsets that one layer reads.
Offsets = set[tuple[int, int]]


def window(kernel: int, rows_up: range, dilation: int = 1) -> Offsets:
    """Whole rows of a kernel; `rows_up` counts rows above the output's."""
    reach = kernel // 2
    return {(-up * dilation, side * dilation) for up in rows_up for side in range(-reach, reach + 1)}


def to_the_left(kernel: int, *, itself: bool, dilation: int = 1) -> Offsets:
    """This row of a kernel."""
    return {(0, -side * dilation) for side in range(0 if itself else 1, kernel // 2 + 1)}


def then(first: Offsets, second: Offsets) -> Offsets:
    """What two layers, one after the other, read."""
    return {(a + c, b + d) for a, b in first for c, d in second}


def one_stack(first_kernel: int, kernel: int, layers: int) -> Offsets:
    """Masked convolutions with residual connections (or none: mask B reads the pixel itself anyway)."""
    seen = window(first_kernel, range(1, first_kernel // 2 + 1)) | to_the_left(first_kernel, itself=False)
    for _ in range(layers):
        seen = then(seen, window(kernel, range(1, kernel // 2 + 1)) | to_the_left(kernel, itself=True))
    return seen


def two_stacks(first_kernel: int, kernel: int, layers: int, *, legacy: bool, dilations: tuple[int, ...] = (1,)) -> Offsets:
    """Horizontal output = horizontal reads of the horizontal input, and what the vertical stack sees at the same place."""
    vertical = window(first_kernel, range(1, first_kernel // 2 + 1))
    horizontal = to_the_left(first_kernel, itself=False) | vertical
    for layer in range(layers):
        d = dilations[layer % len(dilations)]
        rows = window(kernel, range(kernel // 2 + 1), d)
        vertical = then(vertical, {(row - 1, column) for row, column in window(kernel, range(kernel // 2), d)} if legacy else rows)
        horizontal = horizontal | then(horizontal, to_the_left(kernel, itself=True, dilation=d)) | vertical
    return horizontal


def everywhere(offsets: Offsets) -> np.ndarray:
    """(outputs, inputs) of a HEIGHT x WIDTH image."""
    places = [(row, column) for row in range(HEIGHT) for column in range(WIDTH)]
    return np.array([[(a - row, b - column) in offsets for a, b in places] for row, column in places])


@pytest.mark.by_default(3)
@pytest.mark.parametrize("layers", [0, 1, 3])
@pytest.mark.parametrize(
    ("family", "settings", "expected"),
    [
        ("pixelcnn", {}, lambda layers: one_stack(5, 3, layers)),
        ("pixelcnn", {"skip": True}, lambda layers: one_stack(5, 3, layers)),
        ("pixelcnn-plain", {}, lambda layers: one_stack(5, 3, layers)),
        ("gated-pixelcnn", {"stacks": "one"}, lambda layers: one_stack(5, 3, layers)),
        ("gated-pixelcnn", {}, lambda layers: two_stacks(5, 3, layers, legacy=False)),
        ("gated-pixelcnn", {"stacks": "legacy"}, lambda layers: two_stacks(5, 3, layers, legacy=True)),
        ("gated-pixelcnn", {"dilations": [2, 1]}, lambda layers: two_stacks(5, 3, layers, legacy=False, dilations=(2, 1))),
        ("gated-pixelcnn", {"stacks": "legacy", "dilations": [2]}, lambda layers: two_stacks(5, 3, layers, legacy=True, dilations=(2,))),
    ],
)
def test_the_map_is_the_closed_form(family: str, settings: dict[str, Any], expected: Any, layers: int):
    torch.manual_seed(0)
    counted = layers + 1 if family == "pixelcnn-plain" else layers
    small = {"maps": 12, "layers": counted, "kernel": 3, "first_kernel": 5} | settings
    model = create_model(family, channels=1, height=HEIGHT, width=WIDTH, levels=4, **small).double()
    dependence = measure(model, model.shape, levels=4).dependence
    np.testing.assert_array_equal(dependence, everywhere(expected(layers)))


def test_the_three_kinds_of_stacks_differ_as_they_should():
    """Two stacks see all of the row above within reach, one stack misses its right end, legacy stacks never see more of it."""
    row_above = {
        name: max(column for row, column in seen if row == -1)
        for name, seen in {
            "one": one_stack(5, 3, 3),
            "two": two_stacks(5, 3, 3, legacy=False),
            "legacy": two_stacks(5, 3, 3, legacy=True),
        }.items()
    }
    assert row_above == {"one": 2, "two": 5, "legacy": 2}

"""The ratios to hold, measured in one interleaved run. A quiet machine and minutes: `pytest -m ratios -s`.

Naive sampling is extrapolated from one whole forward a sub-pixel; on a small shape it is run for real to check the extrapolation.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from pixelbench.experiments.devices import available_cores
from pixelbench.models.families import create_model
from pixelbench.models.layers.causal import CausalConv2d, RowsAboveConv2d

pytestmark = pytest.mark.ratios
FAMILIES = ("pixelcnn", "gated-pixelcnn")
#: Cached against naive at batch 1, 16, 64 (28x28x1, 7 layers, 64 maps).
TO_HOLD = {1: 25, 16: 160, 64: 320}
#: The other families at batch 16 (28x28x1): settings, and what is to be held.
OTHERS: dict[str, tuple[dict[str, Any], float]] = {
    "row-lstm": ({"layers": 7, "maps": 16, "head_maps": 32}, 10),
    "diagonal-bilstm": ({"layers": 7, "maps": 16, "head_maps": 32}, 10),
    "pixelcnn-pp": ({"layers": 2, "maps": 32, "scales": 3}, 2),
    "pixelsnail": ({"blocks": 2, "layers": 2, "maps": 32}, 2),
    "pixelvae": ({"layers": 7, "maps": 32, "head_maps": 32}, 10),
}


@pytest.fixture(scope="module", autouse=True)
def all_cores() -> Iterator[None]:
    """The other tests take one thread; here both sides get what a user has."""
    before = torch.get_num_threads()
    torch.set_num_threads(available_cores())
    yield
    torch.set_num_threads(before)


def binary_mnist_sized(family: str):
    torch.manual_seed(0)
    return create_model(family, channels=1, height=28, width=28, levels=2, maps=64, layers=7, head_maps=32).eval()


def interleaved(first: Callable[[], object], second: Callable[[], object], rounds: int = 5) -> tuple[float, float, float]:
    """Median seconds of both, run in turn, and the median of the ratios first / second of neighbours."""
    times: list[tuple[float, float]] = []
    for _ in range(rounds + 1):
        pair = []
        for action in (first, second):
            began = time.perf_counter()
            action()
            pair.append(time.perf_counter() - began)
        times.append((pair[0], pair[1]))
    times = times[1:]  # the first round warms up
    return statistics.median(a for a, _ in times), statistics.median(b for _, b in times), statistics.median(a / b for a, b in times)


@pytest.mark.parametrize("batch", TO_HOLD)
@pytest.mark.parametrize("family", FAMILIES)
@torch.inference_mode()
def test_cached_against_naive(family: str, batch: int):
    model = binary_mnist_sized(family)
    images = torch.randint(2, (batch, 1, 28, 28), dtype=torch.uint8)
    forward, cached, ratio = interleaved(lambda: model(images), lambda: model.sample(batch, method="cached"))
    naive = 28 * 28 * ratio
    print(f"\n{family} batch {batch}: forward {forward:.3f} s, cached {cached:.3f} s", end=", ")
    print(f"naive/cached {naive:.0f}, cached/forward {1 / ratio:.2f}")
    assert naive >= TO_HOLD[batch]
    if batch == 64:
        assert 1 / ratio <= 2.5


@pytest.mark.parametrize("family", OTHERS)
@torch.inference_mode()
def test_cached_against_naive_in_the_other_families(family: str):
    settings, to_hold = OTHERS[family]
    torch.manual_seed(0)
    model = create_model(family, channels=1, height=28, width=28, levels=2, **settings).eval()
    sampled = model.decoder if model.latent else model
    images = torch.randint(2, (16, 1, 28, 28), dtype=torch.uint8)
    condition = torch.zeros(16, *sampled.condition_input.expected) if sampled.conditional else None
    *_, ratio = interleaved(
        lambda: sampled.conditionals(images, condition), lambda: sampled.sample(16, condition=condition, method="cached"), rounds=3
    )
    print(f"\n{family} batch 16: naive/cached {28 * 28 * ratio:.0f}")
    assert 28 * 28 * ratio >= to_hold


@pytest.mark.parametrize("family", FAMILIES)
@torch.inference_mode()
def test_naive_really_costs_one_forward_a_sub_pixel(family: str):
    torch.manual_seed(0)
    model = create_model(family, channels=1, height=8, width=8, levels=2, maps=64, layers=7, head_maps=32).eval()
    images = torch.randint(2, (16, 1, 8, 8), dtype=torch.uint8)
    *_, ratio = interleaved(lambda: model.sample(16, method="naive"), lambda: [model(images) for _ in range(64)], rounds=3)
    print(f"\n{family}: naive sampling takes {ratio:.2f} times its forwards")
    assert 0.8 <= ratio <= 1.5


@pytest.mark.parametrize("family", FAMILIES)
def test_cropped_kernels_against_masked_full_ones(family: str):
    """A training step (forward and backward, batch 64) against the same net with full, mostly masked kernels."""
    lean, masked = binary_mnist_sized(family), _with_full_kernels(binary_mnist_sized(family))
    images = torch.randint(2, (64, 1, 28, 28), dtype=torch.uint8)
    torch.testing.assert_close(lean(images), masked(images), rtol=1e-4, atol=1e-4)
    *_, ratio = interleaved(lambda: masked.loss(images).backward(), lambda: lean.loss(images).backward())
    print(f"\n{family}: masked full kernels take {ratio:.2f} times the cropped ones' training step")
    assert ratio >= 1.1


class _FullKernel(torch.nn.Module):
    """What public code does: a whole kernel, the taps that are never used multiplied by zero."""

    def __init__(self, weight: torch.Tensor, mask: torch.Tensor, bias: torch.Tensor, rows: int, columns: int):
        super().__init__()
        pad = (0, columns - weight.shape[3], 0, rows - weight.shape[2])
        self.weight, self.mask = torch.nn.Parameter(F.pad(weight, pad)), F.pad(mask.expand_as(weight), pad).contiguous()
        self.bias = torch.nn.Parameter(bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.conv2d(x, self.weight * self.mask, self.bias, padding=(self.weight.shape[2] // 2, self.weight.shape[3] // 2))


def _with_full_kernels(model: Any) -> Any:
    """Every cropped convolution replaced by a masked full one of the same function."""
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, CausalConv2d) and child.reach:
                kernel = 2 * child.reach + 1
                full = _FullKernel(child.weight.detach(), child.mask, child.bias.detach(), kernel if child.above else 1, kernel)
                setattr(module, name, full)
            elif isinstance(child, RowsAboveConv2d):
                kernel = 2 * child.reach + 1
                setattr(module, name, _FullKernel(child.weight.detach(), torch.ones(1), child.bias.detach(), kernel, kernel))
    return model

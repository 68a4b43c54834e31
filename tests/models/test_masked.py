"""Products with masked weights against the whole mask written out."""

import pytest
import torch

from pixelbench.models.layers import masked
from pixelbench.models.layers.masked import masked_product

pytestmark = pytest.mark.quick


@pytest.mark.parametrize(("at_once", "wide"), [(1, 1), (7, 3), (20, 5), (1 << 19, 1 << 12)])
@pytest.mark.parametrize(("images", "high", "width"), [(4, 9, 6), (1, 5, 11), (3, 1, 1)])
def test_it_is_the_product_with_the_mask_and_so_are_its_derivatives(
    at_once: int, wide: int, images: int, high: int, width: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(masked, "_AT_ONCE", at_once)
    monkeypatch.setattr(masked, "_WIDE", wide)
    generator = torch.Generator().manual_seed(0)
    x, weight, towards = (
        torch.randn(shape, dtype=torch.float64, generator=generator).requires_grad_()
        for shape in ((images, width), (high, width), (images, high))
    )
    outputs, inputs = (torch.randint(4, (n,), generator=generator) for n in (high, width))
    expected = x @ (weight * (inputs <= outputs[:, None])).T
    found = masked_product(x, weight, outputs, inputs)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    slow, fast = (torch.autograd.grad((product * towards).sum(), (x, weight)) for product in (expected, found))
    for a, b in zip(slow, fast, strict=True):
        torch.testing.assert_close(b, a, rtol=1e-12, atol=1e-12)
    assert ((fast[1] != 0) <= (inputs <= outputs[:, None])).all()


def test_bits_need_no_derivative_and_low_precision_is_autocasts():
    x, weight = torch.randn(3, 5), torch.randn(4, 5, requires_grad=True)
    outputs, inputs = torch.arange(4), torch.arange(5)
    with torch.autocast("cpu", torch.bfloat16):
        found = masked_product(x, weight, outputs, inputs)
        expected = torch.nn.functional.linear(x, weight * (inputs <= outputs[:, None]))
    assert found.dtype == expected.dtype == torch.bfloat16
    torch.testing.assert_close(found, expected, rtol=2**-7, atol=2**-7)
    slow, fast = (torch.autograd.grad(product.float().sum(), weight)[0] for product in (expected, found))
    assert fast.dtype == torch.float32
    torch.testing.assert_close(fast, slow, rtol=2**-6, atol=2**-6)

"""Nats, bits and bits/dim."""

import math

import numpy as np
import pytest

from pixelbench.units import bits_per_dim, bits_to_nats, nats_to_bits

pytestmark = pytest.mark.quick


def test_one_conversion():
    assert bits_per_dim(784 * math.log(2), (1, 28, 28)) == pytest.approx(1.0)
    assert bits_per_dim(81.30, (1, 28, 28)) == pytest.approx(0.1496, abs=1e-4)
    np.testing.assert_allclose(bits_per_dim(np.array([0.0, math.log(2)]), (1, 1, 1)), [0, 1])
    assert bits_to_nats(nats_to_bits(3.0)) == pytest.approx(3.0)


@pytest.mark.parametrize("shape", [(), (3, 0, 4), (-1, 2, 2)])
def test_a_shape_must_have_sub_pixels(shape: tuple[int, ...]):
    with pytest.raises(ValueError, match="positive sizes"):
        bits_per_dim(1.0, shape)

"""The checker against brute force: all images of a tiny shape, every pair that differs in one sub-pixel."""

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pixelbench.causality import check_causality
from pixelbench.causality.raster import flat, folded

SHAPE = (2, 2, 2)
LEVELS = 2


class RandomMask(nn.Module):
    """Two dense layers over the raster, masks drawn at random; most are not causal."""

    def __init__(self, seed: int, density: float) -> None:
        super().__init__()
        g = torch.Generator().manual_seed(seed)
        order = torch.arange(8)
        causal = order[:, None] > order[None, :]
        self.first = torch.randn(8, 8, generator=g) * (causal | (torch.rand(8, 8, generator=g) < density))
        self.second = torch.randn(8, 8, generator=g) * torch.eye(8)

    def forward(self, images: Tensor) -> Tensor:
        x = images.permute(0, 2, 3, 1).flatten(1).float()
        out = torch.tanh(x @ self.first.T) @ self.second.T
        return out.view(-1, 2, 2, 2).permute(0, 3, 1, 2)[:, None]


@pytest.mark.parametrize("density", [0.0, 0.02, 0.3])
def test_brute_force_agrees(density: float) -> None:
    verdicts = set()
    for seed in range(12):
        module = RandomMask(seed, density)
        expected = brute_force(module)
        report = check_causality(module, SHAPE, levels=LEVELS)
        forbidden = np.arange(8)[:, None] <= np.arange(8)[None, :]
        assert np.array_equal(report.dependence, expected)
        assert report.leaky == bool((expected & forbidden).any())
        verdicts.add(report.status)
    assert verdicts <= ({"complete"} if density == 0.0 else {"complete", "leaky"})
    assert density == 0.0 or "leaky" in verdicts


def brute_force(module: nn.Module) -> np.ndarray:
    """(output, input) in raster order: some pair of images that differs in this input only differs in that output."""
    images = np.array(list(itertools.product(range(LEVELS), repeat=8)))
    outputs = flat(module(torch.from_numpy(folded(images, SHAPE).copy())).detach().numpy()[:, 0])
    seen = np.zeros((8, 8), dtype=bool)
    for place in range(8):
        other = images.copy()
        other[:, place] = 1 - other[:, place]
        partner = other @ (2 ** np.arange(7, -1, -1))
        seen[:, place] = (np.abs(outputs - outputs[partner]) > 1e-9).any(0)
    return seen

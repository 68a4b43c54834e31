"""The checker against brute force: all images of a tiny shape, every pair of them that differs in one sub-pixel, on random networks.

Nothing of the checker is used here: images are listed, put in raster order and compared by this file's own few lines.
"""

import itertools
from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from pixelbench.causality import check_causality
from pixelbench.causality.analysis.summary import summarise
from pixelbench.causality.check import measure

SHAPES = [(1, 1, 4), (1, 2, 3), (1, 3, 2), (2, 1, 3), (2, 2, 1), (2, 3, 1), (1, 5, 1)]


class RandomNetwork(nn.Module):
    """Dense layers over the raster, with masks drawn at random: earlier inputs with one probability, the same and later ones with another.

    Args:
        weak: factor on the weights of the first layer that are not causal.
        activation: `tanh`, or `round`, which has no gradient.
    """

    def __init__(
        self, shape: tuple[int, int, int], *, layers: int, allowed: float, forbidden: float, weak: float, activation: str, seed: int
    ) -> None:
        super().__init__()
        self.shape, self.activation = shape, activation
        size = shape[0] * shape[1] * shape[2]
        random = torch.Generator().manual_seed(seed)
        place = torch.arange(size)
        earlier = place[None, :] < place[:, None]
        weights = []
        for layer in range(layers):
            causal = earlier if layer == 0 else earlier | torch.eye(size, dtype=torch.bool)
            drawn = torch.rand(size, size, generator=random)
            values = torch.randn(size, size, generator=random)
            values = values.sign() * (values.abs() + 0.5)  # no weight that only looks like one
            weights.append(torch.where(causal, values * (drawn < allowed), (weak if layer == 0 else 1.0) * values * (drawn < forbidden)))
        self.weights = nn.ParameterList(weights)
        self.bias = nn.Parameter(torch.ones(size))  # changes are compared with the largest output

    def forward(self, images: Tensor) -> Tensor:
        channels, height, width = self.shape
        x = images.permute(0, 2, 3, 1).reshape(len(images), -1).to(self.weights[0].dtype)
        for i, weight in enumerate(self.weights):
            x = x @ weight.T
            if i < len(self.weights) - 1:
                x = torch.tanh(0.3 * x) if self.activation == "tanh" else torch.round(5 * x)
        return (x + self.bias).reshape(-1, height, width, channels).permute(0, 3, 1, 2)[:, None].repeat(1, 7, 1, 1, 1)


random_networks = st.fixed_dictionaries(
    {
        "layers": st.integers(1, 3),
        "allowed": st.sampled_from([0.0, 0.3, 0.7, 1.0]),
        "forbidden": st.sampled_from([0.0, 0.0, 0.03, 0.3]),
        "weak": st.sampled_from([1.0, 1e-5]),
        "activation": st.sampled_from(["tanh", "tanh", "round"]),
        "seed": st.integers(0, 10**6),
    }
)


@pytest.mark.parametrize("networks", [30, pytest.param(220, marks=pytest.mark.slow)])
def test_brute_force_agrees_on_random_networks(networks: int) -> None:
    verdicts: Counter[str] = Counter()

    @settings(max_examples=networks, derandomize=True, deadline=None, database=None)
    @given(shape=st.sampled_from(SHAPES), levels=st.sampled_from([2, 3]), network=random_networks)
    def agrees(shape: tuple[int, int, int], levels: int, network: dict) -> None:
        verdicts[compare(RandomNetwork(shape, **network), shape, levels)] += 1

    agrees()
    assert verdicts.total() >= networks * 200 / 220
    assert min(verdicts["causal"], verdicts["leaky"]) >= networks * 50 / 220


def compare(module: RandomNetwork, shape: tuple[int, int, int], levels: int) -> str:
    """Asserts that the map, the verdict and the kinds of leak are those of brute force; returns the verdict."""
    truth = brute_force(module, shape, levels)
    evidence = measure(module, shape, levels=levels)
    found = {(output, source) for output, source in zip(*(axis.tolist() for axis in evidence.dependence.nonzero()), strict=True)}
    assert found == truth
    report = summarise(evidence, target="random")
    leaks = {pair for pair in truth if pair[0] <= pair[1]}
    assert report.verdict == ("leaky" if leaks else "causal" if truth else "undecided")  # a net that looks at nothing shows nothing
    kinds: Counter[tuple[int, ...]] = Counter(kind(output, source, shape) for output, source in leaks)
    assert {(*leak.offset, leak.input_colour, leak.output_colour): leak.count for leak in report.leaks} == kinds
    assert (report.order is None) == has_cycle(truth)
    return report.verdict


def brute_force(module: nn.Module, shape: tuple[int, int, int], levels: int) -> set[tuple[int, int]]:
    """(output, input) in raster order: some two images that differ in this input only differ in that output."""
    channels, height, width = shape
    size = channels * height * width
    rows = list(itertools.product(range(levels), repeat=size))
    images = torch.tensor(rows).reshape(-1, height, width, channels).permute(0, 3, 1, 2)
    with torch.no_grad():
        outputs = module.double()(images).permute(0, 3, 4, 2, 1).reshape(len(rows), size, -1)
    number = {row: i for i, row in enumerate(rows)}
    pairs = set()
    for source in range(size):
        for value in range(levels):
            changed = [number[(*row[:source], value, *row[source + 1 :])] for row in rows]
            moved = ((outputs - outputs[changed]).abs() > 1e-9).any(2).any(0)
            pairs |= {(output, source) for output in range(size) if moved[output]}
    return pairs


def kind(output: int, source: int, shape: tuple[int, int, int]) -> tuple[int, int, int, int]:
    """(row, column, input colour, output colour)."""
    channels, _, width = shape
    o, i = output // channels, source // channels
    return i // width - o // width, i % width - o % width, source % channels, output % channels


def has_cycle(pairs: set[tuple[int, int]]) -> bool:
    """Takes away whatever sees nothing that is left, until nothing changes."""
    left = {place for pair in pairs for place in pair}
    while True:
        seeing = {output for output, source in pairs if output in left and source in left}
        if seeing == left:
            return bool(left)
        left = seeing


def test_the_oracle_itself_sees_an_injected_pair() -> None:
    class Pair(nn.Module):
        """Output (0, 0) sees input (1, 0) where it is 2."""

        def forward(self, images: Tensor) -> Tensor:
            return torch.nn.functional.pad((images[:, :, 1:] == 2).double(), (0, 0, 0, 1))[:, None]

    assert brute_force(Pair(), (1, 2, 2), 3) == {(0, 2), (1, 3)}
    assert check_causality(Pair(), (1, 2, 2), levels=3).verdict == "leaky"

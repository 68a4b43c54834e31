"""Whole certificates, complete and in float64: recorded by pytest-benchmark, never asserted.

To hold on two quiet cores: 28x28x1 in 10 s, 32x32x3 in 120 s, 8x8x3 in 2 s. The large ones take a while: `pytest -m ratios tests/bench -s`.
"""

from collections.abc import Iterator

import pytest
import torch

from pixelbench.causality.check import check_causality
from pixelbench.experiments.devices import available_cores
from pixelbench.models.families import create_model

ONCE = {"rounds": 1, "iterations": 1, "warmup_rounds": 0}
NARROW = {
    "8x8x3": {"channels": 3, "height": 8, "width": 8, "levels": 256, "maps": 12, "head_maps": 12, "layers": 10},
    "28x28x1": {"channels": 1, "height": 28, "width": 28, "levels": 2, "maps": 8, "head_maps": 8, "layers": 7},
    "32x32x3": {"channels": 3, "height": 32, "width": 32, "levels": 256, "maps": 12, "head_maps": 12, "layers": 10},
}


@pytest.fixture(autouse=True)
def all_cores() -> Iterator[None]:
    """The other tests take one thread; here a check gets what a user has."""
    before = torch.get_num_threads()
    torch.set_num_threads(available_cores())
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("size", [pytest.param(size, marks=pytest.mark.slow if size == "8x8x3" else pytest.mark.ratios) for size in NARROW])
def test_complete_certificate(benchmark, size: str):
    torch.manual_seed(0)
    model = create_model("gated-pixelcnn", **NARROW[size])
    options = {"levels": NARROW[size]["levels"]}
    report = benchmark.pedantic(check_causality, (model, model.shape), options, **ONCE)
    assert (report.verdict, report.positions_probed) == ("causal", report.positions_total)
    assert report.blind_spots == 0


@pytest.mark.ratios
def test_large_model_in_a_minute(benchmark):
    """0.7 s an image: what is reached in time is said, the rest is not claimed."""
    torch.manual_seed(0)
    model = create_model("gated-pixelcnn", channels=3, height=32, width=32, levels=256, maps=128, layers=12)
    report = benchmark.pedantic(check_causality, (model, model.shape), {"seconds": 60}, **ONCE)
    assert report.verdict == "partial"
    assert report.seconds <= 60
    assert f"{report.positions_probed} of 3072" in report.method.probes

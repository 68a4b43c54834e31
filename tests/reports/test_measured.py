"""The runs of one cell as a verdict sees them: what the two units of a likelihood say together, and how many probes are enough."""

from typing import Any

import pytest

from pixelbench.causality.probing.positions import TRAINED_POSITIONS
from pixelbench.published.comparability import Measured
from pixelbench.published.measured import measured_of
from pixelbench.published.verdicts import judge
from pixelbench.units import bits_to_nats
from tests.support.paper_runs import figure


def row(sub_pixels: float, bits: float = 1.5, **changes: Any) -> dict[str, Any]:
    """A run on images of so many sub-pixels."""
    return {
        "task": "digits",
        "variant": "pixelcnn",
        "run_key": "0" * 12,
        "seed": 0,
        "status": "done",
        "expect": "causal",
        "budget": "paper",
        "updates": 100,
        "causal": "complete",
        "bits_per_dim": bits,
        "nats_per_image": bits_to_nats(bits * sub_pixels),
        "estimator": "exact",
        "n_images": 60,
    } | changes


def measured(*rows: dict[str, Any], unit: str = "bits/dim") -> Measured:
    return measured_of(list(rows), unit, None, lambda row: [])


@pytest.mark.parametrize("sub_pixels", [1, 2, 3, 64, 784, 3072, 12_288])
def test_bits_and_nats_are_one_number_where_an_image_has_a_whole_number_of_sub_pixels(sub_pixels: int) -> None:
    assert measured(row(sub_pixels)).consistent
    for part in (0.25, 0.5, -0.25):
        assert not measured(row(sub_pixels + part)).consistent
    assert not measured(row(sub_pixels), row(sub_pixels + 0.5, seed=1)).consistent


def test_an_image_has_at_least_one_sub_pixel() -> None:
    assert not measured(row(1e-9)).consistent
    assert not measured(row(-64)).consistent


def test_no_bits_are_no_nats() -> None:
    assert measured(row(64, 0.0)).consistent
    assert not measured(row(64, 0.0, nats_per_image=1.0)).consistent


@pytest.mark.parametrize("sub_pixels", [1, 2, TRAINED_POSITIONS - 1, TRAINED_POSITIONS, TRAINED_POSITIONS + 1, 3072])
def test_no_more_probes_are_asked_for_than_an_image_has_sub_pixels(sub_pixels: int) -> None:
    for bits in (0.01, 1.5, 0.0):
        assert measured(row(sub_pixels, bits)).required_positions == (min(TRAINED_POSITIONS, sub_pixels) if bits else TRAINED_POSITIONS)
    assert measured(row(3072), row(2, seed=1)).required_positions == 2


@pytest.mark.parametrize("off", [-1e-7, 1e-7])
def test_rounding_of_the_nats_asks_for_no_other_number_of_probes(off: float) -> None:
    rounded = row(2, nats_per_image=bits_to_nats(1.5 * 2) * (1 + off))
    assert (measured(rounded).consistent, measured(rounded).required_positions) == (True, 2)


def test_what_a_frame_says_of_probes_is_the_least_of_all_and_nothing_where_one_says_nothing() -> None:
    assert measured(row(64, trained_positions=16), row(64, seed=1, trained_positions=9)).probed == 9
    assert measured(row(64, trained_positions=16), row(64, seed=1)).probed is None
    assert measured(row(64, trained_positions=16), row(64, seed=1, trained_positions=True)).probed is None
    assert measured(row(64)).probed is None


def test_a_run_without_a_number_says_nothing_of_probes_nor_of_images() -> None:
    """Only a leak outlives its run's number."""
    failed = row(64, seed=1, status="failed", bits_per_dim=None, nats_per_image=None, estimator=None, n_images=None, causal="unchecked")
    found = measured(row(64, trained_positions=16), failed)
    assert (found.probed, found.n_images, found.causality, found.values) == (16, 60, "complete", (1.5,))
    assert measured(row(64), failed | {"causal": "leaky"}).causality == "leaky"


def test_values_are_in_the_figure_s_unit_where_the_runs_have_it_else_in_bits_per_dim() -> None:
    assert measured(row(64), unit="nats/image").values == (bits_to_nats(1.5 * 64),)
    for unit in ("bits/dim", "nats/pixel"):
        assert (measured(row(64), unit=unit).values, measured(row(64), unit=unit).unit) == ((1.5,), "bits/dim")


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_a_cell_that_is_no_row_of_a_suite_needs_three_seeds_as_well(n: int) -> None:
    about = figure(1.5, metric="bits_per_dim", unit="bits/dim", dataset="digits", task="digits", binarisation=None, tolerance=0.1)
    found = judge(about, measured(*(row(64, seed=seed, trained_positions=16) for seed in range(n))))
    assert found.name == ("reproduced" if n > 2 else "incomplete"), found.sentence
    assert (f"{n} seed{'s' * (n > 1)} of the 3 that decide" in found.sentence) == (n < 3)

"""Paired differences: right in the mean, honest in the interval, closed to leaks."""

from pathlib import Path

import numpy as np
import pytest
from record_factory import add_run

from pixelbench.reports.ordering import expected_order
from pixelbench.reports.report import build_report
from pixelbench.reports.statistics import compare_cells, paired_difference
from pixelbench.units import LN2

SHAPE = (1, 2, 2)


def test_mean_is_in_bits_per_dim_and_positive_where_the_first_needs_fewer() -> None:
    first, clusters = np.full(8, 10.0), np.arange(8)
    found = paired_difference(first, first + 4 * LN2, clusters, SHAPE)
    assert found.mean == pytest.approx(1.0)
    assert (found.low, found.high) == pytest.approx((1.0, 1.0))


@pytest.mark.parametrize("regions", [5, 30])
def test_interval_covers_the_truth_about_as_often_as_it_says(regions: int) -> None:
    rng = np.random.default_rng(1)
    clusters = np.repeat(np.arange(regions), 4)
    covered = 0
    for _ in range(400):
        shift = np.repeat(rng.normal(0, 1, regions), 4) + rng.normal(0, 0.1, 4 * regions)  # patches of a region move together
        found = paired_difference(np.zeros(4 * regions), shift, clusters, SHAPE)
        covered += found.low <= 0 <= found.high
    assert 0.92 <= covered / 400 <= 0.98  # an interval over images covers about 65 % here, a bootstrap of 5 regions about 80 %


def test_regions_widen_the_interval() -> None:
    shift = np.repeat(np.random.default_rng(2).normal(0, 1, 12), 10)
    by_region = paired_difference(np.zeros(120), shift, np.repeat(np.arange(12), 10), SHAPE)
    by_image = paired_difference(np.zeros(120), shift, np.arange(120), SHAPE)
    assert by_region.high - by_region.low > 2 * (by_image.high - by_image.low)


def test_one_region_gives_no_interval() -> None:
    with pytest.raises(ValueError, match="two clusters"):
        paired_difference(np.zeros(4), np.ones(4), np.zeros(4, dtype=int), SHAPE)


def test_sentences_say_who_beats_whom_and_where_nobody_does(tmp_path: Path) -> None:
    add_run(tmp_path, "gated-pixelcnn", 1.000)
    add_run(tmp_path, "pixelcnn", 1.001)
    add_run(tmp_path, "histogram", 3.8)
    first, second = build_report(tmp_path).order
    assert first.sentence.startswith("gated-pixelcnn and pixelcnn are not distinguishable: gated-pixelcnn is 0.001 bits/dim better, but")
    assert not first.holds
    assert second.sentence.startswith("pixelcnn beats histogram by 2.799 bits/dim (95 % interval 2.")
    assert second.sentence.endswith("paired over 60 images in 12 groups).")
    assert second.holds


def test_a_broken_order_is_said_and_does_not_hold(tmp_path: Path) -> None:
    add_run(tmp_path, "gated-pixelcnn", 1.5)
    add_run(tmp_path, "pixelcnn", 1.0)
    (step,) = build_report(tmp_path).order
    assert not step.holds
    assert step.sentence.startswith("gated-pixelcnn loses to pixelcnn by 0.500 bits/dim (95 % interval 0.4")


def test_leaks_and_code_lengths_never_take_part(tmp_path: Path) -> None:
    add_run(tmp_path, "pixelcnn", 0.001, causal="leaky")
    add_run(tmp_path, "histogram", 3.8)
    add_run(tmp_path, "png", 1.7, estimator="code-length", causal="unchecked")
    report = build_report(tmp_path)
    assert report.order == ()
    histogram = next(cell for cell in report.cells if cell.family == "histogram")
    assert [compare_cells(histogram, cell) for cell in report.cells if cell is not histogram] == [None, None]


def test_different_test_images_are_not_paired(tmp_path: Path) -> None:
    add_run(tmp_path, "gated-pixelcnn", 1.0)
    folder = add_run(tmp_path, "pixelcnn", 1.1)["run_key"]
    path = tmp_path / "photos" / "pixelcnn" / folder / "nats.npz"
    np.savez(path, nats=np.zeros(60, np.float32), clusters=np.arange(60))
    assert build_report(tmp_path).order == ()
    path.write_bytes(b"not a zip")
    assert build_report(tmp_path).order == ()


def test_order_takes_unablated_variants_and_the_longest_budget(tmp_path: Path) -> None:
    add_run(tmp_path, "gated-pixelcnn", 1.2, budget="smoke", updates=10)
    add_run(tmp_path, "gated-pixelcnn", 0.9, budget="cpu", updates=1000)
    add_run(tmp_path, "gated-no-colour", 0.5, settings={"colour_conditioning": False})
    add_run(tmp_path, "uniform", 4.0)
    report = build_report(tmp_path)
    (step,) = expected_order(list(report.cells), "photos")
    assert (step.first, step.second) == ("gated-pixelcnn (cpu)", "uniform")
    assert step.difference.mean == pytest.approx(3.1, abs=0.01)

"""Tables: who is ranked, who only stands there, and what a leaking number looks like everywhere."""

import io
from dataclasses import replace
from math import prod
from pathlib import Path
from statistics import stdev
from typing import Any

import pytest
from rich.console import Console

from pixelbench.analysis import format as words
from pixelbench.analysis.tables import Row, TaskTable
from pixelbench.reports.html.document import write_html
from pixelbench.reports.markdown import write_markdown
from pixelbench.reports.readme import readme_table
from pixelbench.reports.report import Report, build_report
from pixelbench.reports.terminal import print_report
from pixelbench.store.record import Causality, Likelihood, Record
from pixelbench.units import bits_to_nats
from tests.support.record_factory import add_digits, add_photos, add_run, add_seeds, folder_of, rewrite

pytestmark = pytest.mark.quick


def only_table(report: Report) -> TaskTable:
    (table,) = report.tables
    return table


def row_of(report: Report, label: str) -> Row:
    return next(row for row in only_table(report).rows if row.label == label)


def terminal(report: Report, width: int = 200) -> str:
    out = io.StringIO()
    print_report(report, Console(file=out, width=width))
    return out.getvalue()


def test_causal_by_bits_then_code_lengths_then_leaks_then_the_unscored(tmp_path: Path) -> None:
    add_photos(tmp_path)
    add_run(tmp_path, "gated-mask-b", status="failed", settings={"first_layer": "mask-b"})
    rows = only_table(build_report(tmp_path)).rows
    assert [(row.rank, row.label, row.category) for row in rows] == [
        (1, "gated-pixelcnn", "ranked"),
        (2, "pixelcnn", "ranked"),
        (3, "gated-no-colour", "ranked"),
        (4, "histogram", "ranked"),
        (5, "uniform", "ranked"),
        (None, "png", "reference"),
        (None, "gated-residual", "leaking"),
        (None, "gated-mask-b", "unscored"),
    ]


def test_a_leaking_number_is_never_shown_unmarked(tmp_path: Path) -> None:
    add_photos(tmp_path)
    report = build_report(tmp_path)
    page = write_markdown(report).read_text(encoding="utf-8")
    for text in (page, readme_table(tmp_path), terminal(report), terminal(report, width=60)):
        lines = [line for line in text.splitlines() if "0.0005" in line and ("|" in line or "│" in line)]
        assert lines
        assert all("not causal" in line for line in lines)
    assert "~~0.0005~~ *not causal*" in page
    assert "9.100 ± 0.300 (8 images)" in page


def test_code_lengths_have_no_error_and_no_interval(tmp_path: Path) -> None:
    add_photos(tmp_path)
    row = row_of(build_report(tmp_path), "png")
    assert (row.bits_per_dim, row.bits_per_dim_se, row.behind) == (1.72, None, None)
    assert "1.720 (code length)" in readme_table(tmp_path)


def test_difference_to_the_best_is_paired(tmp_path: Path) -> None:
    add_photos(tmp_path)
    report = build_report(tmp_path)
    assert row_of(report, "gated-pixelcnn").behind is None
    behind = row_of(report, "pixelcnn").behind
    assert behind is not None
    assert behind.mean == pytest.approx(0.047, abs=1e-3)


def test_seeds_make_one_row_with_mean_and_spread(tmp_path: Path) -> None:
    for seed, bits in enumerate((1.0, 1.1, 1.2)):
        add_run(tmp_path, "pixelcnn", bits, seed=seed)
    add_run(tmp_path, "pixelcnn", seed=3, status="timeout")
    row = row_of(build_report(tmp_path), "pixelcnn")
    assert row.bits_per_dim == pytest.approx(1.1)
    assert row.spread == pytest.approx(0.1)
    assert (row.seeds, row.status) == (3, "3 done, 1 timeout")


def test_every_number_of_a_row_is_the_mean_over_the_seeds_that_have_it(tmp_path: Path) -> None:
    """Not the median, not the first seed's; what did not come to a number says nothing, and one seed's gap is no zero."""
    for seed, (bits, zeros) in enumerate(((1.0, 0.1), (1.1, 0.2), (1.6, None))):
        measured = {"canvas_agreement": 1 - seed**2 / 100, "statistics": {"zeros": zeros}}
        sequential = (1.2, None, 1.4)[seed]
        add_run(tmp_path, "pixelcnn", bits, seed=seed, sequential=sequential, **measured)
    add_run(tmp_path, "pixelcnn", 0.5, seed=3, status="timeout")
    table = only_table(build_report(tmp_path))
    (row,), sub_pixels = table.rows, prod(table.shape)
    assert row.bits_per_dim == pytest.approx(3.7 / 3)
    assert row.bits_per_dim is not None
    assert row.bits_per_dim_se is not None
    assert row.nats_per_image == pytest.approx(bits_to_nats(row.bits_per_dim * sub_pixels))
    assert row.nats_per_image_se == pytest.approx(bits_to_nats(row.bits_per_dim_se * sub_pixels))
    assert row.spread == pytest.approx(stdev((1.0, 1.1, 1.6)))
    assert row.statistics["zeros"] == pytest.approx(0.15)
    assert row.canvas_agreement == pytest.approx((1 + 0.99 + 0.96) / 3)
    assert (row.sequential_bits_per_dim, row.sequential_images) == (pytest.approx(1.3), 8)
    assert row.seeds == 3


def test_one_leaking_seed_takes_the_rank_from_all(tmp_path: Path) -> None:
    add_run(tmp_path, "pixelcnn", 1.0, seed=0)
    add_run(tmp_path, "pixelcnn", 1.0, seed=1, causal="leaky")
    row = row_of(build_report(tmp_path), "pixelcnn")
    assert (row.category, row.rank, row.causal) == ("leaking", None, "leaky")


def test_unexpected_verdicts_say_so(tmp_path: Path) -> None:
    add_run(tmp_path, "pixelcnn", 0.1, causal="leaky", expect="causal")
    add_run(tmp_path, "gated-mask-b", 1.0, causal="complete", expect="leaky")
    page = terminal(build_report(tmp_path))
    assert "not causal (unexpected)" in page
    assert "no leak found (a leak was expected)" in page


@pytest.mark.parametrize("spoilt", [0, 1, 2])
def test_the_worst_map_of_a_cell_is_what_it_is_certified_by(tmp_path: Path, spoilt: int) -> None:
    for seed in range(3):
        add_run(tmp_path, "pixelcnn", 1.0 + seed / 10, seed=seed, causal="partial" if seed == spoilt else "complete")
    add_run(tmp_path, "pixelcnn", seed=3, status="failed", causal="partial")  # has no number, so it certifies none
    row = row_of(build_report(tmp_path), "pixelcnn")
    assert row.causal == "partial"
    assert words.causal(row) == "no leak found (partial map)"


def spoil(store: Path, record: Record, **changes: Any) -> None:
    """A run that does not add up any more: its numbers are those of nobody's nats."""
    assert record.likelihood is not None
    rewrite(folder_of(store, record), lambda record: replace(record, likelihood=Likelihood(0.1, 53.2337, 60), **changes))


def test_a_run_that_does_not_add_up_has_no_rank_and_takes_nothing_else_with_it(tmp_path: Path) -> None:
    add_photos(tmp_path)
    spoil(tmp_path, add_run(tmp_path, "best-of-all", 0.5, settings={"layers": 9}))
    report = build_report(tmp_path)
    row = row_of(report, "best-of-all")
    assert (row.category, row.rank, row.status, row.causal) == ("unscored", None, "does not add up", "unchecked")
    assert (row.bits_per_dim, row.nats_per_image, row.behind, row.seeds, row.spread) == (None, None, None, 0, None)
    assert row_of(report, "gated-pixelcnn").rank == 1
    assert only_table(report).rows[-1] == row
    assert [step.first for step in report.order] == ["gated-pixelcnn", "pixelcnn", "histogram"]
    depth = next(one for one in report.ablations if one.choice.name == "depth")
    assert depth.of("best-of-all").paired is None
    assert depth.sentences == ["best-of-all (9 layers) has no number: its run does not add up."]
    page, html = write_markdown(report).read_text(encoding="utf-8"), write_html(report).read_text(encoding="utf-8")
    for text in (page, readme_table(tmp_path), terminal(report)):
        line = next(line for line in text.splitlines() if " best-of-all " in line and ("|" in line or "│" in line))
        assert "0.1" not in line
        assert "no leak found" not in line
    assert "does not add up, so it is not ranked, compared or judged: the mean of nats.npz is 266.169" in terminal(report, 2000)
    for text in (page, html):
        assert "What does not add up, or could not be used" in text
        assert "the mean of nats.npz is 266.169 nats an image, and the record says 53.2337" in text
    assert '<span class="alarm">does not add up</span></td>' in html
    assert "0.100" not in html
    assert "<strong>1</strong> run not adding up" in html


def test_of_several_seeds_only_those_that_add_up_count(tmp_path: Path) -> None:
    add_run(tmp_path, "histogram", 3.8)
    first, second, third = add_seeds(tmp_path, "pixelcnn", 1.0, 1.2, 9.0)
    spoil(tmp_path, third, causality=Causality("partial", 0.0, 1e-10))
    report = build_report(tmp_path)
    row = row_of(report, "pixelcnn")
    assert (row.bits_per_dim, row.seeds, row.status) == (pytest.approx(1.1), 2, "1 does not add up, 2 done")
    assert (row.rank, row.causal) == (1, "complete")
    behind = row_of(report, "histogram").behind
    assert behind is not None
    assert (behind.mean, behind.seeds) == (pytest.approx(2.7, abs=1e-6), (2, 1))
    cell = next(cell for cell in report.cells if cell.label == "pixelcnn")
    assert cell.seed_variance == pytest.approx((0.02, 1))
    assert {first.run_key, second.run_key} == {run.key for run in cell.scored}


def test_a_leak_that_does_not_add_up_is_still_no_reason_to_trust_its_seeds(tmp_path: Path) -> None:
    """Doubt never makes a cell look better."""
    first, _ = add_seeds(tmp_path, "pixelcnn", 1.0, 1.1)
    spoil(tmp_path, first, causality=Causality("leaky", 0.5, 1e-10, "output 0 sees sub-pixel 0"))
    row = row_of(build_report(tmp_path), "pixelcnn")
    assert (row.category, row.rank, row.causal) == ("leaking", None, "leaky")


def test_an_interval_that_knows_no_noise_of_seeds_says_so(tmp_path: Path) -> None:
    add_photos(tmp_path)
    report = build_report(tmp_path)
    assert all(words.behind(row_of(report, label).behind).endswith(", images alone)") for label in ("pixelcnn", "uniform"))
    add_run(tmp_path, "gated-pixelcnn", 0.95, seed=1)
    report = build_report(tmp_path)
    assert "alone" not in words.behind(row_of(report, "pixelcnn").behind)
    assert "images alone" in write_markdown(report).read_text(encoding="utf-8")  # where it is explained


def test_budgets_are_told_apart(tmp_path: Path) -> None:
    add_run(tmp_path, "pixelcnn", 1.2, budget="smoke", updates=10)
    add_run(tmp_path, "pixelcnn", 1.0, budget="cpu", updates=500)
    report = build_report(tmp_path)
    assert [row.label for row in only_table(report).rows] == ["pixelcnn (cpu)", "pixelcnn (smoke)"]
    assert "photos: 16x16x3 images of 16 levels, budgets cpu, smoke" in terminal(report)


def test_grey_images_have_no_colour_column_and_real_images_are_shown(tmp_path: Path) -> None:
    add_digits(tmp_path)
    page = terminal(build_report(tmp_path))
    assert "colour" not in page
    assert "real test images" in page
    assert "failed" in page


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_terminal_keeps_its_width_and_what_matters(tmp_path: Path, width: int) -> None:
    add_photos(tmp_path)
    text = terminal(build_report(tmp_path), width)
    assert max(len(line) for line in text.splitlines()) <= width
    assert "0.943" in text
    assert "Ablation: Colour conditioning" in text


def test_a_suite_is_a_view_on_the_store(tmp_path: Path) -> None:
    kept = add_run(tmp_path, "pixelcnn", 1.0)
    add_run(tmp_path, "gated-pixelcnn", 0.9)
    assert [row.label for row in only_table(build_report(tmp_path, {kept.run_key})).rows] == ["pixelcnn"]


def test_an_empty_store_says_so(tmp_path: Path) -> None:
    report = build_report(tmp_path / "nothing")
    assert report.tables == ()
    assert terminal(report) == "No runs are stored here yet.\n"


def test_damaged_records_are_named_and_the_rest_is_reported(tmp_path: Path) -> None:
    add_run(tmp_path, "pixelcnn", 1.0)
    broken = tmp_path / "photos" / "pixelcnn" / ("0" * 12)
    broken.mkdir()
    (broken / "record.json").write_text("{", encoding="utf-8")
    report = build_report(tmp_path)
    assert len(only_table(report).rows) == 1
    assert "is damaged" in terminal(report)
    assert "What does not add up, or could not be used" in write_markdown(report).read_text(encoding="utf-8")

"""Tables: who is ranked, who only stands there, and what a leaking number looks like everywhere."""

import io
from pathlib import Path

import pytest
from record_factory import add_digits, add_photos, add_run
from rich.console import Console

from pixelbench.reports.markdown import write_markdown
from pixelbench.reports.readme import readme_table
from pixelbench.reports.report import Report, build_report
from pixelbench.reports.tables import Row, TaskTable
from pixelbench.reports.terminal import print_report


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
    assert [(row.rank, row.label, row.standing) for row in rows] == [
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


def test_one_leaking_seed_takes_the_rank_from_all(tmp_path: Path) -> None:
    add_run(tmp_path, "pixelcnn", 1.0, seed=0)
    add_run(tmp_path, "pixelcnn", 1.0, seed=1, causal="leaky")
    row = row_of(build_report(tmp_path), "pixelcnn")
    assert (row.standing, row.rank, row.causal) == ("leaking", None, "leaky")


def test_unexpected_verdicts_say_so(tmp_path: Path) -> None:
    add_run(tmp_path, "pixelcnn", 0.1, causal="leaky", expect="causal")
    add_run(tmp_path, "gated-mask-b", 1.0, causal="complete", expect="leaky")
    page = terminal(build_report(tmp_path))
    assert "not causal (unexpected)" in page
    assert "no leak found (a leak was expected)" in page


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
    assert [row.label for row in only_table(build_report(tmp_path, {kept["run_key"]})).rows] == ["pixelcnn"]


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
    assert "Records that could not be used" in write_markdown(report).read_text(encoding="utf-8")

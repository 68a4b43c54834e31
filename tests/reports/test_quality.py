"""Sample quality in reports: runs between floor and controls, failures by name, disagreement with the likelihood in a sentence."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from pixelbench.analysis.quality.findings import REAL, quality_tables
from pixelbench.analysis.quality.frame import quality_frame
from pixelbench.evaluation.measures import Value
from pixelbench.reports.html.document import html_of
from pixelbench.reports.markdown import write_markdown
from pixelbench.reports.quality_text import print_quality, quality_grid, quality_markdown
from pixelbench.reports.report import Report, build_report
from tests.support.measured_runs import add_measurements, measurement
from tests.support.record_factory import add_run


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A good model, one that scores better and draws worse, a leak that draws one image, and one that nobody measured."""
    add_measurements(tmp_path, add_run(tmp_path, "gated-pixelcnn", 1.0, task="photos"), measurement(kid=0.03), measurement("pixels"))
    add_measurements(tmp_path, add_run(tmp_path, "pixelcnn", 1.2, task="photos"), measurement(kid=0.01))
    leak = add_run(tmp_path, "gated-residual", 0.1, task="photos", settings={"first_layer": "residual"}, causal="leaky", expect="leaky")
    black = measurement(n=250, precision=0.0, recall=0.0, coverage=0.0, spacing=0.0, kid=0.5)
    add_measurements(tmp_path, leak, black)
    add_run(tmp_path, "uniform", 4.0, task="photos")
    return tmp_path


@pytest.fixture
def report(store: Path) -> Report:
    return build_report(store)


def test_a_table_a_feature_set_in_the_order_of_the_task(report: Report) -> None:
    first, second = report.quality_of("photos")
    assert [table.features for table in (first, second)] == ["random-conv", "pixels"]
    assert [row.label for row in first.rows] == ["gated-pixelcnn", "pixelcnn", "gated-residual"]
    assert [row.label for row in second.rows] == ["gated-pixelcnn"]
    assert first.all_rows[0].label == REAL
    assert [row.label for row in first.controls] == ["independent-pixels", "copies", "repeated"]
    assert first.floor.n == 500  # of the run with most images


def test_failures_are_called_by_name_and_controls_too(report: Report) -> None:
    named = {row.label: [one.name for one in row.failures] for row in report.quality[0].all_rows}
    assert named["gated-residual"] == ["collapsed-samples"]
    assert named["independent-pixels"] == ["noise-samples"]
    assert named["copies"] == ["memorised-samples"]
    assert "collapsed-samples" in named["repeated"]
    assert named[REAL] == named["pixelcnn"] == named["gated-pixelcnn"] == []


def sentences(store: Path) -> str:
    return " ".join(said for table in build_report(store).quality for said in table.as_dict()["sentences"])


def test_likelihood_and_samples_that_disagree_are_said_to(store: Path) -> None:
    said = sentences(store)
    assert "gated-pixelcnn needs fewer bits/dim than pixelcnn (1.000 and 1.200)" in said
    assert "pixelcnn draws the better samples by KID/random-conv (0.0100 ± 0.0050 against 0.0300 ± 0.0050)" in said
    assert "gated-residual needs" not in said  # no likelihood, no order


@pytest.mark.parametrize("kid", [0.02, 0.005])
def test_where_they_agree_or_errors_hide_it_nothing_is_said(tmp_path: Path, kid: float) -> None:
    add_measurements(tmp_path, add_run(tmp_path, "gated-pixelcnn", 1.0), measurement(kid=kid))
    add_measurements(tmp_path, add_run(tmp_path, "pixelcnn", 1.2), measurement(kid=0.015))
    assert "disagree" not in sentences(tmp_path)


def test_a_measure_that_does_not_separate_is_said_not_to_and_orders_nothing(tmp_path: Path) -> None:
    for name, bits, kid in (("gated-pixelcnn", 1.0, 0.03), ("pixelcnn", 1.2, 0.01)):
        one = measurement(kid=kid)
        blind = {**one.controls, "independent-pixels": {**one.controls["independent-pixels"], "kid": one.floor["kid"]}}
        add_measurements(tmp_path, add_run(tmp_path, name, bits), replace(one, controls=blind))
    said = sentences(tmp_path)
    assert "In random-conv, KID does not tell real images from the control here." in said
    assert "disagree" not in said
    (table,) = build_report(tmp_path).quality
    assert "KID/random-conv (does not separate)" in [column.title for column in quality_grid(table).columns]


def test_the_frame_is_tidy(report: Report) -> None:
    frame = quality_frame(report.quality)
    assert not frame.duplicated(["task", "features", "label", "measure"]).any()
    row = frame.set_index(["features", "label", "measure"]).loc[("random-conv", "gated-residual", "recall")]
    assert (row["value"], row["n"], row["category"], row["failures"]) == (0.0, 250, "leaking", "collapsed-samples")
    assert bool(row["separates"])
    assert frame[frame.label == REAL].run_key.eq("").all()
    assert quality_frame([]).columns.tolist() == frame.columns.tolist()


def test_the_same_numbers_on_every_surface(store: Path, report: Report) -> None:
    console = Console(width=220, record=True, file=io.StringIO())
    print_quality(report, console)
    markdown = write_markdown(report).read_text()
    for text in (console.export_text(), markdown, html_of(report, {})):
        for said in ("Sample quality in random-conv".lower(), "0.0300 ± 0.0050", "independent pixels (control)", "collapsed"):
            assert said in text.lower()


def test_a_narrow_terminal_says_what_it_leaves_out(report: Report) -> None:
    console = Console(width=80, record=True, file=io.StringIO())
    print_quality(report, console)
    text = console.export_text()
    assert "Not shown in this width: " in text
    assert max(map(len, text.splitlines())) <= 80


def test_ablations_show_measures_beside_bits(report: Report) -> None:
    text = write_markdown(report).read_text()
    section = text[text.index("### Ablation") :]
    header = next(line for line in section.splitlines() if line.startswith("| variant"))
    assert "recall/random-conv" in header
    assert "KID/random-conv" in header


def test_an_ablation_shows_all_rows_in_one_feature_set(tmp_path: Path) -> None:
    """In that which most of them have, even where the baseline has one that is shown first elsewhere; what is of pixels bears no set."""
    add_measurements(tmp_path, add_run(tmp_path, "gated-pixelcnn", 1.0), measurement("classifier", kid=0.7), measurement(kid=0.03))
    leak = add_run(tmp_path, "gated-residual", 0.1, settings={"first_layer": "residual"}, causal="leaky", expect="leaky")
    add_measurements(tmp_path, leak, measurement(n=250, kid=0.5))
    text = write_markdown(build_report(tmp_path)).read_text()
    header, _, *rows = [line for line in text[text.index("### Ablation") :].splitlines() if line.startswith("|")][:4]
    titles = [title.strip() for title in header.split("|")]
    assert [title for title in titles if "classifier" in title] == []
    assert {"KID/random-conv", "train/held-out", "spectrum, dB"} <= set(titles)
    place = titles.index("KID/random-conv")
    assert [row.split("|")[place].strip() for row in rows] == ["0.0300 ± 0.0050", "0.5000 ± 0.0050"]


def test_every_column_of_the_tables_is_explained(report: Report) -> None:
    text = write_markdown(report).read_text()
    legend = text[text.index("## How to read this") :]
    page = html_of(report, {})
    for title in ("how many", "KID", "precision", "recall", "coverage", "spacing", "train/held-out", "spectrum", "called"):
        assert f"**{title}**" in legend
    for grid in map(quality_grid, report.quality):
        section = page[page.index(f">{grid.title}<") :]
        said = section[: section.index("</p>")]
        unexplained = [column.title for column in grid.columns if f">{column.title}</a>" not in said]
        assert unexplained == ["images"]


def test_a_store_without_measurements_has_no_table(tmp_path: Path) -> None:
    add_run(tmp_path, "pixelcnn", 1.2)
    report = build_report(tmp_path)
    assert report.quality == ()
    assert "sample quality" not in write_markdown(report).read_text().lower()
    assert "Sample quality" not in html_of(report, {})


def test_texts_of_a_store_change_no_page(tmp_path: Path) -> None:
    name = "<b>|`bold`"
    add_measurements(tmp_path, add_run(tmp_path, name, 1.0, family="pixelcnn"), measurement("a|<i>b"))
    report = build_report(tmp_path)
    page = html_of(report, {})
    assert "<b>|" not in page
    assert "<i>b" not in page
    assert "<i>" not in "".join(quality_markdown(report.quality[0]))


def test_a_run_that_does_not_add_up_is_not_shown(store: Path) -> None:
    (nats,) = store.glob("photos/pixelcnn/*/nats.npz")
    nats.unlink()
    assert [row.label for row in build_report(store).quality[0].rows] == ["gated-pixelcnn", "gated-residual"]


def test_values_without_errors_are_written_without() -> None:
    from pixelbench.analysis.format import with_error

    assert with_error(Value(None)) == with_error(None) == "–"
    assert with_error(Value(1.0, None)) == "1.000"
    assert with_error(Value(0.53712, 0.0537)) == "0.537 ± 0.054"
    assert with_error(Value(-0.0000123, 0.00016)) == "-0.00001 ± 0.00016"
    assert with_error(Value(52.56, 3.9)) == "52.6 ± 3.9"


def test_tables_are_of_the_cells_given(report: Report) -> None:
    assert quality_tables([], []) == []

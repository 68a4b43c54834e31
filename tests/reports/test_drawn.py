"""Drawings of the page and of `report.md`: parts of sample pictures, maps, curves, and what is kept from one report to the next."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelbench.causality.render.map_text import map_rows
from pixelbench.evaluation.grid_layout import find_layout
from pixelbench.evaluation.grids import grid_png
from pixelbench.reports.html.drawn.curves import draw_lines
from pixelbench.reports.html.drawn.maps import DrawnMap, add_map
from pixelbench.reports.html.drawn.pictures import Pictures, row_of_images
from pixelbench.reports.html.sources import paper_entry, run_entry
from pixelbench.reports.pictures import plots
from pixelbench.reports.pictures.drawings import Drawings
from pixelbench.reports.pictures.plots import COLOURS, MARKERS
from pixelbench.reports.report import build_report
from tests.support.certificate_factory import certificate
from tests.support.record_factory import add_photos, add_run


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 16, 16), (1, 28, 28), (3, 5, 9)])
@pytest.mark.parametrize("count", [1, 4, 9, 16])
@pytest.mark.parametrize("labels", [("real", "samples"), ("real", "samples of a label that has more than a line and so more room", "more")])
def test_the_images_of_a_picture_are_found_again(shape: tuple[int, int, int], count: int, labels: tuple[str, ...]) -> None:
    rng = np.random.default_rng(count)
    blocks = [rng.integers(0, 2, (count, *shape)) for _ in labels]
    drawn = Image.open(io.BytesIO(grid_png(list(zip(labels, blocks, strict=True)), 2)))
    layout = find_layout(drawn.size, shape[1:], len(labels))
    assert layout is not None
    for one, images in zip(layout, blocks, strict=True):
        left, top, width, height = one.first(1)
        scale = width // shape[2]
        part = np.asarray(drawn)[top : top + height : scale, left : left + width : scale]
        expected = np.broadcast_to(images[0].transpose(1, 2, 0) * 255, (*shape[1:], 3))
        assert np.array_equal(part, expected)


def test_a_picture_of_another_layout_is_shown_whole() -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (61, 37)).save(buffer, "PNG")
    picture = Pictures().add(buffer.getvalue(), "")
    crop = row_of_images(picture, (1, 8, 8), 2, 1, 4, "")
    assert crop is not None
    assert crop.view == "0 0 61 37"
    assert row_of_images(None, (1, 8, 8), 2, 1, 4, "") is None


def test_a_page_that_is_full_counts_what_it_leaves_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pixelbench.reports.html.drawn.pictures._MOST_BYTES", 100)
    pictures, found = Pictures(), []
    for shade in range(3):
        buffer = io.BytesIO()
        Image.new("RGB", (4, 4), (shade, 0, 0)).save(buffer, "PNG")
        found += [pictures.add(buffer.getvalue(), ""), pictures.add(buffer.getvalue(), "")]
    kept = len(pictures.held)
    assert pictures.left_out == found.count(None) == 2 * (3 - kept)
    assert kept == 1


@pytest.mark.parametrize("sees_itself", [False, True])
def test_a_drawn_map_has_each_cell_once(sees_itself: bool) -> None:
    report, pictures = certificate(shape=(3, 3, 4), sees_itself=sees_itself), Pictures()
    add_map(report, pictures)
    ((_, drawn),) = pictures.drawings
    assert isinstance(drawn, DrawnMap)
    for panel, pair in zip(drawn.panels, sorted(report.map.pairs), strict=True):
        rows = map_rows(report, *pair)
        areas = {name: sum(int(run.split("v")[0]) for run in path.split("h")[1:] if "v1" in run) for name, path in panel.areas}
        letters = "".join(rows)
        assert sum(areas.values()) == len(letters)
        assert areas.get("ahead", 0) == letters.count("x") == panel.crosses.count("M")
    assert any(panel.crosses for panel in drawn.panels) == sees_itself


def test_leaks_have_no_say_in_the_scale_of_curves_and_no_two_share_a_colour(tmp_path: Path) -> None:
    add_photos(tmp_path)
    cells = [cell for cell in build_report(tmp_path).cells if cell.trained]
    with_leak, without = draw_lines(cells), draw_lines([cell for cell in cells if not cell.leaky])
    assert with_leak is not None
    assert without is not None
    assert with_leak.upwards == without.upwards
    assert len({line.tone for line in with_leak.lines}) == len(with_leak.lines)
    assert [line.dotted for line in with_leak.lines] == [cell.leaky for cell in cells]
    assert len(set(COLOURS)) == len(MARKERS) == plots.MOST_CURVES
    alone = draw_lines([cell for cell in cells if cell.leaky])
    assert alone is not None
    assert alone.lines[0].validation


def test_curves_of_two_levels_are_in_nats(tmp_path: Path) -> None:
    add_run(tmp_path, "pixelcnn", 0.17, task="mnist-fixed")
    chart = draw_lines(list(build_report(tmp_path).cells))
    assert chart is not None
    assert chart.unit == "nats/image"
    assert float(chart.lines[0].last) == pytest.approx(0.17 * 784 * np.log(2), rel=0.2)


def test_more_curves_than_colours_are_counted(tmp_path: Path) -> None:
    for layers in range(plots.MOST_CURVES + 2):
        add_run(tmp_path, f"net-{layers}", 1.0, settings={"layers": layers + 1})
    chart = draw_lines(list(build_report(tmp_path).cells))
    assert chart is not None
    assert (len(chart.lines), chart.more) == (plots.MOST_CURVES, 2)


def png(shade: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4), (shade, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


def test_what_was_drawn_is_not_drawn_again_unless_its_values_or_its_file_changed(tmp_path: Path) -> None:
    drawn: list[int] = []

    def draw() -> bytes:
        drawn.append(len(drawn))
        return png(len(drawn))

    first = Drawings(tmp_path).png(["a", 1], draw)
    assert Drawings(tmp_path).png(["a", 1], draw) == first
    assert len(drawn) == 1
    assert Drawings(tmp_path).png(["a", 2], draw) != first
    (kept,) = [path for path in (tmp_path / "work" / "drawings").iterdir() if path.read_bytes() == first]
    for damage in (b"", first[:-1], first.replace(b"IDAT", b"IDAU"), first + b"x"):
        kept.write_bytes(damage)
        before = len(drawn)
        Drawings(tmp_path).png(["a", 1], draw)
        assert len(drawn) == before + 1


def test_a_store_that_takes_no_drawings_still_has_reports(tmp_path: Path) -> None:
    (tmp_path / "work").write_text("in the way", encoding="utf-8")
    assert Drawings(tmp_path).png([], lambda: png(1)) == png(1)


def test_citations_hold_whatever_a_name_says(tmp_path: Path) -> None:
    add_run(tmp_path, "}, note={evil} \\input{x} % & _", 1.0)
    (cell,) = build_report(tmp_path).cells
    entry = run_entry(cell)
    assert entry.count("{") == entry.count("}")
    assert "\\input" not in entry
    assert cell.runs[0].key in entry


def test_a_paper_is_cited_with_its_number_on_arxiv() -> None:
    from pixelbench.published.figure_files import load_figures

    figures = [one for one in load_figures() if one.kind == "paper"]
    entries = {paper_entry(one) for one in figures}
    assert any("doi       = {10.48550/arXiv.1606.05328}" in entry for entry in entries)
    assert any("https://proceedings.mlr.press/v15/larochelle11a.html" in entry for entry in entries)
    assert all(entry.count("{") == entry.count("}") for entry in entries)

"""Published figures and verdicts in every table: one source, the same words, marked where they are a bound, from memory or suspicious."""

import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from pixelbench.analysis import format as words
from pixelbench.analysis.context import Context
from pixelbench.analysis.tables import Row
from pixelbench.published.comparison import Known
from pixelbench.published.figure_files import load_figures
from pixelbench.published.figures import figures_about
from pixelbench.reports import columns
from pixelbench.reports.html.document import write_html
from pixelbench.reports.markdown import write_markdown
from pixelbench.reports.readme import readme_table
from pixelbench.reports.report import Report, build_report
from pixelbench.reports.terminal import print_report
from tests.support.paper_runs import paper_spec
from tests.support.record_factory import add_photos, add_run, add_seeds, add_spec

#: 87.53 nats of 28x28 pixels in bits/dim.
BITS = 0.16107
SHIPPED = figures_about("mnist-fixed", "gated-pixelcnn", load_figures())[0]


def add_digits(store: Path, bits: float = BITS, *, causal: str = "complete", **requested: Any) -> None:
    """A run of the suite's row at its budget `cpu`."""
    add_spec(store, paper_spec("gated-pixelcnn", budget="cpu", **requested), bits, causal=causal)


def row_of(report: Report, label: str = "gated-pixelcnn") -> Row:
    return next(row for table in report.tables for row in table.rows if row.label == label)


def terminal(report: Report, width: int = 80) -> str:
    out = io.StringIO()
    print_report(report, Console(file=out, width=width))
    return out.getvalue()


def known(*changes: dict[str, Any]) -> Known:
    """The shipped figure in other words, instead of all that ship."""
    return Known(figures=tuple(replace(SHIPPED, id=f"figure-{index}", **change) for index, change in enumerate(changes)))


def test_every_renderer_has_figure_difference_and_verdict_of_one_source(tmp_path: Path) -> None:
    add_digits(tmp_path)
    report = build_report(tmp_path)
    one = row_of(report).published
    assert one is not None
    assert (one.figure.printed, one.figure.unit, one.verdict_name) == ("80.10", "nats/image", "incomplete")
    assert one.difference == pytest.approx(7.43, abs=0.01)
    page = write_markdown(report).read_text(encoding="utf-8")
    assert "| 80.10 nats | +7.43 | incomplete | 1 |" in page
    assert "| 80.10 nats | incomplete | 1 |" in readme_table(tmp_path)
    for text in (page, terminal(report, 1000), json.dumps(report.as_dict(), ensure_ascii=False)):
        assert one.sentence in text
    row = re.search(r'<tr data-category="ranked">.*?</tr>', write_html(report).read_text(encoding="utf-8"), re.DOTALL)
    assert row is not None
    assert ">80.10<small>nats</small></td>" in row[0]
    assert '<span class="verdict incomplete">◔ incomplete</span>' in row[0]
    assert row[0].count("80.10") == 1
    assert f'data-order="{one.difference!r}">+7.43</td>' in row[0]


def test_tables_that_no_paper_is_about_have_no_such_columns(tmp_path: Path) -> None:
    add_photos(tmp_path)
    report = build_report(tmp_path)
    page = write_markdown(report).read_text(encoding="utf-8")
    assert not {columns.PUBLISHED, columns.DIFFERENCE, columns.VERDICT} & set(columns.columns_of(report.tables[0]))
    assert "Beside published figures" not in page
    assert "**verdict**" not in page
    assert "verdict" not in readme_table(tmp_path)
    assert report.as_dict()["published"] == []


def test_rows_without_a_figure_stay_empty_beside_those_with_one(tmp_path: Path) -> None:
    add_digits(tmp_path)
    add_run(tmp_path, "uniform", 1.0, task="mnist-fixed", noise=0.0)
    report = build_report(tmp_path)
    assert row_of(report, "uniform").published is None
    assert "| – | – | – | 1 |" in write_markdown(report).read_text(encoding="utf-8")


def test_a_leak_has_its_figure_but_no_difference(tmp_path: Path) -> None:
    add_digits(tmp_path, 0.001, causal="leaky", expect="leaky")
    report = build_report(tmp_path)
    row = row_of(report)
    assert (words.published(row), words.difference(row), words.verdict(row)) == ("80.10 nats", "–", "not causal")
    assert "✕ gated-pixelcnn: Not causal: the model sees what it predicts" in terminal(report, 1000)


def test_what_is_suspicious_says_so_in_the_tables(tmp_path: Path) -> None:
    add_digits(tmp_path, 0.1025)
    report = build_report(tmp_path)
    assert words.verdict(row_of(report)) == "incomplete (suspicious)"
    assert "Suspicious: check causality, split, binarisation." in terminal(report, 1000)
    assert "◔ incomplete</span><small>suspicious</small>" in write_html(report).read_text(encoding="utf-8")


def test_bounds_and_what_is_from_memory_are_marked_everywhere(tmp_path: Path) -> None:
    add_digits(tmp_path)
    report = build_report(tmp_path, context=Context(known({"bound": True, "estimator": "elbo", "verified": False})))
    assert words.published(row_of(report)) == "≤ 80.10 nats (from memory)"
    page = write_markdown(report).read_text(encoding="utf-8")
    assert "| ≤ 80.10 nats (from memory) | – | not comparable |" in page
    assert "beside ≤ 80.10 nats/image (Gulrajani et al. 2017; Table 1; from memory, not verified)." in page
    assert ">≤ 80.10<small>nats; from memory</small>" in write_html(report).read_text(encoding="utf-8")


def test_the_page_lists_every_figure_with_what_it_assumes_and_judges_no_reproduction(tmp_path: Path) -> None:
    own = {"assumed": ("The files are <not> named.", "Nor the *batch*.")}
    figures = known({"kind": "reproduction", "paper": "Somebody 2020", "printed": "81.0", "value": 81.0}, own)
    add_digits(tmp_path)
    page = write_markdown(build_report(tmp_path, context=Context(figures))).read_text(encoding="utf-8")
    mine, other = page.split("### Beside published figures\n\n")[1].split("\n\n")[0].splitlines()
    assert mine.startswith("- ◔ **gated-pixelcnn** beside 80.10 nats/image (Gulrajani et al. 2017; Table 1). Incomplete: ")
    assert mine.endswith(r"Assumed: The files are &lt;not&gt; named. Nor the \*batch\*.")
    assert other.startswith("- **gated-pixelcnn** beside 81.0 nats/image (Somebody 2020; ")
    assert other.endswith("a third party's reproduction). Shown beside, not judged.")


def test_a_reproduction_alone_fills_no_column(tmp_path: Path) -> None:
    add_digits(tmp_path)
    report = build_report(tmp_path, context=Context(known({"kind": "reproduction"})))
    assert row_of(report).published is None
    assert "Shown beside, not judged." in write_markdown(report).read_text(encoding="utf-8")


def test_digests_of_one_name_and_budgets_keep_their_own_figures(tmp_path: Path) -> None:
    add_digits(tmp_path)
    add_digits(tmp_path, 0.15, updates=900)
    spec = paper_spec("gated-pixelcnn", budget="cpu")
    add_spec(tmp_path, replace(spec, task={**spec.task, "digest": "e" * 64}), 0.17)
    report = build_report(tmp_path)
    found = {(table.task.partition(" ")[0], row.label): row.published for table in report.tables for row in table.rows}
    assert len(report.tables) == 2
    measured = sorted((round(one.measured or 0, 1), one.verdict_name) for one in found.values() if one)
    assert measured == [(0, "not comparable"), (81.5, "not comparable"), (87.5, "incomplete")]
    said = " ".join(one.sentence for one in found.values() if one)
    assert "updates 900 instead of 2500" in said
    assert f"digest {'e' * 12}... instead of 76ae31" in said


@pytest.mark.parametrize("width", [60, 72, 80, 100, 140])
def test_narrow_terminals_keep_figure_and_verdict(tmp_path: Path, width: int) -> None:
    add_digits(tmp_path)
    add_spec(tmp_path, paper_spec("pixelvae", budget="cpu"), 0.17)
    text = terminal(build_report(tmp_path), width)
    table = [line for line in text.splitlines() if line.startswith(tuple("┏┃┡│└"))]
    assert {len(line) for line in table} == {len(table[0])}
    assert len(table[0]) <= width
    assert all(word in text.split("└")[0] for word in ("80.10 nats", "incomplete", "87.53", "no leak"))


def test_eighty_columns_hold_what_people_come_for_unbroken(tmp_path: Path) -> None:
    add_digits(tmp_path)
    text = terminal(build_report(tmp_path), 80)
    heading = next(line for line in text.splitlines() if "variant" in line)
    assert [title.strip() for title in heading.strip("┃").split("┃")] == [
        *("#", "variant", "nats/image", "published", "difference", "verdict", "n", "causal")
    ]
    assert any("gated-pixelcnn" in line and "87.53 ±" in line and "80.10 nats" in line and "+7.43" in line for line in text.splitlines())


def test_long_names_are_broken_and_not_cut(tmp_path: Path) -> None:
    add_digits(tmp_path)
    name = "a-network-of-a-name-that-goes-on-and-on-and-on-for-ever"
    add_run(tmp_path, name, 0.2, task="mnist-fixed", budget="cpu")
    table = terminal(build_report(tmp_path), 80).split("└")[0]
    cells = [line.split("│")[2].strip() for line in table.splitlines() if line.startswith("│")]
    assert name in "".join(cells)


def test_seeds_are_counted_beside_the_spread(tmp_path: Path) -> None:
    add_seeds(tmp_path, "pixelcnn", 1.0, 1.1)
    row = row_of(build_report(tmp_path), "pixelcnn")
    assert re.fullmatch(r"1\.050 ± 0\.0\d\d \(sd 0\.071\)", columns.SCORE.cell(row))
    assert columns.SEEDS.cell(row) == "2"
    assert words.score(row).endswith("(2 seeds, sd 0.071)")

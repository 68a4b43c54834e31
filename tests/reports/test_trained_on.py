"""Rows that are trained on more of the same images: in one table with the others, compared, and told apart."""

import re
from pathlib import Path

from pixelbench.reports import columns
from pixelbench.reports.html.document import write_html
from pixelbench.reports.markdown import write_markdown
from pixelbench.reports.report import build_report
from tests.support.record_factory import add_run

WHOLE = {"split": "all-training"}
SAID = "trained on all training images, with those that others hold out for validation: pixelcnn-pp"


def test_they_are_ranked_and_compared_in_one_table_which_says_who_they_are(tmp_path: Path) -> None:
    add_run(tmp_path, "pixelcnn-pp", 2.92, task="cifar10", recipe=WHOLE)
    add_run(tmp_path, "gated-pixelcnn", 3.03, task="cifar10")
    add_run(tmp_path, "png", 5.9, task="cifar10")
    report = build_report(tmp_path)
    assert not report.problems
    (table,) = report.tables
    assert (table.task, [row.label for row in table.rows]) == ("cifar10", ["pixelcnn-pp", "gated-pixelcnn", "png"])
    assert table.rows[1].behind is not None
    assert columns.caption(table).endswith(SAID)
    assert SAID in write_markdown(report).read_text()
    page = write_html(report).read_text()
    assert SAID in page
    assert re.search(r"\nsplit +all-training", page)  # in the listing of its recipe


def test_where_all_hold_images_out_nothing_is_said(tmp_path: Path) -> None:
    add_run(tmp_path, "gated-pixelcnn", 3.03, task="cifar10")
    (table,) = build_report(tmp_path).tables
    assert "trained on" not in columns.caption(table)


def test_one_variant_of_both_splits_is_told_apart(tmp_path: Path) -> None:
    add_run(tmp_path, "pixelcnn-pp", 2.92, task="cifar10", recipe=WHOLE)
    add_run(tmp_path, "pixelcnn-pp", 2.94, task="cifar10")
    (table,) = build_report(tmp_path).tables
    assert len({row.label for row in table.rows}) == 2
    assert any("split all-training" in row.label for row in table.rows)

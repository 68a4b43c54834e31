"""Text of a store is shown and never obeyed, by any of the reports; and text that only looks so is left as it is."""

import csv
import io
import re
import warnings
from pathlib import Path

import pytest
from rich.console import Console

from pixelbench.analysis.changes import compare_stores
from pixelbench.reports import escape
from pixelbench.reports.changes_text import to_markdown
from pixelbench.reports.export.csv import write_csv
from pixelbench.reports.html.document import write_html
from pixelbench.reports.markdown import write_markdown
from pixelbench.reports.report import build_report
from pixelbench.reports.terminal import print_report
from pixelbench.store.frame import load_results
from pixelbench.visible import visible, visible_json
from tests.support.hostile_store import FORMULA, RAW, add_hostile, hostile
from tests.support.record_factory import add_digits, add_photos, add_run


@pytest.fixture
def store(tmp_path: Path) -> Path:
    add_hostile(tmp_path / "store")
    return tmp_path / "store"


def raw_in(text: str) -> set[str]:
    """Those characters that something would obey."""
    return set(text) & set(RAW)


def test_the_store_is_really_hostile(store: Path) -> None:
    report = build_report(store)
    assert [row.status for table in report.tables for row in table.rows]
    assert "does not add up" in "".join(report.problems)
    assert set(RAW) - {"\r", "\x08", "\x7f", "\u2066", "\u200f"} <= raw_in("".join(report.problems) + report.tables[0].task)
    assert set(RAW) <= set(hostile("x"))


def test_terminal(store: Path) -> None:
    plain = Console(file=io.StringIO(), width=160, highlight=False)
    print_report(build_report(store), plain)
    printed = plain.file.getvalue()  # type: ignore[attr-defined]
    assert not raw_in(printed)
    assert r"\x1b[2J\x9b31m\u202e\x07<b>|`[x]@you" in printed


def test_markdown(store: Path) -> None:
    page = write_markdown(build_report(store)).read_text(encoding="utf-8")
    assert not raw_in(page)
    fenced = re.sub(r"(?ms)^(`{3,})text$.*?^\1$", "", page)
    assert not re.search(r"<(?!br)", fenced)
    assert "@you" not in fenced
    assert not re.search(r"(?<!\\)\[x\]", fenced)
    for line in fenced.splitlines():
        if line.startswith("|"):
            assert line.endswith("|")


def test_comment_on_a_pull_request(store: Path, tmp_path: Path) -> None:
    add_hostile(tmp_path / "other")
    comment = to_markdown(compare_stores(store, tmp_path / "other"))
    assert not raw_in(comment)
    assert "@you" not in comment
    assert "<b>" not in comment


@pytest.mark.parametrize("name", ["$x", "$\\frac{$", "_hidden", "日本", "a\x1bb", "%s {} \\"])
def test_curves_of_any_name(tmp_path: Path, name: str) -> None:
    add_run(tmp_path, name, 0.9)
    add_run(tmp_path, f"{name}-two", 4.0, family="uniform")
    write_markdown(build_report(tmp_path))
    assert list((tmp_path / "report-files").glob("curves-*.png"))


def test_page(store: Path) -> None:
    page = write_html(build_report(store)).read_text(encoding="utf-8")
    assert not raw_in(page)
    assert "<img src=x" not in page
    assert "<b>|" not in page


def test_csv(store: Path, tmp_path: Path) -> None:
    write_csv(store, tmp_path / "table.csv")
    text = (tmp_path / "table.csv").read_text(encoding="utf-8")
    assert not raw_in(text)
    header, *rows = csv.reader(io.StringIO(text))
    assert len(rows) == 4
    for row in rows:
        cells = dict(zip(header, row, strict=True))
        assert cells["device"].startswith(f"'{FORMULA}")
        assert not [cell for cell in row if re.match(r"\s*[=+@\t\r]", cell)]
        assert not [cell for cell in row if re.match(r"\s*-", cell) and not re.fullmatch(r"-[\d.e-]+", cell)]
        assert re.fullmatch(r"\d+", cells["seed"])


def test_csv_leaves_numbers_and_plain_text(tmp_path: Path) -> None:
    """A difference below zero stays a number, and a name with signs within stays a name."""
    add_run(tmp_path / "plain", "gated-pixelcnn", 0.9)
    write_csv(tmp_path / "plain", tmp_path / "table.csv")
    row = next(csv.DictReader(io.StringIO((tmp_path / "table.csv").read_text(encoding="utf-8"))))
    frame = load_results(tmp_path / "plain")
    assert float(row["bits_per_dim"]) == frame["bits_per_dim"][0]
    texts = ("run_key", "task", "variant", "family", "budget", "status", "estimator", "device", "folder", "code", "torch")
    assert {name: row[name] for name in texts} == {name: frame[name][0] for name in texts}
    assert row["condition"] == frame["condition"][0] == "none"
    assert row["doubts"] == ""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("=1", "'=1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(1)", "'@SUM(1)"),
        ("\t=1", "\t'=1"),
        (" \n=1", " \n'=1"),
        ("a;=1", "a;'=1"),
        ("\uff1d1", "'\uff1d1"),
        ("a+gates=true", "a+gates=true"),
        ("x-1", "x-1"),
        ("one, two; three", "one, two; three"),
        ("a\rb", "a\\rb"),
    ],
)
def test_formulas(text: str, shown: str) -> None:
    from pixelbench.reports.export.csv import _shown

    assert _shown(text) == shown


def test_pages_of_a_plain_store_are_as_they_were(tmp_path: Path) -> None:
    """Signs, letters of other alphabets and line ends are no commands."""
    add_photos(tmp_path)
    add_digits(tmp_path)
    page = write_markdown(build_report(tmp_path)).read_text(encoding="utf-8")
    assert "\\x" not in page
    assert "±" in page
    for text in ("ключ ± é 日本 ✓ ≤ \n\t", "e\u0301", "👩\u200d👩"):
        assert visible(text) == text
        assert visible_json(text) == text


@pytest.mark.parametrize("letters", [1, 255])
def test_names_of_files_are_short_and_differ(letters: int) -> None:
    names = [escape.file_name("x" * letters + end) for end in ("a", "b")]
    assert len(set(names)) == 2
    assert max(map(len, names)) <= 80


def test_warnings_of_the_library(store: Path) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        load_results(store)
    assert len(caught) == 2
    assert not raw_in("".join(str(warning.message) for warning in caught))

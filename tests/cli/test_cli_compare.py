"""`pixelbench compare`: tables, JSON, Markdown, and the exit code that tells a regression."""

from pathlib import Path

import pytest

from tests.cli.cli_stores import Pixelbench, only_json
from tests.support.record_factory import add_run

pytestmark = pytest.mark.quick


@pytest.fixture
def stores(tmp_path: Path) -> Path:
    """`before` and `after`, where one variant became worse, one better, and one is the same."""
    for name, bits in (("before", 1.0), ("after", 1.2)):
        add_run(tmp_path / name, "pixelcnn", bits)
        add_run(tmp_path / name, "gated-pixelcnn", 2.0 - bits)
        add_run(tmp_path / name, "uniform", 4.0)
    return tmp_path


def test_a_regression_exits_with_4(pixelbench: Pixelbench, stores: Path) -> None:
    code, out, err = pixelbench("compare", "before", "after")
    assert code == 4
    assert "! worse" in out
    assert "improved" in out
    assert "uniform" not in out
    assert "3 cells: 1 worse, 1 improved, 1 identical." in out
    assert err == "1 regression from 'before' to 'after'.\n"


def test_the_same_store_twice_is_fine(pixelbench: Pixelbench, stores: Path) -> None:
    assert pixelbench("compare", "before", "before") == (0, "3 cells: 3 identical.\n", "")


def test_json_is_one_document_and_has_the_same_exit_code(pixelbench: Pixelbench, stores: Path) -> None:
    code, out, _ = pixelbench("compare", "before", "after", "--json")
    found = only_json(out)
    assert (code, found["regressions"], found["a"], found["b"]) == (4, 1, "before", "after")
    assert {change["label"]: change["kind"] for change in found["changes"]} == {
        "pixelcnn": "worse",
        "gated-pixelcnn": "improved",
        "uniform": "identical",
    }


def test_markdown_for_a_pull_request(pixelbench: Pixelbench, stores: Path) -> None:
    code, _, err = pixelbench("compare", "before", "after", "--markdown", "out/comment.md")
    assert code == 4
    assert "Comment: out/comment.md\n" in err
    page = Path("out/comment.md").read_text(encoding="utf-8")
    assert "| photos/pixelcnn | 1.000 | 1.200 |" in page


def test_markdown_on_standard_output_for_a_jobs_summary(pixelbench: Pixelbench, stores: Path) -> None:
    """What a file would hold, and nothing else there."""
    pixelbench("compare", "before", "after", "--markdown", "comment.md")
    code, out, err = pixelbench("compare", "before", "after", "--markdown", "-")
    assert (code, out) == (4, Path("comment.md").read_text(encoding="utf-8"))
    assert err == "1 regression from 'before' to 'after'.\n"
    assert not Path("-").exists()
    assert pixelbench("compare", "before", "after", "--markdown", "-", "--json")[::2] == (
        2,
        "--markdown - and --json both want standard output; give --markdown a file.\n",
    )


def test_it_fits_80_columns(pixelbench: Pixelbench, stores: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for name, bits in (("before", 1.0), ("after", 1.3)):
        add_run(stores / name, "a-very-long-name-" * 6, bits, family="gated-pixelcnn")
    out = pixelbench("compare", "before", "after")[1]
    assert max(len(line) for line in out.splitlines()) <= 80
    assert "photos/pixelcnn" in out


def test_nothing_in_common_exits_with_3(pixelbench: Pixelbench, stores: Path) -> None:
    Path("empty").mkdir()
    code, out, err = pixelbench("compare", "before", "empty")
    assert code == 3
    assert "3 cells: 3 only in A." in out
    assert err == "'before' and 'empty' have no run in common that was asked for in the same way; nothing was compared.\n"
    assert pixelbench("compare", "empty", "empty")[0] == 3


def test_damaged_records_are_named(pixelbench: Pixelbench, stores: Path) -> None:
    next(stores.glob("after/photos/uniform/*/record.json")).write_text("{", encoding="utf-8")
    code, out, err = pixelbench("compare", "before", "after")
    assert code == 4
    assert "Not used: after/photos/uniform/" in err
    assert "only in A" in out


def test_a_folder_that_is_not_there(pixelbench: Pixelbench, stores: Path) -> None:
    code, out, err = pixelbench("compare", "before", "aftre")
    assert (code, out) == (2, "")
    assert "Did you mean 'after'?" in err


def test_a_comment_that_cannot_be_written(pixelbench: Pixelbench, stores: Path) -> None:
    code, _, err = pixelbench("compare", "before", "before", "--markdown", "before")
    assert code == 2
    assert "before" in err
    assert "Traceback" not in err


def test_help_shows_an_example(pixelbench: Pixelbench) -> None:
    code, out, _ = pixelbench("compare", "--help")
    assert code == 0
    assert "Example: pixelbench compare" in out


@pytest.mark.parametrize("file", ["", ".", "before"])
def test_a_folder_is_no_file_for_markdown_or_a_table(pixelbench: Pixelbench, stores: Path, file: str) -> None:
    """As where the variable of a job's summary is not set."""
    said = f"'{file or '.'}' is a folder"
    for command in (("compare", "before", "after", "--markdown", file), ("report", "--results", "before", "--csv", file)):
        code, out, err = pixelbench(*command)
        assert (code, out) == (2, "")
        assert said in err

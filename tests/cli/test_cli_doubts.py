"""Runs that do not add up and records of no use: named, left out of every number, and nothing else is touched."""

from dataclasses import replace
from pathlib import Path

import pytest

from pixelbench.store.record import Likelihood, Record
from pixelbench.store.spec import RunSpec
from tests.cli.cli_stores import Pixelbench, only_json, store_run
from tests.support.record_factory import rewrite


def better_than_it_was(record: Record) -> Record:
    """The record with half of its bits; what it stands beside is as before."""
    score = record.likelihood
    assert isinstance(score, Likelihood)
    return replace(record, likelihood=replace(score, bits_per_dim=score.bits_per_dim / 2, nats_per_image=score.nats_per_image / 2))


@pytest.fixture
def doubted(tmp_path: Path, specs: list[RunSpec]) -> Path:
    """A store with all digits runs of the quick suite, of which the record of `pixelcnn` was edited; its folder."""
    folders = {spec.variant: store_run(tmp_path / "runs", spec) for spec in specs}
    rewrite(folders["pixelcnn"], better_than_it_was)
    return folders["pixelcnn"]


@pytest.fixture
def unusable(tmp_path: Path, specs: list[RunSpec]) -> list[Path]:
    """A store in which no record can be used: one is damaged, one was edited, one is of a newer version; the records."""
    records = [store_run(tmp_path / "runs", spec) / "record.json" for spec in specs[:3]]
    records[0].write_text("{", encoding="utf-8")
    records[1].write_text(records[1].read_text(encoding="utf-8").replace('"seed": 0', '"seed": 1'), encoding="utf-8")
    records[2].write_text('{"schema": 99}', encoding="utf-8")
    return records


def test_status_has_the_doubts_of_a_run_and_no_number_of_it(pixelbench: Pixelbench, doubted: Path) -> None:
    code, out, err = pixelbench("status", "--json")
    document = only_json(out)
    runs = {run["variant"]: run for run in document["runs"]}
    assert code == 0
    assert [name for name, run in runs.items() if run["doubts"]] == ["pixelcnn"]
    assert any(said.startswith("the mean of nats.npz is ") for said in runs["pixelcnn"]["doubts"])
    assert (runs["pixelcnn"]["status"], runs["pixelcnn"]["bits_per_dim"], runs["pixelcnn"]["estimator"]) == ("done", None, None)
    assert (runs["gated-pixelcnn"]["doubts"], runs["gated-pixelcnn"]["bits_per_dim"]) == ([], 1.5)
    (problem,) = document["problems"]
    assert f"{doubted.name}/record.json does not add up" in problem
    assert err == f"{problem}\n"
    out = pixelbench("status")[1]
    assert "does not add up" in next(line for line in out.splitlines() if doubted.name in line)
    assert out.count("does not add up") == 1


@pytest.mark.parametrize(
    ("options", "pages"), [(("--json",), []), (("--format", "markdown"), ["report.md"]), (("--format", "html"), ["report.html"])]
)
def test_report_names_what_does_not_add_up_on_stderr_where_no_terminal_table_does(
    pixelbench: Pixelbench, doubted: Path, options: tuple[str, ...], pages: list[str]
) -> None:
    code, out, err = pixelbench("report", *options)
    assert code == 0
    assert err.count("pixelcnn") == 1
    assert f"{doubted.name}/record.json does not add up, so it is not ranked, compared or judged: " in err
    assert [path.name for path in Path("runs").glob("report.*")] == pages
    if not pages:
        (table,) = only_json(out)["tasks"]
        rows = {row["label"]: row for row in table["rows"]}
        assert (rows["pixelcnn"]["rank"], rows["pixelcnn"]["bits_per_dim"]) == (None, None)
        assert rows["gated-pixelcnn"]["rank"] is not None
        assert only_json(out)["problems"] == [line for line in err.splitlines() if "pixelcnn" in line]


def test_report_on_the_terminal_names_it_once_beside_the_tables(pixelbench: Pixelbench, doubted: Path) -> None:
    code, out, err = pixelbench("report", "--format", "terminal")
    assert (code, err) == (0, "")
    assert " ".join(out.split()).count(f"{doubted.name}/record.json does not add up") == 1


def test_a_plan_takes_it_for_failed_and_a_copy_that_adds_up_is_stored(pixelbench: Pixelbench, doubted: Path) -> None:
    options = ("plan", "--suite", "quick", "--only", "digits/*", "--device", "cpu")
    for rerun in ("missing", "failed"):
        code, out, _ = pixelbench(*options, "--rerun", rerun, "--json")
        states = {run["variant"]: (run["state"], run["runs"]) for run in only_json(out)["runs"]}
        assert code == 0
        assert states.pop("pixelcnn") == ("failed", rerun == "failed")
        assert set(states.values()) == {("stored", False)}
    assert "does not add up" in pixelbench(*options)[2]


def test_a_doubted_run_is_still_found_by_its_name(pixelbench: Pixelbench, doubted: Path) -> None:
    """Its number is not believed, but its name still finds it; what is drawn are its own weights, which it has not kept."""
    code, out, err = pixelbench("sample", "digits/pixelcnn")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "The weights of digits/pixelcnn are not in this results folder" in err


@pytest.mark.parametrize("options", [(), ("--json",), ("--format", "markdown"), ("--suite", "quick")])
def test_report_of_records_of_no_use_alone_names_them_and_is_no_failure(
    pixelbench: Pixelbench, unusable: list[Path], options: tuple[str, ...]
) -> None:
    before = [path.read_bytes() for path in unusable]
    code, out, err = pixelbench("report", *options)
    said = " ".join((out + err).split())
    assert code == 0
    assert all(f"{path.parent.name}/record.json" in said for path in unusable)
    assert "execute some with" not in said
    assert "newer than the 2 that this version knows" in said
    if options in (("--json",), ("--format", "markdown")):
        assert all(f"{path.parent.name}/record.json" in err for path in unusable)
    assert [path.read_bytes() for path in unusable] == before


@pytest.mark.parametrize("options", [(), ("--json",), ("--format", "markdown")])
def test_report_without_any_record_is_3(pixelbench: Pixelbench, tmp_path: Path, options: tuple[str, ...]) -> None:
    (tmp_path / "runs" / "digits" / "pixelcnn" / "abc" / "work").mkdir(parents=True)  # a run that is under way
    code, _, err = pixelbench("report", *options)
    assert code == 3
    assert err == "No runs in 'runs'; execute some with `pixelbench run --suite quick`.\n"
    assert not list((tmp_path / "runs").glob("report.*"))


def test_status_of_records_of_no_use_alone_names_them(pixelbench: Pixelbench, unusable: list[Path]) -> None:
    code, out, err = pixelbench("status")
    assert (code, out, err.count("\n")) == (0, "", 3)
    assert all(f"{path.parent.name}/record.json" in err for path in unusable)
    assert only_json(pixelbench("status", "--json")[1]) == {"runs": [], "problems": err.splitlines()}


def test_status_without_any_record_is_3(pixelbench: Pixelbench, tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    assert pixelbench("status") == (3, "", "No runs are stored in 'runs'; execute some with `pixelbench run --suite quick`.\n")

"""The commands that read: their tables, their JSON, their exit codes."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixelbench.data import get_task
from pixelbench.data.folder import VARIABLE
from pixelbench.store.record import RunError
from pixelbench.store.spec import RunSpec
from tests.cli.cli_stores import Pixelbench, only_json, store_run

ERROR = RunError("ValueError", "the loss is [not] finite", ("line one", "line two"))


@pytest.fixture
def store(tmp_path: Path, specs: list[RunSpec]) -> Path:
    """All digits runs of the quick suite, one of them failed."""
    for spec in specs:
        if spec.variant == "pixelcnn":
            store_run(tmp_path / "runs", spec, status="failed", error=ERROR)
        else:
            store_run(tmp_path / "runs", spec)
    return tmp_path / "runs"


def test_plan_tells_states_apart(pixelbench: Pixelbench, store: Path, specs: list[RunSpec]) -> None:
    code, out, _ = pixelbench("plan", "--suite", "quick", "--rerun", "failed", "--device", "cpu", "--json")
    plan = only_json(out)
    states = {(run["task"], run["variant"]): (run["state"], run["runs"]) for run in plan["runs"]}
    assert code == 0
    assert states[("digits", "pixelcnn")] == ("failed", True)
    assert states[("digits", "gated-pixelcnn")] == ("stored", False)
    assert states[("photos", "gated-pixelcnn")] == ("missing", True)
    assert plan["to_run"] == len(plan["runs"]) - len(specs) + 1


def test_plan_table(pixelbench: Pixelbench) -> None:
    code, out, err = pixelbench("plan", "--suite", "quick", "--seeds", "0-1", "--only", "gated-no-gates")
    assert code == 0
    assert out.count("gated-no-gates") == 2
    assert err == "What that costs is unknown: no run like these, on cpu, is stored in 'runs'.\n2 of 2 runs to execute.\n"


def test_report_prints_writes_and_exports(pixelbench: Pixelbench, store: Path) -> None:
    code, out, err = pixelbench("report", "--csv", "table.csv")
    assert code == 0
    assert "gated-pixelcnn" in out
    assert "not causal" in out
    assert err == "Report: runs/report.md\nPage: runs/report.html\nTable: table.csv\n"
    assert (store / "report.md").exists()
    assert (store / "report.html").exists()
    with Path("table.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["variant"] for row in rows} >= {"uniform", "pixelcnn", "gated-pixelcnn"}


def test_report_elsewhere_links_back_into_the_store(pixelbench: Pixelbench, store: Path, tmp_path: Path) -> None:
    assert pixelbench("report", "--format", "markdown", "--out", "pages")[:2] == (0, "")
    page = (tmp_path / "pages" / "report.md").read_text(encoding="utf-8")
    link = next(part.split(")")[0] for part in page.split("](")[1:] if "samples.png" in part)
    assert (tmp_path / "pages" / link).exists()
    assert not (store / "report.md").exists()
    assert not (tmp_path / "pages" / "report.html").exists()


def test_report_page_names_the_command_that_makes_a_run_again(pixelbench: Pixelbench, store: Path, tmp_path: Path) -> None:
    assert pixelbench("report", "--format", "html", "--out", "pages")[:2] == (0, "")
    page = (tmp_path / "pages" / "report.html").read_text(encoding="utf-8")
    assert "pixelbench run --suite quick --only digits/gated-no-gates --budget quick --seeds 0<" in page
    assert not (tmp_path / "pages" / "report.md").exists()


def test_report_json_is_all_there_is_on_stdout(pixelbench: Pixelbench, store: Path) -> None:
    code, out, err = pixelbench("report", "--json", "--suite", "quick")
    (table,) = only_json(out)["tasks"]
    leaking = next(row for row in table["rows"] if row["label"] == "gated-residual")
    assert (code, err) == (0, "")
    assert (leaking["standing"], leaking["rank"]) == ("leaking", None)
    assert not (store / "report.md").exists()


def test_report_of_an_empty_store_is_3(pixelbench: Pixelbench, tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    code, _, err = pixelbench("report")
    assert code == 3
    assert "pixelbench run --suite quick" in err


def test_report_of_a_suite_leaves_other_runs_out(pixelbench: Pixelbench, store: Path, tmp_path: Path) -> None:
    suite = tmp_path / "one.toml"
    text = 'name = "one"\ndefault_budget = "b"\n[budget.b]\nupdates = 1\n[[task]]\nname = "digits"\n'
    text += "[evaluation]\nsamples = 64\nsequential_images = 16\n"  # as in the quick suite, so that the run is the same
    suite.write_text(text + '[[variant]]\nname = "uniform"\nfamily = "uniform"\n', encoding="utf-8")
    code, out, _ = pixelbench("report", "--suite", str(suite), "--json")
    assert code == 0
    assert [row["label"] for table in only_json(out)["tasks"] for row in table["rows"]] == ["uniform"]


def test_status_shows_errors_and_log(pixelbench: Pixelbench, store: Path) -> None:
    code, out, _ = pixelbench("status")
    assert code == 0
    assert "digits/pixelcnn seed 0: ValueError: the loss is [not] finite" in out
    assert "  line two" in out
    leaking = next(line for line in out.splitlines() if "gated-residual" in line)
    assert "(not causal)" in leaking


def test_run_keys_can_be_copied_from_a_narrow_terminal(
    pixelbench: Pixelbench, store: Path, specs: list[RunSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    for command in (["status"], ["plan", "--suite", "quick", "--device", "cpu"]):
        out = pixelbench(*command)[1]
        assert all(spec.key in out for spec in specs)
        assert max(len(line) for line in out.splitlines()) <= 60


def test_status_json(pixelbench: Pixelbench, store: Path) -> None:
    runs = only_json(pixelbench("status", "--json")[1])["runs"]
    failed = next(run for run in runs if run["variant"] == "pixelcnn")
    error = {"type": "ValueError", "message": "the loss is [not] finite", "log": ["line one", "line two"]}
    assert (failed["status"], failed["error"], failed["bits_per_dim"], failed["doubts"]) == ("failed", error, None, [])


@pytest.mark.parametrize(("kind", "name"), [("suites", "quick"), ("tasks", "photos-8bit"), ("models", "gated-pixelcnn")])
def test_lists(pixelbench: Pixelbench, kind: str, name: str) -> None:
    assert name in pixelbench("list", kind)[1]
    entries = json.loads(pixelbench("list", kind, "--json")[1])
    assert name in [entry["name"] for entry in entries]


def test_show(pixelbench: Pixelbench) -> None:
    out = pixelbench("show", "quick")[1]
    assert "a leak by design" in out
    assert "colour_conditioning = false" in out
    shown = only_json(pixelbench("show", "quick", "--json")[1])
    assert "gated-residual" in [variant["name"] for variant in shown["variants"]]


def test_doctor(pixelbench: Pixelbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    code, out, err = pixelbench("doctor", "--json")
    state = only_json(out)
    assert (code, err, state["ready"]) == (0, "", True)
    assert {name for name, found in state["tasks"].items() if found == "verified"} == {"digits", "mnist-fixed", "photos", "photos-8bit"}
    assert all(found == "verified" or found.startswith("no data: Task '") for found in state["tasks"].values())
    assert state["devices"][0] == "cpu"
    assert (state["results"], state["results_folder"]["exists"]) == ("writable", False)
    assert state["data_folder"]["folder"] == str(tmp_path)
    assert not (tmp_path / "runs").exists()


def test_doctor_says_what_is_missing(pixelbench: Pixelbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "")  # so that it is as before afterwards
    (tmp_path / "runs").write_text("", encoding="utf-8")
    (tmp_path / "images").mkdir()
    code, out, err = pixelbench("doctor", "--data", "images")
    assert code == 1
    assert str(tmp_path / "images") in next(line for line in out.splitlines() if "data folder" in line)
    assert f"{tmp_path / 'runs'}: Results folder" in next(line for line in out.splitlines() if "results folder" in line)
    assert err == "Something is missing: see above.\n"


class Echo:
    """Stands for a model of digits: draws threes where nothing is held."""

    leaks_by_design = False
    completion = "exact"

    def sample(self, n: int = 0, *, given: Any = None, known: Any = None, **_: object) -> Any:
        import torch

        if known is None:
            return torch.full((n, 1, 8, 8), 3, dtype=torch.uint8)
        return torch.where(known, given, 3)


def test_sample_and_complete(pixelbench: Pixelbench, store: Path, specs: list[RunSpec], monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[list[tuple[str, np.ndarray]]] = []

    def picture(blocks: list[tuple[str, np.ndarray]], levels: int, *layout: object) -> bytes:
        drawn.append(blocks)
        return b"picture"

    monkeypatch.setattr("pixelbench.experiments.stored.load_run", lambda folder: Echo())
    monkeypatch.setattr("pixelbench.evaluation.grids.grid_png", picture)
    key = next(spec.key for spec in specs if spec.variant == "gated-pixelcnn")
    assert pixelbench("sample", key[:5], "-n", "4", "--out", "new.png") == (0, "", "Samples: new.png\n")
    assert Path("new.png").read_bytes() == b"picture"
    code, out, _ = pixelbench("sample", "digits/gated-pixelcnn", "-n", "4", "--complete", "0.5", "--json")
    assert (code, only_json(out)["run_key"]) == (0, key)
    (_, test), _, (label, completed) = drawn[1]
    assert "gated-pixelcnn" in label
    assert np.array_equal(test, get_task("digits").load().test.images[:4])
    assert np.array_equal(completed[:, :, :4], test[:, :, :4])
    assert (completed[:, :, 4:] == 3).all()


def test_sample_names_the_nearest_run(pixelbench: Pixelbench, store: Path) -> None:
    code, _, err = pixelbench("sample", "digits/gated-pixelcn")
    assert code == 2
    assert "Did you mean 'digits/gated-pixelcnn'?" in err
    code, _, err = pixelbench("sample", "digits/pixelcnn")
    assert code == 2
    assert "ended as failed" in err

"""Runs in tracking tools: curves, final numbers and samples arrive, and a tool that fails costs nothing."""

import csv
from pathlib import Path
from typing import Any

import pytest

from pixelbench.cli.tracking import Tool, tracking
from pixelbench.experiments.plan import Plan, make_plan
from pixelbench.suites.load import load_suite
from tests.cli.cli_stores import Pixelbench

SUITE = """
name = "tiny"
default_budget = "cpu"
[budget.cpu]
updates = 6
[[task]]
name = "digits"
[[variant]]
name = "plain"
family = "pixelcnn-plain"
settings = { maps = 4, layers = 1 }
"""


@pytest.fixture
def suite(tmp_path: Path) -> str:
    (tmp_path / "tiny.toml").write_text(SUITE)
    return "tiny.toml"


@pytest.fixture
def plan(tmp_path: Path, suite: str) -> Plan:
    return make_plan(load_suite(str(tmp_path / suite)), tmp_path / "runs")


def events(plan: Plan) -> list[dict[str, Any]]:
    label = plan.cells[0].spec.label
    points = [(2, 3.0, None), (4, 2.5, 2.75)]
    told = [{"event": "progress", "run": label, "update": u, "train_bits_per_dim": t, "validation_bits_per_dim": v} for u, t, v in points]
    return [{"event": "start", "run": label}, *told, {"event": "end", "run": label, "status": "failed"}]


def test_csv_has_a_row_a_number(plan: Plan) -> None:
    with tracking(Tool.csv, plan) as log:
        for event in events(plan):
            log(event)
    rows = list(csv.DictReader((plan.store / "log.csv").read_text().splitlines()))
    assert [(row["update"], row["name"], row["value"]) for row in rows] == [
        ("2", "train bits/dim", "3.0"),
        ("4", "train bits/dim", "2.5"),
        ("4", "validation bits/dim", "2.75"),
    ]


def test_without_a_tool_nothing_is_written(plan: Plan) -> None:
    with tracking(None, plan) as log:
        for event in events(plan):
            log(event)
    assert not plan.store.exists()


def test_a_tool_that_fails_is_a_note_once(plan: Plan, capsys: pytest.CaptureFixture[str]) -> None:
    plan.store.parent.mkdir(exist_ok=True)
    plan.store.write_text("a file where a folder should be")
    with tracking(Tool.csv, plan) as log:
        for event in events(plan):
            log(event)
    said = capsys.readouterr().err
    assert said.count("not logged any more") == 1


@pytest.mark.slow
def test_tensorboard_shows_curve_result_and_samples(pixelbench: Pixelbench, suite: str, tmp_path: Path) -> None:
    event_accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    code, _, err = pixelbench("run", "--suite", suite, "--log", "tensorboard", "--workers", "0")
    assert code == 0, err
    (folder,) = (tmp_path / "runs" / "tensorboard").glob("*/*")
    found = event_accumulator.EventAccumulator(str(folder))
    found.Reload()
    assert {"train bits/dim", "test bits/dim", "test nats/image"} <= set(found.Tags()["scalars"])
    assert found.Scalars("train bits/dim")[-1].step == 6
    assert found.Tags()["images"] == ["samples"]
    assert any("causality: complete" in str(event) for event in found.Tensors("run/text_summary"))


def test_mlflow_keeps_it_in_its_own_files(plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "mlruns").as_uri())
    with tracking(Tool.mlflow, plan) as log:
        for event in events(plan):
            log(event)
    client = mlflow.MlflowClient((tmp_path / "mlruns").as_uri())
    (run,) = client.search_runs([client.get_experiment_by_name("pixelbench").experiment_id])
    assert run.data.metrics["train bits per dim"] == 2.5


def test_wandb_offline(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    with tracking(Tool.wandb, plan) as log:
        for event in events(plan):
            log(event)
    assert list((plan.store / "wandb").glob("offline-run-*"))


def test_an_unknown_tool_is_a_sentence(pixelbench: Pixelbench, suite: str) -> None:
    code, _, err = pixelbench("run", "--suite", suite, "--log", "tensorbord")
    assert code == 2
    assert "tensorboard" in err

"""Images that no package holds: plan and run say once what is missing, and everything else is done."""

import json
from pathlib import Path

import pytest

from pixelbench.data.folder import VARIABLE
from tests.cli.cli_stores import Pixelbench

SUITE = """
name = "both"
default_budget = "cpu"
[budget.cpu]
updates = 1
evaluation = { test_images = 4, validation_images = 4, samples = 2 }
[[task]]
name = "digits"
[[task]]
name = "mnist-threshold"
[[variant]]
name = "uniform"
family = "uniform"
[[variant]]
name = "histogram"
family = "histogram"
tasks = ["mnist-threshold"]
"""
MISSING = "Task 'mnist-threshold' needs the files of MNIST"


@pytest.fixture(autouse=True)
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "both.toml").write_text(SUITE)
    monkeypatch.delenv(VARIABLE, raising=False)


def test_a_plan_shows_what_waits_for_images(pixelbench: Pixelbench) -> None:
    code, out, err = pixelbench("plan", "--suite", "both.toml")
    assert code == 0
    assert out.count("missing data") == 2
    assert err.count(MISSING) == 1
    assert "1 of 3 runs to execute" in err
    document = json.loads(pixelbench("plan", "--suite", "both.toml", "--json")[1])
    assert [run["state"] for run in document["runs"]] == ["missing", "missing data", "missing data"]
    assert document["missing_data"][0].startswith(MISSING)


def test_a_run_does_everything_else(pixelbench: Pixelbench) -> None:
    for expected in ("Report: ", "1 of 3 runs are stored, 2 wait for images that are missing"):
        code, out, err = pixelbench("run", "--suite", "both.toml", "--workers", "0")
        assert code == 0
        assert "uniform" in out
        assert err.count(MISSING) == 1
        assert expected in err


def test_a_run_that_can_do_nothing_is_wrong_use(pixelbench: Pixelbench, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    code, out, err = pixelbench("run", "--suite", "both.toml", "--only", "mnist-threshold", "--data", "empty")
    assert (code, out, err.count(MISSING)) == (2, "", 1)
    assert "'" + str(tmp_path / "empty" / "MNIST" / "raw") + "' does not hold" in err
    assert not (tmp_path / "runs").exists()


def test_a_data_folder_that_is_not_there(pixelbench: Pixelbench) -> None:
    for command in (["run", "--suite", "both.toml"], ["plan", "--suite", "both.toml"], ["list", "tasks"]):
        assert pixelbench(*command, "--data", "nowhere")[::2] == (
            2,
            "There is no data folder 'nowhere'; name an existing one with --data DIR.\n",
        )


def test_tasks_are_listed_with_classes_and_what_is_missing(pixelbench: Pixelbench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    _, out, err = pixelbench("list", "tasks")
    assert max(map(len, out.splitlines())) <= 80
    words = " ".join(out.split())
    assert "8x8x1, 17 levels; 891 train, 260 validation, 646 test images; digest ed56e733481f Optical Recognition" in words
    assert words.count(MISSING) == 1
    for name in ("LeCun", "Salakhutdinov", "Larochelle", "no licence stated"):
        assert name in words
    assert "folder:PATH" in err
    found = {task["name"]: task for task in json.loads(pixelbench("list", "tasks", "--json")[1])}
    assert (found["digits"]["classes"], found["photos"]["classes"], found["digits"]["missing"]) == (10, 0, None)
    assert found["mnist-threshold"]["missing"].startswith(MISSING)
    assert found["mnist-fixed"]["missing"] is None
    assert found["mnist-fixed"]["images"] == {"train": 50_000, "validation": 10_000, "test": 10_000}
    assert found["mnist-fixed"]["digest"].startswith("76ae3102193f")
    assert found["imagenet32"]["images"] is found["imagenet32"]["digest"] is None


def test_models_are_listed_with_the_weights_of_the_papers(pixelbench: Pixelbench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    _, out, _ = pixelbench("list", "models")
    assert max(map(len, out.splitlines())) <= 80
    assert "121,839,808" in out
    found = {model["name"]: model for model in json.loads(pixelbench("list", "models", "--json")[1])}
    assert found["gated-pixelcnn"]["settings"]["maps"] == 64
    (published,) = found["pixelcnn"]["published"]
    assert published["settings"]["maps"] == 128
    assert published["settings"]["kernel"] == 3
    assert published["shape"] == [3, 32, 32]
    assert published["parameters"] == 4_590_080

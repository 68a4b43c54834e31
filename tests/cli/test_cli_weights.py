"""`sample` before anything was trained: committed weights are enough, and where there are none a sentence says how to get them."""

import re
import shlex
from pathlib import Path

import pytest

from pixelbench.data.folder import VARIABLE
from pixelbench.experiments.plan import make_plan
from pixelbench.models.families import create_model
from pixelbench.store.record import Request
from pixelbench.store.spec import RunSpec
from pixelbench.suites.load import load_suite
from tests.cli.cli_stores import Pixelbench, only_json, store_run
from tests.support.record_factory import add_run

COMMITTED = Path(__file__).parents[2] / "results"
REQUEST = Request("run", "quick", "digits", "quick")


def spec_of(specs: list[RunSpec], variant: str) -> RunSpec:
    return next(spec for spec in specs if spec.variant == variant)


def test_committed_weights_are_enough(pixelbench: Pixelbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also without a folder of data sets, and for each kind of what is drawn."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "none"))
    for name in ("mnist-fixed/fvsbn", "digits/gated-pixelcnn"):
        code, out, _ = pixelbench("sample", name, "--results", str(COMMITTED), "-n", "1", "--out", "new.png", "--json")
        assert (code, only_json(out)["causal"]) == (0, True)
        assert Path("new.png").stat().st_size > 0


def test_missing_weights_are_a_sentence_with_the_command_that_leaves_them(pixelbench: Pixelbench, specs: list[RunSpec]) -> None:
    for spec in specs:
        folder = store_run(Path("runs"), spec, request=REQUEST)
        if spec.variant == "gated-pixelcnn":
            (folder / "weights.safetensors").touch()
    Path("runs").rename("theirs")
    for command in ("sample", "eval", "compress"):
        code, out, err = pixelbench(command, "digits/histogram", "--results", "theirs")
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert err.startswith("The weights of digits/histogram are not in this results folder. ")
        assert err.endswith("Those of digits/gated-pixelcnn are there.\n")
    (advised,) = re.findall("`pixelbench (.*?)`", err)
    code, out, _ = pixelbench(*shlex.split(advised), "--dry-run", "--json")
    assert code == 0
    assert [run["run_key"] for run in only_json(out)["runs"] if run["runs"]] == [spec_of(specs, "histogram").key]


def test_ones_own_run_is_advised_to_be_executed_again(pixelbench: Pixelbench, specs: list[RunSpec]) -> None:
    store_run(Path("runs"), spec_of(specs, "histogram"), request=REQUEST)
    err = pixelbench("sample", "digits/histogram")[2]
    (advised,) = re.findall("`pixelbench (.*?)`", err)
    assert "--rerun all" in advised
    assert [run["runs"] for run in only_json(pixelbench(*shlex.split(advised), "--dry-run", "--json")[1])["runs"]] == [True]


def test_a_row_that_its_suite_has_no_longer_is_executed_by_one_that_has_it(pixelbench: Pixelbench) -> None:
    (cell,) = make_plan(load_suite("paper"), Path("runs"), only=["mnist-fixed/fvsbn"], budget="paper", seeds=[0]).cells
    store_run(Path("runs"), cell.spec, request=Request("run", "quick", "mnist-fixed", "quick"))
    (advised,) = re.findall("`pixelbench (.*?)`", pixelbench("sample", "mnist-fixed/fvsbn")[2])
    planned = only_json(pixelbench(*shlex.split(advised), "--dry-run", "--json")[1])["runs"]
    assert [run["run_key"] for run in planned if run["runs"]] == [cell.spec.key]


def test_of_several_seeds_the_one_whose_weights_are_there(pixelbench: Pixelbench) -> None:
    from pixelbench.cli.stored_runs import find_run

    store = Path("runs")
    plan = make_plan(load_suite("quick"), store, only=["digits/histogram"], seeds=[0, 1, 2])
    folders = [store_run(store, cell.spec) for cell in plan.cells]
    assert find_run(store, "digits/histogram").record.seed == 0
    (folders[1] / "weights.safetensors").touch()
    assert find_run(store, "digits/histogram").record.seed == 1


def test_a_stored_bound_is_scored_by_as_many_draws_as_its_record_says(pixelbench: Pixelbench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else `eval` gives another number than the run has, and a looser one."""
    record = add_run(Path("runs"), "pixelvae", 2.0, task="digits", evaluation={"importance_samples": 8})
    net = create_model("pixelvae", channels=1, height=8, width=8, levels=17, layers=1, maps=4)
    monkeypatch.setattr("pixelbench.experiments.stored.load_run", lambda run: net)
    code, out, err = pixelbench("eval", "digits/pixelvae", "--limit", "2", "--samples", "0", "--seconds", "1", "--json")
    assert code == 0, err
    assert record.likelihood is not None
    assert only_json(out)["likelihood"]["estimator"] == record.likelihood.estimator == "iwae-8"

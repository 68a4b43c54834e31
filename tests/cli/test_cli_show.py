"""`show --resolved` says of every setting where it comes from, and `plan` what it costs and which images it needs."""

from pathlib import Path

import pytest

from pixelbench.data.folder import VARIABLE
from pixelbench.experiments.plan import make_plan
from pixelbench.store.spec import RunSpec
from pixelbench.suites.load import load_suite
from tests.cli.cli_stores import Pixelbench, only_json, store_run

pytestmark = pytest.mark.quick


def test_resolved_is_a_table_a_run_with_what_is_assumed(pixelbench: Pixelbench) -> None:
    code, out, _ = pixelbench("show", "paper", "--resolved", "--only", "cifar10/pixelcnn")
    assert code == 0
    assert "cifar10/pixelcnn: pixelcnn, budget paper" in out
    assert "mnist-fixed/pixelcnn" not in out
    cells = [[cell.strip() for cell in line.split("│")] for line in out.splitlines()]
    rows = {row[1]: row[2:4] for row in cells if len(row) == 5}
    assert rows["layers"] == ["15", "variant.pixelcnn"]
    assert rows["updates"] == ["200,000", "budget.paper"]
    assert rows["kernel"] == ["3", "default of pixelcnn"]
    assert rows["recipe.optimiser"] == ["rmsprop", "variant.pixelcnn"]
    assert rows["evaluation.samples"] == ["64", "evaluation"]
    assert rows["evaluation.test_images"] == ["all", "default"]
    assert "Assumed, since the paper does not say it:\n  - " in out
    assert "Deviations from the paper:\n  - " in out


def test_resolved_json_has_every_run(pixelbench: Pixelbench, tmp_path: Path) -> None:
    shown = only_json(pixelbench("show", "paper", "--resolved", "--budget", "cpu", "--json")[1])
    runs = {(run["task"], run["variant"]): run for run in shown["runs"]}
    assert len(runs) == len(shown["runs"]) == len(make_plan(load_suite("paper"), tmp_path, budget="cpu").cells)
    assert runs["mnist-fixed", "pixelvae"]["recipe"]["learning_rate"] == {"value": 0.002, "origin": "variant.pixelvae.budget.cpu.recipe"}
    assert runs["imagenet64", "row-lstm"]["settings"]["residual"] == {"value": False, "origin": "variant.row-lstm.on.imagenet64.settings"}
    assert runs["cifar10", "png"]["recipe"] == {}
    assert runs["cifar10", "png"]["updates"] is None
    assert runs["cifar10", "png"]["assumed"] == []
    assert runs["cifar10", "pixelcnn-pp"]["deviations"]


def test_claims_seeds_of_verdicts_and_weights_are_shown(pixelbench: Pixelbench, tmp_path: Path) -> None:
    suite = tmp_path / "mine.toml"
    own = '[[variant]]\nname = "uniform"\nfamily = "uniform"\nverdict_seeds = 5\nkeep_weights = false\n'
    own += '[[claim]]\ntask = "digits"\nvariant = "uniform"\nvalue = 4.10\nunit = "bits/dim"\nsource = "Table 3"\n'
    suite.write_text('extends = "quick"\nname = "mine"\n' + own, encoding="utf-8")
    out = pixelbench("show", str(suite))[1]
    assert "a verdict is by the seeds 0 to 2; of uniform 0 to 4" in out
    assert "weights never kept: uniform\n" in out
    (claim,) = [line for line in out.splitlines() if "4.10" in line]
    assert [cell.strip() for cell in claim.split("│")[1:-1]] == ["digits/uniform", "4.10 bits/dim", "usual", "Table 3"]
    shown = only_json(pixelbench("show", str(suite), "--json")[1])
    assert [claim["printed"] for claim in shown["claims"]] == ["4.10"]
    plain = pixelbench("show", "quick")[1]
    assert "a verdict is by the seeds 0 to 2\n" in plain
    assert "weights" not in plain
    assert "claim" not in plain


def test_leaks_by_design_are_named(pixelbench: Pixelbench) -> None:
    assert "gated-residual: gated-pixelcnn, budget cpu, a leak by design" in pixelbench("show", "first-layer-residual", "--resolved")[1]


def test_a_suite_that_assumes_something_says_where_to_read_it(pixelbench: Pixelbench) -> None:
    assert "pixelbench show paper --resolved" in pixelbench("show", "paper")[1]
    assert "--resolved" not in pixelbench("show", "quick")[1]
    assert "on imagenet32: maps = 384" in pixelbench("show", "paper")[1]


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--only", "pixelcnn"), 2, "--resolved shows; add it"),
        (("--budget", "cpu"), 2, "--resolved shows; add it"),
        (("--resolved", "--toml"), 2, "leave one of the two out"),
        (("--resolved", "--budget", "cpuu"), 2, "Unknown budget 'cpuu'. Did you mean 'cpu'?"),
        (("--resolved", "--only", "pixelcn"), 3, "did you mean 'pixelcnn'?"),
    ],
)
def test_wrong_use(pixelbench: Pixelbench, options: tuple[str, ...], code: int, said: str) -> None:
    ended, out, err = pixelbench("show", "paper", *options)
    assert (ended, out) == (code, "")
    assert said in err


def test_plan_names_the_images_that_it_needs(pixelbench: Pixelbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    options = ("plan", "--suite", "paper", "--budget", "smoke", "--device", "cpu")
    code, out, err = pixelbench(*options)
    assert code == 0
    for name in ("cifar10", "imagenet32", "imagenet64"):
        assert err.count(f"pixelbench fetch {name}") == 1
    assert "fetch mnist-fixed" not in err
    assert "184.3 MB" in out
    data = {entry["task"]: entry for entry in only_json(pixelbench(*options, "--json")[1])["data"]}
    assert data["mnist-fixed"]["images"] == {"train": 50_000, "validation": 10_000, "test": 10_000}
    assert data["mnist-fixed"]["bytes"] == 70_000 * 784
    assert data["imagenet64"]["bytes"] is None
    assert all(entry["needed"] and bool(entry["missing"]) == (task != "mnist-fixed") for task, entry in data.items())


def test_images_whose_runs_are_stored_are_not_needed(pixelbench: Pixelbench, tmp_path: Path, specs: list[RunSpec]) -> None:
    for spec in specs:
        store_run(tmp_path / "runs", spec)
    data = only_json(pixelbench("plan", "--suite", "quick", "--device", "cpu", "--json")[1])["data"]
    assert {entry["task"]: (entry["needed"], entry["missing"]) for entry in data if entry["task"] in ("digits", "photos")} == {
        "digits": (False, None),
        "photos": (True, None),
    }
    assert "here, not needed" in pixelbench("plan", "--suite", "quick", "--device", "cpu")[1]


def test_cost_is_of_stored_runs_on_such_a_device(pixelbench: Pixelbench, tmp_path: Path, specs: list[RunSpec]) -> None:
    for spec in specs:
        store_run(tmp_path / "runs", spec)
    options = ("plan", "--suite", "quick", "--seeds", "1", "--device", "cpu")
    plan = only_json(pixelbench(*options, "--json")[1])
    assert (plan["device"], plan["estimated_seconds"]) == ("cpu", None)
    assert 0 < plan["estimated_runs"] == len(specs) < plan["to_run"]
    assert f"for {len(specs)} of the {plan['to_run']}; of the others nothing is known." in pixelbench(*options)[2]
    err = pixelbench(*options, "--only", "digits")[2]
    assert " of computing on cpu, by runs like these that are stored in 'runs'.\n" in err

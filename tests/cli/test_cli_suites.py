"""Which stored runs are a suite's: those that any plan of it could have asked for."""

import itertools
from pathlib import Path

import pytest

from pixelbench.cli.arguments.options import Rerun
from pixelbench.cli.suites import PlanOptions, keys_of_suite, plan_suite
from pixelbench.experiments.plan import make_plan
from pixelbench.store.record import Request
from pixelbench.suites.load import load_suite
from pixelbench.suites.specs import PRECISIONS
from tests.cli.cli_stores import store_run
from tests.support.record_factory import ask
from tests.support.suite_file import TEXT, write_suite


def planned(name: str, store: Path, seeds: list[int]) -> set[str]:
    """By plans of every budget and precision."""
    suite = load_suite(name)
    choices = itertools.product(suite.budgets, PRECISIONS)
    plans = [make_plan(suite, store, seeds=seeds, budget=budget, precision=precision) for budget, precision in choices]
    return {cell.spec.key for plan in plans for cell in plan.cells}


@pytest.mark.parametrize("name", ["quick", "gates", "mnist"])
def test_a_suites_keys_are_those_that_its_plans_give(tmp_path: Path, name: str) -> None:
    keys = keys_of_suite(name, tmp_path / "runs")
    cells = make_plan(load_suite(name), tmp_path / "none").cells
    assert keys == planned(name, tmp_path / "none", sorted({cell.spec.seed for cell in cells}))
    assert len(keys) > len(cells)


def test_seeds_that_the_store_has_are_a_suites_too(tmp_path: Path) -> None:
    name, store = write_suite(tmp_path), tmp_path / "runs"
    assert keys_of_suite(name, store) == planned(name, store, [1, 2])
    store_run(store, ask("uniform", task="digits", seed=2**63 - 1))
    keys = keys_of_suite(name, store)
    assert keys == planned(name, store, [1, 2, 2**63 - 1])
    assert len(keys) == 3 * (1 + 2 * 2)  # by seed: one baseline, and the network in two budgets and two precisions


def test_runs_of_fewer_images_are_a_suites_too(tmp_path: Path) -> None:
    name, store = write_suite(tmp_path), tmp_path / "runs"
    fewer = {cell.spec.key for cell in make_plan(load_suite(name), store, limit=4).cells}
    store_run(store, ask("uniform", task="digits"), request=Request("run", "tiny.toml", "digits", "cpu", 4))
    keys = keys_of_suite(name, store)
    assert fewer <= keys
    assert planned(name, store, [1, 2]) <= keys
    assert not keys & {cell.spec.key for cell in make_plan(load_suite(name), store, limit=5).cells}


@pytest.mark.parametrize(("ablation", "command"), [(None, "run"), ("somewhere/else/ours.toml", "ablate")])
def test_a_suites_file_is_known_by_its_name_and_no_record_gets_its_place(tmp_path: Path, ablation: str | None, command: str) -> None:
    requested = PlanOptions("1", None, Rerun.missing, limit=4, device="cpu", precision="auto")
    plan, device = plan_suite(write_suite(tmp_path), tmp_path / "runs", requested, ablation=ablation)
    name = "tiny.toml" if ablation is None else "ours.toml"
    assert device == "cpu"
    assert {cell.request for cell in plan.cells} == {Request(command, name, "digits", "cpu", 4)}  # type: ignore[arg-type]


def test_two_variants_that_ask_for_one_run_have_one_key(tmp_path: Path) -> None:
    name = write_suite(tmp_path, TEXT + '[[variant]]\nname = "twin"\nfamily = "gated-pixelcnn"\nsettings = { maps = 16 }\n')
    assert keys_of_suite(name, tmp_path / "runs") == planned(name, tmp_path / "runs", [1, 2])

"""The suites of the tables in which papers take a model apart: a cell for each figure, with what the table varies and nothing else."""

from pathlib import Path

import pytest

from pixelbench.experiments.plan import make_plan
from pixelbench.published.figure_files import load_figures
from pixelbench.published.rows import SUITES
from pixelbench.suites.load import load_suite
from pixelbench.suites.resolve import pairs
from pixelbench.suites.setting_origins import SettingOrigins, setting_origins

TABLES = SUITES[1:]


def runs_of(suite: str, budget: str = "paper") -> dict[str, SettingOrigins]:
    loaded = load_suite(suite)
    return {variant.name: setting_origins(loaded, task, variant, budget) for task, variant in pairs(loaded)}


def plain(run: SettingOrigins) -> dict[str, object]:
    """Every setting, and what the recipe says, by name."""
    return {name: one.value for name, one in run.settings.items()} | {f"recipe.{name}": one.value for name, one in run.recipe.items()}


def differences(one: SettingOrigins, other: SettingOrigins) -> dict[str, object]:
    mine, its = plain(one), plain(other)
    return {name: value for name, value in mine.items() if value != its[name]}


@pytest.mark.parametrize("name", TABLES)
def test_the_first_row_is_the_suite_paper_s_and_each_cell_is_a_run_of_its_own(name: str) -> None:
    suite, paper = load_suite(name), load_suite("paper")
    first = suite.variants[0].name
    for budget in suite.budgets:
        plan = make_plan(suite, Path("none"), budget=budget, seeds=[0])
        (same,) = make_plan(paper, Path("none"), budget=budget, seeds=[0], only=(f"cifar10/{first}",)).cells
        assert not plan.problems
        keys = {cell.spec.variant: cell.spec.key for cell in plan.cells}
        assert set(keys) == {variant.name for variant in suite.variants}
        assert len(set(keys.values())) == len(keys)
        assert keys[first] == same.spec.key


@pytest.mark.parametrize("name", TABLES)
def test_every_cell_says_what_it_assumes_and_each_sentence_once(name: str) -> None:
    for variant, run in runs_of(name).items():
        sentences = (*run.assumed, *run.deviations)
        assert run.assumed, variant
        assert len(set(sentences)) == len(sentences), variant
        assert all(sentence.endswith(".") and (sentence[0].isalnum() or sentence[0] == '"') for sentence in sentences), variant


def test_row_lstm_differs_by_connections_and_depth_alone() -> None:
    runs = runs_of("row-lstm-tables")
    base = runs["row-lstm"]
    assert {name: differences(run, base) for name, run in runs.items()} == {
        "row-lstm": {},
        "row-lstm-no-residual-no-skip": {"residual": False, "skip": False},
        "row-lstm-no-residual": {"residual": False},
        "row-lstm-no-skip": {"skip": False},
        **{f"row-lstm-{n}-layer{'s' * (n > 1)}": {"layers": n} for n in (1, 2, 3, 6, 9)},
    }
    assert (base.settings["layers"].value, base.settings["maps"].value, base.settings["residual"].value) == (12, 128, True)


@pytest.mark.parametrize("budget", ["smoke", "cpu", "short"])
def test_a_shorter_budget_leaves_the_depth_that_a_row_is_about(budget: str) -> None:
    runs = runs_of("row-lstm-tables", budget)
    for n in (1, 2, 3, 6, 9):
        assert runs[f"row-lstm-{n}-layer{'s' * (n > 1)}"].settings["layers"].value == n


def test_tables_2_and_3_of_the_pixelrnn_paper_are_whole() -> None:
    variants = {figure.id: figure.variant for figure in load_figures() if figure.locator in ("Table 2", "Table 3") and "prnn" in figure.id}
    assert len(variants) == 4 + 6
    assert set(variants.values()) == set(runs_of("row-lstm-tables"))

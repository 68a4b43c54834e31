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
    shared = {variant.name for variant in suite.variants} & {variant.name for variant in paper.variants}
    assert suite.variants[0].name in shared
    for budget in suite.budgets:
        plan = make_plan(suite, Path("none"), budget=budget, seeds=[0])
        same = make_plan(paper, Path("none"), budget=budget, seeds=[0], only=[f"cifar10/{one}" for one in shared])
        keys = {cell.spec.variant: cell.spec.key for cell in plan.cells}
        assert {one: keys[one] for one in shared} == {cell.spec.variant: cell.spec.key for cell in same.cells}
        # What a short training leaves out of all of them is no run of its own there.
        alike = {"pixelcnn-pp-no-dropout"} if budget in ("cpu", "short") else set()
        assert {variant.name for variant in suite.variants} - set(keys) <= alike, budget
        assert all(any(f"{one} seed 0 asks for the same run" in said for one in alike) for said in plan.problems)


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


def test_pixelcnn_pp_differs_by_what_the_paper_changes_alone() -> None:
    runs = runs_of("pixelcnn-pp-tables")
    base, small = runs["pixelcnn-pp"], {"layers": 1, "scales": 1}
    wider = {"11x5": {}, "15x8": {"middle_layers": 1}}
    inside = {"plain": {}, "nin": {"nin_blocks": 3}, "channels": {"channel_sets": 4}}
    assert {name: differences(run, base) for name, run in runs.items()} == {
        "pixelcnn-pp": {},
        "pixelcnn-pp-softmax": {"head": "softmax"},
        "pixelcnn-pp-no-skip": {"skip": False},
        "pixelcnn-pp-no-dropout": {"dropout": 0.0},
        **{f"pixelcnn-pp-{field}-{kind}": small | more | own for field, more in wider.items() for kind, own in inside.items()},
    }


@pytest.mark.parametrize("budget", ["smoke", "cpu", "short"])
def test_a_shorter_budget_leaves_a_small_network_what_it_is_about(budget: str) -> None:
    runs = runs_of("pixelcnn-pp-tables", budget)
    for field, middle in (("11x5", 0), ("15x8", 1)):
        for kind, nin, sets in (("plain", 0, 1), ("nin", 3, 1), ("channels", 0, 4)):
            found = plain(runs[f"pixelcnn-pp-{field}-{kind}"])
            names = ("layers", "scales", "middle_layers", "nin_blocks", "channel_sets")
            assert tuple(found[name] for name in names) == (1, 1, middle, nin, sets)


def test_table_2_of_the_pixelcnn_pp_paper_is_whole() -> None:
    variants = {figure.variant: figure.printed for figure in load_figures() if figure.id.startswith("pcpp-t2")}
    assert variants == {
        "pixelcnn-pp-11x5-plain": "3.11",
        "pixelcnn-pp-11x5-nin": "3.09",
        "pixelcnn-pp-11x5-channels": "3.07",
        "pixelcnn-pp-15x8-plain": "3.07",
        "pixelcnn-pp-15x8-nin": "3.04",
        "pixelcnn-pp-15x8-channels": "3.03",
    }

"""The split `all-training`: who may ask for it, what it changes in what is asked for, and that nothing else changes."""

from dataclasses import replace
from pathlib import Path

import pytest

from pixelbench.data import get_task, usual_digest
from pixelbench.errors import UserError
from pixelbench.key_fields import key_values
from pixelbench.store.spec import RunSpec
from pixelbench.suites.load import load_suite
from pixelbench.suites.setting_origins import setting_origins
from pixelbench.suites.specs import specs_of
from pixelbench.training.recipe import Recipe

SUITE = """
name = "mine"
default_budget = "cpu"
[budget.cpu]
updates = 4
[[task]]
name = "{task}"
recipe.split = "{split}"
[[variant]]
name = "gated-pixelcnn"
family = "gated-pixelcnn"
[[variant]]
name = "histogram"
family = "histogram"
"""


def specs(folder: Path, task: str, split: str) -> dict[str, RunSpec]:
    path = folder / f"{task}-{split}.toml"
    path.write_text(SUITE.format(task=task, split=split))
    return {spec.variant: spec for spec in specs_of(load_suite(str(path)))}


def test_a_task_can_be_split_so_in_a_suite_and_what_is_trained_says_it(tmp_path: Path) -> None:
    usual, whole = (specs(tmp_path, "cifar10", split) for split in ("held-out", "all-training"))
    gated, held = whole["gated-pixelcnn"], usual["gated-pixelcnn"]
    assert gated.recipe["split"] == gated.split == "all-training"
    assert gated.task["digest"] == get_task("cifar10").with_split("all-training").digest != held.task["digest"]
    assert gated.key != held.key
    own = {usual_digest("cifar10", spec.task["digest"]) for spec in (gated, held)}
    assert own == {held.task["digest"]}
    assert whole["histogram"].key == usual["histogram"].key  # it has no recipe, and counts what the task trains on


def test_the_usual_split_is_no_part_of_a_key() -> None:
    assert "split" not in key_values(Recipe())
    assert key_values(Recipe(split="all-training"))["split"] == "all-training"


@pytest.mark.parametrize("task", ["cifar10-16", "mnist-fixed", "imagenet32", "digits"])
def test_a_task_without_such_a_split_is_refused_in_a_sentence(tmp_path: Path, task: str) -> None:
    with pytest.raises(UserError, match=f"on task.{task}, split = 'all-training' is none of this task's; expected 'held-out'"):
        specs(tmp_path, task, "all-training")
    assert specs(tmp_path, task, "held-out")


@pytest.mark.parametrize("select", ["last", "best-validation"])
def test_weights_cannot_be_selected_by_images_that_are_trained_on(tmp_path: Path, select: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(SUITE.format(task="cifar10", split="all-training").replace("[[task]]", f'[recipe]\nselect = "{select}"\n[[task]]'))
    if select == "last":
        assert load_suite(str(path))
        return
    with pytest.raises(UserError, match=r"on task\.cifar10, select = 'best-validation' needs validation images"):
        load_suite(str(path))


def test_another_word_is_refused_too(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"recipe\.split: expected 'held-out' or 'all-training', got 'all'"):
        specs(tmp_path, "cifar10", "all")


def test_the_rows_that_were_published_with_all_images_are_trained_on_all() -> None:
    """Those hold nothing out that were published so; all others say that they do, and that no paper says what."""
    for name in ("paper", "cifar10"):
        suite = load_suite(name)
        task = next(task for task in suite.tasks if task.name == "cifar10")
        for variant in suite.variants:
            if variant.tasks is None or "cifar10" not in variant.tasks:
                continue
            run = setting_origins(suite, task, variant, "paper")
            everything = variant.family in ("pixelcnn-pp", "pixelsnail")
            assert run.recipe["split"].value == ("all-training" if everything else "held-out"), variant.name
            assert any("kept for validation" in said for said in run.assumed) is not everything, variant.name
    elsewhere = load_suite("paper")
    snail = next(variant for variant in elsewhere.variants if variant.name == "pixelsnail")
    small = next(task for task in elsewhere.tasks if task.name == "imagenet32")
    assert setting_origins(elsewhere, small, snail, "paper").recipe["split"].value == "held-out"


def test_no_figure_of_a_row_is_lost_by_its_split() -> None:
    """A row is found by its cell key, which the split is part of."""
    spec = specs_of(load_suite("cifar10"), only=["cifar10/pixelcnn-pp"], budget="paper")[0]
    assert spec.cell_key != replace(spec, recipe={n: v for n, v in spec.recipe.items() if n != "split"}).cell_key

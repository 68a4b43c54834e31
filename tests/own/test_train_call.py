"""`pixelbench.train`: what it is asked for is done or refused, never passed over."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import pixelbench as pb
from pixelbench.data import get_task, registry
from pixelbench.data.sources.digits import DIGITS
from pixelbench.data.task import data_digest
from pixelbench.errors import UserError
from pixelbench.training.loop import Trainer
from pixelbench.training.recipe import Recipe

NET: dict[str, Any] = {"layers": 1, "maps": 4}


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        ({"schedule": "linear"}, "recipe.schedule: expected 'constant', 'cosine' or 'exponential', got 'linear'"),
        (Recipe(schedule="linear"), "recipe.schedule: expected"),  # type: ignore[arg-type]
        ({"select": "best"}, "recipe.select: expected 'last' or 'best-validation', got 'best'"),
        ({"optimiser": "sgd"}, "recipe.optimiser: expected"),
        ({"batch": 2.5}, "recipe.batch: expected a whole number"),
        ({"batch": 0}, "recipe: batch must be at least 1, got 0"),
        ({"lerning_rate": 0.1}, "did you mean 'learning_rate'?"),
        ({"split": "all-training"}, "recipe: split = 'all-training' is none of this task's"),
    ],
)
def test_a_recipe_is_that_of_a_suite_or_refused(recipe: Any, said: str) -> None:
    with pytest.raises(UserError) as error:
        pb.train("gated-pixelcnn", "digits", settings=NET, recipe=recipe, updates=1)
    assert said in str(error.value)


def test_all_training_images_are_trained_on_where_the_recipe_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    unpinned = replace(DIGITS, all_training="0" * 64).with_split("all-training")
    monkeypatch.setitem(registry.TASKS._entries, "digits", replace(DIGITS, all_training=data_digest(unpinned.builder())))
    seen: list[tuple[int, int]] = []
    step = Trainer._step
    monkeypatch.setattr(Trainer, "_step", lambda self: seen.append((len(self.train), len(self.validation))) or step(self))
    for split in ("held-out", "all-training"):
        pb.train("gated-pixelcnn", "digits", settings=NET, recipe={"batch": np.int64(2), "split": split}, updates=1)
    assert DIGITS.sizes is not None
    train, validation, _ = DIGITS.sizes
    assert seen == [(train, validation), (train + validation, 0)]


def test_what_is_fitted_is_fitted() -> None:
    assert pb.evaluate(pb.train("histogram", "digits"), "digits", limit=8, samples=0).bits_per_dim < 3.5 < 4.08


@pytest.mark.parametrize(
    ("of", "classes", "task", "said"),
    [("photos", 10, "photos", "has no labels"), ("digits", 7, "digits", "has 10 classes"), ("digits", None, "mnist-fixed", "is for 1x8x8")],
)
def test_a_model_of_other_images_is_refused(of: str, classes: int | None, task: str, said: str) -> None:
    condition: dict[str, Any] = {} if classes is None else {"condition": "class", "classes": classes}
    channels, height, width = (about := get_task(of)).shape
    model = pb.create_model("gated-pixelcnn", channels=channels, height=height, width=width, levels=about.levels, **NET, **condition)
    with pytest.raises(UserError, match=said):
        pb.train(model, task, updates=1)
    with pytest.raises(UserError, match=said):
        pb.evaluate(model, task, limit=2)

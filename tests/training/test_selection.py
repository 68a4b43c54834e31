"""Selection by validation: which weights are evaluated, and that a training cut after its best point selects the same."""

import copy
import itertools
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

from pixelbench.errors import UserError
from pixelbench.models.families import create_model
from pixelbench.training import checkpoint
from pixelbench.training.checkpoint import CheckpointError
from pixelbench.training.loop import SELECTION_POINTS, Trainer, TrainingPlan
from pixelbench.training.recipe import Recipe
from pixelbench.training.seeding import seed_everything

pytestmark = pytest.mark.quick

IMAGES = torch.randint(4, (30, 1, 4, 4), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
BEST: dict[str, Any] = {"select": "best-validation"}


def fresh(updates: int = 40, *, model: Any = None, validation: int = 14, **arguments: Any) -> Trainer:
    """Noise is learned by heart from 16 images, so that the score on others is best early; `recipe` and hooks are arguments."""
    seed_everything(0, "weights")
    size: dict[str, Any] = {"channels": 1, "height": 4, "width": 4, "levels": 4, "maps": 12, "layers": 1, "head_maps": 12}
    recipe = {"learning_rate": 2e-2, "batch": 8, "schedule": "constant", "precision": "fp32"} | arguments.pop("recipe", BEST)
    model = model or create_model("gated-pixelcnn", **size)
    return Trainer(model, IMAGES[:16], IMAGES[16 : 16 + validation], Recipe(**recipe), TrainingPlan(updates, 0), **arguments)


def finish(trainer: Trainer, at_point: Callable[[Trainer], None] = lambda trainer: None) -> Trainer:
    for _ in trainer.run():
        at_point(trainer)
    return trainer


def weights(trainer: Trainer) -> dict[str, torch.Tensor]:
    return trainer.evaluated.state_dict()


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(value, other[name]) for name, value in one.items())


@pytest.mark.parametrize("ema", [0.0, 0.8])
def test_the_evaluated_weights_are_those_of_the_first_best_point(ema: float):
    seen: dict[int, tuple[float, dict[str, torch.Tensor]]] = {}

    def keep(trainer: Trainer) -> None:
        score = trainer.curve[-1].validation_bits_per_dim
        if score is not None:
            seen[trainer.update] = score, copy.deepcopy(trainer.averaged.state_dict())

    trainer = finish(fresh(recipe=BEST | {"ema": ema}), keep)
    best = min(seen, key=lambda update: seen[update][0])
    assert 1 < best < 40
    assert trainer.selected_update == best
    assert same(weights(trainer), seen[best][1])
    assert not same(weights(trainer), seen[40][1])
    assert not same(weights(trainer), trainer.averaged.state_dict())  # the last ones are still there, and not these


def test_last_is_as_before_and_best_changes_nothing_but_what_is_evaluated():
    last, best = finish(fresh(recipe={})), finish(fresh())
    assert (last.selected_update, last.best) == (None, None)
    assert last.evaluated is last.model
    assert same(last.model.state_dict(), best.model.state_dict())
    assert [p.train_bits_per_dim for p in last.curve] == [p.train_bits_per_dim for p in best.curve]
    assert [p.update for p in last.curve if p.validation_bits_per_dim is not None] == [8, 16, 24, 32, 40]
    assert not any(name.startswith("best.") for name in checkpoint.unpack(last.state())[0])


@pytest.mark.parametrize("updates", [1, 2, 19, 20, 49, 50, 99, 100, 101, 160, 199, 204, 1003])
def test_there_are_at_least_twenty_points_and_the_last_update_is_one(monkeypatch: pytest.MonkeyPatch, updates: int):
    trainer = fresh(updates)
    monkeypatch.setattr(trainer, "_validate", lambda: 2.0)
    monkeypatch.setattr(trainer, "_step", lambda: step(trainer))
    finish(trainer)
    points = [point.update for point in trainer.curve if point.validation_bits_per_dim is not None]
    assert min(updates, SELECTION_POINTS) <= len(points) <= 50
    assert points[-1] == updates
    assert len({b - a for a, b in itertools.pairwise(points[:-1])}) <= 1


def step(trainer: Trainer) -> None:
    trainer.update += 1
    trainer._losses += 1


@pytest.mark.parametrize(("scores", "selected"), [((3.0, 2.0, 2.0, 4.0), 2), ((1.0, 1.0, 1.0, 1.0), 1), ((4.0, 3.0, 2.0, 1.0), 4)])
def test_of_equal_scores_the_first_is_taken(monkeypatch: pytest.MonkeyPatch, scores: tuple[float, ...], selected: int):
    trainer, kept = fresh(4), {}
    monkeypatch.setattr(trainer, "_validate", lambda: scores[trainer.update - 1])
    finish(trainer, lambda trainer: kept.update({trainer.update: copy.deepcopy(trainer.model.state_dict())}))
    assert trainer.selected_update == selected
    assert [update for update, state in kept.items() if same(weights(trainer), state)] == [selected]


def test_what_is_no_number_is_never_selected(monkeypatch: pytest.MonkeyPatch):
    trainer = fresh(4)
    monkeypatch.setattr(trainer, "_validate", lambda: {2: math.nan}.get(trainer.update, 3.0 - trainer.update))
    finish(trainer)
    assert (trainer.status, trainer.update, trainer.selected_update) == ("diverged", 2, 1)
    first = fresh(4)
    monkeypatch.setattr(first, "_validate", lambda: math.nan)
    finish(first)
    assert (first.status, first.selected_update) == ("diverged", None)


@pytest.mark.parametrize("end", ["timeout", "interrupted"])
def test_who_is_cut_off_has_the_best_so_far(end: str):
    whole = finish(fresh())
    best = whole.selected_update
    assert best is not None
    trainer = fresh(stop=lambda: end == "interrupted" and trainer.update > best)
    if end == "timeout":
        trainer._ended_early = lambda elapsed: "timeout" if trainer.update > best else None
    finish(trainer)
    assert (trainer.status, trainer.update, trainer.selected_update) == (end, best + 1, best)
    assert same(weights(trainer), weights(whole))


@pytest.mark.by_default(3)
@pytest.mark.parametrize("ema", [0.0, 0.8])
@pytest.mark.parametrize("after", [-1, 0, 1, 7])
def test_a_training_cut_around_its_best_point_selects_the_same(ema: float, after: int):
    """Law: wherever the best point lies, before the cut or behind it, a resumed training ends equal bit for bit."""
    recipe = BEST | {"ema": ema}
    whole = finish(fresh(recipe=recipe))
    assert whole.selected_update is not None
    cut_at = whole.selected_update + after
    blobs: list[bytes] = []
    cut = fresh(recipe=recipe, save=blobs.append, stop=lambda: cut.update >= cut_at)
    finish(cut)
    torch.manual_seed(999)
    resumed = fresh(recipe=recipe)
    resumed.restore(blobs[-1])
    assert resumed.update == cut_at
    finish(resumed)
    assert (resumed.curve, resumed.selected_update) == (whole.curve, whole.selected_update)
    assert same(weights(resumed), weights(whole))
    assert same(resumed.model.state_dict(), whole.model.state_dict())


def test_without_the_kept_weights_a_resumed_training_would_select_others(monkeypatch: pytest.MonkeyPatch):
    """Negative control of the law above."""
    blobs: list[bytes] = []
    whole = finish(fresh())
    assert whole.selected_update is not None
    best = whole.selected_update
    cut = fresh(save=blobs.append, stop=lambda: cut.update > best)
    finish(cut)
    real = checkpoint.restore_module
    forgetful = fresh()
    monkeypatch.setattr(checkpoint, "restore_module", lambda prefix, *rest: None if prefix == "best" else real(prefix, *rest))
    forgetful.restore(blobs[-1])
    finish(forgetful)
    assert forgetful.selected_update == best
    assert not same(weights(forgetful), weights(whole))


def test_a_checkpoint_of_the_other_kind_of_selection_does_not_fit():
    for mine, its in ((BEST, {}), ({}, BEST)):
        donor, trainer = finish(fresh(4, recipe=its)), fresh(4, recipe=mine)
        before = copy.deepcopy(trainer.model.state_dict())
        with pytest.raises(CheckpointError, match=r"'best\..*' is (missing|superfluous)"):
            trainer.restore(donor.state())
        assert same(before, trainer.model.state_dict())


def test_without_validation_images_nothing_can_be_selected():
    with pytest.raises(UserError, match=r"^select = 'best-validation' needs validation images, and there are none; expected 'last'\.$"):
        fresh(validation=0)
    fresh(validation=0, recipe={})
    fresh(validation=1)

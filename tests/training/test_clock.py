"""How a training ends and what it keeps while it runs: checkpoints, seconds, cap, stop; by a clock that only updates and saves move."""

import itertools
import math
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from pixelbench.models.families import create_model
from pixelbench.training import loop
from pixelbench.training.checkpoint import unpack
from pixelbench.training.loop import CurvePoint, Trainer, TrainingPlan
from pixelbench.training.recipe import Recipe
from pixelbench.training.seeding import seed_everything

IMAGES = torch.randint(4, (20, 3, 2, 2), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


class Clock:
    """Seconds that pass in updates and saves only."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch):
        self.now, self.saves = 1000.0, []
        self.blobs: list[bytes] = []
        monkeypatch.setattr(loop, "time", SimpleNamespace(monotonic=lambda: self.now))

    def trainer(self, updates: int, *, saving: float = 0.0, cap: float | None = None, dropout: bool = False, **arguments: Any) -> Trainer:
        """Every update takes a second, every save `saving`; the model is small, or has dropout."""
        seed_everything(0, "weights")
        size: dict[str, Any] = {"channels": 3, "height": 2, "width": 2, "levels": 4, "maps": 4, "layers": 1}
        droppy: dict[str, Any] = size | {"scales": 1, "components": 2, "dropout": 0.5}
        model = create_model("pixelcnn-pp", **droppy) if dropout else create_model("pixelcnn-plain", **size)

        def begin_update(update: int) -> None:
            self.now += 1

        def save(blob: bytes) -> None:
            self.saves.append((self.now, saving))
            self.blobs.append(blob)
            self.now += saving

        model.begin_update = begin_update
        recipe = Recipe(batch=8, precision="fp32", ema=0.9)
        return Trainer(model, IMAGES[:12], IMAGES[12:], recipe, TrainingPlan(updates, 0, cap), save=save, **arguments)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def finish(trainer: Trainer) -> Trainer:
    for _ in trainer.run():
        pass
    return trainer


def test_a_cheap_checkpoint_is_written_about_every_ten_seconds_and_at_the_end(clock: Clock):
    finish(clock.trainer(57))
    times = [1000.0, *(when for when, _ in clock.saves)]
    gaps = [b - a for a, b in itertools.pairwise(times)]
    assert all(10 < gap <= 11 for gap in gaps[:-1])  # at the first update after ten seconds
    assert 0 <= gaps[-1] <= 11
    assert times[-1] == clock.now


@pytest.mark.by_default(1)
@pytest.mark.parametrize("saving", [0.1, 3.0, 20.0])
def test_checkpoints_cost_at_most_a_twentieth_of_the_time(clock: Clock, saving: float):
    finish(clock.trainer(700, saving=saving))
    spent = saving * len(clock.saves[2:])  # what the first costs is not known before, and the last is written whatever it costs
    assert spent <= 0.05 * 700
    assert len(clock.saves) >= 700 / max(10, saving / 0.05) / 1.5  # and are not given up


@pytest.mark.parametrize("how", ["done", "timeout", "interrupted"])
def test_whatever_the_end_all_that_was_trained_is_kept(clock: Clock, how: str):
    trainer = clock.trainer(8, cap=4.5 if how == "timeout" else None, stop=lambda: how == "interrupted" and trainer.update == 5)
    finish(trainer)
    assert trainer.status == how
    assert trainer.update == (8 if how == "done" else 5)
    assert unpack(clock.blobs[-1])[1]["update"] == trainer.update
    name, _ = next(trainer.model.named_parameters())
    assert torch.equal(unpack(clock.blobs[-1])[0][f"model.{name}"], trainer.model.state_dict()[name])


def test_a_training_ends_at_the_first_update_after_its_cap_and_not_before(clock: Clock):
    assert finish(clock.trainer(1000, cap=20.0)).update == 21  # 20 seconds are not more than 20
    assert finish(clock.trainer(20, cap=20.0)).status == "done"
    assert finish(clock.trainer(1000, cap=0.0)).update == 1


def test_who_is_told_to_stop_is_interrupted_even_after_the_cap(clock: Clock):
    trainer = finish(clock.trainer(10, cap=-1.0, stop=lambda: True))
    assert (trainer.status, trainer.update) == ("interrupted", 0)


def test_a_diverged_training_keeps_its_last_good_checkpoint(clock: Clock, monkeypatch: pytest.MonkeyPatch):
    trainer = clock.trainer(57)
    real = trainer._loss_of
    monkeypatch.setattr(trainer, "_loss_of", lambda images: real(images) * (math.nan if trainer.update >= 30 else 1.0))
    finish(trainer)
    assert (trainer.status, trainer.update) == ("diverged", 31)
    assert unpack(clock.blobs[-1])[1]["update"] == 22


def test_seconds_are_those_of_all_attempts(clock: Clock):
    first = finish(clock.trainer(40, stop=lambda: clock.now >= 1017))
    assert first.seconds == 17
    clock.now += 5000  # nobody trains
    second = clock.trainer(40)
    second.restore(clock.blobs[-1])
    assert second.seconds == 17
    run = second.run()
    next(run)
    assert second.seconds == 17  # known up to the update
    assert [point.update for point in run] == list(range(19, 41))
    assert second.seconds == 40


def test_a_checkpoint_knows_its_seconds(clock: Clock):
    """Up to the update in which it was written."""
    finish(clock.trainer(30, saving=0.25))
    for blob, (when, _) in zip(clock.blobs, clock.saves, strict=True):
        assert 0 <= when - 1000 - unpack(blob)[1]["seconds"] <= 1


@pytest.mark.by_default(1)
@pytest.mark.parametrize(("updates", "cut"), [(101, 51), (160, 52)])
def test_a_training_cut_between_two_points_equals_the_uninterrupted_one(clock: Clock, updates: int, cut: int):
    """Points are two or three updates apart: the losses since the last one and the state of the dropout go on too."""
    whole = finish(clock.trainer(updates, dropout=True))
    requested = itertools.count()
    part = finish(clock.trainer(updates, dropout=True, stop=partial(reached, requested, cut)))
    torch.manual_seed(999)
    resumed = clock.trainer(updates, dropout=True)
    resumed.restore(clock.blobs[-1])
    assert resumed.update == part.update == cut
    finish(resumed)
    assert resumed.curve == whole.curve
    for model, other in ((whole.model, resumed.model), (whole.evaluated, resumed.evaluated)):
        for name, value in model.state_dict().items():
            assert torch.equal(value, other.state_dict()[name]), name


def reached(requested: "itertools.count[int]", cut: int) -> bool:
    """Whether this is call number `cut` or a later one, from 0."""
    return next(requested) >= cut


def test_a_training_whose_first_attempt_saw_no_update_starts_over(clock: Clock):
    whole = finish(clock.trainer(5))
    finish(clock.trainer(5, stop=lambda: True))
    torch.manual_seed(999)
    resumed = clock.trainer(5)
    resumed.restore(clock.blobs[-1])
    assert finish(resumed).curve == whole.curve


BAD: dict[str, tuple[float, float | None]] = {"no number": (math.nan, None), "infinite": (math.inf, 1.0), "bad validation": (1.0, math.nan)}


@pytest.mark.parametrize("values", BAD)
@pytest.mark.parametrize("update", [1, 100])
def test_what_is_no_finite_number_has_diverged_at_any_update(clock: Clock, values: str, update: int):
    assert judged(clock, update, *BAD[values])


@pytest.mark.parametrize(("update", "settled"), [(1, False), (12, False), (13, True), (100, True)])
def test_far_worse_than_knowing_nothing_counts_after_warm_up_and_the_first_tenth(clock: Clock, update: int, settled: bool):
    """Of 100 updates the first ten, after two of warm-up; nothing is known at 2 bits/dim, far worse is more than twice that."""
    assert judged(clock, update, 4.001, None) == settled
    assert judged(clock, update, 4.001, 1.0) == settled
    assert not judged(clock, update, 4.0, None)
    assert not judged(clock, update, 1.0, 9.0)  # the training itself decides


def judged(clock: Clock, update: int, train: float, validation: float | None) -> bool:
    trainer = clock.trainer(100)
    trainer.recipe = Recipe(warmup=2)
    trainer.update = update
    trainer.curve.append(CurvePoint(update, train, validation))
    return trainer._diverged()


@pytest.mark.parametrize("precision", ["bf16", "fp32"])
def test_the_forward_pass_of_bf16_alone_is_under_autocast(clock: Clock, monkeypatch: pytest.MonkeyPatch, precision: Any):
    seen: list[bool] = []
    trainer = clock.trainer(1)
    real = trainer._loss_of
    monkeypatch.setattr(trainer, "_loss_of", lambda *given: seen.append(torch.is_autocast_enabled("cpu")) or real(*given))
    trainer.recipe = Recipe(batch=8, precision=precision)
    finish(trainer)
    assert seen == [precision == "bf16"]

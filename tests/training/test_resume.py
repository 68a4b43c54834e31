"""Law: a training that was cut off and resumed equals the uninterrupted one bit for bit."""

from dataclasses import fields
from typing import Any

import pytest
import torch

from pixelbench.models.base import AutoregressiveModel
from pixelbench.models.families import FAMILIES, create_model
from pixelbench.training import checkpoint
from pixelbench.training.checkpoint import CheckpointError, DamagedCheckpoint
from pixelbench.training.loop import Trainer, TrainingPlan
from pixelbench.training.recipe import Recipe
from pixelbench.training.seeding import seed_everything

IMAGES = torch.randint(4, (50, 1, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
NETWORKS = [name for name, family in FAMILIES.items() if family.kind == "network"]
#: What makes each family small, and its training as little repeatable as it gets: dropout, draws of latents, a weight that rises.
SMALL: dict[str, Any] = {
    "maps": 6,
    "layers": 1,
    "head_maps": 5,
    "blocks": 1,
    "dropout": 0.3,
    "latent": 2,
    "encoder_maps": 4,
    "kl_warmup": 15,
    "hidden": 9,
    "masks": 3,
}
RECIPES: dict[str, dict[str, Any]] = {
    "adamw, cosine, ema": {"ema": 0.9, "warmup": 3},
    "adam, exponential": {"optimiser": "adam", "schedule": "exponential", "decay": 0.99},
    "adagrad": {"optimiser": "adagrad", "learning_rate": 1e-2, "schedule": "constant"},
    "rmsprop with momentum, no clipping": {"optimiser": "rmsprop", "constants": {"momentum": 0.9}, "clip": 0.0, "schedule": "constant"},
}


def fresh(family: str, recipe: dict[str, Any], updates: int = 23, **arguments: Any) -> Trainer:
    seed_everything(3, "weights")
    known = {field.name for field in fields(FAMILIES[family].settings)}
    small = {name: value for name, value in SMALL.items() if name in known}
    levels = FAMILIES[family].levels or 4
    model = create_model(family, channels=1, height=8, width=8, levels=levels, **small)
    images = IMAGES % levels
    return Trainer(model, images[:40], images[40:], Recipe(batch=7, precision="fp32", **recipe), TrainingPlan(updates, 3), **arguments)


def finish(trainer: Trainer) -> Trainer:
    for _ in trainer.run():
        pass
    return trainer


def assert_equal(one: AutoregressiveModel, other: AutoregressiveModel) -> None:
    for name, value in one.state_dict().items():
        assert torch.equal(value, other.state_dict()[name]), name


HERE, THERE = {"device": "cpu", "commit": None}, {"device": "cuda (A)", "commit": "abc"}


def stretches(*attempts: tuple[dict[str, Any], int]) -> list[dict[str, Any]]:
    """What the last of these attempts knows of those before it; each is so, and goes on to that update."""
    blob, trainer = None, None
    for made_by, until in attempts:
        trainer = fresh("made", {}, made_by=lambda made_by=made_by: made_by)
        if blob is not None:
            trainer.restore(blob)
        while trainer.update < until:
            trainer.step()
        blob = trainer.state()
    assert trainer is not None
    return trainer.earlier


def test_a_checkpoint_tells_who_trained_how_far():
    there, here = {"until": 4} | THERE, {"until": 7} | HERE
    assert stretches((HERE, 4)) == stretches((HERE, 4), (HERE, 7)) == []
    assert stretches((THERE, 4), (HERE, 7)) == [there]
    assert stretches((THERE, 2), (THERE, 4), (HERE, 7)) == stretches((THERE, 4), (HERE, 5), (HERE, 7)) == [there]
    assert stretches((THERE, 4), (HERE, 7), (THERE, 9)) == [there, here]
    assert stretches((HERE, 0), (THERE, 4)) == []  # it has trained nothing
    assert stretches((THERE, 4), (HERE, 4), (THERE, 9)) == []


def test_a_checkpoint_of_before_tells_only_how_far():
    trainer = fresh("made", {}, made_by=lambda: HERE)
    for _ in range(3):
        trainer.step()
    tensors, header = checkpoint.unpack(trainer.state())
    del header["stretches"]
    resumed = fresh("made", {}, made_by=lambda: HERE)
    resumed.restore(checkpoint.pack(tensors, header))
    assert resumed.earlier == [{"until": 3}]


@pytest.mark.parametrize(
    "told", [7, [7], [{}], [{"until": 0}], [{"until": 4}], [{"until": 2}] * 2, [{"until": "3"}], [{"until": True}], None]
)
def test_attempts_that_cannot_have_been_are_damage_of_a_checkpoint(told: Any):
    trainer = fresh("made", {})
    for _ in range(3):
        trainer.step()
    tensors, header = checkpoint.unpack(trainer.state())
    if told is None:  # the mirror image
        trainer.restore(checkpoint.pack(tensors, header | {"stretches": [{"until": 2} | THERE, {"until": 3} | HERE]}))
        return
    with pytest.raises(DamagedCheckpoint, match="its field 'stretches' is "):
        trainer.restore(checkpoint.pack(tensors, header | {"stretches": told}))


@pytest.mark.by_default(8)
@pytest.mark.parametrize(
    ("family", "recipe"),
    [
        *((family, "adamw, cosine, ema") for family in NETWORKS),
        *(("gated-pixelcnn", recipe) for recipe in list(RECIPES)[1:]),
        ("made", "adagrad"),
    ],
)
def test_resume_equals_uninterrupted(family: str, recipe: str):
    whole = finish(fresh(family, RECIPES[recipe]))
    blobs: list[bytes] = []
    calls = iter(range(100))
    cut = finish(fresh(family, RECIPES[recipe], save=blobs.append, stop=lambda: next(calls) >= 11))
    assert (cut.status, cut.update) == ("interrupted", 11)
    torch.manual_seed(999)  # whatever happened to the random state in between
    resumed = fresh(family, RECIPES[recipe])
    resumed.restore(blobs[-1])
    finish(resumed)
    assert (resumed.status, resumed.update) == ("done", 23)
    assert_equal(whole.model, resumed.model)
    assert_equal(whole.evaluated, resumed.evaluated)
    assert whole.curve == resumed.curve


def test_a_checkpoint_of_another_run_is_refused_and_changes_nothing():
    donor = finish(fresh("pixelcnn", {}, identity="one"))
    other = fresh("pixelcnn", {}, identity="two")
    before = {name: value.clone() for name, value in other.model.state_dict().items()}
    with pytest.raises(CheckpointError, match="another run"):
        other.restore(donor.state())
    assert all(torch.equal(value, before[name]) for name, value in other.model.state_dict().items())


def test_who_asked_for_the_training_says_which_identities_it_goes_on_from():
    blob, requested = finish(fresh("pixelcnn", {}, updates=5, identity="one")).state(), []

    def accepts(identity: str) -> bool:
        requested.append(identity)
        return identity == "one"

    mine = fresh("pixelcnn", {}, identity="two", accepts=accepts)
    mine.restore(blob)
    assert (mine.update, requested) == (5, ["one"])
    with pytest.raises(CheckpointError, match="another run"):
        fresh("pixelcnn", {}, identity="one", accepts=lambda identity: False).restore(blob)
    assert checkpoint.unpack(mine.state())[1]["identity"] == "two"  # what it writes from here on is its own


@pytest.mark.parametrize("damage", [lambda blob: blob[:-100], lambda blob: b"", lambda blob: b"\x80\x04pickle" + blob])
def test_a_damaged_checkpoint_is_refused(damage):
    blob = finish(fresh("pixelcnn", {}, updates=2)).state()
    with pytest.raises(CheckpointError, match="not a PixelBench checkpoint"):
        fresh("pixelcnn", {}).restore(damage(blob))


def test_a_finished_training_has_nothing_left_to_do():
    done = finish(fresh("pixelcnn", {}))
    again = fresh("pixelcnn", {})
    again.restore(done.state())
    assert list(again.run()) == []
    assert again.status == "done"
    assert_equal(done.model, again.model)

"""Law: what several processes train together is what one trains alone, random numbers and all; and none waits for one that has left."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import torch

from pixelbench.errors import UserError
from pixelbench.models.base import AutoregressiveModel
from pixelbench.models.families import FAMILIES, create_model
from pixelbench.models.scoring import batched_nats
from pixelbench.training import checkpoint
from pixelbench.training.loop import Trainer, TrainingPlan
from pixelbench.training.recipe import Recipe
from pixelbench.training.world import ALONE, World
from tests.training import together
from tests.training.together import FAULTS, Together, asked_for_a_checkpoint, distance, falls_over, fresh, state, waits_for_a_sum

NETWORKS = [name for name, family in FAMILIES.items() if family.kind == "network"]
#: A small network with everything that a fault may get wrong: it draws noise, and its images are scored by draws.
ALL = "vae"


@pytest.fixture(scope="module")
def processes() -> Iterator[Together]:
    found = Together(4)
    yield found
    found.end()


@cache
def alone(family: str, **given: Any) -> bytes:
    return state(ALONE, family, **given)


@pytest.mark.by_default(4)
@pytest.mark.parametrize("family", NETWORKS)
def test_two_processes_equal_one(family: str, processes: Together):
    first, second = processes(2, state, family)
    assert isinstance(first, bytes), first
    assert distance(first, alone(family)) <= 1e-10
    assert distance(first, second) == 0  # of both the same, bit for bit


@pytest.mark.slow
@pytest.mark.parametrize("family", [ALL, "gated-pixelcnn"])
def test_four_processes_equal_one_with_rows_left_over_and_in_micro_batches(family: str, processes: Together):
    for found in processes(4, state, family, micro_batch=1):
        assert distance(found, alone(family)) <= 1e-10


def test_single_precision_stays_close(processes: Together):
    found = processes(2, state, "gated-pixelcnn", double=False)[0]
    curves = [checkpoint.unpack(blob)[1]["curve"] for blob in (found, alone("gated-pixelcnn", double=False))]
    for point, other in zip(*curves, strict=True):
        assert point["train_bits_per_dim"] == pytest.approx(other["train_bits_per_dim"], rel=1e-5)


@pytest.mark.parametrize("before", [1, 2])
def test_a_checkpoint_of_one_world_goes_on_in_another(before: int, processes: Together):
    cut = alone(ALL, stop_after=9) if before == 1 else processes(2, state, ALL, stop_after=9)[0]
    assert checkpoint.unpack(cut)[1]["update"] == 9
    torch.manual_seed(999)
    found = processes(2, state, ALL, cut)[0] if before == 1 else state(ALONE, ALL, cut)
    assert distance(found, alone(ALL)) <= 1e-10


@pytest.mark.parametrize("fault", FAULTS)
def test_any_rule_got_wrong_is_another_training(fault: str, processes: Together):
    """Negative control: the law above would see each of these."""
    found = processes(2, state, ALL, fault=fault)
    assert max(distance_or_less(blob) for blob in found) > 1e-6


def distance_or_less(found: bytes) -> float:
    try:
        return distance(found, alone(ALL))
    except AssertionError:  # random states that differ
        return 1.0


@pytest.mark.parametrize("place", ["before", "forward", "optimiser", "save", "curve"])
def test_one_that_fails_tells_the_others_and_all_go_on_with_the_next(place: str, processes: Together):
    rank = 0 if place in ("save", "curve") else 1
    said = processes(2, falls_over, rank, place, "injected: out of memory")
    assert said[rank] == "RuntimeError: injected: out of memory"
    how = "has failed; what it printed says how" if place == "curve" else "is out of memory"
    assert said[1 - rank] == f"PeerFailed: Another process of this run {how}"
    assert processes(2, falls_over, -1, "", "") == ["fine", "fine"]


@pytest.mark.parametrize("rank", [0, 1])
def test_any_process_can_be_asked_for_the_one_checkpoint(rank: int, processes: Together):
    assert processes(2, asked_for_a_checkpoint, rank) == [[4, 6], []]


def test_one_that_is_gone_is_missed():
    two = Together(2)
    try:
        assert two(2, waits_for_a_sum) == ["fine", "fine"]
        two.pipes[0].send((2, waits_for_a_sum, (), {}))
        two.processes[1].kill()
        assert two.pipes[0].poll(60)
        assert two.pipes[0].recv() == "PeerLost: Another process of this run has ended, or cannot be reached any more"
    finally:
        two.end()


class Second(World):
    """The second of three."""

    rank, size = 1, 3


@pytest.mark.parametrize("images", [1, 5, 7, 12])
@pytest.mark.parametrize("size", [1, 2, 4, 5])
def test_rows_are_shared_without_a_gap_and_as_evenly_as_can_be(images: int, size: int):
    found = []
    for rank in range(size):
        one = World()
        one.rank, one.size = rank, size
        found.append(range(images)[one.rows(images)])
    assert [row for rows in found for row in rows] == list(range(images))
    assert max(map(len, found)) - min(map(len, found)) <= 1


def test_what_needs_a_whole_batch_is_refused_by_one_sentence():
    with pytest.raises(UserError) as caught:
        fresh("made", Second(), batch=2)
    assert str(caught.value) == "a batch of 2 images cannot be shared by 3 processes; expected at most 2."
    said = "free_bits is of the mean of a whole batch, so that 3 processes cannot share its 7 images"
    assert Recipe(batch=7).incompatibility(whole_batch="free_bits", world_size=3) == said
    assert Recipe(batch=7).incompatibility(whole_batch="free_bits") is None


@pytest.mark.parametrize(("micro_batch", "world", "said"), [
    (None, Second(), "so that 3 processes cannot share its 6 images"),
    (2, ALONE, "so its 6 images cannot be taken 2 at a time"),
    (None, ALONE, None),
])  # fmt: skip
def test_batch_norm_is_refused_where_a_batch_is_cut(micro_batch: int | None, world: World, said: str | None):
    model = create_model("pixelcnn-plain", channels=1, height=4, width=4, levels=2, maps=4, layers=1)
    model.norm = torch.nn.BatchNorm2d(4)
    images = torch.zeros(8, 1, 4, 4, dtype=torch.uint8)

    def make() -> Trainer:
        return Trainer(model, images, images, Recipe(batch=6), TrainingPlan(2, 0, None, micro_batch), world=world)

    if said is None:
        make()
    else:
        with pytest.raises(UserError) as caught:
            make()
        assert str(caught.value) == f"what the BatchNorm layer 'norm' does is of the mean of a whole batch, {said}."


@pytest.mark.parametrize("family", ["gated-pixelcnn", "pixelvae"])
def test_scores_of_all_add_up_to_the_whole_bit_for_bit(family: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("pixelbench.models.scoring.largest_batch", lambda model: 4)
    model = fresh(family, double=False).model
    images = together.IMAGES[:15, :, : model.height, : model.width]

    def nats(*turn: int) -> torch.Tensor:
        draws = {"generator": torch.Generator().manual_seed(5), "importance_samples": 3} if model.latent else {}
        return batched_nats(model, images, turn=turn, **draws)  # type: ignore[arg-type]

    parts = [nats(rank, 3) for rank in range(3)]
    assert torch.equal(torch.stack(parts).sum(0), nats(0, 1))
    assert [int((part != 0).sum()) for part in parts] == [7, 4, 4]


def test_a_bound_whose_draws_cannot_be_passed_over_is_scored_by_the_first(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("pixelbench.models.scoring.largest_batch", lambda model: 4)
    model = fresh("vae", double=False).model
    monkeypatch.setattr(type(model), "pass_over", AutoregressiveModel.pass_over)
    images = together.IMAGES[:10, :, : model.height, : model.width]
    found = [batched_nats(model, images, turn=(rank, 2), generator=torch.Generator().manual_seed(5)) for rank in range(2)]
    assert (found[0] != 0).all()
    assert (found[1] == 0).all()

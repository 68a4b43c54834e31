"""Law: a batch taken in micro-batches comes to what the whole batch comes to, random numbers and all."""

import copy
from dataclasses import fields
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from pixelbench.errors import UserError
from pixelbench.models.families import FAMILIES, create_model
from pixelbench.training import accumulation, loop
from pixelbench.training.accumulation import drawn_for_the_whole, micro_batches
from pixelbench.training.loop import Trainer, TrainingPlan
from pixelbench.training.recipe import Recipe
from pixelbench.training.seeding import seed_everything

CPU = torch.device("cpu")
IMAGES = torch.randint(4, (50, 3, 16, 20), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
NETWORKS = [name for name, family in FAMILIES.items() if family.kind == "network"]
SMALL: dict[str, Any] = {"maps": 6, "layers": 1, "head_maps": 6, "blocks": 1, "dropout": 0.4, "latent": 2, "encoder_maps": 4}
SMALL |= {"kl_warmup": 6, "scales": 2, "hidden": 9, "masks": 3, "components": 2}
UPDATES = 8


def trained(family: str, micro_batch: int | None, updates: int = UPDATES, settings: dict[str, Any] | None = None, **given: Any) -> Trainer:
    trainer = fresh(family, micro_batch, updates, settings, **given)
    for _ in trainer.run():
        pass
    return trainer


def fresh(family: str, micro_batch: int | None, updates: int = UPDATES, settings: dict[str, Any] | None = None, **given: Any) -> Trainer:
    seed_everything(3, "weights")
    known = {field.name for field in fields(FAMILIES[family].settings)}
    small = {name: value for name, value in SMALL.items() if name in known} | (settings or {})
    levels, channels = FAMILIES[family].levels or 4, 1 if FAMILIES[family].levels == 2 else 3
    height, width = (16, 20) if small.get("hierarchy") == 2 else (8, 12) if "latent" in small else (4, 8)
    model = create_model(family, channels=channels, height=height, width=width, levels=levels, **small).double()
    images = IMAGES[:, :channels, :height, :width] % levels
    usual = {"batch": 12, "precision": "fp32", "learning_rate": 1e-2, "ema": 0.9, "clip": 0.05, "warmup": 3}
    recipe = Recipe(**usual | given.pop("recipe", {}))
    return Trainer(model, images[:40], images[40:], recipe, TrainingPlan(updates, 3, None, micro_batch), **given)


def distance(one: Trainer, other: Trainer) -> float:
    pairs = [(mine.state_dict(), its.state_dict()) for mine, its in ((one.model, other.model), (one.evaluated, other.evaluated))]
    return max(float((value - its[name]).abs().max()) for mine, its in pairs for name, value in mine.items())


@pytest.mark.by_default(8)
@pytest.mark.parametrize(("family", "micro_batch"), [*((family, 4) for family in NETWORKS), ("pixelcnn-pp", 1), ("pixelvae", 1)])
def test_micro_batches_come_to_the_same_weights_average_and_curve(family: str, micro_batch: int):
    whole, parts = trained(family, None), trained(family, micro_batch)
    assert len(parts.parts) == 12 // micro_batch
    assert distance(whole, parts) <= 1e-10
    for point, other in zip(whole.curve, parts.curve, strict=True):
        assert point.train_bits_per_dim == pytest.approx(other.train_bits_per_dim, rel=1e-10)
        assert (point.validation_bits_per_dim or 0) == pytest.approx(other.validation_bits_per_dim or 0, rel=1e-10)


@pytest.mark.parametrize("settings", [{"hierarchy": 2, "decoder": "spatial", "latent_maps": 3}, {"decoder": "with-upsampling"}])
def test_noise_of_several_levels_and_of_another_decoder(settings: dict[str, Any]):
    assert distance(trained("pixelvae", None, 6, settings), trained("pixelvae", 3, 6, settings)) <= 1e-10


def each_part_draws_for_itself(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(loop, "drawn_for_the_whole", lambda images, rows, device, last: torch.enable_grad())


def each_part_draws_its_own_whole(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(loop, "drawn_for_the_whole", lambda images, rows, device, last: accumulation._Rows(images, rows))


def sums_instead_of_means(patch: pytest.MonkeyPatch) -> None:
    real = Trainer._forward
    patch.setattr(Trainer, "_forward", lambda self, batch: real(self, batch) * len(self.parts))


def clipped_before_the_sum(patch: pytest.MonkeyPatch) -> None:
    real = Trainer._forward

    def forward(self: Trainer, batch: tuple[Tensor, ...]) -> Tensor:
        if len(self.parts) > 1:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 0.02)
        return real(self, batch)

    patch.setattr(Trainer, "_forward", forward)


def the_first_rows_always(patch: pytest.MonkeyPatch) -> None:
    real = accumulation._Rows.__init__

    def init(self: Any, images: int, rows: slice) -> None:
        real(self, images, slice(0, rows.stop - rows.start))

    patch.setattr(accumulation._Rows, "__init__", init)


FAULTS = [each_part_draws_for_itself, each_part_draws_its_own_whole, sums_instead_of_means, clipped_before_the_sum, the_first_rows_always]


@pytest.mark.by_default(5)
@pytest.mark.parametrize("family", ["pixelcnn-pp", "pixelvae"])
@pytest.mark.parametrize("fault", FAULTS)
def test_any_rule_got_wrong_is_another_training(family: str, fault: Any, monkeypatch: pytest.MonkeyPatch):
    """Negative control: the law above would see each of these."""
    whole = trained(family, None, 5)
    assert distance(whole, trained(family, 4, 5)) <= 1e-10
    fault(monkeypatch)
    assert distance(whole, trained(family, 4, 5)) > 1e-6


@pytest.mark.by_default(2)
@pytest.mark.parametrize("family", ["pixelcnn-pp", "pixelvae"])
@pytest.mark.parametrize("after", [None, 4, 2])
def test_a_training_in_parts_resumes_bit_for_bit_and_may_go_on_in_others(family: str, after: int | None):
    blobs: list[bytes] = []
    cut = fresh(family, 4, save=blobs.append, stop=lambda: cut.update >= 4)
    for _ in cut.run():
        pass
    torch.manual_seed(999)
    resumed = fresh(family, after)
    resumed.restore(blobs[-1])
    for _ in resumed.run():
        pass
    gap = distance(trained(family, 4), resumed)
    assert gap == 0 if after == 4 else 0 < gap <= 1e-10


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("shape", [(6, 5), (6, 4, 5, 3), (6, 1, 5, 3), (6, 4, 1, 1)])
def test_parts_draw_bit_for_bit_what_the_whole_draws(layout: torch.memory_format, size: int, shape: tuple[int, ...]):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    x = x.contiguous(memory_format=layout) if len(shape) == 4 else x

    def draws(part: Tensor) -> tuple[Tensor, Tensor]:
        return F.dropout(part, 0.3), torch.randn_like(part)

    torch.manual_seed(5)
    whole, after = draws(x), torch.rand(3)
    torch.manual_seed(5)
    found = []
    for rows in micro_batches(6, size):
        with drawn_for_the_whole(6, rows, CPU, last=rows.stop == 6):
            found.append(draws(x[rows]))
    for drawn, parts in zip(whole, zip(*found, strict=True), strict=True):
        assert torch.equal(drawn, torch.cat(parts))
    assert torch.equal(after, torch.rand(3))


@pytest.mark.parametrize(
    ("draw", "named"),
    [
        (lambda x: torch.rand(3), "rand"),
        (lambda x: torch.rand_like(x), "rand_like"),
        (lambda x: torch.bernoulli(x.abs().clamp(max=1)), "bernoulli"),
        (lambda x: x.clone().normal_(), "normal_"),
        (lambda x: F.dropout2d(x[..., None, None]), "dropout2d"),
        (lambda x: torch.randn_like(x[:1]), "1x5 numbers"),
        (lambda x: F.dropout(x.flatten()), "10 numbers"),
    ],
)
def test_what_draws_otherwise_is_refused_and_not_drawn_wrongly(draw: Any, named: str):
    with pytest.raises(NotImplementedError, match=named), drawn_for_the_whole(6, slice(0, 2), CPU, last=False):
        draw(torch.zeros(2, 5))


def test_what_draws_nothing_is_as_ever():
    x = torch.arange(10.0).view(2, 5)
    with drawn_for_the_whole(6, slice(2, 4), CPU, last=False):
        assert torch.equal(F.dropout(x, 0.5, training=False), x)
        assert torch.equal(F.dropout(x, 0.0), x)
        y = x.clone()
        assert F.dropout(y, 0.5, inplace=True) is y
        assert set((y / x.clamp(min=1)).unique().tolist()) <= {0.0, 2.0}
        assert torch.equal(torch.relu(x).sum(), x.sum())


def test_the_first_batch_is_prepared_from_as_a_whole(monkeypatch: pytest.MonkeyPatch):
    seen: list[int] = []
    kind = type(fresh("pixelcnn-pp", None).model)
    monkeypatch.setattr(kind, "prepare", lambda self, images, condition=None: seen.append(len(images)))
    fresh("pixelcnn-pp", 2)
    assert seen == [12]


@pytest.mark.parametrize(("micro_batch", "fitting"), [(5, 4), (7, 6), (11, 6), (8, 6), (0, 1), (-3, 1)])
def test_what_does_not_divide_the_batch_is_refused(micro_batch: int, fitting: int):
    said = f"a batch of 12 images cannot be taken {micro_batch} at a time; expected a divisor, such as {fitting}"
    assert Recipe(batch=12).incompatibility(micro_batch=micro_batch) == said
    with pytest.raises(UserError) as caught:
        fresh("gated-pixelcnn", micro_batch)
    assert str(caught.value) == f"{said}."


def test_a_loss_that_is_no_mean_over_images_is_refused_in_parts_alone():
    said = "free_bits is of the mean of a whole batch, so its 12 images cannot be taken 4 at a time."
    with pytest.raises(UserError) as caught:
        fresh("pixelvae", 4, settings={"free_bits": 0.5})
    assert str(caught.value) == said
    for size in (None, 12, 20):
        fresh("pixelvae", size, settings={"free_bits": 0.5})
    fresh("pixelvae", 4)


def test_what_is_as_large_as_the_batch_is_the_batch():
    for size in (12, 13, 100, None):
        assert Recipe(batch=12).incompatibility(micro_batch=size) is None
        assert micro_batches(12, size) == [slice(0, 12)]
    one, other = trained("pixelcnn-pp", None, 3), trained("pixelcnn-pp", 100, 3)
    assert distance(one, other) == 0


@pytest.mark.parametrize("value", [0.0, 1e-3, 1e3])
def test_each_number_of_a_gradient_is_clipped_before_its_norm(value: float, monkeypatch: pytest.MonkeyPatch):
    trainer = fresh("gated-pixelcnn", None, 1, recipe={"clip_value": value, "clip": 0.01, "ema": 0.0})
    plain = copy.deepcopy(trainer.model)
    plain.train()
    plain.loss(*trainer._batch(0)).backward()
    monkeypatch.setattr(trainer.optimiser, "step", lambda: None)
    trainer._step()
    seen = [w.grad for w in trainer.model.parameters() if w.grad is not None]
    expected = [w.grad for w in plain.parameters() if w.grad is not None]
    assert any(float(g.abs().max()) > 1e-3 for g in expected)
    expected = [g.clamp(-value, value) if value else g for g in expected]
    norm = torch.cat([g.flatten() for g in expected]).norm()
    for found, wanted in zip(seen, expected, strict=True):
        torch.testing.assert_close(found, wanted * min(1.0, 0.01 / (float(norm) + 1e-6)), rtol=1e-12, atol=0)


def test_clipping_by_value_that_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="clip_value must be at least 0"):
        Recipe(clip_value=-1.0)

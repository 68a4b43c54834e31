"""The same code on CUDA: skipped where there is none. One GPU is enough, but for the last law, which needs two.

What needs no device is in `tests/laws/test_device.py`: that an update, a score and a sample read no value back, and can be compiled whole.
"""

import contextlib
import warnings
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import pytest
import torch

from pixelbench.causality import check_causality
from pixelbench.models.families import FAMILIES as REGISTERED
from pixelbench.models.families import create_model
from pixelbench.models.sampling import cached_log_probs
from pixelbench.models.scoring import batched_nats, exact_products
from pixelbench.training.loop import Trainer, TrainingPlan
from pixelbench.training.recipe import Recipe
from pixelbench.training.world import ALONE
from tests.support.compiling import fresh_compiler
from tests.training.together import Together, distance, state

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
FAMILIES = [name for name, family in REGISTERED.items() if family.kind == "network"]
#: What the settings of some families need to be small.
SMALL: dict[str, Any] = {"maps": 12, "layers": 2, "head_maps": 12, "blocks": 1, "scales": 2, "latent": 4, "encoder_maps": 8, "dropout": 0.0}
SMALL |= {"hidden": 60, "masks": 2}


@pytest.mark.parametrize("family", ["pixelcnn-pp", "pixelsnail", "pixelvae"])
def test_micro_batches_draw_on_cuda_what_the_whole_batch_draws(family: str):
    images = torch.randint(levels_of(family), (40, 3, 8, 12), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    found = []
    for size in (None, 4):
        model = on_cuda(family, width=12, **({"dropout": 0.4} if family != "pixelvae" else {})).double()
        recipe = Recipe(batch=12, precision="fp32", learning_rate=1e-2, ema=0.9, clip=0.05)
        trainer = Trainer(model, images[:30], images[30:], recipe, TrainingPlan(20, 1, None, size))
        assert [point.update for point in trainer.run()] == list(range(1, 21))
        found.append((trainer.evaluated.state_dict(), torch.cuda.get_rng_state()))
    (whole, after), (parts, after_parts) = found
    assert max(float((value - parts[name]).abs().max()) for name, value in whole.items()) <= 1e-8
    assert torch.equal(after, after_parts)


def on_cuda(family: str, **changes: Any):
    torch.manual_seed(changes.pop("seed", 0))
    known = {field.name for field in fields(REGISTERED[family].settings)}
    small = {name: value for name, value in SMALL.items() if name in known}
    return create_model(family, **({"channels": 3, "height": 8, "width": 10, "levels": levels_of(family)} | small | changes)).cuda().eval()


def levels_of(family: str) -> int:
    return REGISTERED[family].levels or 8


@pytest.mark.parametrize("family", FAMILIES)
def test_causal_on_cuda(family: str):
    model = on_cuda(family)
    report = check_causality(model.certifiable(), model.shape, levels=model.levels)
    assert (report.verdict, report.unresolved, report.batch_coupling) == ("causal", 0, False)


def test_a_leak_is_the_same_leak_on_both_devices():
    model = on_cuda("gated-pixelcnn", first_layer="residual")
    there, here = check_causality(model, model.shape, levels=8), check_causality(model.cpu(), model.shape, levels=8)
    assert there.faults == here.faults
    assert [(leak.offset, leak.count) for leak in there.leaks] == [(leak.offset, leak.count) for leak in here.leaks]


def test_dropout_on_cuda_is_repeatable_and_no_leak():
    model = torch.nn.Sequential(torch.nn.ZeroPad2d((0, 0, 1, -1)), torch.nn.Conv2d(1, 4, 1), torch.nn.Dropout(0.5)).cuda()
    report = check_causality(model, (1, 6, 5), levels=8, input="unit", mode="train")
    assert (report.verdict, report.context.rows_above) == ("causal", 1)


@pytest.mark.parametrize("family", FAMILIES)
@torch.inference_mode()
def test_both_modes_are_one_function(family: str):
    model = on_cuda(family).double()
    images = torch.randint(model.levels, (4, *model.shape), device="cuda")
    z = (torch.randn(4, model.settings.latent, device="cuda", dtype=torch.float64),) if model.latent else ()
    full, cached = model.conditionals(images, *z), cached_log_probs(model, images, *z)
    assert float((full - cached).abs().max()) <= 1e-10 * float(full.abs().max())


@pytest.mark.parametrize("family", FAMILIES)
def test_a_generator_gives_the_same_images_on_both_devices(family: str):
    model = on_cuda(family).double()
    images = model.sample(4, generator=torch.Generator().manual_seed(1))
    assert torch.equal(images.cpu(), model.cpu().sample(4, generator=torch.Generator().manual_seed(1)))


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_trains_in_bf16(family: str):
    images = torch.randint(levels_of(family), (32, 3, 8, 10), dtype=torch.uint8)
    trainer = Trainer(on_cuda(family), images, images[:8], Recipe(precision="bf16", batch=8), TrainingPlan(3, 0))
    list(trainer.run())
    assert trainer.status == "done"


@contextlib.contextmanager
def no_waiting() -> Iterator[None]:
    """What waits for the device raises an error."""
    try:
        with warnings.catch_warnings(action="ignore"):  # that the mode is a prototype
            torch.cuda.set_sync_debug_mode("error")
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_it_learns_in_both_precisions_without_waiting_for_the_device(precision: str):
    images = torch.randint(2, (256, 1, 8, 10), dtype=torch.uint8).repeat(1, 3, 1, 1)  # three equal colours: R alone is free
    trainer = Trainer(
        on_cuda("gated-pixelcnn", levels=2, input_encoding="one-hot"),
        images,
        images[:64],
        Recipe(precision=precision, learning_rate=1e-2, ema=0.9),  # type: ignore[arg-type]
        TrainingPlan(150, 0),
    )
    trainer._step()
    with no_waiting():
        for _ in range(10):
            trainer._step()
    points = list(trainer.run())
    assert points[-1].train_bits_per_dim < 0.5


@pytest.mark.parametrize("family", FAMILIES)
def test_a_compiled_update_is_the_eager_one(family: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("torch._inductor.config.fallback_random", True)  # draws noise as eager operators do
    images = torch.randint(levels_of(family), (8, 3, 8, 10), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    found = []
    for compiled in (False, True):
        trainer = Trainer(on_cuda(family), images, images, Recipe(precision="fp32", batch=8), TrainingPlan(3, 0))
        trainer.model.train()
        trainer.model.begin_update(0)
        forward = torch.compile(trainer._forward, fullgraph=True) if compiled else trainer._forward
        torch.manual_seed(1)
        with fresh_compiler(), exact_products():
            loss = forward(trainer._batch(0))
            loss.backward()
        found.append([loss.detach(), *(weight.grad for weight in trainer.model.parameters() if weight.grad is not None)])
    for eager, traced in zip(*found, strict=True):
        torch.testing.assert_close(eager, traced, rtol=1e-3, atol=1e-5 + 1e-4 * float(eager.abs().max()))


def test_bf16_ends_within_the_spread_of_seeds():
    images = torch.randint(4, (256, 1, 8, 10), generator=torch.Generator().manual_seed(0), dtype=torch.uint8).repeat(1, 3, 1, 1)

    def nats(seed: int, precision: str) -> float:
        model = on_cuda("gated-pixelcnn", seed=seed, levels=4)
        trainer = Trainer(model, images[:192], images[192:], Recipe(precision=precision, learning_rate=5e-3), TrainingPlan(100, seed))  # type: ignore[arg-type]
        assert list(trainer.run())[-1].update == 100
        return float(batched_nats(trainer.evaluated, images[192:]).mean())

    single, low = (torch.tensor([nats(seed, precision) for seed in range(5)]) for precision in ("fp32", "bf16"))
    assert float((low - single).mean().abs()) <= 2 * float(single.std()) + 1e-3 * float(single.mean())


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs")
@pytest.mark.parametrize("family", FAMILIES)
def test_two_gpus_equal_one(family: str):
    processes = Together(2, "cuda")
    try:
        first, second = processes(2, state, family, device="cuda")
    finally:
        processes.end()
    assert isinstance(first, bytes), first
    assert distance(first, state(ALONE, family, device="cuda")) <= 1e-8
    assert distance(first, second) == 0

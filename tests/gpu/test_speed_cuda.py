"""What makes it fast on CUDA, and that it changes no number: compiled steps, fused Adam, images drawn in parts, measurements.

Needs one CUDA device of any kind with 2 GiB free, and triton for the compiled steps, which comes with torch's CUDA wheels; skipped where
there is none. About five minutes, most of it compilation: `pytest -n 0 tests/gpu/test_speed_cuda.py`.
"""

from collections.abc import Iterator

import pytest
import torch

from pixelbench.evaluation.sample_batches import affordable_images, sample_in_batches
from pixelbench.experiments.bench.measure import measure
from pixelbench.experiments.bench.subjects import of_family
from pixelbench.training import compilers
from pixelbench.training.compiling import MiscompiledError
from pixelbench.training.loop import Trainer, TrainingPlan
from pixelbench.training.recipe import Recipe
from tests.gpu.test_cuda import FAMILIES, levels_of, on_cuda
from tests.support.compiling import fresh_compiler

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
COMPILED = pytest.mark.skipif(compilers.why_not("cuda") is not None, reason=f"{compilers.why_not('cuda')}")


@pytest.fixture(autouse=True)
def its_own_warnings() -> Iterator[None]:
    with fresh_compiler():
        yield


def trainer_of(family: str, precision: str = "fp32", *, double: bool = False, seed: int = 0) -> Trainer:
    images = torch.randint(levels_of(family), (64, 3, 8, 10), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    model = on_cuda(family)
    recipe = Recipe(batch=16, precision=precision, learning_rate=1e-3, ema=0.9)  # type: ignore[arg-type]
    return Trainer(model.double() if double else model, images, images[:16], recipe, TrainingPlan(20, seed))


def compiled_trainer_of(family: str, precision: str = "fp32", *, double: bool = False) -> Trainer:
    """What a run trains with; of what the compiler makes another network of, a run is trained as it is, and there is nothing to test."""
    trainer = trainer_of(family, precision, double=double)
    try:
        trainer.compile()
    except MiscompiledError as fault:
        pytest.skip(f"not compiled here: {fault}")
    return trainer


@COMPILED
@pytest.mark.parametrize("family", FAMILIES)
def test_a_compiled_training_is_the_training(family: str):
    """Float64, CUDA graphs and all: what differs is rounding."""
    eager = trainer_of(family, double=True)
    list(eager.run())
    compiled = compiled_trainer_of(family, double=True)
    list(compiled.run())
    for one, other in zip(eager.curve, compiled.curve, strict=True):
        assert one.train_bits_per_dim == pytest.approx(other.train_bits_per_dim, rel=1e-9)


@COMPILED
@pytest.mark.parametrize("family", FAMILIES)
def test_a_compiled_training_in_bf16_is_within_the_spread_of_seeds(family: str):
    ends = []
    for seed in range(4):
        eager = trainer_of(family, "bf16", seed=seed)
        list(eager.run())
        ends.append(eager.curve[-1].train_bits_per_dim)
    compiled = compiled_trainer_of(family, "bf16")
    list(compiled.run())
    assert abs(compiled.curve[-1].train_bits_per_dim - ends[0]) <= max(max(ends) - min(ends), 1e-3 * ends[0])


@pytest.mark.parametrize("family", FAMILIES)
def test_a_resumed_training_goes_on_to_the_bit_with_fused_adam(family: str, monkeypatch: pytest.MonkeyPatch):
    """Sums from a checkpoint lie in memory as they were packed, and fused kernels read them as weights lie.

    With convolutions that are deterministic: those of PixelCNN++ are not by themselves, on an H200 in the ninth digit.
    """
    monkeypatch.setattr("torch.backends.cudnn.deterministic", True)
    blobs: list[bytes] = []
    whole = trainer_of(family)
    assert all(group["fused"] for group in whole.optimiser.param_groups)
    for point in whole.run():
        if point.update == 10:
            blobs.append(whole.state())
    resumed = trainer_of(family)
    resumed.restore(blobs[0])
    list(resumed.run())
    assert [point.train_bits_per_dim for point in resumed.curve] == [point.train_bits_per_dim for point in whole.curve]


@pytest.mark.parametrize("family", FAMILIES)
def test_images_drawn_in_parts_are_the_whole_with_a_generator_of_the_device(family: str):
    model = on_cuda(family).double()
    found = [sample_in_batches(model, 7, most, generator=torch.Generator("cuda").manual_seed(3)) for most in (None, 3)]
    assert torch.equal(*found)
    assert affordable_images(model) >= 64


def test_a_measurement_names_the_device_and_its_memory():
    record = measure(of_family("gated-pixelcnn", settings={"layers": 2, "maps": 16}, batch=64, device="cuda"), "cuda", 5.0)
    assert record.device == f"cuda ({torch.cuda.get_device_name()})"
    assert record.subject.precision == "bf16"
    assert 0 < record.memory["training"] <= record.memory["all"] < torch.cuda.get_device_properties(0).total_memory
    assert max(record.tried)[0] >= 64

"""Law: a compiled training is the training, to rounding; and what `auto` decides follows from what was measured."""

import contextlib
import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from pixelbench.models.base import AutoregressiveModel
from pixelbench.training import compilers, compiling, loop
from pixelbench.training.compiling import MiscompiledError, check_compiled, measure_compiled
from pixelbench.training.loop import Trainer
from pixelbench.training.optimisers import load_state
from tests.support.compiling import fresh_compiler
from tests.training.test_accumulation import NETWORKS, distance, fresh

#: Float64, after eight updates with dropout, latents, a KL weight that grows, and masks that change.
TOLERANCE = 1e-9


@pytest.fixture(autouse=True)
def its_own_warnings() -> Iterator[None]:
    with fresh_compiler():
        yield


def both(family: str, monkeypatch: pytest.MonkeyPatch, backend: str) -> tuple[Trainer, Trainer]:
    """A training as it is, and compiled; after the fourth update nothing is compiled any more."""
    monkeypatch.setattr(loop, "compiled_loss", lambda model: compiling.compiled_loss(model, backend))
    eager = fresh(family, None)
    for _ in range(8):
        eager.step()
    compiled = fresh(family, None)
    compiled.compile()
    for _ in range(4):
        compiled.step()
    with torch._dynamo.config.patch(error_on_recompile=True):
        for _ in range(4):
            compiled.step()
    return eager, compiled


@pytest.mark.by_default(1)
@pytest.mark.parametrize("family", ["gated-pixelcnn", "vae", "made"])
def test_the_traced_loss_is_the_loss_and_is_traced_once(family: str, monkeypatch: pytest.MonkeyPatch):
    assert distance(*both(family, monkeypatch, "eager")) <= TOLERANCE


@pytest.mark.grid
@pytest.mark.parametrize("family", NETWORKS)
def test_the_traced_loss_is_the_loss_of_every_family(family: str, monkeypatch: pytest.MonkeyPatch):
    assert distance(*both(family, monkeypatch, "eager")) <= TOLERANCE


@pytest.mark.grid
@pytest.mark.skipif(compilers.why_not("cpu") is not None, reason="no compiler")
@pytest.mark.parametrize("family", NETWORKS)
def test_the_compiled_loss_is_the_loss(family: str, monkeypatch: pytest.MonkeyPatch):
    eager, compiled = both(family, monkeypatch, "inductor")
    assert distance(eager, compiled) <= TOLERANCE
    assert float(eager._loss) == pytest.approx(float(compiled._loss), rel=1e-10)


def test_micro_batches_are_not_compiled():
    with pytest.raises(ValueError, match="micro-batches cannot be compiled"):
        fresh("made", 4).compile()


def stronger(model: AutoregressiveModel, images: Tensor) -> Tensor:
    return 1.05 * model.loss(images)


def without_a_gradient(model: AutoregressiveModel, images: Tensor) -> Tensor:
    """The right number, and nothing for one weight to learn from."""
    loss, weight = model.loss(images), next(model.parameters())
    (gradient,) = torch.autograd.grad(loss, weight, retain_graph=True)
    return loss - ((weight - weight.detach()) * gradient).sum()


def with_other_noise(model: AutoregressiveModel, images: Tensor) -> Tensor:
    torch.rand(1)
    return model.loss(images)


def replays() -> Callable[[AutoregressiveModel, Tensor], Tensor]:
    """As a CUDA graph that is right until it is replayed."""
    calls = iter(range(1000))
    return lambda model, images: model.loss(images if next(calls) < 4 else images.flip(0) * 0)


def rounded(model: AutoregressiveModel, images: Tensor) -> Tensor:
    return model.loss(images) * (1 + 1e-3)


def sees_them_backwards(model: AutoregressiveModel, images: Tensor) -> Tensor:
    """In the order of another sum; what is drawn for them is not."""
    return model.loss(images.flip(0))


class Noisy(torch.nn.Module):
    """As modules of others are: with running statistics."""

    def __init__(self, whole: AutoregressiveModel):
        super().__init__()
        self.whole, self.norm = whole, torch.nn.BatchNorm1d(2).double()

    def loss(self, images: Tensor) -> Tensor:
        return self.whole.loss(images) + 0 * self.norm(images.double().flatten(1)[:, :2]).sum()


@pytest.mark.parametrize("made", [1.0, 1.5])
@pytest.mark.parametrize("autocast", [False, True])
def test_checking_leaves_running_statistics_as_they_are(made: float, autocast: bool):
    trainer = fresh("fvsbn", None)
    model: Any = Noisy(trainer.model)
    model.device, model.begin_update = torch.device("cpu"), trainer.model.begin_update
    before = copy.deepcopy(model.state_dict())
    with contextlib.nullcontext() if made == 1.0 else pytest.raises(MiscompiledError):
        check_compiled(model, lambda images: made * model.loss(images), trainer.first_batch(), 0, autocast=autocast)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_what_changes_with_the_updates_is_compared_in_several():
    """A compiler that has compiled the first mask in."""
    trainer = fresh("made", None)

    def stuck(images: Tensor) -> Tensor:
        trainer.model.begin_update(0)
        return trainer.model.loss(images)

    with pytest.raises(MiscompiledError):
        check_compiled(trainer.model, stuck, trainer.first_batch(), 0)


@pytest.mark.parametrize(
    ("made", "family", "found"),
    [
        (stronger, "gated-pixelcnn", "its loss of the first batch is "),
        (without_a_gradient, "gated-pixelcnn", "its gradient of .* differs from the network's, by 100%"),
        (with_other_noise, "pixelcnn-pp", "its (loss|gradient) of "),
        (replays(), "gated-pixelcnn", "its (loss|gradient) of "),
        (lambda model, images: model.loss(images), "pixelcnn-pp", None),
        (rounded, "gated-pixelcnn", None),
        (sees_them_backwards, "gated-pixelcnn", None),
    ],
)
def test_what_is_compiled_is_held_against_the_network(made: Any, family: str, found: str | None, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(loop, "compiled_loss", lambda model: lambda images: made(model, images))
    trainer = fresh(family, None)
    before, state = copy.deepcopy(trainer.model.state_dict()), torch.get_rng_state()
    if found is None:
        trainer.compile()
    else:
        with pytest.raises(MiscompiledError, match=found):
            trainer.compile()
        trainer.step()
        assert distance(trainer, stepped(family)) == 0
        return
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(value, before[name]) for name, value in trainer.model.state_dict().items())
    assert all(weight.grad is None for weight in trainer.model.parameters())


def stepped(family: str) -> Trainer:
    trainer = fresh(family, None)
    trainer.step()
    return trainer


def test_a_training_that_has_diverged_can_go_on_compiled(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(loop, "compiled_loss", lambda model: model.loss)
    trainer = fresh("gated-pixelcnn", None)
    with torch.no_grad():
        next(trainer.model.parameters()).fill_(torch.nan)
    trainer.compile()


class Clock:
    """Every look takes what the last loss takes: a second as it is, `compiled` seconds compiled, and `first` at the first compiled call."""

    def __init__(self, compiled: float, first: float = 5.0):
        self.now, self.compiled, self.next = 0.0, compiled, [first]
        self.spent = 1.0

    def __call__(self) -> float:
        self.now += self.spent / 2
        self.spent = 1.0
        return self.now

    def compile_loss(self, model: Any) -> Callable[..., Tensor]:
        def loss(*batch: Tensor) -> Tensor:
            self.spent = 2 * (self.next.pop() if self.next else self.compiled) - 1.0
            return model.loss(*batch)

        return loss


def measured(clock: Clock, updates: int) -> compiling.Measured:
    trainer = fresh("made", None)
    before = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    state = torch.get_rng_state()
    found = measure_compiled(trainer.model, trainer.first_batch(), updates, compile_loss=clock.compile_loss, clock=clock)
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(value, before[name]) for name, value in trainer.model.state_dict().items())
    assert all(weight.grad is None for weight in trainer.model.parameters())
    return found


@pytest.mark.parametrize(
    ("compiled", "first", "updates", "pays"),
    [
        (0.7, 5.0, 1000, True),
        (1.4, 5.0, 1000, False),  # the mirror image: compiled steps take longer
        (1.0, 5.0, 1000, False),
        (0.7, 500.0, 1000, False),  # what all updates save is less than the compilation
    ],
)
def test_it_is_compiled_where_that_was_measured_to_pay(compiled: float, first: float, updates: int, pays: bool):
    found = measured(Clock(compiled, first), updates)
    assert found.pays == pays
    assert "compiled, and the compilation" in found.said


def test_a_short_training_is_not_even_tried():
    clock = Clock(0.1)
    assert not measured(clock, 3).pays
    assert clock.next, "nothing was compiled"


def test_a_compiler_that_fails_is_no_failure():
    trainer = fresh("made", None)

    def broken(model: Any) -> Callable[..., Tensor]:
        def loss(*batch: Tensor) -> Tensor:
            raise RuntimeError("no header\nand more")

        return loss

    found = measure_compiled(trainer.model, trainer.first_batch(), 10**6, compile_loss=broken)
    assert not found.pays
    assert found.said == "the compilation failed (RuntimeError: no header)"


def test_without_a_compiler_a_sentence_says_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(compilers.shutil, "which", lambda name: None)
    assert compilers.why_not("cpu") == "there is no C++ compiler here; install g++"
    monkeypatch.setattr(compilers, "find_spec", lambda name: None)
    assert "triton" in (compilers.why_not("cuda:1") or "")


def test_a_state_lies_in_memory_as_its_weights_do():
    weight = torch.nn.Parameter(torch.randn(4, 3, 2, 2).contiguous(memory_format=torch.channels_last))
    optimiser = torch.optim.Adam([weight])
    weight.grad = torch.randn(4, 3, 2, 2)
    optimiser.step()
    state = optimiser.state_dict()
    average = torch.arange(48.0).view(4, 3, 2, 2)
    state["state"][0]["exp_avg"] = average
    load_state(optimiser, state)
    loaded = optimiser.state[weight]["exp_avg"]
    assert loaded.stride() == weight.stride() != average.stride()
    assert torch.equal(loaded, average)

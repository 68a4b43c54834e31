"""Modules that carry something from one call to the next, that leak in later calls only, or after a training step only."""

import copy
import random
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from pixelbench.causality.check import measure
from pixelbench.causality.probing.evidence import Evidence
from pixelbench.errors import UserError
from tests.causality.nets import LEVELS, Net, WithDropout

SHAPE = (1, 4, 5)


class Counting(Net):
    """Adds `amount(calls, images)`; counts its calls in an attribute, which starts at 0 and may live in a buffer or in a dict."""

    def __init__(self, amount: Callable[[int, Tensor], Tensor | float], keep: str = "attribute") -> None:
        super().__init__(1)
        self.amount, self.keep = amount, keep
        self.calls = 0
        self.notes: dict[str, list[int]] = {"calls": []}
        self.register_buffer("counter", torch.zeros((), dtype=torch.int64))

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images) + self.amount(self.count(), images)

    def count(self) -> int:
        if self.keep == "buffer":
            self.counter += 1
            return int(self.counter)
        if self.keep == "dict":
            self.notes["calls"].append(1)
            return len(self.notes["calls"])
        self.calls += 1
        return self.calls


def itself(images: Tensor) -> Tensor:
    return 0.01 * images[:, None]


LATER: dict[str, Callable[[int, Tensor], Tensor | float]] = {
    "from the second call on": lambda calls, images: itself(images) if calls > 1 else 0.0,
    "from the fourth call on": lambda calls, images: itself(images) if calls > 3 else 0.0,
    "in the third call only": lambda calls, images: itself(images) if calls == 3 else 0.0,
    "in even calls": lambda calls, images: itself(images) * (calls % 2 == 0),
    "beside a growing bias": lambda calls, images: calls + (itself(images) if calls == 2 else 0.0),
}


@pytest.mark.by_default(5)
@pytest.mark.parametrize("keep", ["attribute", "buffer", "dict"])
@pytest.mark.parametrize("name", LATER)
def test_a_leak_of_a_later_call_is_found(name: str, keep: str) -> None:
    evidence = measured(Counting(LATER[name], keep))
    assert kinds(evidence) == {0}
    assert evidence.leaking.sum() == 20
    assert not evidence.repeatable
    assert "those of later calls" in evidence.method.probes


@pytest.mark.parametrize("keep", ["attribute", "buffer", "dict"])
def test_a_module_that_only_counts_is_clean_and_not_repeatable(keep: str) -> None:
    evidence = measured(Counting(lambda calls, images: float(calls), keep))
    assert not evidence.leaking.any()
    assert not evidence.repeatable
    assert evidence.complete


def test_a_count_that_changes_nothing_is_repeatable() -> None:
    evidence = measured(Counting(lambda calls, images: 0.0))
    assert evidence.repeatable
    assert "those of later calls" not in evidence.method.probes


class Caching(Net):
    """Takes the image before for the one it is given: each output depends on the call before only, so it is no function of its input."""

    cache: Tensor | None = None

    def forward(self, images: Tensor) -> Tensor:
        before = images if self.cache is None or len(self.cache) != len(images) else self.cache
        self.cache = images.clone()
        return super().forward(before)


def test_a_cache_is_emptied_before_each_call_and_said() -> None:
    evidence = measured(Caching(1))
    assert not evidence.leaking.any()
    assert not evidence.repeatable


class KeepsFirst(Net):
    """A mask made in the first call, the wrong one made in later calls."""

    mask: Tensor | None = None

    def forward(self, images: Tensor) -> Tensor:
        if self.mask is None:
            self.mask = torch.zeros(images.shape[1:])
        else:
            self.mask = self.mask + 1
        return super().forward(images) + 0.1 * (self.mask.clamp(max=1) * images)[:, None]


def test_a_lazily_made_attribute_is_taken_away_again() -> None:
    module = KeepsFirst(1)
    evidence = measured(module)
    assert kinds(evidence) == {0}
    assert module.mask is None


def test_spectral_norm_in_training_is_clean() -> None:
    net = Net(3)
    spectral_norm(net.b, "weight")
    evidence = measured(net, shape=(3, 4, 5), mode="train")
    assert not evidence.leaking.any()
    assert not evidence.repeatable
    assert measured(net, shape=(3, 4, 5)).repeatable


def test_what_is_kept_outside_the_module_is_refused() -> None:
    calls = []
    with pytest.raises(UserError, match="not a function of its input"):
        measured(Counting(lambda count, images: float(calls.append(0) or len(calls))))


class OtherNoise(Net):
    """Dropout by the generators of numpy and of Python."""

    def middle(self, h: Tensor) -> Tensor:
        keep = np.random.random(h.shape[1:]) < 0.7
        return super().middle(h * torch.from_numpy(keep) * (1 + random.random()))


def test_random_states_are_seeded_and_put_back() -> None:
    module = OtherNoise(1)
    expected = drawn_from_three_generators(module, check=False)
    assert drawn_from_three_generators(module, check=True) == expected


def drawn_from_three_generators(module: nn.Module, *, check: bool) -> list[float]:
    random.seed(3)
    np.random.seed(3)
    torch.manual_seed(3)
    if check:
        evidence = measured(module, seeded=False)
        assert not evidence.leaking.any()
        assert evidence.repeatable
    return [random.random(), float(np.random.random()), float(torch.rand(()))]


class OwnGenerator(Net):
    """Draws from a generator of its own, which nobody seeds."""

    def __init__(self) -> None:
        super().__init__(1)
        self.generator = np.random.default_rng(1)

    def middle(self, h: Tensor) -> Tensor:
        return super().middle(h * float(self.generator.random()))


def test_a_generator_of_its_own_is_put_back() -> None:
    module = OwnGenerator()
    before = copy.deepcopy(module.generator)
    evidence = measured(module)
    assert not evidence.leaking.any()
    assert not evidence.repeatable
    assert module.generator.random() == before.random()


class InList(Net):
    """A part in a plain list: neither `modules()` nor `double()` finds it."""

    def __init__(self) -> None:
        super().__init__(1)
        self.parts = [nn.Conv2d(self.maps, self.maps, 1), WithDropout(1)]

    def middle(self, h: Tensor) -> Tensor:
        return super().middle(self.parts[0](h))


def test_parts_in_plain_lists_are_in_float64_too() -> None:
    module = InList()
    assert not measured(module).leaking.any()
    assert module.parts[0].weight.dtype == torch.float32


class MaskedOnce(Net):
    """Weights multiplied by their masks once, at the start."""

    def __init__(self, channels: int = 1) -> None:
        super().__init__(channels)
        with torch.no_grad():
            for layer in (self.a, self.b, self.c):
                layer.weight.mul_(layer.mask)
                layer.mask = torch.ones_like(layer.mask)


def test_a_mask_multiplied_once_is_clean_before_a_step_and_leaks_after_it() -> None:
    module = MaskedOnce()
    before = copy.deepcopy(module.state_dict())
    assert not measured(module).leaking.any()
    evidence = measured(module, after_step=True)
    assert evidence.after_step
    assert evidence.leaking.any()
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert all(parameter.grad is None for parameter in module.parameters())


@pytest.mark.parametrize("mode", ["eval", "train"])
def test_a_functional_mask_is_clean_after_a_step(mode: str) -> None:
    module = Net(3)
    module.eval()
    evidence = measured(module, shape=(3, 4, 5), mode=mode, after_step=True)
    assert not evidence.leaking.any()
    assert evidence.repeatable
    assert not module.training


class Free(nn.Module):
    """No parameters, or none that a gradient reaches."""

    def __init__(self, parameter: nn.Parameter | None = None) -> None:
        super().__init__()
        self.parameter = parameter

    def conditionals(self, images: Tensor) -> Tensor:
        return torch.zeros(images[:, None].shape) + (0 if self.parameter is None else (self.parameter * images[:, None]).detach())


class Flat(Free):
    """A gradient arrives, and is zero."""

    def conditionals(self, images: Tensor) -> Tensor:
        assert self.parameter is not None
        return torch.zeros(images[:, None].shape) + 0 * self.parameter


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (Free(), "no parameters that could be trained; check Free without the training step"),
        (Free(nn.Parameter(torch.ones(1), requires_grad=False)), "no parameters that could be trained"),
        (Free(nn.Parameter(torch.ones(1))), "has no gradient"),
        (Flat(nn.Parameter(torch.ones(1))), "No gradient reaches"),
    ],
)
def test_what_cannot_be_trained_is_said(module: nn.Module, message: str) -> None:
    with pytest.raises(UserError, match=message):
        measured(module, after_step=True)


def measured(module: nn.Module, *, shape: tuple[int, int, int] = SHAPE, seeded: bool = True, **options) -> Evidence:
    if seeded:
        torch.manual_seed(4)
    return measure(module, shape, levels=LEVELS, input="int", output="b k c h w", **options)


def kinds(evidence: Evidence) -> set[int]:
    """Input minus output, in places, of all leaks."""
    outputs, columns = np.nonzero(evidence.leaking)
    return set((evidence.positions[columns] - outputs).tolist())

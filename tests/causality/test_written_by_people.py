"""Habits of other people's code that have nothing to do with causality: each in a module that is causal, and in one that is not."""

import io
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelbench.causality import CausalityReport, check_causality
from pixelbench.errors import UserError
from tests.causality.nets import MaskedConv

SHAPE = (1, 5, 4)


@pytest.fixture(autouse=True)
def _same_weights() -> None:
    torch.manual_seed(3)


def checked(module: Any, shape: tuple[int, ...] = SHAPE, **options: Any) -> CausalityReport:
    given: dict[str, Any] = {"levels": 4} | options
    return check_causality(module, shape, **given)


class Plain(nn.Module):
    """Four logits a pixel; with `own` a leak."""

    def __init__(self, *, own: bool) -> None:
        super().__init__()
        self.first, self.last = MaskedConv(1, 8, 1, own=own), nn.Conv2d(8, 4, 1)

    def logits(self, x: Tensor) -> Tensor:
        return self.last(torch.tanh(self.first(x.to(self.last.weight.dtype))))

    def forward(self, x: Tensor) -> Any:
        return self.logits(x)


def assert_told_apart(build: Callable[..., nn.Module], **options: Any) -> None:
    """The causal one is causal, and the other sees itself."""
    assert checked(build(own=False), **options).verdict == "causal"
    report = checked(build(own=True), **options)
    assert (report.verdict, report.sees_itself) == ("leaky", True)


# What things are called.


class Layers(Plain):
    """Calls its last layers as our contract calls a method."""

    def __init__(self, *, own: bool) -> None:
        super().__init__(own=own)
        self.conditionals = nn.ModuleList([nn.Conv2d(4, 4, 1)])

    def forward(self, x: Tensor) -> Tensor:
        return self.conditionals[0](self.logits(x))


class Flag(Plain):
    conditionals = True


@pytest.mark.parametrize("build", [Layers, Flag])
def test_a_part_that_is_called_conditionals_is_no_method_of_ours(build: Callable[..., nn.Module]) -> None:
    assert_told_apart(build)


def test_where_the_method_fails_it_is_said_that_it_was_called() -> None:
    class OfOnePixel(Plain):
        def conditionals(self, x: Tensor, place: int) -> Tensor:
            return self.logits(x).flatten(2)[..., place]

    with pytest.raises(UserError, match=r"called through its method conditionals\(images\).*place"):
        checked(OfOnePixel(own=False))


class TrainsItself(Plain):
    """Its training loop has the name of the method that sets the mode; the dropout is one that a copy in training would have."""

    def __init__(self, *, own: bool) -> None:
        super().__init__(own=own)
        self.further = nn.Dropout(0.5)

    def train(self, images: Tensor, epochs: int = 10) -> None:  # type: ignore[override]
        raise RuntimeError("not in a check")

    def forward(self, x: Tensor) -> Tensor:
        return self.further(self.logits(x))


@pytest.mark.parametrize("mode", ["eval", "train"])
@pytest.mark.parametrize("build", [TrainsItself, lambda own: nn.Sequential(TrainsItself(own=own))])
def test_a_training_loop_called_train_is_not_called(build: Callable[..., nn.Module], mode: str) -> None:
    assert_told_apart(build, mode=mode)


class FrozenNorm(nn.Module):
    """Keeps its normalisation in evaluation mode while it is trained, or does not."""

    def __init__(self, *, frozen: bool) -> None:
        super().__init__()
        self.net, self.norm, self.last, self.frozen = MaskedConv(1, 8, 1, own=False), nn.BatchNorm2d(8), nn.Conv2d(8, 4, 1), frozen

    def train(self, mode: bool = True) -> "FrozenNorm":
        super().train(mode)
        if self.frozen:
            self.norm.eval()
        return self

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.norm(self.net(x.to(self.last.weight.dtype))))


def test_what_a_module_freezes_stays_frozen_in_training() -> None:
    assert checked(FrozenNorm(frozen=True), mode="train").verdict == "causal"
    assert checked(FrozenNorm(frozen=False), mode="train").batch_coupling > 0


# What comes out.


class WithGradients(Plain):
    """Turns gradients on, as what is called from a training script does."""

    def forward(self, x: Tensor) -> Tensor:
        with torch.enable_grad():
            return self.logits(x)


class IntoItsBuffer(Plain):
    """Returns memory that the next call writes again."""

    def __init__(self, *, own: bool) -> None:
        super().__init__(own=own)
        self.register_buffer("written", torch.zeros(64, 4, *SHAPE[1:]))

    def forward(self, x: Tensor) -> Tensor:
        written = self.get_buffer("written")[: len(x)]
        written.copy_(self.logits(x))
        return written


@pytest.mark.parametrize("build", [WithGradients, IntoItsBuffer])
def test_outputs_may_have_gradients_and_lie_in_memory_of_the_module(build: Callable[..., nn.Module]) -> None:
    assert_told_apart(build)


class Sparse(Plain):
    def forward(self, x: Tensor) -> Tensor:
        return self.logits(x).to_sparse()


class PixelsFirst(Plain):
    """As transformers had it before batches came first."""

    def forward(self, x: Tensor) -> Tensor:
        return self.logits(x).flatten(2).permute(2, 0, 1)


class AllPixels(Plain):
    """As cross entropy takes it."""

    def forward(self, x: Tensor) -> Tensor:
        return self.logits(x).movedim(1, -1).flatten(0, 2)


def test_images_need_not_come_first_and_tensors_not_be_dense() -> None:
    assert_told_apart(Sparse)
    for build, pattern, shape in ((PixelsFirst, "(h w) b k", "(20, 2, 4)"), (AllPixels, "(b h w) k", "(40, 4)")):
        assert_told_apart(build, output=pattern)
        with pytest.raises(UserError) as raised:
            checked(build(own=False))
        assert f"{shape} for 2 images: its first axis is not the 2 images; say which it is with output" in str(raised.value)
        assert f'"{pattern}"' in str(raised.value)


class Wrapped(Plain):
    def forward(self, x: Tensor) -> Any:
        return ({"states": [self.logits(x)], "length": 3},)


def test_the_only_output_may_be_a_part_of_a_part() -> None:
    assert_told_apart(Wrapped)

    class Several(Plain):
        def forward(self, x: Tensor) -> Any:
            return {"out": (self.logits(x), self.logits(x))}

    with pytest.raises(UserError, match=r"--select out"):
        checked(Several(own=False))


def test_outputs_without_sizes_or_images_are_refused_in_a_sentence() -> None:
    class Nested(Plain):
        def forward(self, x: Tensor) -> Tensor:
            return torch.nested.nested_tensor(list(self.logits(x)))

    class OneImage(Plain):
        def forward(self, x: Tensor) -> Tensor:
            return self.logits(x)[0]

    for build, said in ((Nested, "returns a nested tensor"), (OneImage, "its first axis must be the 2 images")):
        with pytest.raises(UserError, match=said):
            checked(build(own=False))


# What enters.


class ChangesItsInput(Plain):
    """Scales in place, and looks up what it finds."""

    def __init__(self, *, own: bool) -> None:
        super().__init__(own=own)
        self.embed = nn.Embedding(4, 1)

    def forward(self, x: Tensor) -> Tensor:
        x *= 2
        x -= 1
        if not x.is_floating_point():
            raise TypeError("floats in [-1, 1] are wanted")
        return super().forward(self.embed(((x + 1) * 1.5).round().long()[:, 0]).movedim(-1, 1))


def test_what_enters_may_be_changed_in_place() -> None:
    """Also by a call that then fails: the next trial is of the same images."""
    assert_told_apart(ChangesItsInput)


def test_a_parameter_that_no_image_enters_is_causal() -> None:
    class Constant(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bias = nn.Parameter(torch.randn(1, 4, *SHAPE[1:]))

        def forward(self, x: Tensor) -> Tensor:
            return self.bias.expand(len(x), -1, -1, -1)

    report = checked(Constant())
    assert (report.verdict, report.doubts, report.faults) == ("causal", (), ("nothing-seen",))


def test_a_head_with_weights_of_its_own_is_a_head() -> None:
    scale = nn.Parameter(torch.ones(4, 1, 1, 1, dtype=torch.float64))

    def scaled(output: Tensor, images: Tensor, levels: int) -> Tensor:
        return output * scale

    assert_told_apart(Plain, head=scaled)


# Hooks: in a copy they must hold the copy, not the module that was copied.


class MaskedByAHook(nn.Module):
    """The mask is multiplied with the weight before each call, by a function that holds the whole module."""

    def __init__(self, *, own: bool) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(1, 8, 3, padding=1), nn.Conv2d(8, 4, 1)
        mask = torch.ones(3, 3)
        mask[1, 1 + own :], mask[2] = 0, 0
        self.register_buffer("mask", mask)

        def multiply(*_: Any) -> None:
            self.first.weight.data.mul_(self.get_buffer("mask"))

        self.first.register_forward_pre_hook(multiply)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.tanh(self.first(x.to(self.last.weight.dtype))))


class KeptByAHook(nn.Module):
    """Features are taken from a dict that a hook fills, as features of pretrained networks are."""

    def __init__(self, *, own: bool) -> None:
        super().__init__()
        self.net, self.last, self.kept = MaskedConv(1, 8, 1, own=own), nn.Conv2d(8, 4, 1), {}
        kept = self.kept
        self.net.register_forward_hook(lambda module, images, features: kept.update(features=features))

    def forward(self, x: Tensor) -> Tensor:
        self.net(x.to(self.last.weight.dtype))
        return self.last(self.kept["features"])


class HeldByAHookAlone(nn.Module):
    """A layer that is no part of the module."""

    def __init__(self, *, own: bool) -> None:
        super().__init__()
        self.net, last = MaskedConv(1, 8, 1, own=own), nn.Conv2d(8, 4, 1)
        self.net.register_forward_hook(lambda module, images, features: last(features))

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x.to(self.net.weight.dtype))


@pytest.mark.parametrize("build", [MaskedByAHook, KeptByAHook, HeldByAHookAlone])
def test_hooks_belong_to_the_copy_that_is_checked(build: Callable[..., nn.Module]) -> None:
    assert_told_apart(build)
    module = build(own=False)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    checked(module)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


# What cannot be copied.


class Locked(Plain):
    """Holds a lock, as loggers and thread pools do; the function that uses it holds itself in a ring."""

    def __init__(self, *, own: bool) -> None:
        super().__init__(own=own)
        self.lock, self.others = threading.Lock(), {"log": [io.TextIOWrapper(io.BytesIO())]}

        def even(count: int) -> bool:
            return count == 0 or odd(count - 1)

        def odd(count: int) -> bool:
            return count > 0 and even(count - 1)

        self.even = even

    def forward(self, x: Tensor) -> Tensor:
        with self.lock:
            return self.logits(x) + self.even(2)


def test_what_cannot_be_copied_is_shared() -> None:
    assert_told_apart(Locked)


# Weak leaks, which are held against rounding, and parameters of other shapes and kinds than usual.


class Gated(Plain):
    """Adds a path with a gain that is one number; where the path is no leak it holds the pixel on the left."""

    def __init__(self, gain: Tensor, *, own: bool) -> None:
        super().__init__(own=False)
        self.gain, self.own = nn.Parameter(gain), own

    def forward(self, x: Tensor) -> Tensor:
        logits = self.logits(x)
        path = x if self.own else F.pad(x, (1, 0))[..., :-1]
        return logits + (self.gain * path.to(logits.dtype)).real


@pytest.mark.parametrize("gain", [1e-3, 1e-6, 1e-8])
def test_a_gain_that_is_one_small_number_is_a_leak_as_others_are(gain: float) -> None:
    assert_told_apart(partial(Gated, torch.tensor(gain)))


@pytest.mark.parametrize("after_step", [False, True])
def test_complex_parameters_are_trained_too(after_step: bool) -> None:
    assert_told_apart(partial(Gated, torch.randn(4, 1, 1, dtype=torch.complex64)), after_step=after_step)


class Tokens(nn.Module):
    """Attention over tokens, whose mask is a number that is added; indices are whatever enters, cut off."""

    def __init__(self, mask: float, scale: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.embed, self.place = nn.Embedding(5, 8), nn.Parameter(torch.randn(20, 8))
        self.qkv, self.last, self.mask, self.scale = nn.Linear(8, 24), nn.Linear(8, 4), mask, scale

    def forward(self, x: Tensor) -> Tensor:
        tokens = F.pad(self.scale(x).long().flatten(1), (1, 0), value=4)[:, :-1]
        q, k, v = self.qkv(self.embed(tokens) + self.place).chunk(3, 2)
        return self.last(F.scaled_dot_product_attention(q, k, v, attn_mask=self.mask * torch.ones(20, 20).triu(1)))


ENTERING: dict[str, Callable[[Tensor], Tensor]] = {"int": lambda x: x, "unit": lambda x: x * 3.01, "symmetric": lambda x: (x + 1) * 1.51}


@pytest.mark.parametrize("entering", ENTERING)
def test_a_mask_of_small_numbers_is_a_leak_and_no_rounding(entering: str) -> None:
    assert checked(Tokens(-1e4, ENTERING[entering]), input=entering).verdict == "causal"
    report = checked(Tokens(-16.0, ENTERING[entering]), input=entering)
    assert (report.verdict, report.doubts) == ("leaky", ())
    assert report.largest_leak < 1e-5


# Numbers that stand for infinities.


class Masked(Plain):
    """The last level does not exist: its logit is a number, or one is added to it."""

    def __init__(self, value: float, *, own: bool, added: bool = False) -> None:
        super().__init__(own=own)
        self.value, self.added = value, added

    def forward(self, x: Tensor) -> Tensor:
        logits, last = self.logits(x), torch.tensor([False, False, False, True])[:, None, None]
        return logits + self.value * last if self.added else logits.masked_fill(last, self.value)


@pytest.mark.by_default(3)
@pytest.mark.parametrize(("value", "added"), [(-1e12, False), (-1e10, True), (torch.finfo(torch.float32).min, False), (-1e15, True)])
def test_masked_logits_do_not_hide_what_the_others_do(value: float, added: bool) -> None:
    assert_told_apart(partial(Masked, value, added=added))
    assert checked(Masked(value, own=True, added=added)).largest_leak > 0.1


def test_outputs_of_very_different_sizes_are_no_stand_ins() -> None:
    class Sizes(Plain):
        """A map that is a hundred million times larger, and in the others its rounding, as a Fourier transform leaves it."""

        def forward(self, x: Tensor) -> Tensor:
            large = 1e8 * self.logits(x)[:, :1]
            rest = 0.1 * large.flatten(1).sum(1)[:, None, None, None] * 1e-16
            return torch.cat([large, self.logits(x)[:, 1:] + rest], 1)

    assert checked(Sizes(own=False)).verdict == "causal"
    assert checked(Sizes(own=True)).verdict == "leaky"


@pytest.mark.parametrize("value", [0.0, -1e12])
def test_beside_a_masked_logit_rounding_is_rounding(value: float) -> None:
    class Rounded(nn.Module):
        """A causal convolution in single precision, as long as the image twice."""

        def __init__(self) -> None:
            super().__init__()
            self.kernel, self.last = np.random.default_rng(3).normal(size=20).astype(np.float32), nn.Conv2d(1, 4, 1)

        def forward(self, x: Tensor) -> Tensor:
            u = F.pad(x.to(self.last.weight.dtype).flatten(2)[..., :-1], (1, 0)).numpy().astype(np.float32)
            y = np.fft.irfft(np.fft.rfft(u, 40) * np.fft.rfft(self.kernel, 40), 40)[..., :20].astype(np.float32)
            logits = self.last(torch.from_numpy(y).to(self.last.weight.dtype).unflatten(2, SHAPE[1:]))
            return logits.index_fill(1, torch.tensor([3]), value) if value else logits

    report = checked(Rounded())
    assert (report.verdict, [doubt.name for doubt in report.doubts]) == ("undecided", ["single-precision"])


# Parts that are no parts of the module.


class Settings:
    def __init__(self, network: nn.Module) -> None:
        self.others = {"network": network}


class HeldByAnObject(nn.Module):
    def __init__(self, *, own: bool) -> None:
        super().__init__()
        self.settings = Settings(Plain(own=own))

    def forward(self, x: Tensor) -> Tensor:
        return self.settings.others["network"](x)


@pytest.mark.parametrize("after_step", [False, True])
def test_a_network_in_a_plain_object_is_copied_and_trained(after_step: bool) -> None:
    assert_told_apart(HeldByAnObject, after_step=after_step)


def test_a_network_out_of_reach_is_refused_with_the_reason() -> None:
    class OfAClass(nn.Module):
        network = Plain(own=False)

        def forward(self, x: Tensor) -> Tensor:
            return type(self).network(x)

    with pytest.raises(UserError, match=r"a network that cannot be reached, such as a global one"):
        checked(OfAClass())


def test_a_gain_of_zero_hides_a_leak_in_a_list_and_in_a_function_too() -> None:
    class Listed(nn.Module):
        def __init__(self, *, own: bool) -> None:
            super().__init__()
            self.parts = [Gated(torch.zeros(1), own=own), nn.Identity()]

        def forward(self, x: Tensor) -> Tensor:
            return self.parts[1](self.parts[0](x))

    def function(*, own: bool) -> Any:
        net = Gated(torch.zeros(1), own=own)
        return lambda x: net(x)

    for build in (Listed, function):
        assert checked(build(own=False)).verdict == "causal"
        report = checked(build(own=True))
        assert (report.verdict, [doubt.name for doubt in report.doubts]) == ("undecided", ["hidden-by-zero"])
        assert "gain" in report.doubts[0].sentence

"""Beside the modules of `tests/cases/check`: their mirror images, alike in all but what decides, with the opposite right answer."""

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelbench.causality import CausalityReport, check_causality
from tests.cases.check import closures, diagnoses, faces, gradients, large, no_power, orders, state, statistics_of_image

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # it scripts a function, as old code does
    from tests.cases.check import single_precision

SHAPE = (1, 5, 4)


@pytest.fixture(autouse=True)
def _same_weights() -> None:
    torch.manual_seed(3)


def checked(module: Any, shape: tuple[int, ...] = SHAPE, **options: Any) -> CausalityReport:
    options = {"levels": 4} | options
    return check_causality(module, shape, **options)


# Single precision: rounding of the same size, and something that wraps around besides.


class Wrapping(nn.Module):
    """The case's convolution, with as many places as there are: what lies behind the end comes in at the front."""

    def __init__(self, spectrum: torch.dtype, *, scripted: bool = False) -> None:
        super().__init__()
        self.spectrum, self.scripted = spectrum, scripted
        self.kernel, self.leave = nn.Parameter(torch.randn(6, 30) / (1 + torch.arange(30))), nn.Conv2d(6, 4, 1)
        self.enter = nn.Conv2d(1, 6, 1)

    def forward(self, x: Tensor) -> Tensor:
        u = single_precision.shifted(self.enter(x.to(self.enter.weight.dtype)))
        size = u.shape[-1]
        if self.scripted:
            y = single_precision.scripted(u, self.kernel[:, :size], size)
        else:
            y = torch.fft.irfft(torch.fft.rfft(u, size).to(self.spectrum) * torch.fft.rfft(self.kernel[:, :size], size), size)
        return self.leave(torch.relu(y.to(u.dtype)).unflatten(2, x.shape[2:]))


@pytest.mark.parametrize(("spectrum", "scripted"), [(torch.complex64, False), (torch.complex128, False), (torch.complex64, True)])
def test_a_convolution_in_single_precision_that_wraps_around_leaks(spectrum: torch.dtype, scripted: bool) -> None:
    report = checked(Wrapping(spectrum, scripted=scripted), (1, 6, 5))
    assert report.verdict == "leaky"
    assert report.largest_leak > 1e-4


@pytest.mark.parametrize("build", [single_precision.complex64_spectrum, single_precision.scripted_float32, single_precision.numpy_float32])
def test_the_same_with_room_for_the_end_is_no_leak(build: Callable[[], nn.Module]) -> None:
    assert checked(build(), (1, 6, 5)).verdict in ("causal", "undecided")


# Statistics: of the whole image, and of what comes earlier.


def _rows_above(x: Tensor, statistic: Callable[[Tensor], Tensor]) -> Tensor:
    """`statistic` of the rows above each row, at every pixel of it; of none it is that of a black row."""
    rows = [statistic(F.pad(x[:, :, :row], (0, 0, 1, 0))) for row in range(x.shape[2])]
    return torch.cat([one.expand(-1, x.shape[1], 1, x.shape[3]) for one in rows], 2)


def _brightest(x: Tensor) -> Tensor:
    return x.amax((1, 2, 3), True)


def _mostly_bright(x: Tensor) -> Tensor:
    return (x.mean((1, 2, 3), True) > 0.5).to(x)


@pytest.mark.by_default(3)
@pytest.mark.parametrize("statistic", [_brightest, _mostly_bright])
@pytest.mark.parametrize("levels", [2, 4, 256])
def test_a_statistic_of_the_rows_above_is_allowed_and_the_same_of_the_image_is_none(
    statistic: Callable[[Tensor], Tensor], levels: int
) -> None:
    above = statistics_of_image.Scaled(lambda x: x - _rows_above(x, statistic))
    assert checked(above, levels=levels, input="unit").verdict == "causal"
    whole = statistics_of_image.Scaled(lambda x: x - statistic(x))
    assert checked(whole, levels=levels, input="unit").verdict == "leaky"


# Power: what is weak is no leak that is not there.


def test_a_few_saturating_layers_show_what_sixty_hide() -> None:
    few = nn.Sequential(*list(no_power.deep_tanh().children())[:6], nn.Conv2d(4, 4, 1))
    assert (checked(few).verdict, checked(few).faults[0]) == ("leaky", "sees-itself")
    shielded = nn.Sequential(no_power.Raster(1, 4), nn.Tanh(), no_power.Raster(4, 4, 1, own=True))
    assert checked(shielded).verdict == "causal"


# State: a mask that is made in every call.


class Cycling(state.Cycling):
    """Every second mask holds the diagonal."""

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        self.mask = torch.ones_like(self.dense.weight).tril(-(self.calls % 2))
        return F.linear(x.flatten(1).to(self.mask.dtype), self.dense.weight * self.mask, self.dense.bias)


def test_a_mask_made_in_forward_that_is_wrong_in_every_second_call_leaks() -> None:
    report = checked(Cycling(), (1, 4, 5), levels=2)
    assert report.verdict == "leaky"
    assert {"sees-itself", "carries-state"} <= set(report.faults)
    assert not checked(state.buffer_made_in_forward(), (1, 4, 5), levels=2).leaky


# Gradients inside forward: of each pixel's own energy, and of all of them.


class OwnEnergy(gradients.Score):
    """The slope of each pixel's energy by its own features, which know earlier pixels only."""

    def forward(self, x: Tensor) -> Tensor:
        with torch.enable_grad():
            h = self.enter(F.pad(x.to(self.enter.weight.dtype), (3, 0))[..., :-1]).detach().requires_grad_(True)
            (slope,) = torch.autograd.grad(torch.tanh(h).square().sum(), h)
        return self.leave(slope)


def test_the_slope_of_energies_that_know_the_past_alone_is_causal() -> None:
    assert checked(OwnEnergy()).verdict == "causal"
    assert checked(gradients.score()).verdict == "leaky"


# Closures.


def test_a_lambda_over_a_layer_that_leaks_leaks() -> None:
    class Unshifted(closures.Tokens):
        def forward(self, x: Tensor) -> Tensor:
            return self.leave(self.mix(self.embed(x.flatten(1))))

    assert checked(Unshifted()).faults == ("sees-itself",)
    assert checked(closures.lambda_over_a_layer()).verdict == "causal"


# Orders: one that is one, and one that is none.


class Coiled(orders.Snake):
    """Turns every second row on the way in only, so that rows are read one way and written the other."""

    def forward(self, x: Tensor) -> Tensor:
        return self.turn(super().forward(x))


def test_a_snake_that_is_unrolled_on_one_side_only_has_no_order() -> None:
    assert checked(orders.snake(), order="any").verdict == "causal"
    report = checked(Coiled(), order="any")
    assert (report.verdict, report.order) == ("leaky", None)


# Large images: a leak is found within the time.


class Own(large.Colours):
    def __init__(self) -> None:
        super().__init__(3)
        self.get_buffer("mask")[1, 1] = 1


@pytest.mark.slow
def test_a_leak_of_a_large_image_is_found_in_the_time_there_is() -> None:
    shape = (3, 48, 48)
    assert checked(Own(), shape, levels=256, seconds=8.0).verdict == "leaky"
    assert checked(large.rgb(), shape, levels=256, seconds=8.0).verdict in ("partial", "causal")


# Gaps and modes.


class KnownKeys(diagnoses.ShiftedKeys):
    """Keys and values hold their own pixel, and a pixel attends to earlier ones only: nothing is missed."""

    def __init__(self) -> None:
        super().__init__()
        self.own = nn.Conv2d(1, 12, 1)

    def forward(self, x: Tensor) -> Tensor:
        h, keyed = self.features(x), self.own(x.to(self.own.weight.dtype))
        q = self.qkv(h).flatten(2).mT.chunk(3, 2)[0]
        _, k, v = F.pad(self.qkv(keyed).flatten(2).mT, (0, 0, 1, 0)).chunk(3, 2)
        scores = (q @ k.mT).masked_fill(torch.ones(q.shape[1], k.shape[1]).triu(1).bool(), float("-inf"))
        return self.leave(h + (scores.softmax(2) @ v).mT.reshape(h.shape))


def test_keys_that_hold_their_own_pixel_miss_nothing_and_shifted_ones_miss_the_ends_of_rows() -> None:
    report = checked(KnownKeys(), (1, 5, 8), levels=2)
    assert (report.verdict, report.blind_spots, report.pairs_missed_in_places, report.diagnosis) == ("causal", 0, 0, ())
    shifted = checked(diagnoses.gap_by_position(), (1, 5, 8), levels=2)
    assert (shifted.blind_spots, shifted.pairs_missed_in_places, shifted.faults) == (1, 20, ("row-end-missing-widely",))


def test_a_leak_in_one_mode_is_found_in_that_mode() -> None:
    class EvaluationOnly(diagnoses.TrainingOnly):
        def forward(self, x: Tensor) -> Tensor:
            y = self.net(x)
            return y if self.training else y + self.skip(x.to(y.dtype))

    for module, verdicts in ((diagnoses.leak_in_training_only(), ("causal", "leaky")), (EvaluationOnly(), ("leaky", "causal"))):
        assert tuple(checked(module, mode=mode).verdict for mode in ("eval", "train")) == verdicts


# What people's models look like: each is given the sequence one place ahead.


class Ahead(nn.Module):
    """Every place of the raster sequence holds the value of the next one, so that a shift by one is taken back."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor, *further: Tensor) -> Any:
        return self.module(F.pad(x.flatten(1)[:, 1:], (0, 1)).view_as(x), *further)


INTERFACES: dict[str, tuple[Callable[[], nn.Module], tuple[int, int, int], dict[str, Any]]] = {
    "vectors": (faces.flat_vectors, (1, 4, 5), {"levels": 2}),
    "tokens": (faces.tokens, SHAPE, {}),
    "codes": (faces.codes, SHAPE, {}),
    "channels last": (faces.channels_last, SHAPE, {"levels": 8}),
    "logits and None": (faces.logits_and_none, SHAPE, {"levels": 2}),
    "logits and nothing": (faces.logits_and_empty, SHAPE, {"levels": 2}),
}


@pytest.mark.parametrize("name", INTERFACES)
def test_an_interface_is_taken_as_it_is_and_its_mirror_leaks(name: str) -> None:
    build, shape, options = INTERFACES[name]
    assert checked(build(), shape, **options).verdict == "causal"
    report = checked(Ahead(build()), shape, **options)
    assert (report.verdict, report.sees_itself) == ("leaky", True)

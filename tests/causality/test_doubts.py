"""What the check must not accuse, and what it must not pass: each beside its mirror image with the opposite right answer."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelbench.causality import CausalityReport, check, check_causality
from pixelbench.causality.options import Options
from pixelbench.errors import UserError
from pixelbench.testing import assert_causal

SHAPE = (1, 5, 4)


def checked(module: Any, shape: tuple[int, ...] = SHAPE, *, levels: int = 4, **options: Any) -> CausalityReport:
    return check_causality(module, shape, levels=levels, **options)


class Masked(nn.Conv2d):
    """Rows above and pixels to the left; with `own` the pixel itself too."""

    def __init__(self, into: int, out: int, size: int = 3, *, own: bool = False) -> None:
        super().__init__(into, out, size, padding=size // 2)
        mask = torch.ones(size, size)
        mask[size // 2, size // 2 + own :] = 0
        mask[size // 2 + 1 :] = 0
        self.register_buffer("mask", mask)

    def forward(self, input: Tensor) -> Tensor:
        return F.conv2d(input.to(self.weight.dtype), self.weight * self.mask, self.bias, padding=self.padding)  # type: ignore[operator]


@pytest.fixture(autouse=True)
def _same_weights() -> None:
    torch.manual_seed(3)


# Rounding inside the module.


class Spectral(nn.Module):
    """A causal convolution by numpy in single precision; over as many places as there are it wraps around, and leaks."""

    def __init__(self, *, padded: bool, weak: float = 1.0) -> None:
        super().__init__()
        self.kernel, self.padded, self.weak = np.random.default_rng(3).normal(size=20).astype(np.float32), padded, weak
        self.leave = nn.Conv2d(1, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        u = F.pad(x.to(self.leave.weight.dtype).flatten(2)[..., :-1], (1, 0)).numpy().astype(np.float32)
        size = u.shape[-1]
        y = np.fft.irfft(np.fft.rfft(u, 2 * size) * np.fft.rfft(self.kernel, 2 * size), 2 * size)
        y = y[..., :size] + (0 if self.padded else self.weak) * y[..., size:]
        return self.leave(torch.from_numpy(y.astype(np.float32)).to(self.leave.weight.dtype).unflatten(2, x.shape[2:]))


def test_rounding_of_single_precision_is_undecided_and_says_how_large_it_is() -> None:
    report = checked(Spectral(padded=True))
    assert (report.verdict, report.leaky, report.leaks) == ("undecided", False, ())
    assert report.summary().startswith("Undecided. Single precision inside the module: ")
    assert [doubt.name for doubt in report.doubts] == ["single-precision"]
    assert CausalityReport.from_json(report.to_json()) == report
    with pytest.raises(AssertionError, match=r"^Undecided\. Single precision"):
        assert_causal(Spectral(padded=True), SHAPE, levels=4)


@pytest.mark.parametrize("weak", [1.0, 1e-3])
def test_a_leak_of_a_convolution_in_single_precision_stays_a_leak(weak: float) -> None:
    report = checked(Spectral(padded=False, weak=weak))
    assert report.verdict == "leaky"
    assert report.largest_leak > 1e-5 * weak


def test_complex_numbers_are_widened_too() -> None:
    class Complex(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.leave, self.turn = nn.Conv2d(1, 4, 1), nn.Parameter(torch.randn(20, dtype=torch.complex64))

        def forward(self, x: Tensor) -> Tensor:
            u = F.pad(x.to(self.leave.weight.dtype).flatten(2)[..., :-1], (1, 0)).to(torch.complex64)
            return self.leave((u * self.turn).cumsum(-1).real.unflatten(2, x.shape[2:]))

    report = checked(Complex())
    assert (report.verdict, report.unresolved) == ("causal", 0)


# Statistics of a whole image.


class Scaled(nn.Module):
    def __init__(self, scale: Callable[[Tensor], Tensor], channels: int = 1, maps: int = 4) -> None:
        super().__init__()
        self.scale, self.net = scale, nn.Sequential(Masked(channels, 8), nn.ReLU(), nn.Conv2d(8, maps, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.net(self.scale(x))


def _rows_above(x: Tensor) -> Tensor:
    """Every row less the largest value of all rows above it."""
    highest = x.amax(3, keepdim=True).cummax(2).values
    return x - F.pad(highest, (0, 0, 1, 0))[:, :, :-1]


STATISTICS: dict[str, Callable[[Tensor], Tensor]] = {
    "span": lambda x: (x - x.amin((1, 2, 3), True)) / (x.amax((1, 2, 3), True) - x.amin((1, 2, 3), True) + 1e-5),
    "all white": lambda x: x + (x > 0.99).flatten(1).all(1).to(x)[:, None, None, None],
    "all black but one": lambda x: x + ((x > 0).flatten(1).sum(1) == 1).to(x)[:, None, None, None],
    "more than four fifths bright": lambda x: torch.where(x.mean((1, 2, 3), True) > 0.8, 1 - x, x),
    "median": lambda x: x - x.flatten(1).median(1).values[:, None, None, None],
    "a white row": lambda x: x * (1 + (x.amin(3) > 0.99).any(2).to(x)[..., None, None]),
}


@pytest.mark.by_default(8)
@pytest.mark.parametrize("levels", [2, 4, 8, 256])
@pytest.mark.parametrize("name", STATISTICS)
def test_a_statistic_of_the_whole_image_is_a_leak(name: str, levels: int) -> None:
    report = checked(Scaled(STATISTICS[name]), levels=levels, input="unit")
    assert report.verdict == "leaky"


@pytest.mark.parametrize("scale", [_rows_above, lambda x: x / (x.amax(1, True) + 1), lambda x: (x > 0.5).to(x)])
def test_statistics_of_earlier_rows_or_of_one_pixel_are_none(scale: Callable[[Tensor], Tensor]) -> None:
    assert checked(Scaled(scale), input="unit").verdict == "causal"


def test_an_image_of_the_users_own_may_be_the_only_one_that_shows_a_leak() -> None:
    shape = (1, 6, 7)
    pattern = np.random.default_rng(5).integers(0, 256, shape)

    def known(x: Tensor) -> Tensor:
        near = (x - torch.from_numpy(pattern).to(x) / 255).flatten(1).abs().amax(1) < 0.001
        return x + near.to(x)[:, None, None, None]

    assert checked(Scaled(known), shape, levels=256, input="unit").verdict == "causal"
    report = checked(Scaled(known), shape, levels=256, input="unit", images=pattern[None])
    assert report.verdict == "leaky"
    assert "on 1 images that were given" in report.method.probes
    with pytest.raises(UserError, match="images must be"):
        checked(Scaled(known), images=pattern)


# Power.


def _zeroed(layer: nn.Conv2d) -> nn.Conv2d:
    nn.init.zeros_(layer.weight)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer


class Gated(nn.Module):
    """A masked net, and a branch whose scale starts at zero."""

    def __init__(self, branch: nn.Module) -> None:
        super().__init__()
        self.net, self.branch, self.scale = Masked(1, 4), branch, nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x) + self.scale * self.branch(x.to(self.scale.dtype))


def test_where_nothing_moves_nothing_was_tested() -> None:
    head = nn.Sequential(Masked(1, 8), nn.ReLU(), _zeroed(nn.Conv2d(8, 4, 1)))
    report = checked(head)
    assert report.verdict == "undecided"
    assert "Train a step, or --after-step." in report.summary()
    with pytest.raises(AssertionError, match=r"^Undecided\. Nothing was tested"):
        assert_causal(head, SHAPE, levels=4)
    before, after = assert_causal(head, SHAPE, levels=4, after_step=True)
    assert (before.verdict, after.verdict) == ("undecided", "causal")


def test_constants_that_no_image_enters_are_causal() -> None:
    class Constant(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.logits = nn.Parameter(torch.randn(4, 5, 4))

        def forward(self, x: Tensor) -> Tensor:
            return self.logits.expand(len(x), -1, -1, -1) + torch.zeros_like(x)

    assert checked(Constant()).verdict == "causal"


def test_a_leak_behind_zeros_is_no_green_and_after_a_step_a_leak() -> None:
    report = checked(Gated(nn.Conv2d(1, 4, 3, padding=1)))
    assert report.verdict == "undecided"
    assert "the parameter scale is exactly zero" in report.summary()
    assert checked(Gated(nn.Conv2d(1, 4, 3, padding=1)), after_step=True).verdict == "leaky"


@pytest.mark.parametrize("branch", [Masked(1, 4), nn.Sequential(Masked(1, 4), _zeroed(nn.Conv2d(4, 4, 1)))])
def test_zeros_that_hide_no_leak_are_no_doubt(branch: nn.Module) -> None:
    assert checked(Gated(branch)).verdict == "causal"


def test_outputs_that_never_move_are_named() -> None:
    layer = Masked(1, 4)
    with torch.no_grad():
        layer.weight[2:] = 0
    report = checked(layer)
    assert report.verdict == "causal"
    assert "Of the 4 parameters of each sub-pixel, 2 never move (k = 2, 3): nothing was tested there." in report.notes


# What is carried from call to call.


class Remembers(nn.Module):
    """`keep` what of each batch enters the output of later calls."""

    def __init__(self, keep: Callable[[Tensor, Tensor | None], Tensor]) -> None:
        super().__init__()
        self.net, self.keep = Masked(1, 4), keep
        self.kept: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        y = self.net(x) + (0 if self.kept is None else self.kept)
        self.kept = self.keep(y, self.kept)
        return y


def test_images_of_former_calls_in_the_output_are_a_verdict_of_their_own() -> None:
    report = checked(Remembers(lambda y, kept: y.mean()))
    assert (report.verdict, report.leaky, report.faults) == ("stateful", False, ("sees-former-images",))
    assert report.summary().startswith("Not causal in use: the images of former calls change output ")
    assert checked(Remembers(lambda y, kept: y.mean()), allow_state=True).verdict == "causal"
    with pytest.raises(AssertionError, match=r"^Not causal in use"):
        assert_causal(Remembers(lambda y, kept: y.mean()), SHAPE, levels=4)


@pytest.mark.parametrize(
    "keep",
    [
        lambda y, kept: torch.ones(()) if kept is None else kept + 1,  # a counter
        lambda y, kept: y.mean() if kept is None else kept,  # initialised by the first batch
    ],
)
def test_a_counter_and_an_initialisation_by_data_are_no_memory(keep: Callable[[Tensor, Tensor | None], Tensor]) -> None:
    assert checked(Remembers(keep)).verdict == "causal"


# Other orders of drawing.


class Permuted(nn.Module):
    """Dense, in an order of its own; `extra`: a pair (output, input) that breaks it."""

    def __init__(self, order: list[int], extra: tuple[int, int] | None = None) -> None:
        super().__init__()
        rank = torch.tensor(order).argsort()
        mask = (rank[None] < rank[:, None]).float()
        if extra:
            mask[extra] = 1
        self.register_buffer("mask", mask)
        self.dense = nn.Linear(len(order), len(order))

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x.flatten(1).to(self.dense.weight.dtype), self.dense.weight * self.mask, self.dense.bias)  # type: ignore[operator]


SNAKE = [row * 4 + (column if row % 2 == 0 else 3 - column) for row in range(5) for column in range(4)]
RANDOM = np.random.default_rng(2).permutation(20).tolist()


@pytest.mark.by_default(1)
@pytest.mark.parametrize(("order", "name"), [(SNAKE, "snake"), (RANDOM, "listed")])
def test_a_permutation_is_causal_in_an_order_of_its_own(order: list[int], name: str) -> None:
    report = checked(Permuted(order))
    assert (report.verdict, report.order, report.faults) == ("leaky", name, ("order-of-its-own",))
    assert "do not sample it in raster order" in report.summary()
    for accepted in ("any", order):
        allowed = checked(Permuted(order), order=accepted)
        assert (allowed.verdict, allowed.faults) == ("causal", ())
    assert_causal(Permuted(order), SHAPE, levels=4, order="any")
    assert checked(Permuted(order), order=order[::-1]).verdict == "leaky"


def test_raster_order_is_no_other_one_that_is_given() -> None:
    """Whoever draws in the order of the list would condition on what is not drawn yet."""
    raster = list(range(20))
    columns = [row * 4 + column for column in range(4) for row in range(5)]
    report = checked(Permuted(raster), order=columns)
    assert (report.verdict, report.order, report.leaks) == ("leaky", "raster", ())
    assert report.summary().startswith("Not causal in the order that was given, though in raster order: input (")
    assert checked(Permuted(raster), order=raster).verdict == "causal"


def test_what_no_order_saves_is_a_leak_in_any() -> None:
    module = Permuted(RANDOM, extra=(RANDOM[0], RANDOM[-1]))
    assert checked(module, order="any").verdict == "leaky"
    assert checked(module, order=RANDOM).verdict == "leaky"
    with pytest.raises(UserError, match="order must hold each raster place"):
        checked(module, order=[0, 1])


# Heads and layouts.


@pytest.mark.slow
@pytest.mark.parametrize(("channels", "maps", "components"), [(3, 100, 10), (3, 20, 2), (1, 9, 3)])
def test_a_logistic_mixture_is_certified_with_its_coefficients(channels: int, maps: int, components: int) -> None:
    shape = (channels, 4, 3)
    report = checked(Masked(channels, maps), shape, levels=8, head=f"logistic-mixture:{components}", output="b k h w")
    assert (report.verdict, report.blind_spots, report.notes) == ("causal", 0 if channels == 3 else report.blind_spots, ())
    assert report.colour_conditioning == {0: (), 1: (0,), 2: (0, 1)} if channels == 3 else {0: ()}
    own = checked(Masked(channels, maps, own=True), shape, levels=8, head="logistic-mixture", output="b k h w")
    assert own.verdict == "leaky"


def test_without_a_head_one_output_for_all_colours_is_not_colour_blind() -> None:
    report = checked(Masked(3, 100), (3, 4, 3), levels=8)
    assert (report.verdict, report.shared_output, report.blind_spots) == ("causal", True, 0)
    assert not {"colour-blind", "partial-colour-conditioning"} & set(report.faults)
    assert any("--head logistic-mixture" in note for note in report.notes)
    apart = checked(Masked(3, 24), (3, 4, 3), levels=8, output="b (k c) h w")
    assert "colour-blind" in apart.faults


def test_heads_that_do_not_fit_are_sentences() -> None:
    for head, said in (("logistic", "Unknown head"), ("bernoulli", "needs one logit"), ("gaussian", "needs two parameters")):
        with pytest.raises(UserError, match=said):
            checked(Masked(1, 4), head=head)
    with pytest.raises(UserError, match="a multiple of 10"):
        checked(Masked(3, 64), (3, 4, 3), head="logistic-mixture")
    assert checked(Masked(1, 4), head="categorical").verdict == "causal"
    assert checked(Masked(1, 4, own=True), head="categorical").verdict == "leaky"


class Coloured(nn.Module):
    """Level major, each colour sees the earlier ones; with `own` itself."""

    def __init__(self, *, own: bool = False) -> None:
        super().__init__()
        self.context, self.mix, self.diagonal = Masked(3, 9), nn.Parameter(torch.randn(3, 3, 3)), 0 if own else -1

    def forward(self, x: Tensor) -> Tensor:
        x = x.to(self.mix.dtype)
        y = self.context(x).unflatten(1, (3, 3)) + torch.einsum("koi,bihw->bkohw", self.mix.tril(self.diagonal), x)
        return y.flatten(1, 2)


def test_a_layout_told_wrong_is_asked_about_and_a_leak_under_both_is_not() -> None:
    report = checked(Coloured(), (3, 4, 5), levels=3, output="b (c k) h w")
    assert (report.verdict, report.leaky, report.faults) == ("undecided", False, ())
    assert [doubt.name for doubt in report.doubts] == ["read-as-another-layout"]
    assert 'with --output "b (c k) h w" outputs change, within their own pixel only,' in report.summary()
    assert 'with --output "b (k c) h w", which fits as well, nothing leaks' in report.summary()
    assert report.leaks  # what is in doubt is shown
    with pytest.raises(AssertionError, match=r"^Undecided\. Read with"):
        assert_causal(Coloured(), (3, 4, 5), levels=3, output="b (c k) h w")
    assert checked(Coloured(), (3, 4, 5), levels=3, output="b (k c) h w").verdict == "causal"
    own = checked(Coloured(own=True), (3, 4, 5), levels=3, output="b (k c) h w")
    assert (own.verdict, own.doubts) == ("leaky", ())


class Flattened(nn.Linear):
    """Takes the values in the order in which it is given them."""

    def __init__(self, *, masked: bool = True) -> None:
        super().__init__(60, 60)
        self.masked = masked

    def forward(self, input: Tensor) -> Tensor:
        weight = self.weight.tril(-1) if self.masked else self.weight
        return F.linear(input.flatten(1).to(weight.dtype), weight, self.bias)


def test_a_guess_of_how_images_enter_is_asked_about_and_a_stated_way_is_judged() -> None:
    shape: tuple[int, ...] = (3, 4, 5)
    told: dict[str, Any] = {"levels": 3, "output": "b (h w c)"}
    report = checked(Flattened(), shape, **told)
    assert report.verdict == "undecided"
    assert '--input-layout "b c h w"' in report.summary()
    assert '--input-layout "b (h w c)"' in report.summary()
    assert checked(Flattened(), shape, **told, input_layout="b (h w c)").verdict == "causal"
    assert checked(Flattened(), shape, **told, input_layout="b c h w").verdict == "leaky"
    assert checked(Flattened(masked=False), shape, **told).verdict == "leaky"
    assert checked(Flattened(), (1, 5, 12), levels=3).verdict == "causal"  # one colour: all ways are one


def test_a_leak_that_random_images_hardly_show_is_not_put_down_to_a_layout() -> None:
    report = checked(Scaled(STATISTICS["span"], 3, 24), (3, 6, 5), levels=8, input="unit", output="b (k c) h w")
    assert (report.verdict, report.doubts) == ("leaky", ())


# A flow.


class Flow(nn.Module):
    """(x - shift) / scale, both of earlier pixels; with `even` the scale is one number, with `own` the shift sees its own pixel."""

    def __init__(self, *, even: bool = False, own: bool = False) -> None:
        super().__init__()
        self.even, self.net = even, nn.Sequential(Masked(1, 8, own=own), nn.Tanh(), nn.Conv2d(8, 2, 1))

    def forward(self, x: Tensor) -> Tensor:
        shift, scale = self.net(x).chunk(2, 1)
        return (x - shift) * torch.exp(-(0 * scale + 0.5 if self.even else scale))


def test_the_output_of_a_flow_is_no_conditional_distribution() -> None:
    report = checked(Flow(), input="unit", levels=256)
    assert (report.verdict, [doubt.name for doubt in report.doubts], report.faults) == ("undecided", ["flow-output"], ())
    assert "that is a flow's z, and no conditional distribution" in report.summary()
    with pytest.raises(UserError, match="a flow's z and its log determinant, neither is a conditional distribution"):
        checked(lambda x: (Flow()(x), x.flatten(1).double().sum(1)), input="unit")
    with pytest.raises(UserError, match=r"--select 0 or --select 1\.$"):
        checked(lambda x: (Masked(1, 4)(x), Masked(1, 4)(x)))


@pytest.mark.parametrize("made", [{"even": True}, {"own": True}])
def test_a_skip_connection_and_a_shift_that_sees_its_own_pixel_stay_leaks(made: dict[str, bool]) -> None:
    report = checked(Flow(**made), input="unit", levels=256)
    assert (report.verdict, report.faults[0]) == ("leaky", "sees-itself")


# What can be told only on images of another size.


class Slip(Masked):
    """Clears the row of its centre instead of the rows below it."""

    def __init__(self, maps: int) -> None:
        super().__init__(maps, maps)
        self.mask.fill_(1)  # type: ignore[operator]
        self.mask[1] = 0  # type: ignore[index]


class Residual(nn.Module):
    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, h: Tensor) -> Tensor:
        return h + self.layer(torch.relu(h))


@pytest.mark.slow
def test_a_deep_kernel_is_told_from_a_normalisation() -> None:
    shape = (1, 6, 5)
    deep = nn.Sequential(Masked(1, 6), *[Residual(Slip(6)) for _ in range(8)], nn.Conv2d(6, 4, 1))
    assert "rows-below-kept" in checked(deep, shape).faults
    assert "normalised-over-space" not in checked(deep, shape).faults
    normalised = nn.Sequential(Masked(1, 6), nn.GroupNorm(1, 6), nn.Conv2d(6, 4, 1))
    assert "normalised-over-space" in checked(normalised, shape).faults


def test_one_stack_as_wide_as_the_image_has_a_blind_spot_and_no_missing_row_end() -> None:
    one_stack = nn.Sequential(Masked(1, 8, 7), nn.ReLU(), Masked(8, 8, own=True), nn.ReLU(), nn.Conv2d(8, 4, 1))
    assert checked(one_stack, (1, 8, 5)).faults == ("blind-spot",)
    assert checked(one_stack, (1, 8, 7)).faults == ("blind-spot",)


@pytest.mark.parametrize("seconds", [None, 60.0])
def test_second_experiments_have_the_time_that_is_left(seconds: float | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel nearly as wide as the image misses what a recurrence over features misses, so that a wider image is tried."""
    net = nn.Sequential(Masked(1, 8, 7), nn.ReLU(), Masked(8, 4, own=True))
    given: list[float | None] = []
    measured = check._measured

    def spied(module: Any, shape: tuple[int, int, int], options: Options) -> Any:
        given.append(options.seconds)
        return measured(module, shape, options)

    monkeypatch.setattr(check, "_measured", spied)
    assert "row-end-missing" not in checked(net, (1, 8, 5), seconds=seconds).faults
    first, left = given
    assert first == seconds
    assert (left is None) if seconds is None else (left is not None and 0 < left < seconds)


def test_without_any_time_left_there_is_no_second_experiment(monkeypatch: pytest.MonkeyPatch) -> None:
    net = nn.Sequential(Masked(1, 8, 7), nn.ReLU(), Masked(8, 4, own=True))
    measured = check._measured
    monkeypatch.setattr(check, "_measured", lambda *arguments: replace(measured(*arguments), seconds=61.0))
    assert "row-end-missing-or-blind-spot" in checked(net, (1, 8, 5), seconds=60.0).faults

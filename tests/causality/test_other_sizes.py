"""Causes that a small image cannot tell apart, told by images of another size: each beside what must keep its own name."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelbench.causality import check, check_causality
from pixelbench.causality.other_sizes import spread_of
from tests.causality.nets import MaskedConv

SHAPE = (1, 6, 5)


class Padded(MaskedConv):
    """A masked convolution with a padding of another kind."""

    def __init__(self, inputs: int, *, own: bool, mode: str, kernel: int = 3) -> None:
        super().__init__(inputs, 6, 1, own=own, kernel=kernel)
        self.mode = mode

    def forward(self, x: Tensor) -> Tensor:
        side = self.weight.shape[-1] // 2
        x = F.pad(x.to(self.weight.dtype), (side,) * 4, mode=self.mode)
        return F.conv2d(x, self.weight * self.mask, self.bias)


def padded(mode: str, kernel: int = 3) -> nn.Module:
    later = [layer for _ in range(2) for layer in (nn.ReLU(), Padded(6, own=True, mode=mode))]
    return nn.Sequential(Padded(1, own=False, mode=mode, kernel=kernel), *later, nn.Conv2d(6, 4, 1))


class Features(nn.Module):
    """Causal features, and what `further` makes of them."""

    def __init__(self, further: Callable[[Tensor], Tensor] | nn.Module) -> None:
        super().__init__()
        self.first, self.further, self.out = MaskedConv(1, 6, 1, own=False), further, nn.Conv2d(6, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(x.to(self.out.weight.dtype))
        return self.out(h + self.further(h))


class ColumnsUpwards(nn.Module):
    """A GRU in every column, from the bottom up, or from the top down."""

    def __init__(self, *, upwards: bool) -> None:
        super().__init__()
        self.scan, self.upwards = nn.GRU(6, 6, batch_first=True), upwards

    def forward(self, h: Tensor) -> Tensor:
        columns = h.permute(0, 3, 2, 1).flatten(0, 1)
        out = self.scan(columns.flip(1) if self.upwards else columns)[0]
        out = out.flip(1) if self.upwards else out
        return out.unflatten(0, (len(h), -1)).permute(0, 3, 2, 1)


class Sequence(nn.Module):
    """A GRU along the raster sequence, in one direction or in both."""

    def __init__(self, *, both: bool) -> None:
        super().__init__()
        self.scan = nn.GRU(6, 3 if both else 6, batch_first=True, bidirectional=both)

    def forward(self, h: Tensor) -> Tensor:
        return self.scan(h.flatten(2).mT)[0].mT.reshape(h.shape)


class Dense(nn.Linear):
    """A layer over all pixels; masked, it sees no later feature."""

    def __init__(self, *, masked: bool) -> None:
        super().__init__(30, 30)
        self.masked = masked

    def forward(self, input: Tensor) -> Tensor:
        weight = self.weight.tril() if self.masked else self.weight
        return F.linear(input.flatten(2), weight, self.bias).view_as(input)


class Attention(nn.Module):
    """`strict`: no pixel attends to itself, so that the first attends to all; with `sink` to a learnt place; without a mask: all to all."""

    def __init__(self, *, strict: bool = True, sink: bool = False) -> None:
        super().__init__()
        self.qkv, self.strict, self.sink = nn.Conv2d(6, 18, 1), strict, sink

    def forward(self, h: Tensor) -> Tensor:
        q, k, v = self.qkv(h).flatten(2).mT.chunk(3, 2)
        scores = q @ k.mT
        if self.strict:
            scores = scores.masked_fill(torch.ones(scores.shape[-2:]).triu().bool(), -1e9)
        if self.sink:
            scores, v = F.pad(scores, (1, 0)), F.pad(v, (0, 0, 1, 0))
        return h + (scores.softmax(2) @ v).mT.reshape(h.shape)


def attending(layers: int, **how: bool) -> nn.Module:
    return Features(nn.Sequential(*[Attention(**how) for _ in range(layers)]))


LEAKS: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "reflected": (lambda: padded("reflect"), "padded-with-pixels"),
    "reflected, wide kernel": (lambda: padded("reflect", 5), "padded-with-pixels"),
    "replicated": (lambda: padded("replicate"), "padded-with-pixels"),
    "circular": (lambda: padded("circular"), "wraps-around"),
    "columns from the bottom up": (lambda: Features(ColumnsUpwards(upwards=True)), "backward-recurrence"),
    "sequence in both directions": (lambda: Features(Sequence(both=True)), "backward-recurrence"),
    "dense layer": (lambda: Features(Dense(masked=False)), "dense-or-normalised-over-space"),
    "weights for each pixel": (lambda: Features(nn.LayerNorm([6, 6, 5])), "normalised-over-space"),
    "GroupNorm": (lambda: Features(nn.GroupNorm(1, 6)), "normalised-over-space"),
    "one column, pooled": (lambda: Features(lambda h: h.mean(2, True)), "far-rows-seen"),
    "one empty row": (lambda: attending(1), "first-row-attends-to-everything"),
    "empty row passed on": (lambda: attending(2), "first-row-passed-on"),
    "empty row passed on twice": (lambda: attending(3), "first-row-passed-on"),
    "attention without a mask": (lambda: attending(2, strict=False), "normalised-over-space"),
}


@pytest.mark.by_default(6)
@pytest.mark.parametrize("name", LEAKS)
def test_a_cause_is_named_that_a_small_image_cannot_tell(name: str) -> None:
    build, fault = LEAKS[name]
    torch.manual_seed(3)
    report = check_causality(build(), SHAPE, levels=4)
    assert report.verdict == "leaky"
    assert [found for found in report.faults if found not in GAPS] == [fault]


#: What these nets miss besides.
GAPS = ("blind-spot", "row-end-missing-widely")

MIRRORS: dict[str, Callable[[], nn.Module]] = {
    "zeros": lambda: padded("constant"),
    "columns from the top down": lambda: Features(ColumnsUpwards(upwards=False)),
    "sequence forwards": lambda: Features(Sequence(both=False)),
    "masked dense layer": lambda: Features(Dense(masked=True)),
    "normalised over channels": lambda: Features(lambda h: F.layer_norm(h.movedim(1, -1), [6]).movedim(-1, 1)),
    "attention with a sink": lambda: attending(2, sink=True),
    "rows above, summed": lambda: Features(lambda h: h.cumsum(2)),
}


@pytest.mark.by_default(4)
@pytest.mark.parametrize("name", MIRRORS)
def test_the_same_without_the_fault_is_causal(name: str) -> None:
    torch.manual_seed(3)
    assert check_causality(MIRRORS[name](), SHAPE, levels=4).verdict == "causal"


def test_a_padding_that_only_one_layer_has_beside_another_leak_is_not_the_cause() -> None:
    torch.manual_seed(3)
    both = nn.Sequential(Padded(1, own=True, mode="reflect"), nn.Conv2d(6, 4, 1))
    assert "padded-with-pixels" not in check_causality(both, SHAPE, levels=4).faults


def test_without_time_for_a_second_experiment_the_first_name_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(3)
    module, given = padded("reflect"), []
    measured = check._measured

    def slow(module: object, shape: object, options: check.Options) -> object:
        given.append(options.seconds)
        return check.dataclasses.replace(measured(module, shape, options), seconds=60.0)  # type: ignore[arg-type]

    monkeypatch.setattr(check, "_measured", slow)
    assert "padded-with-pixels" not in check_causality(module, SHAPE, levels=4, seconds=60.0).faults
    assert given == [60.0]
    assert "padded-with-pixels" in check_causality(module, SHAPE, levels=4, seconds=200.0).faults
    assert given == [60.0, 200.0, 140.0]


TOLERANCE = 1e-10


def strip(rows: np.ndarray) -> np.ndarray:
    """(60, 3): the same in all outputs of a row; the last row is the nearest to what was changed."""
    return np.repeat(np.asarray(rows, dtype=float)[::-1, None], 3, 1)


def test_spreads_drawn_by_hand() -> None:
    distance = np.arange(60)
    kernel = np.where(distance < 12, 0.3**distance, 0.0)
    assert spread_of(strip(kernel), TOLERANCE) == "near"
    assert spread_of(strip(0 * distance), TOLERANCE) == "near"
    assert spread_of(strip(0.5**distance), TOLERANCE) == "fading"
    assert spread_of(strip(np.where(distance < 30, 0.3**distance, 0.0)), TOLERANCE) == "fading"  # ends in rounding
    assert spread_of(strip(0.01 + 0.2 * (distance == 0)), TOLERANCE) == "everywhere"
    first = strip(0.001 + 0 * distance)
    first[0, 0] = 0.02
    assert spread_of(first, TOLERANCE) == "by-the-first"
    alone = strip(0 * distance)
    alone[0, 0], alone[-1] = 0.02, 0.5
    assert spread_of(alone, TOLERANCE) == "by-the-first"
    assert spread_of(strip(1.0 * (distance > 57)), TOLERANCE) == "around"

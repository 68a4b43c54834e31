"""No false alarms, honest partial verdicts, clear refusals, and a module that is left alone."""

import copy
import json
import subprocess
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from pixelbench.causality import CausalityReport, Context, check_causality
from pixelbench.causality.check import measure
from pixelbench.errors import UserError
from tests.causality.nets import LEVELS, Net, Normed, WithDropout

#: The nets' own convention; with as many outputs as colours it cannot be found out.
STATED: dict[str, Any] = {"input": "int", "output": "b k c h w"}


def checked(module: nn.Module, shape: Sequence[int], **options: Any) -> CausalityReport:
    return check_causality(module, shape, **{**STATED, **options})


def test_context_is_what_the_kernels_reach() -> None:
    torch.manual_seed(2)
    report = checked(Net(1), (1, 7, 9), levels=4)
    assert report.context == Context(2, 2, 2)


@pytest.mark.by_default(2)
@pytest.mark.parametrize("levels", [2, 3, 256])
def test_any_number_of_levels(levels: int) -> None:
    torch.manual_seed(2)
    assert checked(Net(1), (1, 3, 4), levels=levels).status == "complete"
    assert checked(Net(1, own_first=True), (1, 3, 4), levels=levels).status == "leaky"


def test_a_leak_at_one_level_only_is_found_where_levels_are_few() -> None:
    class AtSeven(Net):
        """Sees itself where its value is exactly 7."""

        def forward(self, images: Tensor) -> Tensor:
            return super().forward(images) + (images == 7)[:, None]

    torch.manual_seed(2)
    report = checked(AtSeven(1), (1, 4, 5), levels=LEVELS, bases=("zeros",))
    assert [(leak.offset, leak.count) for leak in report.leaks] == [((0, 0), 20)]


def test_conditionals_is_the_output_where_there_is_one() -> None:
    class TwoOutputs(Net):
        """Leaks through `forward` only."""

        def conditionals(self, images: Tensor) -> Tensor:
            return Net.forward(self, images)

        def forward(self, images: Tensor) -> Tensor:
            return Net.forward(self, images) + images[:, None]

    assert checked(TwoOutputs(1), (1, 3, 4), levels=4).status == "complete"


def test_the_module_and_the_random_state_are_left_alone() -> None:
    module = Normed(3, nn.BatchNorm2d).train()
    module.b.eval()
    before = copy.deepcopy(module.state_dict())
    modes = [part.training for part in module.modules()]
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    checked(module, (3, 3, 4), levels=4, mode="train")
    assert torch.equal(torch.rand(3), expected)
    assert [part.training for part in module.modules()] == modes
    assert torch.get_default_dtype() == torch.float32
    for name, value in module.state_dict().items():
        assert value.dtype == before[name].dtype
        assert torch.equal(value, before[name])


def test_given_positions_are_partial_unless_they_are_all() -> None:
    torch.manual_seed(2)
    some = checked(Net(1), (1, 3, 4), levels=4, positions=[5, 0, 5])
    assert (some.status, some.positions_probed, some.positions_total) == ("partial", 2, 12)
    evidence = measure(Net(1), (1, 3, 4), levels=4, **STATED, positions=[5, 0, 5])
    assert evidence.positions.tolist() == [0, 5]
    assert evidence.dependence.shape == (12, 2)
    assert "2 of 12 positions" in some.summary()
    assert checked(Net(1), (1, 3, 4), levels=4, positions=range(12)).status == "complete"


def test_out_of_time_is_partial() -> None:
    report = checked(Net(1), (1, 8, 9), levels=256, seconds=1e-9)
    assert report.status == "partial"
    assert 1 <= report.positions_probed < 72


def test_the_same_seed_gives_the_same_report() -> None:
    torch.manual_seed(2)
    module = WithDropout(3)
    first = checked(module, (3, 3, 3), levels=4)
    torch.manual_seed(3)
    second = checked(module, (3, 3, 3), levels=4)
    assert first == second
    assert np.array_equal(measure(module, (3, 3, 3), levels=4, **STATED).effects, measure(module, (3, 3, 3), levels=4, **STATED).effects)
    leaky = Net(1, own_first=True)
    assert checked(leaky, (1, 3, 3), levels=256) != checked(leaky, (1, 3, 3), levels=256, seed=1)


def test_tolerance_stands_clear_of_the_noise_between_batch_sizes() -> None:
    class Rounded(Net):
        """One image alone is rounded differently."""

        def forward(self, images: Tensor) -> Tensor:
            return super().forward(images) * (1 + 1e-7 * (len(images) == 1))

    report = checked(Rounded(1), (1, 3, 4), levels=4)
    assert report.status == "complete"
    assert report.noise == pytest.approx(1e-7, rel=1e-3)
    assert report.method.tolerance == 10 * report.noise


def test_json_holds_everything_and_no_nan() -> None:
    report = checked(Net(3, own_first=True), (3, 3, 4), levels=4, target="mine")
    document = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert (document["target"], document["verdict"], document["shape"]) == ("mine", "leaky", [3, 3, 4])
    assert sorted((leak["input_colour"], leak["output_colour"], *leak["offset"]) for leak in document["leaks"]) == [
        (colour, colour, 0, 0) for colour in range(3)
    ]
    assert CausalityReport.from_json(document) == report


def test_the_target_is_the_class_by_default() -> None:
    assert checked(Net(1), (1, 2, 2), levels=2).target == "Net"


class Poisoned(Net):
    """NaN where a value is 3."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images).masked_fill((images == 3)[:, None], torch.nan)


class Returns(Net):
    """Gives whatever `change` makes of the right output."""

    def __init__(self, change: Callable[[Tensor], object]) -> None:
        super().__init__(1)
        self.change = change

    def forward(self, images: Tensor) -> Tensor:
        return self.change(super().forward(images))  # type: ignore[return-value]


class Lazy(nn.Module):
    """Shifted convolutions whose inputs are known at the first call; `sees` itself, or not. Pictures or flat vectors enter."""

    def __init__(self, sees: bool = False, flat: bool = False, never: bool = False) -> None:
        super().__init__()
        self.sees, self.flat, self.never = sees, flat, never
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch calls its lazy layers new
            self.first, self.last = nn.LazyConv2d(6, (1, 2)), nn.LazyConv2d(4, 1)

    def forward(self, images: Tensor) -> Tensor:
        if self.never:
            raise RuntimeError("not today")
        if self.flat:
            images = images.unflatten(1, (1, 3, 4))
        padded = nn.functional.pad(images, (1, 0) if self.sees else (2, -1))
        return self.last(torch.tanh(self.first(padded)))[:, :, None]


@pytest.mark.parametrize(("sees", "flat"), [(False, False), (True, False), (False, True)])
def test_lazy_layers_are_made_by_a_call_and_the_module_stays_as_it_is(sees: bool, flat: bool) -> None:
    module = Lazy(sees, flat)
    report = checked(module, (1, 3, 4), levels=4, input="unit")
    assert report.verdict == ("leaky" if sees else "causal")
    assert is_lazy(module.first.weight)
    again = checked(module, (1, 3, 4), levels=4, input="unit")
    assert report.to_json() == again.to_json() | {"seconds": report.seconds}


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (Poisoned(1), "holds NaN"),
        (Returns(lambda out: out[:, 0]), r"returned \(2, 1, 3, 4\) for 2 images, which does not fit 'b k c h w'"),
        (Returns(lambda out: out.transpose(3, 4)), "height and width are swapped"),
        (Returns(lambda out: (out, out)), "returned a tuple of 2 parts"),
        (Returns(lambda out: out.long()), "output is int64"),
        (nn.Conv2d(1, 1, 1), "failed on integers of shape"),
        (nn.Conv2d(1, 1, 1, device="meta"), "weights on the meta device"),
        (Lazy(never=True), "call it on a batch once"),
    ],
)
def test_what_cannot_be_checked_is_said_in_a_sentence(module: nn.Module, message: str) -> None:
    with pytest.raises(UserError, match=message):
        checked(module, (1, 3, 4), levels=4)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"shape": (1, 3, 4, 5, 6)}, "shape must be"),
        ({"shape": (1, 3, 4, 5)}, "A video of shape 1,3,4,5"),
        ({"levels": 1}, "levels must be"),
        ({"mode": "test"}, "mode must be"),
        ({"seconds": 0}, "seconds must be"),
        ({"positions": [12]}, "from 0 to 11"),
        ({"positions": []}, "at least one"),
        ({"bases": ("zeroes",)}, "Did you mean 'zeros'"),
        ({"bases": ("joint",)}, "at least one of zeros"),
    ],
)
def test_arguments_out_of_range_are_refused(wrong: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        checked(Net(1), **{"shape": (1, 3, 4), "levels": 4, **wrong})


@pytest.mark.slow
def test_the_package_loads_torch_only_when_used() -> None:
    code = (
        "import sys, pixelbench.causality as room; room.CausalityReport; assert 'torch' not in sys.modules;"
        "room.check_causality; assert 'torch' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

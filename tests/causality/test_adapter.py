"""Any way of taking images and of giving an output: found out by trying, asked for, or said to be wrong in one sentence."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelbench.causality import CausalityReport, check_causality
from pixelbench.causality.interface.adapter import ModuleAdapter, encode, find_adapter
from pixelbench.causality.interface.parts import selected
from pixelbench.errors import UserError

LEVELS = 5
SHAPE = (3, 4, 5)


def adapter_of(call: Callable[[Tensor], Any], **options: Any) -> ModuleAdapter:
    return find_adapter(call, SHAPE, LEVELS, device=torch.device("cpu"), dtype=torch.float64, **options)


def shifted(x: Tensor) -> Tensor:
    """(B, K = 2, C, H, W): each sub-pixel gets the pixel above it."""
    above = F.pad(x[..., :-1, :], (0, 0, 1, 0))
    return torch.stack([above, -above], 1)


class Embedded(nn.Module):
    """Takes integers only."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(LEVELS, 2)

    def forward(self, images: Tensor) -> Tensor:
        return shifted(self.table(images).double().sum(-1))


class Convolved(nn.Module):
    """Takes floats only."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 21, 3, padding=1).double()

    def forward(self, images: Tensor) -> Tensor:
        return self.conv(images)


def one_hot(images: Tensor) -> Tensor:
    return shifted(F.one_hot(images, LEVELS).double() @ torch.arange(LEVELS, dtype=torch.float64))


def rounded(images: Tensor) -> Tensor:
    return shifted(images.long().double())


def saturating(images: Tensor) -> Tensor:
    return shifted(torch.tanh(50 * (images.double() - 0.4)))


@pytest.mark.parametrize(
    ("call", "input"),
    [
        (Embedded(), "int"),
        (one_hot, "int"),
        (rounded, "int"),
        (lambda x: shifted(x.double() / (LEVELS - 1)), "int"),
        (saturating, "unit"),
        (lambda x: Convolved()(x).unflatten(1, (7, 3)), "unit"),
        (lambda x: shifted(x[:, [0, 1, 2 if x.is_floating_point() else 9]].double()), "unit"),
    ],
    ids=["embedding", "one-hot", "casts to integers", "scales integers", "saturates", "convolution", "fails on integers"],
)
def test_the_convention_is_found_by_trying(call: Callable[[Tensor], Any], input: str) -> None:
    adapter = adapter_of(call)
    assert (adapter.input, adapter.select) == (input, None)


@pytest.mark.parametrize("input", ["int", "unit", "symmetric"])
def test_what_was_asked_for_is_what_enters(input: str) -> None:
    entered: list[Tensor] = []

    def call(images: Tensor) -> Tensor:
        entered.append(images)
        return shifted(images.double())

    adapter = adapter_of(call, input=input)
    assert adapter.input == input
    (images,) = entered
    low, high, dtype = {"int": (0, 4, torch.int64), "unit": (0, 1, torch.float64), "symmetric": (-1, 1, torch.float64)}[input]
    assert images.dtype == dtype
    assert (images.min(), images.max()) == (low, high)


def test_encodings() -> None:
    images = torch.tensor([0, 1, 4]).view(1, 1, 1, 3)
    assert encode(images, "int", LEVELS, torch.float64) is images
    assert encode(images, "unit", LEVELS, torch.float64).flatten().tolist() == [0, 0.25, 1]
    assert encode(images, "symmetric", LEVELS, torch.float32).flatten().tolist() == [-1, -0.5, 1]


def test_an_unknown_convention_names_the_nearest() -> None:
    with pytest.raises(UserError, match=r"Unknown input convention 'symetric'. Did you mean 'symmetric'"):
        adapter_of(one_hot, input="symetric")


def test_where_nothing_runs_both_tries_are_told() -> None:
    def call(images: Tensor) -> Tensor:
        raise RuntimeError("no integers, please.\nReally." if not images.is_floating_point() else "")

    with pytest.raises(UserError) as raised:
        adapter_of(call)
    both = "on integers: no integers, please; on floats in [0, 1]: RuntimeError."
    assert str(raised.value) == f"The module failed on images of shape (2, 3, 4, 5), {both}"


def test_where_both_tries_say_the_same_it_is_said_once() -> None:
    def call(images: Tensor) -> Tensor:
        raise ValueError("four channels needed")

    with pytest.raises(UserError) as raised:
        adapter_of(call)
    words = "integers or floats in [0, 1]"
    assert str(raised.value) == f"The module failed on {words} of shape (2, 3, 4, 5): four channels needed."
    with pytest.raises(UserError, match=r"failed on floats in \[-1, 1\] of shape \(2, 3, 4, 5\): four channels needed."):
        adapter_of(call, input="symmetric")


def test_a_module_that_ends_the_program_does_not_end_ours() -> None:
    def call(images: Tensor) -> Tensor:
        raise SystemExit(4)

    with pytest.raises(UserError, match=r"failed on integers or floats in \[0, 1\] of shape .*: it ends the program \(4\)\."):
        adapter_of(call)


def test_only_the_convention_asked_for_is_tried() -> None:
    with pytest.raises(UserError, match="failed on integers of shape"):
        adapter_of(Convolved(), input="int")


def test_the_pattern_is_used_and_checked() -> None:
    with pytest.raises(UserError, match=r'laid out.*"b .k c. h w" or "b .c k. h w" or "b k h w"'):
        adapter_of(Convolved())
    adapter = adapter_of(Convolved(), output="b (c k) h w")
    assert adapter.output == "b (c k) h w"
    raw = torch.arange(21.0).view(1, 21, 1, 1).expand(1, 21, 4, 5)
    arranged = adapter.arrange(raw, 1)
    assert arranged.shape == (1, 7, 3, 4, 5)
    assert arranged[0, :, 1, 0, 0].tolist() == [7, 8, 9, 10, 11, 12, 13]
    with pytest.raises(UserError, match="which does not fit 'b k c h w'"):
        adapter_of(Convolved(), output="b k c h w")
    with pytest.raises(UserError, match="it has no 'w'"):
        adapter_of(Convolved(), output="b k c h")


def test_another_size_in_a_later_call_is_told() -> None:
    adapter = adapter_of(one_hot)
    assert adapter.arrange(torch.zeros(3, 2, 3, 4, 5), 3).shape == (3, 2, 3, 4, 5)
    with pytest.raises(UserError, match="which does not fit 'b k c h w'"):
        adapter.arrange(torch.zeros(3, 2, 3, 4, 4), 3)


class Pair(NamedTuple):
    """A named tuple."""

    logits: Any
    scale: Any


@dataclass
class Output:
    """A dataclass."""

    loss: Any
    heads: Any


HERE, ELSEWHERE = torch.full((1,), 1.0), torch.full((1,), 2.0)


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (HERE, None),
        ((HERE, ELSEWHERE), "0"),
        ([ELSEWHERE, HERE], "1"),
        ({"logits": HERE, "loss": ELSEWHERE}, "logits"),
        ({0: ELSEWHERE, 1: HERE}, "1"),
        (Pair(HERE, ELSEWHERE), "logits"),
        (Pair(ELSEWHERE, HERE), "1"),
        (Output(ELSEWHERE, (ELSEWHERE, {"mean": HERE})), "heads.1.mean"),
        (({"a": ELSEWHERE}, [HERE]), "1.0"),
    ],
)
def test_the_part_asked_for_is_the_output(raw: Any, path: str | None) -> None:
    assert selected(raw, path) is HERE


@pytest.mark.parametrize(
    ("raw", "path", "said"),
    [
        ((HERE, HERE), None, "The module returned a tuple of 2 parts; say which is the output with select: --select 0 or --select 1."),
        ({"logits": HERE, "loss": HERE}, None, "say which is the output with select: --select logits or --select loss."),
        (Pair(HERE, HERE), None, "The module returned a Pair of 2 parts; say which is the output with select: --select logits or"),
        (Output(HERE, {"mean": HERE}), "heads", "returned a dict of 1 parts; say which is the output with select: --select heads.mean."),
        ({"logits": HERE}, "logit", "The module's dict has no part 'logit'. Did you mean 'logits'? It has: logits."),
        ((HERE, HERE), "2", "The module's tuple has no part '2'. It has: 0, 1."),
        (Output(HERE, HERE), "head", "The module's Output has no part 'head'. Did you mean 'heads'? It has: loss, heads."),
        (HERE, "0", "Nothing can be selected with '0': the module returned a Tensor without parts."),
        ({"a": HERE}, "a.0", "Nothing can be selected with '0'"),
        (None, None, "The module returned a NoneType, not a tensor; check a module that returns the output alone."),
        ((), None, "The module returned a tuple, not a tensor"),
        (torch.zeros(1, dtype=torch.int64), None, "The module's output is int64; it must be floating point"),
        ({"a": torch.zeros(1, dtype=torch.bool)}, "a", "The module's output is bool; it must be floating point"),
    ],
)
def test_what_cannot_be_selected_says_what_is_there(raw: Any, path: str | None, said: str) -> None:
    with pytest.raises(UserError) as raised:
        selected(raw, path)
    assert said in str(raised.value)


def test_a_distribution_is_selected_from_by_the_tensors_it_holds() -> None:
    normal = torch.distributions.Normal(torch.zeros(2), torch.ones(2))
    assert torch.equal(selected(normal, "scale"), torch.ones(2))
    assert torch.equal(selected(normal, None), torch.tensor([[0.0, 1.0], [0.0, 1.0]]))


def test_a_named_tuple_is_selected_from_by_name_and_by_place() -> None:
    pair = Pair(torch.zeros(1), torch.ones(1))
    assert selected(pair, "1") is pair[1]


def test_what_ends_the_program_or_returns_one_number_is_a_sentence() -> None:
    def leave(images: Tensor) -> Tensor:
        raise SystemExit(3)

    with pytest.raises(UserError, match=r"it ends the program \(3\)"):
        adapter_of(leave)
    with pytest.raises(UserError, match="one number for the whole batch: that looks like a loss"):
        adapter_of(lambda x: x.double().sum())


def test_a_distribution_is_selected_from_by_its_tensors() -> None:
    normal = torch.distributions.Normal(HERE, ELSEWHERE)
    assert selected(normal, "loc") is HERE
    assert torch.equal(selected(normal, None), torch.stack([HERE, ELSEWHERE], -1))
    with pytest.raises(UserError, match=r"The module's Normal has no part 'locs'. Did you mean 'loc'"):
        selected(normal, "locs")


def test_a_selected_part_is_kept_in_the_adapter() -> None:
    adapter = adapter_of(lambda x: {"loss": x.sum(), "logits": [one_hot(x)]}, select="logits.0")
    assert adapter.select == "logits.0"
    assert adapter.arrange({"logits": [torch.zeros(2, 2, *SHAPE)]}, 2).shape == (2, 2, *SHAPE)
    assert adapter_of(lambda x: (one_hot(x), x), select=0).select == "0"
    with pytest.raises(UserError, match="returned a tuple of 2 parts"):
        adapter_of(lambda x: (one_hot(x), one_hot(x)))
    assert adapter_of(lambda x: (one_hot(x), None)).select == "0"


class Wrapped(nn.Module):
    """Calls a function; float32 weights, as users have them."""

    def __init__(self, function: Callable[[Tensor, Tensor], Any]) -> None:
        super().__init__()
        self.function = function
        self.weight = nn.Parameter(torch.randn(4, 3))

    def forward(self, images: Tensor) -> Any:
        return self.function(images, self.weight)


def causal(images: Tensor, weight: Tensor) -> Tensor:
    """(B, K = 4, C, H, W): all rows above; the colour after the others sees nothing of its own pixel."""
    sums = F.pad(images.to(weight.dtype).cumsum(2)[:, :, :-1], (0, 0, 1, 0))
    return torch.einsum("bchw,kc->bkchw", sums, weight)


def checked(function: Callable[[Tensor, Tensor], Any], **options: Any) -> CausalityReport:
    torch.manual_seed(0)
    return check_causality(Wrapped(function), (3, 3, 2), levels=4, **options)


@pytest.mark.parametrize("input", ["int", "unit", "symmetric"])
def test_a_check_goes_through_any_adapter(input: str) -> None:
    def call(x: Tensor, w: Tensor) -> dict[str, Tensor]:
        return {"logits": causal(x, w).permute(0, 3, 4, 2, 1), "aux": x}

    report = checked(call, input=input, output="b h w c k", select="logits")
    assert (report.verdict, report.method.input, report.method.output) == ("causal", input, "b h w c k")


def test_a_check_tells_colours_apart_in_groups() -> None:
    """k outermost and c outermost are the same numbers in another order: read wrongly, colours are mixed."""

    def see_own_colours(x: Tensor, w: Tensor) -> Tensor:
        later = causal(x, w).clone()
        later[:, :, 2] = later[:, :, 2] + x[:, None, 0]
        return later.flatten(1, 2)

    assert checked(see_own_colours, output="b (k c) h w").verdict == "causal"
    assert checked(see_own_colours, output="b (c k) h w").verdict == "undecided"


def test_one_output_for_all_colours_must_see_none_of_its_pixel() -> None:
    assert checked(lambda x, w: causal(x, w)[:, :, 0], output="b k h w").verdict == "causal"
    leaky = checked(lambda x, w: causal(x, w)[:, :, 0] + x[:, None, 0].to(w.dtype), output="b k h w")
    assert leaky.verdict == "leaky"
    assert {(leak.input_colour, leak.output_colour) for leak in leaky.leaks} == {(0, 0)}


def test_integers_that_give_integers_send_floats_in() -> None:
    """A sum of the pixels on the left: of integers it is one, of floats it is an output."""

    def sums(images: Tensor) -> Tensor:
        return (images.cumsum(3) - images)[:, None].expand(-1, 3, -1, -1, -1)

    assert find_adapter(sums, (1, 2, 4), 4, device=torch.device("cpu"), dtype=torch.float64).input == "unit"
    with pytest.raises(UserError, match="output is int64"):
        find_adapter(sums, (1, 2, 4), 4, input="int", device=torch.device("cpu"), dtype=torch.float64)

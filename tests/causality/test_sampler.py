"""Does a sampler draw from its module's own probabilities: right ones are not accused, faults are found by name."""

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pixelbench.causality.sampler.check import SamplerReport, check_sampler
from pixelbench.causality.sampler.faults import AT_ONCE, GREEDY, OFF_BY_ONE, TEMPERATURE, TOGETHER
from pixelbench.errors import UserError
from pixelbench.models.families import create_model
from pixelbench.testing import assert_causal
from tests.causality.sampling_nets import (
    AtLast,
    Cold,
    DividedByLevels,
    Greedy,
    Mixture,
    Net,
    OneTooFew,
    OneUp,
    Rare,
    Scored,
    SelfSeeding,
    as_function,
)

GREY, COLOUR, FOUR = (1, 2, 3), (3, 1, 2), (1, 2, 2)


def checked(net: nn.Module, sampler: str | Callable = "sample", **options: Any) -> SamplerReport:
    """Of a net of this file, whose images are floats in [0, 1]."""
    shape, levels = (net.shape, net.levels) if isinstance(net, Net) else (GREY, 2)
    return check_sampler(net, shape, sampler=sampler, **{"levels": levels, "input": "unit", **options})


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("shape", "levels", "scale"), [(GREY, 2, 1.5), (COLOUR, 2, 1.5), (FOUR, 4, 1.0), (GREY, 2, 0.1), (GREY, 2, 6.0)])
def test_a_right_sampler_is_not_accused(shape: tuple[int, int, int], levels: int, scale: float, seed: int) -> None:
    report = checked(Net(shape, levels, scale), seed=seed)
    assert (report.verdict, report.diagnosis) == ("agrees", ())
    assert "are as frequent as the module's own probabilities say (G = " in report.text()


@pytest.mark.by_default(7)
@pytest.mark.parametrize(
    ("net", "sampler", "fault", "said"),
    [
        (Net(COLOUR), "together", TOGETHER, "they are sampled together from one pass"),
        (Net((3, 1, 1)), "together", TOGETHER, "they are sampled together from one pass"),
        (Net(GREY), "at_once", AT_ONCE, "they are sampled at once from one pass"),
        (DividedByLevels(FOUR, 4), "sample", OFF_BY_ONE, "sample gives levels divided by 4, their number"),
        (DividedByLevels(FOUR, 4), "integers", OFF_BY_ONE, "The canvas holds levels divided by 4"),
        (OneUp(FOUR, 4), "sample", OFF_BY_ONE, "The levels are one up: draws follow the probabilities of the level below, also in what"),
        (OneUp(FOUR, 4), "integers", OFF_BY_ONE, "The levels are one up"),
        (AtLast(FOUR, 4), "integers", OFF_BY_ONE, "integers gives levels from 1 to 4, and there are those from 0 to 3."),
        (AtLast(GREY), "integers", OFF_BY_ONE, "integers gives levels from 1 to 2"),
        (AtLast(FOUR, 4), "wrapped", OFF_BY_ONE, "The levels are one up: draws follow the probabilities of the level below; the canvas"),
        (OneTooFew(FOUR, 4), "integers", OFF_BY_ONE, "The highest level is never drawn"),
        (Cold(FOUR, 4), "sample", TEMPERATURE, "at a temperature of 0.80"),
        (Cold(COLOUR), "sample", TEMPERATURE, "at a temperature of 0.80"),
        (Greedy(FOUR, 4), "sample", GREEDY, "Every draw gives the same image"),
    ],
)
def test_a_fault_is_found_by_name(net: Net, sampler: str, fault: str, said: str) -> None:
    report = checked(net, sampler)
    assert report.verdict == "differs"
    assert [one.name for one in report.diagnosis] == [fault]
    assert said in report.diagnosis[0].sentence
    assert said in report.text()


def test_a_fault_without_a_name_is_one_with_the_image_that_shows_it() -> None:
    report = checked(Scored(first=0.7), input="int")
    assert (report.verdict, report.diagnosis, report.draws) == ("differs", (), 80_000)
    image, drawn, expected = report.example
    assert np.shape(image) == GREY
    assert f"{image} came {drawn:,} times, not {expected:,.0f}." in report.summary()
    assert abs(drawn - expected) > 1000


def test_log_prob_is_taken_where_there_is_no_output() -> None:
    report = checked(Scored(), input="int")
    assert report.agrees
    assert "Probabilities: those of log_prob." in report.text()


def test_colours_that_do_not_depend_on_one_another_may_be_sampled_together() -> None:
    """The mirror image: without colour conditioning that is right, and is no evidence of colours being drawn one after the other."""
    net = Net(COLOUR)
    colour = torch.arange(6) // 3
    net.seen = net.seen * (colour[:, None] != colour[None, :])
    report = checked(net, "together")
    assert report.agrees
    assert "Colours sampled together would not have shown" in report.text()
    assert checked(net).agrees


@pytest.mark.parametrize("rare", [1e-3, 1e-5, 1e-9])
def test_rare_outcomes_are_no_fault(rare: float) -> None:
    """One white pixel in five draws, or in none: expected far fewer times than five."""
    net = Rare(rare)
    for seed in range(3):
        assert checked(net, seed=seed).p_value > 1e-6


def test_rare_outcomes_that_come_too_often_are_one() -> None:
    """The mirror image: what has a probability of 1e-9 comes some times in 20,000."""

    class TooOften(Rare):
        def chosen(self, logits: Tensor) -> Tensor:
            return super().chosen(logits) | (torch.rand(len(logits)) < 1e-3).long()

    assert checked(TooOften(1e-9)).verdict == "differs"


def test_a_temperature_that_can_be_asked_for_is_one() -> None:
    assert checked(Cold(FOUR, 4), "at").agrees
    assert not checked(Cold(FOUR, 4), "sample").agrees


def test_weights_that_hide_all_faults_are_made_larger() -> None:
    net = Net(COLOUR, scale=0.02)
    report = checked(net)
    assert report.agrees
    assert "For this the weights were multiplied by" in report.text()
    assert [one.name for one in checked(net, "together").diagnosis] == [TOGETHER]


def test_a_head_that_begins_with_zeros_is_filled() -> None:
    net = Net(COLOUR, scale=0.0)
    assert checked(net).agrees
    assert [one.name for one in checked(net, "together").diagnosis] == [TOGETHER]
    assert not net.weight.any()


def test_nothing_is_green_that_was_not_tested() -> None:
    """No pixel depends on another, whatever the weights: whether it is drawn given the others cannot show."""
    net = Net(GREY)
    net.seen = torch.zeros_like(net.seen)
    report = checked(net)
    assert (report.verdict, report.agrees) == ("undecided", False)
    assert report.text().startswith("Net: Undecided. 20,000 draws")


def with_sampler(function: Callable) -> Net:
    net = Net(GREY)
    net.draw = function.__get__(net)
    return net


def first(self: Net, n: int) -> Tensor:
    return self.sample(n)


def batch_and_device(self: Net, batch_size: int, device: torch.device) -> Tensor:
    return self.sample(batch_size).to(device)


def shape_of_batch(self: Net, shape: tuple[int, ...]) -> Tensor:
    n, *size = shape
    assert tuple(size) == self.shape
    return self.sample(n)


def number_and_size(self: Net, num_samples: int = 1, *, size: tuple[int, int, int]) -> Tensor:
    assert size == self.shape
    return self.sample(num_samples)


def sides(self: Net, channels: int, height: int, width: int, n_samples: int | None = None) -> Tensor:
    assert (channels, height, width) == self.shape
    return self.sample(n_samples or 1)


def canvas(self: Net, x: Tensor) -> Tensor:
    assert not x.any()
    return self.sample(len(x))


def one_image(self: Net) -> Tensor:
    return self.sample(1)[0]


def few_images(self: Net) -> Tensor:
    return self.sample(64)


def with_generator(self: Net, how_many: int, generator: torch.Generator) -> Tensor:
    assert torch.rand(1, generator=generator).numel()
    return self.sample(how_many)


def a_name_of_its_own(self: Net, quantity: int, verbose: bool = False) -> Tensor:
    return self.sample(quantity)


def with_label(self: Net, n: int, label: Tensor) -> Tensor:
    assert label.tolist() == [3] * n
    return self.sample(n)


@pytest.mark.parametrize(
    "function",
    [
        *(first, batch_and_device, shape_of_batch, number_and_size, sides, canvas, few_images, with_generator, a_name_of_its_own),
        torch.no_grad()(first),
    ],
)
def test_arguments_are_told_by_their_names(function: Callable) -> None:
    report = checked(with_sampler(function), "draw")
    assert (report.verdict, report.draws >= 20_000) == ("agrees", True)


def test_a_sampler_of_one_image_is_called_again_and_again() -> None:
    report = checked(with_sampler(one_image), "draw", seconds=2.0)
    assert report.verdict in ("agrees", "undecided")  # as many as fit into the time
    assert report.draws > 1


def test_few_draws_are_no_evidence() -> None:
    """Two calls are made, whatever the time."""
    report = checked(with_sampler(one_image), "draw", seconds=1e-9)
    assert (report.verdict, report.draws) == ("undecided", 2)


def test_further_arguments_go_to_the_sampler_too() -> None:
    net = with_sampler(with_label)
    net.forward = lambda images, label=None: Net.forward(net, images)
    assert checked(net, "draw", args={"label": 3}).agrees
    with pytest.raises(UserError, match=r"draw requires label, which nothing is known of; give it with --arg label=NUMBER"):
        checked(with_sampler(with_label), "draw")


@pytest.mark.by_default(5)
@pytest.mark.parametrize(
    "give",
    [
        lambda images: images.long(),
        lambda images: images.to(torch.uint8),
        lambda images: images.float(),
        lambda images: 2 * images - 1,
        lambda images: images[:, 0],
        lambda images: images.flatten(1),
        lambda images: images.permute(0, 2, 3, 1),
        lambda images: images.numpy(),
        lambda images: list(images),
        lambda images: (images, {"steps": 6}),
    ],
)
def test_what_a_sampler_gives_is_read(give: Callable) -> None:
    net = Net(GREY)
    assert checked(net, lambda module, n: give(module.sample(n))).agrees
    assert checked(net, lambda module, n: give(module.at_once(n).double())).verdict == "differs"


def test_a_function_of_module_and_number() -> None:
    net = Net(GREY)
    report = checked(net, as_function(net))
    assert (report.verdict, report.sampler) == ("agrees", "drawn")


def test_a_function_in_a_file(tmp_path: Any) -> None:
    (tmp_path / "train.py").write_text("def draw(model, n):\n    return model.sample(n)\n")
    assert checked(Net(GREY), f"{tmp_path / 'train.py'}:draw").agrees
    with pytest.raises(UserError, match="has no function 'drew'"):
        checked(Net(GREY), f"{tmp_path / 'train.py'}:drew")


@pytest.mark.parametrize("family", ["pixelcnn", "gated-pixelcnn", "row-lstm", "nade"])
def test_our_own_families_draw_from_their_probabilities(family: str) -> None:
    small = {} if family == "nade" else {"layers": 1, "maps": 6}
    model = create_model(family, channels=3, height=1, width=2, levels=2, **small)
    assert check_sampler(model, COLOUR, sampler="sample").verdict == "agrees"


def test_a_mixture_is_scored_by_its_head() -> None:
    """The sampler draws red from a component, moves green by red, and blue by both; or moves none."""
    head = {"head": "logistic-mixture", "levels": 3, "input": "symmetric"}

    def drawn(moved: float) -> Callable:
        def draw(module: Mixture, n: int) -> Tensor:
            m = module.components
            raw = module.parameters_of_all
            component = torch.multinomial(raw[:m].softmax(0), n, replacement=True)
            rest = raw[m:].view(3, 3 * m)[:, torch.stack([component, component + m, component + 2 * m])]  # (3, 3, n)
            means, scales, coefficients = rest[:, 0], rest[:, 1].clamp(min=-7), rest[:, 2].tanh() * moved
            canvas = torch.zeros(n, 3)
            for colour in range(3):
                mean = means[colour].clone()
                if colour == 1:
                    mean = mean + coefficients[0] * canvas[:, 0]
                if colour == 2:
                    mean = mean + coefficients[1] * canvas[:, 0] + coefficients[2] * canvas[:, 1]
                uniform = torch.rand(n).clamp(1e-9, 1 - 1e-9)
                value = mean + scales[colour].exp() * torch.logit(uniform)
                canvas[:, colour] = value.round().clamp(-1, 1)  # three levels: -1, 0, 1
            return canvas.view(n, 3, 1, 1)

        return draw

    assert check_sampler(Mixture(), (3, 1, 1), sampler=drawn(1.0), **head).agrees
    assert check_sampler(Mixture(), (3, 1, 1), sampler=drawn(0.0), **head).verdict == "differs"


class Gives(nn.Module):
    """A causal module with any sampler."""

    def __init__(self, draw: Callable) -> None:
        super().__init__()
        self.draw, self.net = draw, Net(GREY)

    def forward(self, images: Tensor) -> Tensor:
        return self.net(images)


def fail(n: int) -> Tensor:
    raise RuntimeError("out of\npaper.")


@pytest.mark.parametrize(
    ("module", "options", "said"),
    [
        (Net(GREY), {"sampler": "smple"}, "Net has no smple. It has: sample. A function elsewhere is --sampler FILE:function"),
        (nn.Identity(), {"sampler": "sample"}, "sum to"),
        (Gives(fail), {"sampler": "draw"}, "draw failed: out of."),
        (Gives(lambda n: torch.zeros(n, 7)), {"sampler": "draw"}, "gives (3, 7), which is not 3 images of the shape."),
        (Gives(lambda n: "images"), {"sampler": "draw"}, "gives a str, which is not 3 images"),
        (Gives(lambda n: torch.rand(n, *GREY)), {"sampler": "draw"}, "gives values that are none of the 2 levels, such as 0."),
        (Gives(lambda n: torch.full((n, *GREY), math.nan)), {"sampler": "draw"}, "gives NaN or infinity"),
        (Gives(lambda n, warmup, rate: n), {"sampler": "draw"}, "requires warmup and rate, which nothing is known of"),
        (
            SelfSeeding(GREY),
            {"sampler": "sample"},
            "sample gives the same images at each call, as where it seeds",
        ),
        (Net((3, 8, 7)), {"shape": (3, 8, 7), "sampler": "sample"}, "are more than 65,536 images; enumerate a smaller shape"),
        (
            Net(FOUR, 4),
            {"shape": FOUR, "levels": 3, "sampler": "sample"},
            "The output has 4 numbers for each sub-pixel",
        ),
        (Net(GREY), {"sampler": "sample", "method": "nll"}, "Net has no nll(images)"),
    ],
)
def test_what_cannot_be_checked_is_one_sentence(module: nn.Module, options: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError) as raised:
        check_sampler(module, **{"shape": GREY, "input": "unit", **options})
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_leaking_module_has_no_probabilities_to_draw_from() -> None:
    net = Net(GREY)
    net.seen = torch.ones_like(net.seen)
    with pytest.raises(UserError, match=r"not to 1, so that no sampler can have them; check first, without --sampler, whether"):
        checked(net)


def test_the_document() -> None:
    document = json.loads(json.dumps(checked(Net(COLOUR), "together", target="mine").to_json(), allow_nan=False))
    assert (document["schema"], document["verdict"], document["target"], document["sampler"]) == (1, "differs", "mine", "together")
    assert (document["faults"], document["draws"], document["images"]) == ([TOGETHER], 80_000, 64)
    assert set(document["example"]) == {"image", "drawn", "expected"}


def test_the_module_and_the_random_states_stay_as_they_are() -> None:
    net = Net(GREY).train()
    before = net.weight.clone()
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    checked(net)
    assert net.training
    assert torch.equal(net.weight, before)
    assert torch.equal(torch.rand(3), expected)


def test_the_same_seed_gives_the_same_report() -> None:
    net = Net(GREY)
    assert checked(net, seed=3) == checked(net, seed=3)
    assert checked(net, seed=3) != checked(net, seed=4)


def test_assert_causal_takes_a_sampler() -> None:
    assert_causal(Net(COLOUR), COLOUR, levels=2, input="unit", sampler="sample")
    with pytest.raises(AssertionError, match=r"(?s)^80,000 draws of together on 3x1x2 images .*colours-sampled-together: The colours"):
        assert_causal(Net(COLOUR), COLOUR, levels=2, input="unit", sampler="together")
    net = Net(GREY)
    net.seen = torch.zeros_like(net.seen)
    with pytest.raises(AssertionError, match="Undecided"):
        assert_causal(net, GREY, levels=2, input="unit", sampler="sample")

"""What all images of a tiny shape say of a module that only offers log_prob."""

import json
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelbench.causality import check_causality
from pixelbench.causality.likelihood import check_log_prob
from pixelbench.errors import UserError

#: Offsets (row, column) that a sub-pixel sees, within the image.
NEAR = {
    "raster": ((0, -1), (-1, 0), (-1, 1)),
    "column-major": ((-1, 0), (0, -1), (1, -1)),
    "rows and columns reversed": ((0, 1), (1, 0), (1, -1)),
    "itself": ((0, -1), (0, 0)),
}
SHAPE = (1, 3, 3)


class Binary(nn.Module):
    """Offers log_prob only: a logistic regression of each pixel on a few near ones."""

    def __init__(self, near: tuple[tuple[int, int], ...], height: int = 3, width: int = 3) -> None:
        super().__init__()
        random = torch.Generator().manual_seed(3)
        places = [(row, column) for row in range(height) for column in range(width)]
        seen = [[(i[0] - o[0], i[1] - o[1]) in near for i in places] for o in places]
        self.weight = nn.Parameter(2 * torch.randn(len(places), len(places), generator=random) * torch.tensor(seen))
        self.bias = nn.Parameter(torch.randn(len(places), generator=random))

    def log_prob(self, images: Tensor) -> Tensor:
        x = images.float().flatten(1)
        return -F.binary_cross_entropy_with_logits(F.linear(x, self.weight, self.bias), x, reduction="none").sum(1)


class Scored(nn.Module):
    """log_prob is a function."""

    def __init__(self, log_prob: Callable[[Tensor], object]) -> None:
        super().__init__()
        self.log_prob = log_prob


def constant(nats: float) -> Scored:
    return Scored(lambda images: torch.full((len(images),), nats))


@pytest.mark.parametrize("order", ["raster", "column-major", "rows and columns reversed"])
def test_the_order_of_limited_context_is_told(order: str) -> None:
    report = check_log_prob(Binary(NEAR[order]), SHAPE)
    assert report.normalised
    assert (report.images, report.pairs) == (512, 36)
    assert report.orders == (order,)
    assert f"Orders that fit: {order}." in report.text()


def test_a_model_that_sees_itself_is_no_distribution() -> None:
    report = check_log_prob(Binary(NEAR["itself"]), SHAPE)
    assert not report.normalised
    assert report.orders is None
    assert "not to 1: its log_prob is no log-likelihood" in report.text()
    assert "sees the sub-pixel that it predicts" in report.text()


def test_independent_sub_pixels_fit_any_order() -> None:
    report = check_log_prob(Binary((), 2, 2), (1, 2, 2))
    assert report.interactions == 0
    assert report.orders is not None
    assert {"raster", "column-major", "rows reversed"} <= set(report.orders)
    assert "Interactions: 0 of 6 pairs" in report.text()
    assert "cannot tell these from one another" in report.text()


def test_interactions_are_counted_by_pair() -> None:
    """Each pixel sees the one on its left: three rows of two such pairs."""
    assert check_log_prob(Binary(((0, -1),)), SHAPE).interactions == 6


def test_an_order_without_a_name_is_no_raster_order() -> None:
    """The middle pixel comes first, and all others see it alone."""
    model = Binary(())
    with torch.no_grad():
        model.weight[[0, 1, 2, 3, 5, 6, 7, 8], 4] = 2.0
    report = check_log_prob(model, SHAPE)
    assert report.normalised
    assert report.orders == ()
    assert "Orders that fit: none of the named ones" in report.text()


@pytest.mark.parametrize(("nats", "total"), [(0.0, 64.0), (-10.0, 0.0029), (800.0, None)])
def test_too_much_or_too_little(nats: float, total: float | None) -> None:
    report = check_log_prob(constant(nats))
    assert not report.normalised
    assert report.to_json()["total"] == (None if total is None else pytest.approx(total, rel=0.01))
    words = "probability is lost" if nats < 0 else "images get more than their share"
    assert words in report.text()


def test_an_image_of_probability_zero_leaves_the_order_open() -> None:
    def log_prob(images: Tensor) -> Tensor:
        black = images.flatten(1).sum(1) == 0
        return torch.where(black, -torch.inf, -torch.log(torch.tensor(63.0)))

    report = check_log_prob(Scored(log_prob))
    assert report.normalised
    assert report.orders is None
    assert "Orders: cannot be told, since some image has probability 0." in report.text()
    json.dumps(report.to_json(), allow_nan=False)


def test_the_document() -> None:
    document = json.loads(json.dumps(check_log_prob(Binary(NEAR["raster"]), SHAPE, target="mine").to_json(), allow_nan=False))
    assert document.pop("total") == pytest.approx(1)
    assert document == {
        "schema": 1,
        "verdict": "normalised",
        "target": "mine",
        "shape": [1, 3, 3],
        "levels": 2,
        "images": 512,
        "interactions": 18,
        "pairs": 36,
        "orders": ["raster"],
        "tolerance": 1e-9,
        "notes": [],
    }


def test_the_module_and_the_random_states_stay_as_they_are() -> None:
    model = Binary(NEAR["raster"]).train()
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    check_log_prob(model, SHAPE)
    assert model.training
    assert model.weight.dtype == torch.float32
    assert torch.equal(torch.rand(3), expected)


def test_how_images_enter_is_found_or_asked_for() -> None:
    entered: set[tuple[torch.dtype, float]] = set()

    def floats_only(images: Tensor) -> Tensor:
        if not images.is_floating_point():
            raise TypeError("floats, please")
        entered.add((images.dtype, float(images.min())))
        return torch.zeros(len(images))

    check_log_prob(Scored(floats_only), (1, 1, 2))
    check_log_prob(Scored(floats_only), (1, 1, 2), input="symmetric")
    assert entered == {(torch.float64, 0.0), (torch.float64, -1.0)}
    with pytest.raises(UserError, match="failed on images of shape"):
        check_log_prob(Scored(floats_only), (1, 1, 2), input="int")
    with pytest.raises(UserError, match=r"Unknown input convention 'unti'. Did you mean 'unit'"):
        check_log_prob(Scored(floats_only), input="unti")


def fail(images: Tensor) -> Tensor:
    raise RuntimeError("out of\npaper.")


@pytest.mark.parametrize(
    ("module", "shape", "levels", "said"),
    [
        (constant(0), (3, 8, 7), 256, "256 levels at 168 sub-pixels are more than 65,536 images; enumerate a smaller shape"),
        (constant(0), (1, 1, 17), 2, "2 levels at 17 sub-pixels are more than 65,536 images"),
        (constant(0), (1, 0, 3), 2, "All images need at least 2 levels and positive sizes; got (1, 0, 3) with 2 levels."),
        (constant(0), (1, 2, 3), 1, "got (1, 2, 3) with 1 levels."),
        (nn.Identity(), (1, 2, 3), 2, "Identity has no log_prob(images); without --sums-to-one its outputs can be checked."),
        (Scored(lambda images: images.double()[0]), (1, 2, 3), 2, "must return (64,) floats for 64 images, in nats each; got (1, 2, 3)."),
        (Scored(lambda images: images.double().mean()), (1, 2, 3), 2, "got (). One number for the whole batch looks like a loss."),
        (Scored(lambda images: [0.0] * len(images)), (1, 2, 3), 2, "for 64 images, in nats each; got a list."),
        (Scored(lambda images: images.flatten(1).sum(1)), (1, 2, 3), 2, "must return (64,) floats"),
        (constant(float("nan")), (1, 2, 3), 2, "log_prob returned NaN; fix that first."),
        (Scored(fail), (1, 2, 3), 2, "Scored.log_prob failed on images of shape (64, 1, 2, 3): out of."),
    ],
)
def test_what_cannot_be_scored_is_said(module: nn.Module, shape: tuple[int, int, int], levels: int, said: str) -> None:
    with pytest.raises(UserError) as raised:
        check_log_prob(module, shape, levels=levels)
    assert said in str(raised.value)


def test_as_many_images_as_are_allowed() -> None:
    assert check_log_prob(constant(-8 * torch.log(torch.tensor(4.0)).item()), (1, 2, 4), levels=4).images == 65536


class Written(Binary):
    """As people write it: its sign turned, its input changed in place, gradients inside."""

    def nll(self, images: Tensor) -> Tensor:
        return -self.log_prob(images)

    def in_place(self, images: Tensor) -> Tensor:
        images *= 2
        if not images.is_floating_point():
            raise TypeError("floats")
        return self.log_prob(images / 2)

    def sloped(self, images: Tensor) -> Tensor:
        bias = self.bias.detach().requires_grad_(True)
        (slope,) = torch.autograd.grad(bias.square().sum() / 2, bias)  # the bias itself
        x = images.float().flatten(1)
        return -F.binary_cross_entropy_with_logits(F.linear(x, self.weight, slope), x, reduction="none").sum(1)


@pytest.mark.parametrize("method", ["nll", "in_place", "sloped"])
def test_other_ways_to_score_are_read_right_and_a_leak_shows_in_them_too(method: str) -> None:
    plain, itself = check_log_prob(Binary(NEAR["raster"]), SHAPE), check_log_prob(Binary(NEAR["itself"]), SHAPE)
    assert check_log_prob(Written(NEAR["raster"]), SHAPE, method=method).total == pytest.approx(plain.total)
    report = check_log_prob(Written(NEAR["itself"]), SHAPE, method=method)
    assert not report.normalised
    assert report.total == pytest.approx(itself.total)  # of probabilities, not of their inverses
    turned = "nll gives negative log-likelihoods, whose signs were turned."
    assert report.notes == ((turned,) if method == "nll" else ())


@pytest.mark.parametrize(("name", "option"), [("log_prob", "--sums-to-one checks"), ("nll", "--sums-to-one --method nll checks")])
def test_a_module_that_only_scores_is_told_how_it_is_checked(name: str, option: str) -> None:
    module = nn.Module()
    setattr(module, name, lambda images: images.double().flatten(1).sum(1))
    with pytest.raises(UserError, match=rf'missing the required "forward".*It scores images by {name}: {option}'):
        check_causality(module, SHAPE, levels=2)
    with pytest.raises(UserError) as raised:
        check_causality(nn.Module(), SHAPE, levels=2)
    assert "--sums-to-one" not in str(raised.value)

"""Modules as people have them: distributions, gradients inside, late parts, scripts, quantised layers, our own families as plain ones."""

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch import distributions as td
from torch.distributions import constraints

import pixelbench as pb
from pixelbench.causality import CausalityReport, check_causality
from pixelbench.errors import UserError
from tests.causality.nets import MaskedConv

SHAPE = (1, 4, 5)


@pytest.fixture(autouse=True)
def _same_weights() -> None:
    torch.manual_seed(3)


class Parameters(nn.Module):
    """`count` numbers a pixel, (B, count, H, W); with `own` a leak."""

    def __init__(self, count: int, *, own: bool, out: Callable[[Tensor], Any] = lambda y: y) -> None:
        super().__init__()
        self.first, self.last, self.out = MaskedConv(1, 8, 1, own=own), nn.Conv2d(8, count, 1), out

    def features(self, x: Tensor) -> Tensor:
        return torch.tanh(self.first(x.to(self.last.weight.dtype)))

    def forward(self, x: Tensor) -> Any:
        return self.out(self.last(self.features(x)))


def checked(module: Any, shape: tuple[int, ...] = SHAPE, **options: Any) -> CausalityReport:
    given: dict[str, Any] = {"levels": 4} | options
    return check_causality(module, shape, **given)


def normal(y: Tensor) -> td.Distribution:
    mean, scale = y.chunk(2, 1)
    return td.Normal(mean, scale.exp())


def logistic(y: Tensor) -> td.Distribution:
    """A logistic, as PyTorch's documentation makes one."""
    mean, scale = y.chunk(2, 1)
    base = td.Uniform(torch.zeros_like(mean), torch.ones_like(mean))
    return td.TransformedDistribution(base, [td.SigmoidTransform().inv, td.AffineTransform(mean, scale.exp())])


def mixture(y: Tensor) -> td.Distribution:
    weights, means, scales = y.permute(0, 2, 3, 1).chunk(3, -1)
    return td.MixtureSameFamily(td.Categorical(logits=weights), td.Normal(means, scales.exp()))


DISTRIBUTIONS: dict[str, tuple[int, Callable[[Tensor], Any]]] = {
    "Normal": (2, normal),
    "Independent Normal": (2, lambda y: td.Independent(normal(y), 3)),
    "Independent Bernoulli": (1, lambda y: td.Independent(td.Bernoulli(logits=y), 3)),
    "Categorical of probabilities": (4, lambda y: td.Categorical(probs=y.softmax(1).movedim(1, -1))),
    "squashed": (2, lambda y: td.TransformedDistribution(td.Independent(normal(y), 3), [td.TanhTransform(), td.AffineTransform(0.5, 0.5)])),
    "logistic": (2, logistic),
    "mixture": (9, mixture),
    "beside a loss that is not there": (2, lambda y: (normal(y), None)),
}


@pytest.mark.by_default(3)
@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_a_distribution_is_certified_by_its_parameters(name: str) -> None:
    count, out = DISTRIBUTIONS[name]
    assert checked(Parameters(count, own=False, out=out)).verdict == "causal"
    report = checked(Parameters(count, own=True, out=out))
    assert (report.verdict, report.faults[0]) == ("leaky", "sees-itself")


def test_the_transform_of_a_distribution_may_be_where_the_leak_is() -> None:
    class Scaled(Parameters):
        def forward(self, x: Tensor) -> td.Distribution:
            mean = self.last(self.features(x))
            return td.TransformedDistribution(td.Normal(mean, torch.ones_like(mean)), [td.AffineTransform(0.0, 1 + x.to(mean.dtype))])

    assert checked(Scaled(1, own=False)).faults[0] == "sees-itself"


class OwnTransform(td.Transform):
    domain, codomain = constraints.real, constraints.real


def joint_normal(y: Tensor) -> td.Distribution:
    flat = y.flatten(1)
    return td.MultivariateNormal(flat, torch.eye(flat.shape[1], dtype=flat.dtype).expand(len(flat), -1, -1))


@pytest.mark.parametrize("out", [joint_normal, lambda y: td.TransformedDistribution(td.Normal(y, 1.0), [OwnTransform()])])
def test_a_density_of_all_sub_pixels_together_is_said_to_be_none(out: Callable[[Tensor], Any]) -> None:
    with pytest.raises(UserError, match="a density of all sub-pixels together is no conditional distribution of each"):
        checked(Parameters(1, own=False, out=out))


class Slope(Parameters):
    """The slope of an energy of its features, by autograd, inside forward."""

    def features(self, x: Tensor) -> Tensor:
        h = super().features(x).detach().requires_grad_(True)
        return torch.autograd.grad(torch.tanh(h).square().sum(), h)[0]


class Late(Parameters):
    """Builds its last layer when it is first called."""

    def __init__(self, *, own: bool) -> None:
        super().__init__(4, own=own)
        self.late: nn.Module | None = None

    def forward(self, x: Tensor) -> Tensor:
        h = self.features(x)
        if self.late is None:
            self.late = nn.Conv2d(8, 4, 1)
        return self.late(h)


def test_gradients_inside_forward_and_parts_built_by_the_first_call() -> None:
    for build in (lambda own: Slope(4, own=own), lambda own: Late(own=own)):
        report = checked(build(False))
        assert (report.verdict, report.notes) == ("causal", ())  # a layer that is built once draws no random numbers in every call
        assert checked(build(True)).faults[0] == "sees-itself"
    late = Late(own=False)
    checked(late)
    assert late.late is None


class Shifted(nn.Module):
    """Rows above only; with `own` its own row as well."""

    def __init__(self, own: bool) -> None:
        super().__init__()
        self.enter, self.leave, self.own = nn.Conv2d(1, 8, (2, 3)), nn.Conv2d(8, 4, 1), own

    def forward(self, x: Tensor) -> Tensor:
        h = torch.relu(self.enter(F.pad(x, (1, 1, 2, 0))))
        return self.leave(h[:, :, 1:] if self.own else h[:, :, :-1])


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("wrap", [torch.jit.script, lambda module: torch.jit.trace(module, torch.rand(2, *SHAPE)), nn.DataParallel])
def test_scripted_traced_and_parallel_modules_are_checked(wrap: Callable[[nn.Module], Any]) -> None:
    assert checked(wrap(Shifted(False))).verdict == "causal"
    assert checked(wrap(Shifted(True))).faults == ("vertical-stack-unshifted",)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning")
def test_quantised_layers_are_said_to_have_no_double_precision() -> None:
    class Linear(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Sequential(nn.Linear(1, 4))

        def forward(self, x: Tensor) -> Tensor:
            return self.net(F.pad(x.float(), (1, 0))[..., :-1].movedim(1, -1))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantised = torch.ao.quantization.quantize_dynamic(Linear().eval(), {nn.Linear}, dtype=torch.qint8)
    with pytest.raises(UserError, match=r"quantised layers \(Linear\)\. Check the module before it is quantised"):
        checked(quantised)
    assert checked(Linear()).verdict == "causal"


def test_a_video_is_checked_as_an_image_of_its_frames() -> None:
    with pytest.raises(UserError, match=r"A video of shape 3,1,4,5, \(T, C, H, W\), is checked as an image of its frames"):
        checked(Shifted(False), (3, 1, 4, 5))

    class Frames(nn.Module):
        """Each frame sees the frames before it; with `ahead` itself."""

        def __init__(self, ahead: int) -> None:
            super().__init__()
            self.enter, self.ahead = nn.Conv2d(1, 4, 3, padding=1), ahead

        def forward(self, x: Tensor) -> Tensor:
            past = F.pad(x.to(self.enter.weight.dtype).cumsum(1), (0, 0, 0, 0, 0, 0, 1, 0))[:, self.ahead : x.shape[1] + self.ahead]
            return self.enter(past.flatten(0, 1)).unflatten(0, x.shape[:2])

    for ahead, verdict in ((0, "causal"), (1, "leaky")):
        model = Frames(ahead)

        def as_image(x: Tensor, model: nn.Module = model) -> Tensor:
            return model(x.unflatten(2, (3, 4)).movedim(2, 1)).movedim(1, 2).flatten(2, 3)

        assert checked(as_image, (1, 12, 5)).verdict == verdict


FAMILIES: dict[str, dict[str, Any]] = {
    "pixelcnn-pp": {"scales": 1, "layers": 1, "maps": 8, "components": 2},
    "pixelsnail": {"components": 2},
}


class Plain(nn.Module):
    """One of our families as somebody else's module: parameters a pixel, and no `conditionals`; `own` adds the pixel itself."""

    def __init__(self, family: str, channels: int, *, own: bool) -> None:
        super().__init__()
        settings = {"head": "logistic-mixture", **FAMILIES[family]}
        self.model, self.own = pb.create_model(family, channels=channels, height=4, width=5, levels=8, **settings), own

    def forward(self, images: Tensor) -> Tensor:
        maps = self.model(images)
        return maps + images.sum(1, keepdim=True) if self.own else maps


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_our_mixtures_as_plain_modules_see_colours_through_the_head_and_do_not_leak(family: str) -> None:
    report = checked(Plain(family, 3, own=False), (3, 4, 5), levels=8, head="logistic-mixture:2")
    assert report.verdict == "causal"
    assert report.colour_conditioning == {0: (), 1: (0,), 2: (0, 1)}
    assert not {"colour-blind", "partial-colour-conditioning"} & set(report.faults)
    assert checked(Plain(family, 3, own=True), (3, 4, 5), levels=8, head="logistic-mixture:2").verdict == "leaky"


def test_a_mixture_whose_coefficients_are_zero_is_colour_blind_under_the_head() -> None:
    class Uncoupled(nn.Module):
        """A logit, and for each colour a mean, a scale and a coefficient, as one component has them."""

        def __init__(self) -> None:
            super().__init__()
            self.context = MaskedConv(3, 10, 1, own=False)

        def forward(self, x: Tensor) -> Tensor:
            kept = torch.ones(10).index_fill(0, torch.tensor([3, 6, 9]), 0.0)[:, None, None]
            return self.context(x.to(self.context.weight.dtype)) * kept.to(self.context.weight.dtype)

    report = checked(Uncoupled(), (3, 4, 5), levels=8, head="logistic-mixture:1")
    assert (report.verdict, "colour-blind" in report.faults) == ("causal", True)

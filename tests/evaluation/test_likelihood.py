"""Scores: exact, over all images, with an error that knows about clusters."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from pixelbench.evaluation.likelihood import score, sequential_nats, summarise
from pixelbench.models import scoring
from pixelbench.models.base import AutoregressiveModel
from pixelbench.models.families import create_model
from pixelbench.models.heads import Softmax
from pixelbench.statistics import clustered_standard_error
from pixelbench.units import LN2


def test_the_uniform_distribution_costs_log_levels_bits():
    model = create_model("uniform", channels=3, height=4, width=5, levels=16)
    result = score(model, torch.zeros(7, 3, 4, 5, dtype=torch.uint8), np.arange(7))
    assert result.bits_per_dim == pytest.approx(4.0)
    assert result.nats_per_image == pytest.approx(60 * np.log(16))
    assert (result.n_images, result.n_clusters) == (7, 7)


def test_the_histogram_is_what_counting_says():
    images = torch.tensor([0, 0, 0, 1]).view(4, 1, 1, 1)
    model = create_model("histogram", channels=1, height=1, width=1, levels=2)
    model.fit(images)
    np.testing.assert_allclose(model.conditionals(images)[0].exp().flatten(), [3.5 / 5, 1.5 / 5], rtol=1e-6)


def test_every_image_counts_once_whatever_the_batches(monkeypatch: pytest.MonkeyPatch):
    model = create_model("gated-pixelcnn", channels=1, height=3, width=3, levels=4, maps=4, layers=1, head_maps=4).double()
    images = torch.randint(4, (11, 1, 3, 3))
    whole = score(model, images, np.arange(11))
    monkeypatch.setattr(scoring, "_OUTPUTS", 4 * 9 * 4)  # batches of 4, 4 and 3
    parts = score(model, images, np.arange(11))
    np.testing.assert_allclose(parts.nats, whole.nats, rtol=1e-12)
    assert parts.bits_per_dim == pytest.approx(whole.bits_per_dim, rel=1e-12)


def test_scoring_leaves_the_mode_of_the_model_alone():
    model = create_model("uniform", channels=1, height=2, width=2, levels=2).train()
    score(model, torch.zeros(1, 1, 2, 2, dtype=torch.uint8), np.arange(1))
    assert model.training


class Priced(AutoregressiveModel):
    """Float32; every level has a price in nats of its own, the same everywhere."""

    prices: Tensor

    def __init__(self, *shape: int):
        super().__init__(*shape, levels=256, settings=None)
        self.output = Softmax(self.channels, 256)
        self.register_buffer("prices", 5 * torch.rand(256, generator=torch.Generator().manual_seed(0)))

    def forward(self, images: Tensor) -> Tensor:
        return self.output.raw(-self.prices.repeat(self.channels)[None, :, None, None].expand(len(images), -1, self.height, self.width))

    def exactly(self, images: Tensor) -> float:
        """The sum of all sub-pixels' float32 nats, without rounding."""
        nats = -torch.log_softmax(-self.prices, 0)
        return math.fsum(nats[images.flatten().long()].tolist())


def random_images(*shape: int) -> Tensor:
    return torch.randint(256, shape, generator=torch.Generator().manual_seed(1), dtype=torch.uint8)


def test_the_float32_nats_of_very_many_images_are_summed_in_float64():
    """Float32 sums of 10^5 numbers are off by 1e-7 and more."""
    model, images = Priced(1, 1, 1), random_images(100_000, 1, 1, 1)
    result = score(model, images, np.arange(len(images)))
    assert result.nats.dtype == np.float64
    assert result.nats_per_image == pytest.approx(model.exactly(images) / len(images), rel=1e-13)
    assert result.bits_per_dim == pytest.approx(model.exactly(images) / len(images) / LN2, rel=1e-13)


@pytest.mark.parametrize("how", [lambda model, images: -model.log_prob(images).numpy(), lambda m, i: score(m, i, np.arange(1)).nats])
def test_the_float32_nats_of_very_many_sub_pixels_are_summed_in_float64(how: Any):
    model, image = Priced(1, 200, 500), random_images(1, 1, 200, 500)
    (nats,) = how(model, image)
    assert nats.dtype == np.float64
    assert float(nats) == pytest.approx(model.exactly(image), rel=1e-13)


def test_the_float32_nats_of_a_sequence_are_summed_in_float64():
    model, images = Priced(3, 20, 25), random_images(2, 3, 20, 25)
    found = sequential_nats(model, images)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, [model.exactly(image) for image in images], rtol=1e-13)


def test_one_dear_image_is_paid_for():
    """A mean, no median: the sum over the images is what a code would need."""
    nats, shape = np.array([1.0, 1.0, 1.0, 1.0, 96.0]), (1, 2, 5)
    found = summarise(nats, np.arange(5), shape)
    assert found.nats_per_image * 5 == nats.sum()
    assert found.bits_per_dim * 5 * 10 * LN2 == pytest.approx(nats.sum())


def test_two_halves_weigh_as_they_have_images():
    nats = np.random.default_rng(0).gamma(0.3, 50.0, 1000)
    whole, few, many = (summarise(part, np.arange(len(part)), (1, 4, 4)) for part in (nats, nats[:100], nats[100:]))
    assert whole.nats_per_image == pytest.approx(0.1 * few.nats_per_image + 0.9 * many.nats_per_image, rel=1e-13)
    assert whole.bits_per_dim == pytest.approx(0.1 * few.bits_per_dim + 0.9 * many.bits_per_dim, rel=1e-13)


def test_the_error_is_that_of_the_clusters_in_bits_per_dim():
    nats, clusters = np.random.default_rng(1).normal(50, 9, 60), np.arange(60) // 4
    error = clustered_standard_error(nats, clusters)
    assert error is not None
    found = summarise(nats, clusters, (3, 2, 2))
    assert found.bits_per_dim_se == pytest.approx(error / (12 * LN2), rel=1e-13)
    assert (found.n_images, found.n_clusters) == (60, 15)
    assert summarise(nats, np.zeros(60), (3, 2, 2)).bits_per_dim_se is None


SMALL: dict[str, Any] = {"channels": 3, "height": 3, "width": 2, "levels": 4, "maps": 6, "layers": 1}


def test_the_sequential_score_of_a_conditional_model_is_its_likelihood_for_the_same_condition():
    torch.manual_seed(0)
    model = create_model("gated-pixelcnn", **SMALL, head_maps=6, condition="class", classes=3).double()
    images, classes = random_images(6, 3, 3, 2) % 4, torch.arange(6) % 3
    with torch.inference_mode():
        teacher = -model.log_prob(images, classes).numpy()
    np.testing.assert_allclose(sequential_nats(model, images, classes), teacher, rtol=1e-12)
    assert np.abs(sequential_nats(model, images, classes.roll(1)) - teacher).max() > 1e-3


def test_nothing_is_dropped_out_of_a_sequential_score():
    torch.manual_seed(0)
    model = create_model("pixelcnn-pp", **SMALL, scales=1, components=2, dropout=0.5).double()
    images = random_images(3, 3, 3, 2) % 4
    with torch.inference_mode():
        teacher = -model.eval().log_prob(images).numpy()
    np.testing.assert_allclose(sequential_nats(model.train(), images), teacher, rtol=1e-12)


def test_a_leaking_model_is_scored_on_what_its_sampler_starts_from():
    """Zeros at the sub-pixel itself and after it: each prediction is that of an image cut off there."""
    torch.manual_seed(0)
    model = create_model("pixelcnn", **SMALL, first_layer="mask-b").double()
    images = 1 + random_images(2, 3, 3, 2) % 3  # none is 0
    expected = torch.zeros(2, dtype=torch.float64)
    for place, (row, column, colour) in enumerate(itertools.product(range(3), range(2), range(3))):
        cut = images.permute(0, 2, 3, 1).flatten(1).clone()
        cut[:, place:] = 0
        with torch.inference_mode():
            logp = model.conditionals(cut.view(2, 3, 2, 3).permute(0, 3, 1, 2))
        expected -= logp[[0, 1], images[:, colour, row, column].long(), colour, row, column]
    np.testing.assert_allclose(sequential_nats(model, images), expected.numpy(), rtol=1e-12)


class Watching(torch.nn.Module):
    """Writes down how float32 products are taken while it is scored; fails if asked to."""

    shape, levels, training, device = (1, 2, 2), 2, False, torch.device("cpu")

    def __init__(self, failing: bool = False):
        super().__init__()
        self.failing, self.seen = failing, set[str]()

    def log_prob(self, images: Tensor) -> Tensor:
        self.seen |= set(precisions())
        if self.failing:
            raise ArithmeticError("a model's own")
        return torch.zeros(len(images))

    def conditionals(self, images: Tensor, condition: Tensor | None = None) -> Tensor:
        return self.log_prob(images)[:, None, None, None, None].expand(-1, 2, 1, 2, 2)

    def order(self) -> list[tuple[int, int, int]]:
        return [(0, 0, 0)]


def precisions() -> list[str]:
    return [backend.fp32_precision for backend in backends()]


def backends() -> list[Any]:
    cudnn: Any = torch.backends.cudnn
    return [cudnn.conv, cudnn.rnn, torch.backends.cuda.matmul]


@pytest.fixture
def tf32_is_on():
    before = precisions()
    for backend in backends():
        backend.fp32_precision = "tf32"
    yield
    for backend, precision in zip(backends(), before, strict=True):
        backend.fp32_precision = precision


SCORERS: dict[str, Any] = {
    "score": lambda model, images: score(model, images, np.arange(len(images))),
    "sequential_nats": lambda model, images: sequential_nats(model, images),
}


@pytest.mark.parametrize("scorer", SCORERS)
@pytest.mark.usefixtures("tf32_is_on")
def test_scoring_takes_no_tf32_and_leaves_all_as_it_was(scorer: str):
    model = Watching()
    SCORERS[scorer](model, torch.zeros(3, 1, 2, 2, dtype=torch.uint8))
    assert model.seen == {"ieee"}
    assert precisions() == ["tf32"] * 3


@pytest.mark.parametrize("scorer", SCORERS)
@pytest.mark.usefixtures("tf32_is_on")
def test_so_does_scoring_that_fails(scorer: str):
    with pytest.raises(ArithmeticError, match="own"):
        SCORERS[scorer](Watching(failing=True), torch.zeros(3, 1, 2, 2, dtype=torch.uint8))
    assert precisions() == ["tf32"] * 3


@pytest.mark.usefixtures("tf32_is_on")
def test_a_model_that_is_not_scored_may_take_tf32():
    model = Watching()
    model.log_prob(torch.zeros(3, 1, 2, 2, dtype=torch.uint8))
    assert model.seen == {"tf32"}


def test_what_was_set_by_the_older_settings_comes_back():
    before = precisions()
    torch.backends.cuda.matmul.allow_tf32 = True
    try:
        score(Watching(), torch.zeros(3, 1, 2, 2, dtype=torch.uint8), np.arange(3))  # type: ignore[arg-type]
        assert torch.backends.cuda.matmul.allow_tf32 is True
        assert torch.backends.cudnn.allow_tf32 is True
    finally:
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cuda.matmul.fp32_precision = before[2]

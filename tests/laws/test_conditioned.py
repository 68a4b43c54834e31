"""Law: a condition changes the distribution and never the order, in training, scoring and sampling alike."""

import itertools

import pytest
import torch

from pixelbench.causality import check_causality
from pixelbench.errors import UserError
from pixelbench.models.base import AutoregressiveModel
from pixelbench.models.families import create_model
from pixelbench.models.sampling import cached_log_probs
from tests.laws.families import CONDITIONED, SHAPES, TYPICAL, derivatives, random_conditions, random_images, tiny, train_a_little

CASES = [
    pytest.param((name, shape), marks=() if name in TYPICAL and shape == "colour" else pytest.mark.slow)
    for name in CONDITIONED
    for shape in SHAPES
]


@pytest.fixture(params=CASES, ids=lambda case: "-".join(case))
def case(request: pytest.FixtureRequest) -> tuple[AutoregressiveModel, str]:
    name, shape = request.param
    return tiny(name, SHAPES[shape]), name


def test_it_is_causal_for_every_condition(case: tuple[AutoregressiveModel, str]):
    model, name = case
    maps = []
    for condition in random_conditions(name, 2, model.shape).split(1):
        report = check_causality(model.bound(condition), model.shape, levels=model.levels)
        assert report.status == "complete", report.counter_example
        maps.append(report.context)
    assert maps[0] == maps[1]


def test_derivatives_by_later_sub_pixels_are_exactly_zero(case: tuple[AutoregressiveModel, str]):
    model, name = case
    found = derivatives(model.bound(random_conditions(name, 1, model.shape)))
    assert (found[torch.ones_like(found).triu().bool()] == 0).all()


def test_training_keeps_it_causal(case: tuple[AutoregressiveModel, str]):
    model, name = case
    conditions = random_conditions(name, 6, model.shape)
    train_a_little(model, conditions)
    report = check_causality(model.bound(conditions[1:2]), model.shape, levels=model.levels, positions=range(0, 30, 3))
    assert not report.leaky, report.counter_example


def test_it_changes_the_distribution(case: tuple[AutoregressiveModel, str]):
    model, name = case
    images = random_images(1, model.shape, model.levels).expand(2, -1, -1, -1)
    with torch.inference_mode():
        first, second = model.conditionals(images, random_conditions(name, 2, model.shape))
    # From the first sub-pixel on, which has nothing else to depend on.
    assert float((first - second)[:, 0, 0, 0].abs().max()) > 1e-3


def test_both_modes_and_all_samplers_agree(case: tuple[AutoregressiveModel, str]):
    model, name = case
    images, conditions = random_images(3, model.shape, model.levels), random_conditions(name, 3, model.shape)
    with torch.inference_mode():
        full = model.conditionals(images, conditions)
    assert float((full - cached_log_probs(model, images, conditions)).abs().max()) <= 1e-10 * float(full.abs().max())
    cached, naive = (
        model.sample(3, condition=conditions, generator=torch.Generator().manual_seed(1), method=method) for method in ("cached", "naive")
    )
    assert torch.equal(cached, naive)


@pytest.mark.parametrize("name", CONDITIONED)
def test_all_images_sum_to_one_for_each_condition(name: str):
    model = tiny(name, (3, 1, 2), levels=3)
    every = torch.tensor(list(itertools.product(range(3), repeat=6))).view(-1, 3, 1, 2)
    for condition in random_conditions(name, 2, model.shape).split(1):
        with torch.inference_mode():
            assert float(model.bound(condition).log_prob(every).exp().sum()) == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("name", ["class", "map"])
def test_a_batch_of_conditions_is_each_image_with_its_own(name: str):
    model = tiny(name, SHAPES["colour"])
    images, conditions = random_images(3, model.shape, model.levels), random_conditions(name, 3, model.shape)
    together = model.log_prob(images, conditions)
    apart = torch.cat([model.log_prob(images[i : i + 1], conditions[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(together, apart)


@pytest.mark.parametrize(
    ("condition", "sentence"),
    [
        (None, "needs a condition="),
        (torch.zeros(2), r"shape \(3,\), got \(2,\)"),
        (torch.tensor([0.0, 1.0, 2.0]), "holds integers"),
        (torch.tensor([0, 1, 3]), "classes are 0 to 2, got 0 to 3"),
    ],
)
def test_a_wrong_condition_is_refused(condition: torch.Tensor | None, sentence: str):
    with pytest.raises(ValueError, match=sentence):
        tiny("class", SHAPES["grey"]).log_prob(random_images(3, SHAPES["grey"], 4), condition)


def test_an_unconditional_model_takes_no_condition():
    with pytest.raises(ValueError, match="takes no condition"):
        tiny("gated", SHAPES["grey"]).sample(1, condition=torch.zeros(1, dtype=torch.long))


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"condition": "class"}, "classes must be at least 2 with condition = 'class', got 0"),
        ({"classes": 3}, "classes = 3 has no meaning with condition = 'none'"),
        ({"condition": "vector"}, "condition_size must be at least 1"),
        ({"condition": "map", "condition_size": 2, "per_position": True}, "per_position has no meaning"),
        ({"condition_at": "first"}, "condition_at has no meaning without a condition"),
    ],
)
def test_settings_that_contradict_each_other_get_a_sentence(settings: dict, sentence: str):
    with pytest.raises(UserError) as caught:
        create_model("gated-pixelcnn", channels=1, height=4, width=4, levels=2, **settings)
    assert sentence in str(caught.value)

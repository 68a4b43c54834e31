"""Laws: both modes are one function; both samplers draw the same images, from any canvas; samples follow the probabilities."""

import itertools

import pytest
import torch
from scipy.stats import chisquare

from pixelbench.models.base import AutoregressiveModel
from pixelbench.models.sampling import cached_log_probs
from tests.laws.families import CAUSAL, LEAKY, SEQUENCES, SHAPES, cases, random_images, tiny


def drawn(model: AutoregressiveModel, n: int = 3, **arguments) -> torch.Tensor:
    return model.sample(n, generator=torch.Generator().manual_seed(5), **arguments)


def test_cached_conditionals_equal_full_ones(model: AutoregressiveModel):
    images = random_images(4, model.shape, model.levels)
    with torch.inference_mode():
        full = model.conditionals(images)
        cached = cached_log_probs(model, images)
    assert float((full - cached).abs().max()) <= 1e-10 * float(full.abs().max())


def test_both_samplers_draw_the_same_images(model: AutoregressiveModel):
    assert torch.equal(drawn(model, method="cached"), drawn(model, method="naive"))


@pytest.mark.by_default(12)
def test_no_canvas_changes_a_sample(model: AutoregressiveModel):
    canvas = random_images(3, model.shape, model.levels, seed=9)
    assert torch.equal(drawn(model, method="naive"), drawn(model, method="naive", canvas=canvas))


@pytest.mark.parametrize("name", LEAKY)
def test_a_leaking_model_gives_itself_away_by_its_canvas(name: str):
    model = tiny(name, SHAPES["grey"])
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3)
    canvas = random_images(16, model.shape, model.levels, seed=9)
    assert not torch.equal(drawn(model, 16), drawn(model, 16, canvas=canvas))


@pytest.mark.parametrize("name", LEAKY)
def test_a_leaking_model_has_no_cached_sampler(name: str):
    with pytest.raises(ValueError, match="method='naive'"):
        drawn(tiny(name, SHAPES["grey"]), method="cached")


@pytest.mark.parametrize("name", cases([*CAUSAL, *SEQUENCES]))
def test_samples_follow_the_probabilities(name: str):
    """The histogram of all 27 images of a tiny shape, or 8 of two levels, against their exact probabilities."""
    model = tiny(name, (3, 1, 1), levels=3)
    every = torch.tensor(list(itertools.product(range(model.levels), repeat=3))).view(-1, 3, 1, 1)
    with torch.inference_mode():
        expected = model.log_prob(every).exp().numpy() * 20000
    images = drawn(model, 20000)[:, :, 0, 0].long()
    index = (images[:, 0] * model.levels + images[:, 1]) * model.levels + images[:, 2]
    observed = torch.bincount(index, minlength=len(every)).numpy()
    assert chisquare(observed, expected * observed.sum() / expected.sum()).pvalue > 1e-4


def test_known_values_are_held_and_the_rest_is_drawn(model: AutoregressiveModel):
    given = random_images(3, model.shape, model.levels, seed=2)
    known = torch.zeros(model.shape, dtype=torch.bool)
    known[:, : model.height // 2] = True
    cached = drawn(model, given=given, known=known, method="cached")
    assert torch.equal(cached[:, known], given[:, known])
    assert not torch.equal(cached, given)
    assert torch.equal(cached, drawn(model, given=given, known=known, method="naive"))


@pytest.mark.parametrize("name", [name for name in SEQUENCES if name.endswith("-random")])
def test_completion_is_exact_where_the_known_part_comes_first_in_its_own_order(name: str):
    """The first bit by the model's order is held: the histogram of the 4 completions against p(rest | first)."""
    model = tiny(name, (3, 1, 1))
    (_, _, first), *_ = order = model.order()
    assert [colour for _, _, colour in order] != [0, 1, 2]
    known = torch.zeros(3, 1, 1, dtype=torch.bool)
    known[first] = True
    every = torch.tensor([image for image in itertools.product(range(2), repeat=3) if image[first]]).view(-1, 3, 1, 1)
    with torch.inference_mode():
        expected = model.log_prob(every).softmax(0).numpy() * 9000
    images = drawn(model, 9000, given=torch.ones(9000, 3, 1, 1, dtype=torch.uint8), known=known)
    assert (images[:, first] == 1).all()
    observed = [int((images == image).all((1, 2, 3)).sum()) for image in every]
    assert chisquare(observed, expected).pvalue > 1e-4


@pytest.mark.parametrize("name", cases(CAUSAL))
def test_completion_is_exact_where_the_known_part_comes_first(name: str):
    """The histogram of all 9 completions of a pixel whose R is known against p(G, B | R)."""
    model = tiny(name, (3, 1, 1), levels=3)
    every = torch.tensor([(1, g, b) for g in range(3) for b in range(3)]).view(-1, 3, 1, 1)
    with torch.inference_mode():
        expected = model.log_prob(every).softmax(0).numpy() * 9000
    known = torch.tensor([True, False, False]).view(3, 1, 1)
    images = drawn(model, 9000, given=torch.ones(9000, 3, 1, 1, dtype=torch.uint8), known=known)[:, :, 0, 0].long()
    assert (images[:, 0] == 1).all()
    observed = torch.bincount(images[:, 1] * 3 + images[:, 2], minlength=9).numpy()
    assert chisquare(observed, expected * observed.sum() / expected.sum()).pvalue > 1e-4


def test_what_is_known_of_one_image_only_is_held_in_that_image(model: AutoregressiveModel):
    given = random_images(2, model.shape, model.levels, seed=2)
    known = torch.zeros(2, *model.shape, dtype=torch.bool)
    known[0] = True
    images = drawn(model, 2, given=given, known=known)
    assert torch.equal(images[0], given[0])
    assert torch.equal(images[1], drawn(model, 2)[1])


def test_a_cold_temperature_makes_samples_certain():
    model = tiny("gated", SHAPES["grey"])
    cold = [model.sample(2, generator=torch.Generator().manual_seed(seed), temperature=1e-6) for seed in (1, 2)]
    assert torch.equal(cold[0], cold[1])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"n": 0}, "n must be at least 1"),
        ({"n": 1, "temperature": 0.0}, "temperature must be above 0"),
        ({"n": 1, "known": torch.ones(1, 6, 5, dtype=torch.bool)}, "belong together"),
        ({"n": 2, "canvas": torch.zeros(1, 1, 6, 5)}, r"canvas must have shape \(2, 1, 6, 5\)"),
        ({"n": 1, "canvas": torch.full((1, 1, 6, 5), 4)}, "levels 0 to 3, got 4 to 4"),
        ({"n": 3, "given": torch.zeros(2, 1, 6, 5), "known": torch.ones(1, 6, 5, dtype=torch.bool)}, "2 images are given"),
    ],
)
def test_contradicting_arguments_are_refused(arguments: dict, sentence: str):
    with pytest.raises(ValueError, match=sentence):
        tiny("uniform", SHAPES["grey"]).sample(**arguments)

"""Verdicts: every rule and every edge, and the false reproductions of this field, which must not pass."""

from dataclasses import replace
from typing import Any

import pytest
from scipy.stats import ttest_1samp

from pixelbench.published.comparability import Measured, seed_list
from pixelbench.published.verdicts import judge
from pixelbench.units import bits_to_nats, nats_to_bits
from tests.support.paper_runs import figure

pytestmark = pytest.mark.quick

#: PixelCNN on fixed binarised MNIST, PixelRNN Table 4.
FIGURE = figure()
#: Three seeds around the published value, everything as it should be.
RUNS = Measured((81.2, 81.3, 81.4), "nats/image", "exact", "test", "mnist-fixed", 10_000, False, "paper", "complete", 16, "fixed")
#: CIFAR-10 in bits/dim.
COLOUR = figure(3.14, metric="bits_per_dim", unit="bits/dim", dataset="CIFAR-10", task="cifar10", binarisation=None)
COLOUR_RUNS = Measured((3.13, 3.14, 3.15), "bits/dim", "exact", "test", "cifar10", 10_000, False, "paper", "complete", 16)


def changed(published: dict[str, Any], runs: dict[str, Any]):
    return judge(replace(FIGURE, **published), replace(RUNS, **runs))


def at(*differences: float) -> dict[str, Any]:
    return {"values": tuple(81.30 + difference for difference in differences)}


@pytest.mark.parametrize(
    ("differences", "name"),
    [
        ((-0.1, 0.0, 0.1), "reproduced"),
        ((0.0, 0.0, 0.0), "reproduced"),
        ((0.505, 0.505, 0.505), "reproduced"),  # the band's end is inside
        ((-0.505, -0.505, -0.505), "reproduced"),
        ((0.506, 0.506, 0.506), "worse"),
        ((-0.506, -0.506, -0.506), "better"),
        ((0.4, 0.45, 0.5), "inconclusive"),  # the mean is inside, the interval reaches out
        ((0.5, 0.6, 0.7), "inconclusive"),  # the mean is outside, the interval reaches in
        ((-0.4, -0.45, -0.5), "inconclusive"),
        ((-2.0, 0.0, 2.0), "inconclusive"),  # a wide interval cannot pass, wherever its mean lies
        ((6.0, 6.1, 6.2), "worse"),
        ((-6.0, -6.1, -6.2), "better"),
    ],
)
def test_the_interval_against_the_band(differences: tuple[float, ...], name: str) -> None:
    verdict = changed({}, at(*differences))
    assert verdict.name == name
    assert verdict.n_seeds == 3
    assert verdict.difference == pytest.approx(sum(differences) / 3, abs=1e-9)
    assert "3 seeds" in verdict.sentence


def test_the_interval_is_students_t_at_90_percent_over_seeds() -> None:
    verdict = changed({}, at(-0.2, 0.1, 0.15, 0.3))
    expected = ttest_1samp(at(-0.2, 0.1, 0.15, 0.3)["values"], 0).confidence_interval(0.90)
    assert verdict.interval == pytest.approx((expected.low, expected.high))


def test_an_interval_that_touches_the_band_is_inside() -> None:
    half = 2.919986  # t of 2 degrees of freedom at 95 %, times sd 1, over the root of 3
    spread = 0.505 * 3**0.5 / half
    assert changed({}, at(-spread, 0.0, spread)).name == "reproduced"
    assert changed({}, at(-1.001 * spread, 0.0, 1.001 * spread)).name == "inconclusive"


@pytest.mark.parametrize(("n", "name"), [(1, "incomplete"), (2, "incomplete"), (3, "reproduced"), (5, "reproduced")])
def test_three_seeds_are_needed(n: int, name: str) -> None:
    verdict = changed({}, {"values": (81.30,) * n})
    assert (verdict.name, verdict.n_seeds) == (name, n)
    assert (verdict.interval is None) == (n == 1)
    assert f"{n} seed" in verdict.sentence


@pytest.mark.parametrize(
    ("published", "runs", "name", "said"),
    [
        ({}, {"limited": True, "n_images": 16}, "incomplete", "only 16 images"),
        ({}, {"published_images": 10_000}, "reproduced", ""),
        ({}, {"published_images": 10_000, "n_images": 9_999}, "incomplete", "only 9,999 images"),  # although no limit was asked for
        ({}, {"published_images": 49_999, "n_images": 50_000}, "not comparable", "split has 49,999 images, ours 50,000"),
        ({}, {"budget": "cpu"}, "incomplete", "budget cpu instead of paper"),
        ({}, {"budget": "smoke"}, "incomplete", "budget smoke"),
        ({}, {"causality": "partial"}, "incomplete", "partial map"),
        ({}, {"causality": "unchecked", "probed": None}, "incomplete", "causality unchecked"),
        ({}, {"probed": None}, "incomplete", "the trained model was not probed"),
        ({}, {"probed": 15}, "incomplete", "the trained model was probed at 15 sub-pixels of 16"),
        ({}, {"probed": 2, "required_positions": 2}, "reproduced", ""),  # an image of two sub-pixels has no more
        ({}, {"probed": 99}, "reproduced", ""),
        ({}, {"values": ()}, "incomplete", "no run came to a number"),
        ({}, {"values": (), "lacking": ("seed 0 failed",)}, "incomplete", "no run came to a number to hold against the published 81.30"),
        ({}, {"lacking": ("seed 1 does not add up",)}, "incomplete", "seed 1 does not add up"),
        ({}, {"wanted": 4}, "incomplete", "3 seeds of the 4 that decide"),
        ({}, {"other_row": ("not the row of suite paper: layers 3 instead of 7",)}, "not comparable", "layers 3 instead of 7 (3 seeds)"),
        ({}, {"other_row": ("not the row of suite paper",), "values": ()}, "not comparable", "not the row of suite paper (0 seeds)"),
        ({}, {"budget": "cpu", "whole_budget": "cpu"}, "reproduced", ""),  # a suite of one's own that has no budget `paper`
        ({"split": "validation"}, {}, "not comparable", "'validation', ours 'test'"),
        ({"split": "train"}, {}, "not comparable", "'train'"),
        ({"split": "samples"}, {}, "not comparable", "'samples'"),
        ({"split": "test (exact expectation)"}, {}, "reproduced", ""),
        ({"split": 'validation (header says "NLL Test")'}, {"split": "validation"}, "reproduced", ""),
        ({"binarisation": "dynamic"}, {}, "not comparable", "binarisation is dynamic, ours fixed"),
        ({"binarisation": None}, {}, "reproduced", ""),
        ({"binarisation": "any"}, {}, "reproduced", ""),
        ({}, {"binarisation": None}, "not comparable", "binarisation is fixed, ours none"),
        ({"task": "mnist-dynamic"}, {}, "not comparable", "task mnist-dynamic, ours mnist-fixed"),
        ({"conditional": True}, {}, "not comparable", "given to the published model only"),
        ({}, {"conditional": True}, "not comparable", "given to ours only"),
        ({"conditional": True}, {"conditional": True}, "reproduced", ""),
        ({"dataset": "OMNIGLOT"}, {}, "not comparable", "no tolerance"),
        ({"unit": "bits/dim"}, {}, "not comparable", "unit is bits/dim, ours nats/image"),
        ({}, {"consistent": False}, "not comparable", "contradict each other"),
        ({}, {"causality": "leaky"}, "not causal", "means nothing"),
        ({"split": "validation"}, {"causality": "leaky"}, "not causal", ""),  # a leak outweighs everything
        ({"split": "validation"}, {"values": (81.3,)}, "not comparable", "1 seed"),  # never comparable, however many seeds
        ({"estimator": "density", "bound": False}, {}, "not comparable", "density"),
        ({}, {"estimator": "code-length", "causality": "unchecked"}, "not comparable", "a code length"),
        ({"estimator": ""}, {"estimator": "code-length"}, "not comparable", ""),
    ],
)
def test_each_rule(published: dict[str, Any], runs: dict[str, Any], name: str, said: str) -> None:
    verdict = changed(published, runs)
    assert verdict.name == name
    assert said in verdict.sentence


@pytest.mark.parametrize(
    ("published", "ours", "difference", "name"),
    [
        ("exact", "elbo", 0.0, "not comparable"),
        ("exact", "iwae-50", 0.0, "not comparable"),
        ("exact", "elbo", 5.0, "not comparable"),
        ("exact", "elbo", -0.5, "not comparable"),  # lower, but not by more than the band
        ("exact", "elbo", -5.0, "better"),
        ("elbo", "exact", 0.0, "not comparable"),
        ("elbo", "exact", -5.0, "not comparable"),  # theirs may be lower than it says
        ("elbo", "elbo", 0.0, "reproduced"),
        ("elbo", "elbo", 5.0, "worse"),
        ("iwae-1000", "iwae-1000", 0.0, "reproduced"),
        ("iwae-1000", "iwae-8", 0.0, "not comparable"),
        ("iwae-1000", "iwae-8", -5.0, "better"),
        ("iwae-1000", "elbo", -5.0, "better"),
        ("iwae-8", "iwae-1000", -5.0, "not comparable"),
        ("bound", "elbo", 0.0, "reproduced"),
        ("bound", "iwae-8", 0.0, "reproduced"),
        ("bound", "exact", 0.0, "not comparable"),
        ("approximate", "elbo", 0.0, "not comparable"),
    ],
)
def test_bounds_and_exact_values(published: str, ours: str, difference: float, name: str) -> None:
    verdict = changed({"estimator": published, "bound": published != "exact"}, {"estimator": ours} | at(*[difference] * 3))
    assert verdict.name == name
    assert ("can only be too high" in verdict.sentence) == (name == "better")


def test_a_bound_that_is_lower_in_the_mean_but_not_surely_is_not_comparable() -> None:
    verdict = changed({}, {"estimator": "elbo"} | at(-0.4, -0.9, -0.9))
    assert verdict.name == "not comparable"


def test_a_bound_below_the_published_value_still_needs_seeds() -> None:
    verdict = changed({}, {"estimator": "elbo"} | at(-5.0))
    assert verdict.name == "incomplete"
    assert verdict.suspicious


def test_no_figure_and_a_leak_without_one() -> None:
    assert judge(None, RUNS).name == "no figure"
    assert judge(None, replace(RUNS, causality="leaky")).name == "not causal"


def test_a_leak_has_no_number_in_its_verdict() -> None:
    verdict = changed({}, {"causality": "leaky"})
    assert (verdict.interval, verdict.difference, verdict.suspicious) == (None, None, False)
    assert "81" not in verdict.sentence


def test_what_is_not_stated_is_assumed_and_still_comparable() -> None:
    verdict = changed({"assumed": ("Which files.",), "split": "not stated", "estimator": "", "verified": False}, {})
    assert verdict.name == "reproduced"
    assert [sentence.split(" is not")[0] for sentence in verdict.assumed] == ["Which files.", "The split", "The estimator"]
    assert "3 facts are assumed" in verdict.sentence
    assert verdict.sentence.endswith("The figure is from memory, not verified.")


def test_an_incomplete_verdict_says_where_the_mean_lies_and_all_that_is_missing() -> None:
    verdict = changed({}, {"values": (87.53,), "budget": "cpu"})
    assert verdict.sentence == (
        "Incomplete: 1 seed of the 3 that decide, budget cpu instead of paper. So far the one seed (seed 0), 87.53 nats/image, is 6.23 "
        "above the published 81.30 (outside the band of ± 0.505)."
    )


def test_the_seeds_that_have_a_number_are_listed() -> None:
    assert "the mean of 3 seeds (seeds 0 to 2), 81.30 nats/image" in changed({}, {}).sentence
    assert "the mean of 2 seeds (seeds 0, 2)" in changed({}, {"values": (81.2, 81.4), "seeds": (0, 2)}).sentence


@pytest.mark.parametrize("values", [(81.3, 81.4), (60.0, 60.1), (99.0, 99.1), (81.3,), ()])
def test_a_seed_that_diverged_is_worse_however_good_the_others_are(values: tuple[float, ...]) -> None:
    """Even where all others are better than published, and where nothing was scored at all."""
    lost = tuple(range(3))[len(values) :]
    scored = {} if values else {"n_images": 0, "probed": None}
    seeds = {"values": values, "seeds": tuple(range(len(values))), "diverged": lost}
    verdict = changed({}, {"published_images": 10_000} | seeds | scored)
    assert (verdict.name, verdict.n_seeds, verdict.interval, verdict.suspicious) == ("worse", len(values), None, False)
    assert f"{seed_list(lost)} diverged, so the row did not train to the published 81.30 nats/image" in verdict.sentence


@pytest.mark.parametrize(
    ("runs", "said"),
    [
        ({"budget": "cpu"}, "budget cpu instead of paper, seed 2 diverged"),
        ({"causality": "partial"}, "only a partial map of what the model sees, seed 2 diverged"),
        ({"limited": True, "n_images": 16}, "only 16 images of the split, seed 2 diverged"),
        ({"lacking": ("seed 1 failed",), "values": (81.3,), "seeds": (0,)}, "1 seed of the 3 that decide, seed 1 failed, seed 2"),
    ],
)
def test_a_seed_that_diverged_is_named_also_where_something_is_missing(runs: dict[str, Any], said: str) -> None:
    verdict = changed({}, {"values": (81.3, 81.4), "seeds": (0, 1), "diverged": (2,)} | runs)
    assert verdict.name == "incomplete"
    assert said in verdict.sentence
    assert "seed 2 diverged. So far" in verdict.sentence


def test_remarks_stand_behind_any_verdict_that_compares() -> None:
    for runs in ({}, {"budget": "cpu"}, {"diverged": (2,), "values": (81.3, 81.4)}):
        assert "Also stored: seed 7." in changed({}, {"remarks": ("Also stored: seed 7.",)} | runs).sentence


def test_a_claim_is_called_one() -> None:
    assert "the claimed 81.30" in changed({"kind": "claim"}, {}).sentence
    assert "the published 81.30" in changed({}, {}).sentence


def test_better_is_suspicious_and_comes_with_the_results_of_the_checks() -> None:
    verdict = judge(COLOUR, replace(COLOUR_RUNS, values=(2.8, 2.81, 2.82)))
    assert (verdict.name, verdict.suspicious) == ("better", True)
    assert "Suspicious: check causality, split, binarisation." in verdict.sentence
    assert "no leak found (complete map, the trained model probed at 16 sub-pixels)" in verdict.sentence
    assert "all 10,000 images of the test split" in verdict.sentence
    assert not judge(COLOUR, COLOUR_RUNS).suspicious


def test_the_fraction_of_the_published_cost_is_said_only_where_it_is_known() -> None:
    verdict = judge(replace(COLOUR, updates=200_000), replace(COLOUR_RUNS, updates=2_500))
    assert verdict.fraction_of_cost == pytest.approx(0.0125)
    assert "1.25 % of the published updates" in verdict.sentence
    assert judge(COLOUR, replace(COLOUR_RUNS, updates=2_500)).fraction_of_cost is None


# The false reproductions of this field. `passes` is what none of them may be.


def passes(verdict: Any) -> bool:
    return verdict.name == "reproduced" or (verdict.name == "better" and not verdict.suspicious)


@pytest.mark.parametrize("nats", [55.28, 56.78, 60.15])
def test_thresholded_mnist_does_not_pass(nats: float) -> None:
    seeds = (nats - 0.1, nats, nats + 0.1)
    assert changed({}, {"values": seeds, "task": "mnist-threshold", "binarisation": "threshold"}).name == "not comparable"
    undeclared = changed({}, {"values": seeds})  # the images call themselves what they are not
    assert undeclared.suspicious
    assert not passes(undeclared)


@pytest.mark.parametrize("nats", [55.28, 56.30, 56.78])
def test_thresholded_mnist_in_bits_that_are_called_nats_does_not_pass(nats: float) -> None:
    """The trap: 56.3 nats are 81.2 bits, which looks like the published 81.30 nats."""
    bits = nats_to_bits(nats)
    told = {"values": (bits, bits, bits), "task": "mnist-threshold", "binarisation": "threshold"}
    assert not passes(changed({}, told))
    assert not passes(changed({}, {"values": (bits, bits, bits), "consistent": False}))


def test_nats_divided_by_ln_2_once_too_often_do_not_pass() -> None:
    assert judge(COLOUR, replace(COLOUR_RUNS, values=tuple(nats_to_bits(value) for value in COLOUR_RUNS.values))).name == "worse"
    too_good = judge(COLOUR, replace(COLOUR_RUNS, values=tuple(bits_to_nats(value) for value in COLOUR_RUNS.values)))
    assert not passes(too_good)
    assert "near to that of nats and bits" in too_good.sentence


@pytest.mark.parametrize(
    "split", ["test, used for selection", "test (best epoch selected on it)", "train", "train (last minibatch of the epoch)"]
)
def test_selection_on_the_test_set_and_training_images_do_not_pass(split: str) -> None:
    assert changed({"split": split}, {}).name == "not comparable"
    assert changed({}, {"split": split}).name == "not comparable"
    assert changed({"split": split}, {"split": split}).name == "not comparable"

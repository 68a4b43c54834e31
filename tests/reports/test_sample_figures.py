"""Published FID and IS beside ours: which are comparable, and what is said of those that are."""

from dataclasses import replace

import pytest

from pixelbench.published.figure_files import load_figures
from pixelbench.published.sample_figures import METRICS, MeasuredSamples, compare_samples

pytestmark = pytest.mark.quick

FIGURES = load_figures()
OURS = MeasuredSamples("FID", 80.0, None, 50_000, "cifar10", standard=True)


def about(measured: MeasuredSamples, name: str = "sq-pixelcnn-fid"):
    (found,) = (one for one in compare_samples(measured, FIGURES) if one.figure.id == name)
    return found


def test_every_published_figure_of_cifar10_in_that_metric_is_beside_ours() -> None:
    for metric, unit in METRICS.items():
        published = {one.id for one in FIGURES if one.metric == metric and one.dataset == "CIFAR-10"}
        assert published
        assert {one.figure.id for one in compare_samples(replace(OURS, name=unit), FIGURES)} == published


def test_with_the_standard_features_on_the_same_images_the_difference_is_said_with_n() -> None:
    found = about(OURS)
    assert found.difference == pytest.approx(80.0 - 65.93)
    assert found.sentence == (
        "FID 80.00 over 50,000 samples, 14.07 higher than Ostrovski et al. 2018's FID 65.93 of PixelCNN (gated), whose number of samples "
        "is not known here."
    )


def test_fewer_samples_than_usual_come_with_the_reason_why_that_matters() -> None:
    assert "FID rises as samples get fewer than the usual 50,000" in about(replace(OURS, n=1_000)).sentence
    score = about(replace(OURS, name="IS", value=4.0, error=0.1, n=1_000), "sq-pixelcnn-is").sentence
    assert "IS 4.00 ± 0.10 over 1,000 samples, 0.60 lower" in score
    assert "IS falls as samples get fewer" in score


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"standard": False, "name": "Fréchet distance/inception-01234567"}, "not in the features of published numbers"),
        ({"task": "cifar10-16"}, "the published images are CIFAR-10, ours task cifar10-16"),
        ({"task": "cifar10-grey"}, "ours task cifar10-grey"),
    ],
)
def test_other_features_and_other_images_are_not_comparable(change: dict, reason: str) -> None:
    found = about(replace(OURS, **change))
    assert found.difference is None
    assert found.sentence.startswith("Not comparable with Ostrovski et al. 2018's FID 65.93")
    assert reason in found.sentence


def test_a_figure_from_memory_says_so() -> None:
    figure = replace(about(OURS).figure, verified=False)
    (found,) = compare_samples(OURS, [figure])
    assert "(from memory, not verified)" in found.sentence


@pytest.mark.parametrize("name", ["KID", "kid/inception", "FIDO", "bits/dim"])
def test_another_measure_is_beside_no_fid(name: str) -> None:
    assert compare_samples(replace(OURS, name=name), FIGURES) == []


def test_images_that_no_paper_samples_have_nothing_beside_them() -> None:
    assert compare_samples(replace(OURS, task="digits"), FIGURES) == []

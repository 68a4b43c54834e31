"""Both diagnoses, with the prototype's measurements as positive and negative controls."""

from typing import Any

import numpy as np
import pytest

from pixelbench.data import get_task
from pixelbench.evaluation.diagnosis import CANVAS_AGREEMENT, COLLAPSE, REAL_COHERENCE, SCORE_RATIO, SampleDiagnosis, diagnose_samples
from pixelbench.evaluation.quality import sample_statistics

REAL: dict[str, float | None] = {
    "mean_level": 0.43,
    "zeros": 0.10,
    "constant_images": 0.04,
    "spatial_correlation": 0.95,
    "colour_coherence": 0.81,
    "chroma_luma": 0.13,
}
DIGITS: dict[str, float | None] = {**REAL, "zeros": 0.49, "constant_images": 0.0, "colour_coherence": None, "chroma_luma": None}
BLACK: dict[str, float | None] = {
    "mean_level": 0.0,
    "zeros": 1.0,
    "constant_images": 1.0,
    "spatial_correlation": None,
    "colour_coherence": None,
    "chroma_luma": None,
}


def diagnosed(samples: dict[str, float | None], real: dict[str, float | None] = REAL, **evidence: Any) -> list[SampleDiagnosis]:
    known = {"sees_itself": False, "sees_same_pixel_colours": True, "canvas_agreement": 1.0, "teacher_bits": 1.1, "sequential_bits": None}
    return diagnose_samples(samples, real, **{**known, **evidence})


def only(found: list[SampleDiagnosis], name: str) -> str:
    assert [d.name for d in found] == [name]
    return found[0].sentence


def test_black_samples_of_a_model_that_sees_itself() -> None:
    sentence = only(diagnosed(BLACK, sees_itself=True, canvas_agreement=0.14, teacher_bits=0.0005, sequential_bits=5.2), "black-samples")
    assert sentence.startswith("samples collapse to black (100.0% zeros, real images 10.0%)")
    assert "agree on only 14.0% of sub-pixels: the model sees the pixel it predicts" in sentence
    assert sentence.endswith("0.0005 bits/dim are of no worth, what the sampler follows scores 5.200")


def test_black_digits_although_half_of_real_digits_is_black() -> None:
    sentence = only(diagnosed({**BLACK, "zeros": 0.9996}, DIGITS, sees_itself=True), "black-samples")
    assert "100.0% zeros, real images 49.0%" in sentence
    assert "the model sees the pixel it predicts" in sentence


def test_flat_samples_that_are_not_black() -> None:
    sentence = only(diagnosed({**BLACK, "zeros": 0.0, "mean_level": 0.5}, sees_itself=True), "black-samples")
    assert sentence.startswith("samples collapse to plain colour (100.0% constant images, real images 4.0%)")


def test_echo_of_the_canvas_is_enough() -> None:
    sentence = only(diagnosed({**REAL, "zeros": 0.6}, sees_itself=True, canvas_agreement=0.5), "black-samples")
    assert sentence.startswith("samples echo the canvas they start from")
    assert "50.0%" in sentence
    assert sentence.endswith("the model sees the pixel it predicts")


def test_echo_without_a_sub_pixel_that_sees_itself_blames_another_leak() -> None:
    sentence = only(diagnosed(BLACK, sees_itself=False, canvas_agreement=0.5), "black-samples")
    assert "the model sees the pixel it predicts" not in sentence
    assert "depends on sub-pixels that are not drawn yet, though no sub-pixel sees itself" in sentence


def test_echo_without_a_map_claims_nothing_about_the_map() -> None:
    sentence = only(diagnosed(BLACK, sees_itself=None, canvas_agreement=0.5), "black-samples")
    assert "depends on sub-pixels that are not drawn yet;" in sentence


def test_black_samples_of_a_causal_model_are_not_blamed_on_a_leak() -> None:
    sentence = only(diagnosed(BLACK, sees_itself=False), "black-samples")
    assert "the model sees the pixel it predicts" not in sentence
    assert "not the usual leak" in sentence


def test_black_samples_without_evidence_name_a_probable_cause() -> None:
    assert "probably the model sees" in only(diagnosed(BLACK, sees_itself=None, canvas_agreement=None), "black-samples")


def test_equal_scores_are_not_mentioned() -> None:
    assert "bits/dim" not in only(diagnosed(BLACK, sees_itself=True, teacher_bits=1.1, sequential_bits=1.15), "black-samples")


@pytest.mark.parametrize(("coherence", "chroma"), [(0.09, 1.7), (0.17, 1.4), (-0.2, 2.5)])
def test_uncoordinated_colours_without_conditioning(coherence: float, chroma: float) -> None:
    samples = {**REAL, "colour_coherence": coherence, "chroma_luma": chroma}
    sentence = only(diagnosed(samples, sees_same_pixel_colours=False), "uncoordinated-colours")
    assert sentence.startswith(f"colours are not coordinated (coherence {coherence:.2f}, real images 0.81; chroma/luma {chroma:.2f}")
    assert sentence.endswith(": no colour conditioning")


def test_uncoordinated_colours_in_spite_of_conditioning_call_for_training() -> None:
    sentence = only(diagnosed({**REAL, "colour_coherence": 0.2}, sees_same_pixel_colours=True), "uncoordinated-colours")
    assert "no colour conditioning" not in sentence
    assert sentence.endswith("more training, not another mask")


def test_uncoordinated_colours_without_a_map_name_a_probable_cause() -> None:
    samples = {**REAL, "colour_coherence": 0.2, "chroma_luma": None}
    sentence = only(diagnosed(samples, sees_same_pixel_colours=None), "uncoordinated-colours")
    assert "probably no colour conditioning" in sentence
    assert "chroma" not in sentence


@pytest.mark.parametrize("zeros", [0.07, 0.12, 0.3])
@pytest.mark.parametrize("coherence", [0.61, 0.69, 0.75, 0.88])
def test_healthy_samples_get_no_diagnosis(zeros: float, coherence: float) -> None:
    assert diagnosed({**REAL, "zeros": zeros, "colour_coherence": coherence}) == []


def test_healthy_digits_get_no_diagnosis() -> None:
    assert diagnosed({**DIGITS, "zeros": 0.55}, DIGITS) == []


def test_a_faulty_map_without_a_symptom_is_no_diagnosis() -> None:
    assert diagnosed(REAL, sees_itself=True, sees_same_pixel_colours=False) == []


def test_colours_of_black_samples_are_not_judged() -> None:
    only(diagnosed({**BLACK, "zeros": 0.99, "colour_coherence": 0.0}, sees_itself=True, sees_same_pixel_colours=False), "black-samples")


def test_real_images_without_coherent_colours_accuse_nobody() -> None:
    assert diagnosed({**REAL, "colour_coherence": 0.0}, {**REAL, "colour_coherence": 0.3}, sees_same_pixel_colours=False) == []


@pytest.mark.parametrize("real", [0.31, 0.5, 0.81, 1.0])
def test_less_than_half_of_the_real_coherence_is_uncoordinated_and_half_is_not(real: float) -> None:
    """The rule is relative, for real images of any coherence that says something."""
    reference = {**REAL, "colour_coherence": real}
    for share in (0.0, 0.21, 0.4999):
        only(diagnosed({**REAL, "colour_coherence": share * real}, reference), "uncoordinated-colours")
    for share in (0.5, 0.5001, 0.75, 1.0):
        assert diagnosed({**REAL, "colour_coherence": share * real}, reference) == []


@pytest.mark.parametrize("real", [REAL_COHERENCE, 0.29, 0.0, -0.5])
def test_real_images_of_little_coherence_say_nothing_of_a_models_colours(real: float) -> None:
    assert diagnosed({**REAL, "colour_coherence": -1.0}, {**REAL, "colour_coherence": real}) == []


@pytest.mark.parametrize("name", ["zeros", "constant_images"])
@pytest.mark.parametrize("real", [0.0, 0.1, 0.49, 0.9])
def test_a_collapse_is_a_share_of_the_way_from_real_images_to_one(name: str, real: float) -> None:
    """Only what lies beyond four fifths of that way; digits that are half black by nature get no easier accused."""
    reference = {**REAL, "constant_images": 0.0, "zeros": 0.0} | {name: real}
    border = real + COLLAPSE * (1 - real)
    assert border == pytest.approx(0.2 * real + 0.8)
    assert diagnosed({**reference, name: border - 1e-6}, reference) == []
    only(diagnosed({**reference, name: border + 1e-6}, reference), "black-samples")


def test_real_images_that_are_all_black_accuse_nobody() -> None:
    assert diagnosed(BLACK, BLACK) == []


def test_an_echo_is_less_agreement_than_nine_tenths() -> None:
    assert CANVAS_AGREEMENT == 0.9
    assert diagnosed(REAL, canvas_agreement=0.9) == []
    assert "agree on only 89.9%" in only(diagnosed(REAL, canvas_agreement=0.899), "black-samples")


def test_a_score_is_mentioned_from_more_than_half_as_much_again() -> None:
    assert SCORE_RATIO == 1.5
    for sequential, mentioned in ((3.0, False), (3.01, True)):
        sentence = only(diagnosed(BLACK, sees_itself=True, teacher_bits=2.0, sequential_bits=sequential), "black-samples")
        assert ("bits/dim" in sentence) == mentioned


@pytest.mark.parametrize("scores", [(1.1, None), (None, 9.0), (None, None)])
def test_one_score_alone_is_no_comparison(scores: tuple[float | None, float | None]) -> None:
    sentence = only(diagnosed(BLACK, sees_itself=True, teacher_bits=scores[0], sequential_bits=scores[1]), "black-samples")
    assert "bits/dim" not in sentence


@pytest.mark.parametrize("name", REAL)
def test_an_undefined_statistic_accuses_nobody(name: str) -> None:
    """On either side, also where the samples have it at its worst."""
    worst = {**REAL, "zeros": 1.0, "constant_images": 1.0, "colour_coherence": 0.0}
    assert diagnosed({**REAL, name: None}) == []
    assert diagnosed({**REAL, name: worst[name]}, {**REAL, name: None}) == []
    assert diagnosed({**REAL, name: None}, {**REAL, name: None}) == []


def test_a_symptom_without_the_other_colour_statistic_is_still_named() -> None:
    samples = {**REAL, "colour_coherence": 0.1}
    for reference in (REAL, {**REAL, "chroma_luma": None}):
        sentence = only(diagnosed(samples, reference, sees_same_pixel_colours=False), "uncoordinated-colours")
        assert ("chroma/luma 0.13, real images 0.13" in sentence) == (reference is REAL)


def test_subsets_of_real_photos_are_healthy_and_shuffled_colours_are_not() -> None:
    """36 real images as samples: never a diagnosis. The same with each colour from another image: always one."""
    images = get_task("photos").load().test.images
    real = sample_statistics(images, 16)
    rng = np.random.default_rng(0)
    for _ in range(20):
        chosen = images[rng.permutation(len(images))[:36]]
        assert diagnosed(sample_statistics(chosen, 16), real) == []
        mixed = np.stack([chosen[rng.permutation(36), c] for c in range(3)], axis=1)
        only(diagnosed(sample_statistics(mixed, 16), real, sees_same_pixel_colours=False), "uncoordinated-colours")

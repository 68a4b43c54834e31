"""The two lessons: told where the data are there, with their numbers, and no further than these carry."""

from pathlib import Path

from pixelbench.analysis.lessons import NO_COLOURS, SEES_ITSELF
from pixelbench.reports.report import build_report
from tests.support.record_factory import add_digits, add_photos, add_run, add_seeds

RESIDUAL = {"first_layer": "residual"}


def told(store: Path, title: str) -> str:
    return "\n".join(" ".join(lesson.sentences) for lesson in build_report(store).lessons if lesson.title == title)


def test_a_leak_is_told_with_both_scores_zeros_and_canvas(tmp_path: Path) -> None:
    add_photos(tmp_path)
    text = told(tmp_path, SEES_ITSELF)
    assert "gated-residual (a residual connection around the first masked layer, by design) scores 0.0005 bits/dim" in text
    assert "absurdly little beside the 0.943 of gated-pixelcnn" in text
    assert "needs 9.100 bits/dim (sequential score, 8 images), worse than the 4.000" in text
    assert "samples are black: 100.0 % of their values are 0 (real images: 10.0 %)" in text
    assert "12.0 % of the values come out the same" in text


def test_a_mild_leak_is_not_called_absurd_black_or_an_echo(tmp_path: Path) -> None:
    add_run(tmp_path, "gated-pixelcnn", 1.0)
    statistics: dict[str, float | None] = {"zeros": 0.3, "constant_images": 0.25}
    leak = {"causal": "leaky", "sequential": 3.0}
    add_run(tmp_path, "gated-residual", 0.9, settings=RESIDUAL, statistics=statistics, canvas_agreement=1.0, **leak)
    text = told(tmp_path, SEES_ITSELF)
    assert "a little less than it may, beside the 1.000" in text
    assert "better than the 4.000" in text
    assert "not black here: 30.0 % of their values are 0 (real images: 10.0 %), and 25.0 % of the images are of one value" in text
    assert "did not show the leak" in text
    assert "by design" not in text


def test_a_leak_that_has_not_learnt_to_copy_yet_is_not_praised(tmp_path: Path) -> None:
    add_run(tmp_path, "gated-pixelcnn", 4.0)
    add_run(tmp_path, "gated-residual", 4.1, settings=RESIDUAL, causal="leaky", canvas_agreement=0.999)
    text = told(tmp_path, SEES_ITSELF)
    assert "no gain yet, beside the 4.000" in text
    assert "Its samples depend on the canvas" in text
    assert "echo" not in text


def test_missing_numbers_leave_their_sentence_out(tmp_path: Path) -> None:
    add_run(tmp_path, "gated-residual", 0.01, settings=RESIDUAL, causal="leaky")
    text = told(tmp_path, SEES_ITSELF)
    assert "the causality check shows that this number is not a likelihood" in text
    assert "sequential" not in text


def test_colour_lesson_compares_with_the_conditioned_twin(tmp_path: Path) -> None:
    add_photos(tmp_path)
    text = told(tmp_path, NO_COLOURS)
    assert "correlation of 0.14, those of real images with 0.81; with colour conditioning gated-pixelcnn reaches 0.71" in text
    assert "One seed each, seed noise unknown: gated-pixelcnn is 0.123 bits/dim better than gated-no-colour" in text
    assert "Doing without" not in text
    add_run(tmp_path, "gated-pixelcnn", 0.945, seed=1, statistics={"colour_coherence": 0.71})
    text = told(tmp_path, NO_COLOURS)
    assert "Doing without costs 0.122 bits/dim (95 % interval 0." in text
    assert "2 and 1 seeds, seed noise pooled over cells with 1 degree of freedom)" in text
    lesson = next(lesson for lesson in build_report(tmp_path).lessons if lesson.title == NO_COLOURS)
    assert lesson.grids == ("gated-pixelcnn", "gated-no-colour")


def test_colour_lesson_says_where_samples_or_bits_do_not_show_it(tmp_path: Path) -> None:
    add_seeds(tmp_path, "gated-pixelcnn", 1.0, 1.001, statistics={"colour_coherence": 0.2})
    without = {"settings": {"colour_conditioning": False}, "statistics": {"colour_coherence": 0.3}}
    add_seeds(tmp_path, "gated-no-colour", 1.0005, 1.0015, **without)
    text = told(tmp_path, NO_COLOURS)
    assert "hardly nearer" in text
    assert "not distinguishable" in text


def test_a_twin_must_differ_in_nothing_else(tmp_path: Path) -> None:
    add_run(tmp_path, "gated-pixelcnn", 1.0, settings={"maps": 99})
    add_run(tmp_path, "gated-no-colour", 1.2, settings={"colour_conditioning": False})
    text = told(tmp_path, NO_COLOURS)
    assert "gated-pixelcnn" not in text
    assert "Doing without" not in text


def test_no_lesson_without_its_variant_or_from_grey_or_failed_runs(tmp_path: Path) -> None:
    add_digits(tmp_path)
    add_run(tmp_path, "gated-no-colour", 1.9, task="digits", settings={"colour_conditioning": False})
    add_run(tmp_path, "gated-residual", settings=RESIDUAL, causal="leaky", status="failed")
    assert build_report(tmp_path).lessons == ()

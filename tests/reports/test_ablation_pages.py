"""How ablations look: on the page with grids side by side and each map once, on a terminal of any width."""

import dataclasses
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from pixelbench.causality.report import CausalityReport
from pixelbench.data import get_task
from pixelbench.reports.markdown import write_markdown
from pixelbench.reports.report import Report, build_report
from pixelbench.reports.terminal import print_ablation, print_report
from pixelbench.store.artifacts import CERTIFICATE
from pixelbench.store.record import Diagnosis
from tests.support.certificate_factory import certificate, certificate_file
from tests.support.record_factory import add_digits, add_photos, add_run, add_seeds

DIGITS = (1, 8, 8)
RESIDUAL = {"first_layer": "residual"}
MASK_B = {"first_layer": "mask-b"}


def write_page(store: Path) -> str:
    return write_markdown(build_report(store)).read_text(encoding="utf-8")


def section(page: str, title: str) -> str:
    return page.split(f"\n### Ablation: {title}\n")[1].split("\n### ")[0]


def terminal(report: Report, name: str | None = None, width: int = 200) -> str:
    out = io.StringIO()
    console = Console(file=out, width=width)
    print_report(report, console) if name is None else print_ablation(report, name, console)
    return out.getvalue()


def add_mapped(store: Path, variant: str, report: CausalityReport, **options) -> None:
    causal, files = "leaky" if report.leaky else "complete", {CERTIFICATE: certificate_file(report)}
    add_run(store, variant, 1.0, task="digits", causal=causal, files=files, **options)


def test_a_section_has_question_table_sentences_and_grids_in_one_row(tmp_path: Path) -> None:
    add_photos(tmp_path)
    add_run(tmp_path, "gated-pixelcnn", 0.943, seed=1, statistics={"colour_coherence": 0.71})
    page = write_page(tmp_path)
    said = section(page, "Colour conditioning")
    assert "What becomes of the colours" in said
    assert "| gated-no-colour | no colour sees another at the same pixel | 1.066 ± " in said
    assert "| +0.123 (+0." in said
    assert "Doing without costs 0.123 bits/dim" in said
    row = next(line for line in said.splitlines() if "samples.png" in line)
    assert [part.split("/")[1] for part in row.split("](")[1:]] == ["gated-pixelcnn", "gated-no-colour"]
    assert page.index("expected order") < page.index("### Ablation") < page.index("### Other samples")
    assert "### Lesson" not in page
    assert "- **difference**, in an ablation" in page


def test_a_leak_is_marked_and_claims_no_difference(tmp_path: Path) -> None:
    add_photos(tmp_path)
    said = section(write_page(tmp_path), "A residual connection around the first layer")
    assert "~~0.0005~~ *not causal*" in said
    assert "9.100 ± 0.300 (8 images)" in said
    assert "| **gated-pixelcnn** | **gated-residual** (*not causal*) |" in said
    assert "difference" not in said


def test_grids_that_an_ablation_showed_are_not_among_the_others(tmp_path: Path) -> None:
    add_photos(tmp_path)
    others = write_page(tmp_path).split("### Other samples")[1]
    assert "![Samples of pixelcnn]" in others
    assert not any(f"![Samples of {label}]" in others for label in ("gated-pixelcnn", "gated-no-colour", "gated-residual"))


def test_a_diagnosis_is_kept_where_no_lesson_tells_it(tmp_path: Path) -> None:
    add_run(tmp_path, "gated-pixelcnn", 1.0, settings={"gates": True})
    found = (Diagnosis("colour-noise", "colours are not coordinated"),)
    add_run(tmp_path, "no-gates", 1.0, settings={"gates": False}, diagnoses=found)
    assert "- **no-gates**: colours are not coordinated" in section(write_page(tmp_path), "Gated activations")


def test_each_map_is_shown_once_and_only_where_it_differs(tmp_path: Path) -> None:
    for variant, settings, leaky in (
        ("gated-pixelcnn", {"gates": True}, False),
        ("gated-residual", RESIDUAL | {"gates": True}, True),
        ("gated-mask-b", MASK_B | {"gates": True}, True),
        ("gated-no-gates", {"gates": False}, False),
    ):
        add_mapped(tmp_path, variant, certificate(shape=DIGITS, sees_itself=leaky), settings=settings)
    wider = dataclasses.replace(certificate(shape=DIGITS), context=dataclasses.replace(certificate(shape=DIGITS).context, rows_above=1))
    add_mapped(tmp_path, "pixelcnn", wider)
    page = write_page(tmp_path)
    first, second = section(page, "A residual connection around the first layer"), section(page, "Mask B in the first layer")
    row = next(line for line in first.splitlines() if "![Dependence map" in line)
    assert row.index("map-digits-gated-pixelcnn.png") < row.index("map-digits-gated-residual.png")
    assert "| **gated-pixelcnn** | **gated-residual** (*not causal*) |" in first
    assert "- **gated-residual** (*not causal*): Not causal: input" in first
    assert "The same holds for gated-no-gates." in first
    assert "![Dependence map" not in second
    assert "Dependence maps shown above: **gated-pixelcnn**; **gated-mask-b** (*not causal*), the same as of **gated-residual**." in second
    assert "Dependence map" not in section(page, "Gated activations")
    assert page.count("Red may not be seen.") == 1
    others = page.split("### Other dependence maps")[1]
    assert "map-digits-pixelcnn.png" in others
    assert page.count("![Dependence map") == 3


def test_texts_of_records_are_escaped_in_a_section(tmp_path: Path) -> None:
    add_seeds(tmp_path, "gated|<b>", 1.0, 1.01, settings={"gates": True})
    add_seeds(tmp_path, "no*gates*", 1.2, 1.21, settings={"gates": False})
    said = section(write_page(tmp_path), "Gated activations")
    assert r"| gated\|&lt;b&gt; | tanh times sigmoid |" in said
    assert r"gated\|&lt;b&gt; beats no\*gates\* (ReLU)" in said
    assert "<b>" not in said


def test_the_page_names_preprocessing_and_digest(tmp_path: Path) -> None:
    add_run(tmp_path, "pixelcnn", 2.0, task="digits")
    task = get_task("digits")
    assert f"Preprocessing: {task.preprocessing} Digest `{task.digest[:12]}`." in write_page(tmp_path)


def test_images_of_another_digest_are_another_table(tmp_path: Path) -> None:
    for digest, bits in (("a" * 64, 1.0), ("b" * 64, 2.0)):
        images: dict[str, Any] = {"task": "imagenet32", "digest": digest}  # whose folder anybody may prepare
        add_run(tmp_path, "gated-pixelcnn", bits, **images)
        add_run(tmp_path, "gated-no-colour", bits + 0.1, settings={"colour_conditioning": False}, **images)
        add_run(tmp_path, "uniform", 4.0, noise=0.0, **images)
    report = build_report(tmp_path)
    names = [f"imagenet32 (digest {letter * 12})" for letter in "ab"]
    assert [table.task for table in report.tables] == names
    for table in report.tables:
        assert [(row.rank, row.label) for row in table.rows] == [(1, "gated-pixelcnn"), (2, "gated-no-colour"), (3, "uniform")]
    assert [one.task for one in report.ablations] == names
    assert [paired.difference.mean for one in report.ablations if (paired := one.rows[1].paired)] == pytest.approx([0.1, 0.1])
    page = write_page(tmp_path)
    for letter, name in zip("ab", names, strict=True):
        assert f"\n## {name}\n" in page
        with Image.open(tmp_path / "report-files" / f"curves-imagenet32-digest-{letter * 12}.png") as picture:
            assert np.asarray(picture).size


def test_nats_stand_in_the_section_of_a_binary_task(tmp_path: Path) -> None:
    add_run(tmp_path, "gated-pixelcnn", 0.150, task="mnist-fixed", noise=0.01, settings={"gates": True})
    add_run(tmp_path, "no-gates", 0.160, task="mnist-fixed", noise=0.01, settings={"gates": False})
    said = section(write_page(tmp_path), "Gated activations")
    assert "| nats/image |" in said
    assert "| 81.51 ± " in said  # 0.150 * 784 * ln 2


def test_recipes_tell_labels_apart_where_budgets_do_not(tmp_path: Path) -> None:
    for rate in (0.006, 0.002):
        add_run(tmp_path, "gated-pixelcnn", 1.0, recipe={"learning_rate": rate})
    assert {cell.label for cell in build_report(tmp_path).cells} == {
        "gated-pixelcnn (learning_rate 0.006)",
        "gated-pixelcnn (learning_rate 0.002)",
    }


def test_the_terminal_tells_ablations_by_title_and_task(tmp_path: Path) -> None:
    add_photos(tmp_path)
    text = terminal(build_report(tmp_path))
    assert "Ablation: Colour conditioning\n  photos: The colours of gated-no-colour's samples" in text
    assert "Lesson" not in text


def test_one_ablation_alone_shows_its_tasks_and_nothing_else(tmp_path: Path) -> None:
    add_photos(tmp_path)
    add_digits(tmp_path)
    add_run(tmp_path, "gated-residual", 0.01, task="digits", settings=RESIDUAL, causal="leaky")
    text = terminal(build_report(tmp_path), "first-layer-residual")
    assert text.startswith("What is a model worth that sees the pixel it predicts, because")
    assert text.index("digits: A residual connection") < text.index("photos: A residual connection")
    assert "a residual connection around the first masked layer" in text
    assert "0.0005 not causal" in text
    assert "pixelcnn (" not in text
    assert "gated-no-colour" not in text


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_an_ablation_keeps_the_terminal_s_width(tmp_path: Path, width: int) -> None:
    add_photos(tmp_path)
    text = terminal(build_report(tmp_path), "colour-conditioning", width)
    assert max(len(line) for line in text.splitlines()) <= width
    assert "1.066" in text
    assert "+0.123" in text
    assert ("real test images" in text) == ("zeros" in text.partition("Left out")[0])


def test_an_ablation_without_runs_says_so(tmp_path: Path) -> None:
    add_photos(tmp_path)
    assert terminal(build_report(tmp_path), "depth").startswith("No ablation 'depth' can be shown")

"""Figures that a paper publishes of validation images: held against our score there, never against the one on test images."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pixelbench.analysis.comparisons import comparisons_of
from pixelbench.published.comparison import Comparison, Known, compare_cells_with_figures
from pixelbench.published.figure_files import load_figures
from pixelbench.published.figures import Figure, figures_about
from pixelbench.published.frames import compare_with_published
from pixelbench.published.rows import SUITES, Rows
from pixelbench.published.verdicts import Verdict
from pixelbench.reports.html.document import write_html
from pixelbench.reports.markdown import write_markdown
from pixelbench.reports.report import build_report
from pixelbench.store.cells import cells_of, load_runs
from pixelbench.store.frame import load_results
from pixelbench.store.record import Record
from pixelbench.store.scan import scan
from pixelbench.suites.load import load_suite
from pixelbench.suites.resolve import pairs
from pixelbench.suites.specs import row_specs
from tests.support.paper_runs import add_nats, figure
from tests.support.record_factory import add_spec, folder_of, rewrite

ROW = "row-lstm-2-layers"
#: Its published value, 3.20, on validation images; what is measured on test images is far from it.
NEAR, FAR = (3.19, 3.20, 3.21), 3.60


def add(store: Path, validation: tuple[float | None, ...], test: float = FAR, *, budget: str = "paper", variant: str = ROW) -> list[Record]:
    """Runs of a row, one a seed, that came to these bits/dim on validation images, and on test images to another number."""
    spec = row_specs(load_suite("row-lstm-tables"), "cifar10", variant)[budget, "fp32"]
    records = [add_spec(store, replace(spec, seed=seed), test) for seed in range(len(validation))]
    return [rewrite(folder_of(store, one), with_validation(bits)) for one, bits in zip(records, validation, strict=True)]


def with_validation(bits: float | None):
    def changed(record: Record) -> Record:
        assert record.likelihood is not None
        return replace(record, likelihood=replace(record.likelihood, validation_bits_per_dim=bits))

    return changed


def compared(store: Path, *figures: Figure) -> list[Comparison]:
    known = Known(figures=figures) if figures else Known()
    return compare_cells_with_figures(cells_of(load_runs(scan(store).examine())), known)


def verdict_of(store: Path, *figures: Figure) -> Verdict:
    (found,) = compared(store, *figures)
    assert found.verdict is not None
    return found.verdict


def on_cifar(split: str, value: float = 3.20, **changes: Any) -> Figure:
    about = {"task": "cifar10", "variant": ROW, "dataset": "CIFAR-10", "preprocessing": "raw 8-bit", "binarisation": None}
    return figure(value, id=f"of-{split}", metric="bits_per_dim", unit="bits/dim", split=split, **(about | changes))


def test_a_figure_on_validation_is_held_against_our_validation_images(tmp_path: Path) -> None:
    add(tmp_path, NEAR)
    (found,) = compared(tmp_path)
    assert found.figure is not None
    assert found.verdict is not None
    assert (found.figure.id, found.verdict.name) == ("prnn-t3-l2", "reproduced")
    assert found.measured == pytest.approx(3.20)


def test_a_good_score_on_test_images_is_no_good_score_on_validation_images(tmp_path: Path) -> None:
    """The negative control: whoever read the wrong score would call it reproduced."""
    add(tmp_path, (FAR, FAR + 0.01, FAR + 0.02), test=3.20)
    assert verdict_of(tmp_path).name == "worse"


def test_a_figure_on_test_images_is_not_held_against_validation_images(tmp_path: Path) -> None:
    """The mirror image, on the same runs."""
    add(tmp_path, NEAR)
    test, validation = on_cifar("test"), on_cifar("validation")
    assert [one.verdict and one.verdict.name for one in compared(tmp_path, validation, test)] == ["worse", "reproduced"]
    assert [one.measured for one in compared(tmp_path, validation, test)] == [pytest.approx(FAR), pytest.approx(3.20)]
    assert verdict_of(tmp_path, on_cifar("train")).name == "not comparable"


def test_weights_that_were_selected_by_the_validation_images_have_no_score_there(tmp_path: Path) -> None:
    """Those of the suite's row on MNIST are: what they come to on validation images is too good, and judged by no figure."""
    assert all(record.selected_update is not None for record in add_nats(tmp_path, 81.2, 81.3, 81.4))
    verdict = verdict_of(tmp_path, figure(split="validation"))
    assert verdict.name == "not comparable"
    assert "images that were trained or selected on are no test" in verdict.sentence
    assert verdict_of(tmp_path, figure()).name == "reproduced"


def test_a_frame_is_judged_alike(tmp_path: Path) -> None:
    add(tmp_path, NEAR)
    frame = load_results(tmp_path)
    (row,) = compare_with_published(frame).to_dict("records")
    assert (row["figure"], row["verdict"], row["measured"]) == ("prnn-t3-l2", "reproduced", pytest.approx(3.20))
    (without,) = compare_with_published(frame.drop(columns="validation_bits_per_dim")).to_dict("records")
    assert without["verdict"] == "incomplete"


@pytest.mark.parametrize("lacking", range(3))
def test_a_seed_without_a_score_on_validation_images_makes_it_incomplete(tmp_path: Path, lacking: int) -> None:
    add(tmp_path, tuple(None if seed == lacking else bits for seed, bits in enumerate(NEAR)))
    verdict = verdict_of(tmp_path)
    assert (verdict.name, verdict.n_seeds) == ("incomplete", 2)
    assert f"seed {lacking} has no number" in verdict.sentence


@pytest.mark.parametrize(("budget", "said"), [("smoke", "only 16 images"), ("cpu", "only 250 images"), ("short", "only 500 images")])
def test_fewer_validation_images_or_a_shorter_budget_decide_nothing(tmp_path: Path, budget: str, said: str) -> None:
    add(tmp_path, NEAR, budget=budget)
    verdict = verdict_of(tmp_path)
    assert verdict.name == "incomplete"
    assert said in verdict.sentence
    assert f"budget {budget} instead of paper" in verdict.sentence


def test_all_validation_images_are_enough_although_there_are_fewer_than_test_images(tmp_path: Path) -> None:
    add(tmp_path, NEAR)
    sentence = verdict_of(tmp_path).sentence
    assert "only" not in sentence
    assert "Held against our own 5,000 validation images, which need not be the paper's" in sentence
    assert "one standard error" in sentence


def test_the_error_of_other_validation_images_follows_from_the_test_images(tmp_path: Path) -> None:
    records = add(tmp_path, NEAR)
    errors = [record.likelihood.bits_per_dim_se for record in records if record.likelihood]
    expected = max(error for error in errors if error) * (10_000 / 5_000) ** 0.5
    assert f"by about {expected:.3f} bits/dim" in verdict_of(tmp_path).sentence


def test_on_the_small_imagenets_validation_images_are_what_is_tested_on() -> None:
    """Their published validation set is our test split; what is kept for validation there are training images."""
    about = figures_about("imagenet32", "row-lstm", load_figures())
    assert about
    assert {figure.split for figure in about} == {"validation"}
    assert not any(figure.on_validation for figure in about)
    assert on_cifar("validation").on_validation
    assert not on_cifar("test").on_validation


def test_a_cell_with_both_figures_is_shown_beside_the_one_on_test_images(tmp_path: Path) -> None:
    add(tmp_path, (3.05, 3.06, 3.07), test=3.07, variant="row-lstm")
    found = comparisons_of(cells_of(load_runs(scan(tmp_path).examine())))
    assert [(one.figure.id, one.figure.on_validation, one.verdict_name) for one in found] == [
        ("prnn-t5-rowlstm-test", False, "reproduced"),
        ("prnn-t2-4", True, "reproduced"),
        ("prnn-t3-l12", True, "reproduced"),
        ("prnn-s53-softmax", True, "reproduced"),
    ]


def test_pages_say_that_the_figure_is_of_validation_images(tmp_path: Path) -> None:
    add(tmp_path, NEAR)
    add(tmp_path, (3.05, 3.06, 3.07), test=3.07, variant="row-lstm")
    report = build_report(tmp_path)
    page = write_markdown(report).read_text(encoding="utf-8")
    assert "3.20 bits/dim (on validation)" in page
    assert "3.200 bits/dim on validation" in page
    assert "Table 3; on validation images" in page
    assert "3.07 bits/dim (on validation)" not in page
    assert "**published, on validation**" in page
    plain = tmp_path / "plain"
    add(plain, (3.05, 3.06, 3.07), test=3.07, variant="row-lstm")
    assert "**published, on validation**" not in write_markdown(build_report(plain)).read_text(encoding="utf-8")
    assert "; on validation images" in write_html(report).read_text(encoding="utf-8")


def test_rows_of_figures_on_validation_select_nothing_by_them_and_hold_images_out() -> None:
    """At every budget: else there would be no honest score."""
    rows, checked = Rows(*map(load_suite, SUITES)), 0
    for figure_ in load_figures():
        if figure_.on_validation:
            row = rows.find(figure_.task or "", figure_.variant or "")
            assert row is not None, figure_.id
            for spec in row_specs(row.suite, row.task, row.variant).values():
                assert spec.recipe.get("select", "last") == "last"
                assert spec.split == "held-out"
                checked += 1
    assert checked


def test_every_figure_of_a_row_is_found_in_one_suite(tmp_path: Path) -> None:
    """And a row that several suites have is the same run in each of them."""
    specs: dict[tuple[str, str], list[dict[tuple[str, str], str]]] = {}
    for name in SUITES:
        suite = load_suite(name)
        for task, variant in pairs(suite):
            keys = {place: spec.key for place, spec in row_specs(suite, task.name, variant.name).items()}
            specs.setdefault((task.name, variant.name), []).append(keys)
    for figure_ in load_figures():
        if figure_.task:
            found = specs[figure_.task, figure_.variant or ""]
            assert all(keys == found[0] for keys in found)

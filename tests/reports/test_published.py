"""Cells of a store, and rows of a frame, beside published figures: what is judged, and which seeds decide."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import pixelbench
from pixelbench.errors import UserError
from pixelbench.published.comparison import Comparison, Known, compare_cells_with_figures, primary
from pixelbench.published.figure_files import load_figures
from pixelbench.published.figures import Figure
from pixelbench.published.frames import compare_with_published
from pixelbench.published.verdicts import Verdict
from pixelbench.reports.markdown import write_markdown
from pixelbench.reports.readme import readme_table
from pixelbench.reports.report import build_report
from pixelbench.store.cells import cells_of, load_runs
from pixelbench.store.frame import load_results
from pixelbench.store.record import Causality, Provenance, Record
from pixelbench.store.record_file import write_record
from pixelbench.store.scan import scan
from pixelbench.units import bits_per_dim
from tests.support.paper_runs import MNIST, add_nats, figure, paper_spec
from tests.support.record_factory import add_run, add_spec, folder_of, record_of, rewrite

GOOD = (81.2, 81.3, 81.4)
LEAK = Causality("leaky", 0.5, 1e-10, "output 0 sees sub-pixel 0")


def compared(store: Path, *figures: Figure) -> list[Comparison]:
    known = Known(figures=figures or (figure(),))
    return compare_cells_with_figures(cells_of(load_runs(scan(store).examine())), known)


def only_verdict(store: Path, *figures: Figure) -> Verdict:
    (found,) = compared(store, *figures)
    assert found.verdict is not None
    return found.verdict


def judged(frame: pd.DataFrame, *figures: Figure) -> dict[str, Any]:
    (row,) = compare_with_published(frame, Known(figures=figures or (figure(),))).to_dict("records")
    return {str(name): value for name, value in row.items()}


def test_three_seeds_inside_the_band_reproduce_a_figure_in_its_own_unit(tmp_path: Path) -> None:
    add_nats(tmp_path, *GOOD)
    (found,) = compared(tmp_path)
    assert found.verdict is not None
    assert found.verdict.name == "reproduced"
    assert found.measured == pytest.approx(81.3)
    assert found.verdict.n_seeds == 3
    assert "the mean of 3 seeds (seeds 0 to 2)" in found.verdict.sentence


def test_pages_open_with_what_is_decided(tmp_path: Path) -> None:
    """And with nothing that is not: too few seeds, or a leak."""
    add_nats(tmp_path, *GOOD)
    report = build_report(tmp_path)
    assert [(one.label, one.verdict_name) for one in report.decided] == [("pixelcnn", "reproduced")]
    opening = write_markdown(report).read_text(encoding="utf-8").split("## mnist-fixed")[0]
    assert "✓ **reproduced**" in opening
    assert "| 81.30 nats/image |" in opening
    assert readme_table(tmp_path).startswith("Published figures that these runs decide:")
    few = tmp_path / "few"
    add_nats(few, *GOOD[:2])
    assert not build_report(few).decided
    assert "decide" not in readme_table(few)


def test_what_is_measured_is_the_mean(tmp_path: Path) -> None:
    """Not the median, nor the best."""
    add_nats(tmp_path, 81.0, 81.1, 82.2)
    (found,) = compared(tmp_path)
    assert found.measured == pytest.approx((81.0 + 81.1 + 82.2) / 3)


def test_the_shipped_figures_are_about_the_rows_of_the_shipped_suite(tmp_path: Path) -> None:
    add_nats(tmp_path, *GOOD)
    (found,) = compare_cells_with_figures(cells_of(load_runs(scan(tmp_path).examine())))
    assert (found.figure and found.figure.id, found.verdict and found.verdict.name) == ("prnn-t4-pixelcnn", "reproduced")


# A verdict hangs on what was asked for, never on a name.


@pytest.mark.parametrize(
    ("requested", "said"),
    [
        ({"settings": {"layers": 3}}, "layers 3 instead of 7"),
        ({"settings": {"layers": 3, "maps": 99}}, "layers 3 instead of 7, maps 99 instead of 16"),
        ({"recipe": {"learning_rate": 0.002}}, "learning_rate 0.002 instead of 0.004"),
        ({"recipe": {"constants": {"beta1": 0.9, "beta2": 0.95, "epsilon": 1e-8, "weight_decay": 0.01}}}, "constants.beta2 0.95 in"),
        ({"updates": 120}, "updates 120 instead of 31200"),
        ({"evaluation": {"samples": 63}}, "samples 63 instead of 64"),
        ({"model_version": 9}, "model_version 9 instead of 1"),
    ],
)
def test_a_cell_that_the_suite_does_not_ask_for_is_told_what_differs(tmp_path: Path, requested: dict[str, Any], said: str) -> None:
    add_nats(tmp_path, *GOOD, **requested)
    verdict = only_verdict(tmp_path)
    assert verdict.name == "not comparable"
    assert f"not the row of suite paper: {said}" in verdict.sentence


@pytest.mark.parametrize("family", ["pixelcnn-plain", "pixelsnail", "gated-pixelcnn"])
def test_another_family_under_the_name_of_the_row_gets_no_verdict(tmp_path: Path, family: str) -> None:
    for seed, nats in enumerate(GOOD):
        add_run(tmp_path, "pixelcnn", bits_per_dim(nats, MNIST), family=family, task="mnist-fixed", budget="paper", seed=seed)
    verdict = only_verdict(tmp_path)
    assert verdict.name == "not comparable"
    assert f"not the row of suite paper: family {family} instead of pixelcnn" in verdict.sentence


def test_a_pixelsnail_renamed_to_pixelcnn_is_no_pixelcnn(tmp_path: Path) -> None:
    """On CIFAR-10, where both are rows of the suite and PixelSNAIL is the better one."""
    for seed in range(3):
        spec = paper_spec("pixelsnail", "cifar10", seed=seed)
        add_spec(tmp_path, replace(spec, variant="pixelcnn"), 3.14 + seed / 100)
    about = figure(3.14, id="prnn-t5", metric="bits_per_dim", unit="bits/dim", task="cifar10", binarisation=None, dataset="CIFAR-10")
    verdict = only_verdict(tmp_path, about)
    assert verdict.name == "not comparable"
    assert "family pixelsnail instead of pixelcnn" in verdict.sentence


def test_whoever_renames_what_the_suite_asks_for_is_not_held_against_the_figure(tmp_path: Path) -> None:
    """The mirror image: the row's own run under another name is nobody's figure, and nothing worse is said of it."""
    add_nats(tmp_path, *GOOD, variant="pixelcnn")
    for run in scan(tmp_path).values():
        rewrite(run.folder, lambda record: replace(record, variant=replace(record.variant, name="mine")))
    assert only_verdict(tmp_path).name == "no figure"


def test_the_row_is_known_whatever_a_suite_calls_its_budget(tmp_path: Path) -> None:
    for record in add_nats(tmp_path, *GOOD):
        rewrite(folder_of(tmp_path, record), lambda record: replace(record, budget=replace(record.budget, name="mine")))
    assert only_verdict(tmp_path).name == "reproduced"


def test_a_budget_that_is_called_paper_and_is_not_is_no_paper(tmp_path: Path) -> None:
    for record in add_nats(tmp_path, *GOOD, budget="cpu"):
        rewrite(folder_of(tmp_path, record), lambda record: replace(record, budget=replace(record.budget, name="paper")))
    verdict = only_verdict(tmp_path)
    assert verdict.name == "incomplete"
    assert "budget cpu instead of paper" in verdict.sentence


@pytest.mark.parametrize(
    ("requested", "name", "said"),
    [
        ({"budget": "cpu"}, "incomplete", "budget cpu instead of paper"),
        ({"budget": "short"}, "incomplete", "only 1,000 images of the split"),
        ({"precision": "bf16"}, "reproduced", "Reproduced"),  # what `auto` becomes on CUDA
        ({"limit": 60}, "incomplete", "only 60 images of the split"),
        ({"limit": 10_000}, "incomplete", "only 10,000 images of the split"),  # as many as there are: the limit may have bitten
        ({"limit": 20_000}, "reproduced", "Reproduced"),  # more than there are
        ({"expect": "leaky"}, "not comparable", "its suite declares that it leaks"),
    ],
)
def test_budgets_precisions_and_limits_of_the_row(tmp_path: Path, requested: dict[str, Any], name: str, said: str) -> None:
    add_nats(tmp_path, *GOOD, **requested)
    verdict = only_verdict(tmp_path)
    assert verdict.name == name
    assert said in verdict.sentence


@pytest.mark.parametrize("other", [{"precision": "bf16"}, {"budget": "cpu"}, {"limit": 60}, {"settings": {"layers": 3}}])
def test_one_seed_that_was_asked_for_otherwise_is_of_another_cell(tmp_path: Path, other: dict[str, Any]) -> None:
    """Precision, budget, limit, setting: it does not make the third of three."""
    add_nats(tmp_path, *GOOD[:2])
    add_nats(tmp_path, GOOD[2], seeds=[2], **other)
    found = compared(tmp_path)
    assert sorted(len(one.cell.runs) for one in found) == [1, 2]
    assert {one.verdict.name for one in found if one.verdict} <= {"incomplete", "not comparable"}
    row = next(one.verdict for one in found if len(one.cell.runs) == 2)
    assert row is not None
    assert "seed 2 not stored" in row.sentence


# Which seeds decide.


def test_the_best_three_of_ten_seeds_do_not_decide(tmp_path: Path) -> None:
    add_nats(tmp_path, 83.0, 83.1, 82.9, 81.3, 84.0, 81.2, 85.0, 81.4, 83.0, 83.3)
    verdict = only_verdict(tmp_path)
    assert (verdict.name, verdict.n_seeds) == ("worse", 3)
    assert "(seeds 0 to 2)" in verdict.sentence
    assert "Also stored, and not part of the verdict: seeds 3 to 9." in verdict.sentence


def test_whoever_deletes_the_bad_seeds_has_too_few(tmp_path: Path) -> None:
    add_nats(tmp_path, 81.3, 81.2, 81.4, seeds=[3, 5, 7])
    verdict = only_verdict(tmp_path)
    assert (verdict.name, verdict.n_seeds) == ("incomplete", 0)
    assert "seeds 0 to 2 not stored" in verdict.sentence


@pytest.mark.parametrize("later", [(80.0,), (82.0, 82.1), (70.0, 90.0, 81.3)])
def test_later_seeds_never_change_the_verdict(tmp_path: Path, later: tuple[float, ...]) -> None:
    add_nats(tmp_path, *GOOD)
    before = only_verdict(tmp_path)
    add_nats(tmp_path, *later, seeds=range(3, 3 + len(later)))
    after = only_verdict(tmp_path)
    assert after.sentence.startswith(before.sentence)
    assert replace(after, sentence=before.sentence) == before


@pytest.mark.parametrize("status", ["failed", "diverged", "timeout"])
def test_a_later_seed_that_did_not_end_well_changes_nothing_either(tmp_path: Path, status: str) -> None:
    add_nats(tmp_path, *GOOD)
    add_spec(tmp_path, paper_spec(seed=3), status=status)
    verdict = only_verdict(tmp_path)
    assert verdict.name == "reproduced"
    assert "Also stored, and not part of the verdict: seed 3." in verdict.sentence


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("status", ["failed", "timeout", "interrupted"])
def test_a_seed_that_decides_and_did_not_end_makes_it_incomplete(tmp_path: Path, seed: int, status: str) -> None:
    others = [other for other in range(5) if other != seed]  # four good ones, of which two decide
    add_nats(tmp_path, 81.2, 81.3, 81.4, 81.25, seeds=others)
    add_spec(tmp_path, paper_spec(seed=seed), status=status)
    verdict = only_verdict(tmp_path)
    assert (verdict.name, verdict.n_seeds) == ("incomplete", 2)
    assert f"seed {seed} {status}" in verdict.sentence


def test_a_seed_that_diverged_counts_as_worse_and_is_named(tmp_path: Path) -> None:
    """Three others that trained do not stand for it."""
    add_nats(tmp_path, *GOOD, seeds=[0, 2, 3])
    add_spec(tmp_path, paper_spec(seed=1), status="diverged")
    verdict = only_verdict(tmp_path)
    assert (verdict.name, verdict.n_seeds) == ("worse", 2)
    said = "Worse: seed 1 diverged, so the row did not train to the published 81.30 nats/image; seeds 0, 2: 81.25 nats/image."
    assert verdict.sentence.startswith(said)


def test_all_that_diverged(tmp_path: Path) -> None:
    for seed in range(3):
        add_spec(tmp_path, paper_spec(seed=seed), status="diverged")
    assert only_verdict(tmp_path).sentence.startswith("Worse: seeds 0 to 2 diverged, so the row did not train")


def test_a_seed_that_diverged_does_not_make_good_for_one_that_is_missing(tmp_path: Path) -> None:
    add_nats(tmp_path, 81.3)
    add_spec(tmp_path, paper_spec(seed=1), status="diverged")
    verdict = only_verdict(tmp_path)
    assert verdict.name == "incomplete"
    assert "seed 2 not stored" in verdict.sentence
    assert "seed 1 diverged" in verdict.sentence


# No cell is better than its worst run: one of three seeds is spoilt, which alone changes the verdict.


def probed(positions: int | None) -> Callable[[Record], Record]:
    return lambda record: replace(record, causality=replace(record.causality, trained_positions=positions))


SPOILT: list[tuple[str, Callable[[Record], Record], str, str]] = [
    ("leaky", lambda one: replace(one, causality=LEAK), "not causal", "Not causal"),
    ("partial", lambda one: replace(one, causality=replace(one.causality, status="partial")), "incomplete", "only a partial map"),
    ("unchecked", lambda one: replace(one, causality=Causality()), "incomplete", "does not add up"),
    ("not probed", probed(None), "incomplete", "was not probed"),
    ("hardly probed", probed(2), "incomplete", "2 sub-pixels of 16"),
    ("nearly probed", probed(15), "incomplete", "15 sub-pixels of 16"),
    ("failed", lambda one: record_of(one.spec, status="failed"), "incomplete", "failed"),
    ("diverged", lambda one: record_of(one.spec, status="diverged"), "worse", "diverged"),
    ("without a likelihood", lambda one: replace(one, likelihood=None), "incomplete", "does not add up"),
    ("of another estimator", lambda one: with_likelihood(one, estimator="elbo"), "incomplete", "does not add up"),
    ("of fewer images", lambda one: with_likelihood(one, n_images=9_999), "incomplete", "does not add up"),
    ("edited", lambda one: with_likelihood(one, bits_per_dim=0.1), "incomplete", "does not add up"),
    ("of another code", lambda one: replace(one, provenance=Provenance("cpu", "6" * 64)), "incomplete", "not stored"),
]


def with_likelihood(record: Record, **changes: Any) -> Record:
    assert record.likelihood is not None
    return replace(record, likelihood=replace(record.likelihood, **changes))


@pytest.mark.parametrize(("spoil", "name", "said"), [pytest.param(*rest, id=kind) for kind, *rest in SPOILT])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_worst_of_three_seeds_speaks(tmp_path: Path, spoil: Callable[[Record], Record], name: str, said: str, seed: int) -> None:
    records = add_nats(tmp_path, *GOOD)
    assert only_verdict(tmp_path).name == "reproduced"
    rewrite(folder_of(tmp_path, records[seed]), spoil)
    verdicts = [one.verdict for one in compared(tmp_path) if one.verdict]
    assert {verdict.name for verdict in verdicts} == {name}
    assert any(said in verdict.sentence for verdict in verdicts)


def test_one_leaking_seed_is_enough_even_a_later_one(tmp_path: Path) -> None:
    """The fault is the architecture's."""
    add_nats(tmp_path, *GOOD)
    add_spec(tmp_path, paper_spec(seed=7), 0.1, causal="leaky")
    (found,) = compared(tmp_path)
    assert (found.verdict and found.verdict.name, found.measured) == ("not causal", None)


def test_a_later_seed_that_was_not_probed_changes_nothing(tmp_path: Path) -> None:
    """The mirror image of the rule above: of what does not decide only a leak speaks."""
    add_nats(tmp_path, *GOOD)
    add_spec(tmp_path, paper_spec(seed=7), 0.15, trained_positions=None, causal="partial")
    assert only_verdict(tmp_path).name == "reproduced"


COLUMNS: list[tuple[str, Any, str, str]] = [
    ("estimator", "elbo", "not comparable", "elbo and exact"),
    ("causal", "leaky", "not causal", "Not causal"),
    ("causal", "unchecked", "incomplete", "causality unchecked"),
    ("causal", "partial", "incomplete", "only a partial map"),
    ("trained_positions", None, "incomplete", "not probed"),
    ("trained_positions", 15, "incomplete", "probed at 15 sub-pixels of 16"),
    ("n_images", 9_999, "incomplete", "only 9,999 images"),
    ("test_images", 60, "incomplete", "only 10,000 images"),
    ("status", "failed", "incomplete", "seed 1 failed"),
    ("status", "timeout", "incomplete", "seed 1 timeout"),
    ("status", "diverged", "worse", "seed 1 diverged"),
    ("bits_per_dim", None, "incomplete", "seed 1 has no number"),
    ("nats_per_image", 56.3, "not comparable", "contradict each other"),
    ("condition", "class", "not comparable", "given to ours only"),
    ("doubts", "its run key is wrong", "incomplete", "seed 1 does not add up"),
    ("code", "another", "incomplete", "made by 2 different codes"),
    ("seed", 0, "incomplete", "there are several runs of seed 0"),
    ("seed", 9, "incomplete", "seed 1 not stored"),
]


@pytest.mark.parametrize(("column", "value", "name", "said"), COLUMNS, ids=[f"{column} {value}" for column, value, *_ in COLUMNS])
def test_the_worst_row_of_a_cell_speaks_in_a_frame_too(tmp_path: Path, column: str, value: Any, name: str, said: str) -> None:
    add_nats(tmp_path, *GOOD)
    frame = load_results(tmp_path)
    assert judged(frame)["verdict"] == "reproduced"
    frame.loc[1, column] = value
    row = judged(frame)
    assert row["verdict"] == name
    assert said in row["sentence"]


def test_a_row_of_doubts_is_no_measurement_although_it_has_a_number(tmp_path: Path) -> None:
    add_nats(tmp_path, 81.2, 81.4, 60.0)
    frame = load_results(tmp_path)
    frame.loc[2, "doubts"] = "its run key is wrong"
    row = judged(frame)
    assert (row["n"], row["measured"], row["suspicious"]) == (2, pytest.approx(81.3), False)


def test_seeds_of_several_torches_are_said(tmp_path: Path) -> None:
    records = add_nats(tmp_path, *GOOD)
    assert "torch" not in only_verdict(tmp_path).sentence
    newer = replace(records[1].provenance, versions={"torch": "2.13.0"})
    rewrite(folder_of(tmp_path, records[1]), lambda record: replace(record, provenance=newer))
    verdict = only_verdict(tmp_path)
    assert verdict.name == "reproduced"
    assert "Made with several versions of torch: 2.11.0, 2.13.0." in verdict.sentence


# Tricks.


def test_copied_seeds_reproduce_nothing(tmp_path: Path) -> None:
    (genuine,) = add_nats(tmp_path, 81.3)
    for seed in (1, 2):
        record = replace(genuine, seed=seed)
        record = replace(record, run_key=record.spec.key)
        folder = tmp_path / "mnist-fixed" / "pixelcnn" / record.run_key
        shutil.copytree(folder_of(tmp_path, genuine), folder)
        write_record(folder, record)
    verdict = only_verdict(tmp_path)
    assert verdict.name == "incomplete"
    assert all(f"seed {seed} does not add up" in verdict.sentence for seed in range(3))


def test_copies_with_an_edited_key_reproduce_nothing(tmp_path: Path) -> None:
    (genuine,) = add_nats(tmp_path, 81.3)
    for key in ("0123456789aa", "0123456789ab"):
        folder = tmp_path / "mnist-fixed" / "pixelcnn" / key
        shutil.copytree(folder_of(tmp_path, genuine), folder)
        write_record(folder, replace(genuine, run_key=key))
    verdict = only_verdict(tmp_path)
    assert verdict.name == "incomplete"
    assert "1 seed of the 3 that decide" in verdict.sentence or "seed 0 does not add up" in verdict.sentence


def test_thresholded_images_sold_as_fixed_are_found_by_their_digest(tmp_path: Path) -> None:
    for seed, nats in enumerate(GOOD):
        spec = paper_spec(seed=seed)
        add_spec(tmp_path, replace(spec, task={**spec.task, "digest": "d" * 64}), bits_per_dim(nats, MNIST))
    verdict = only_verdict(tmp_path)
    assert verdict.name in ("incomplete", "not comparable")
    assert "digest dddddddddddd" in verdict.sentence


# What is known of the figure.


def test_images_binarised_otherwise_are_not_comparable(tmp_path: Path) -> None:
    add_nats(tmp_path, *GOOD)
    for binarisation in ("threshold", "dynamic"):
        verdict = only_verdict(tmp_path, figure(binarisation=binarisation))
        assert verdict.name == "not comparable"
        assert f"the published binarisation is {binarisation}, ours fixed" in verdict.sentence


def test_what_a_figure_calls_its_images_decides_nothing(tmp_path: Path) -> None:
    """Prose is for people; without the field nothing is known, and the task's own way is assumed."""
    add_nats(tmp_path, *GOOD)
    for words in ("dynamic (stochastic) binarisation", "not thresholded", ""):
        assert only_verdict(tmp_path, figure(preprocessing=words, binarisation=None)).name == "reproduced"
    assert only_verdict(tmp_path, figure(config_name="not the class-conditional one")).name == "reproduced"


def test_several_figures_of_one_cell_and_reproductions_beside_them(tmp_path: Path) -> None:
    add_nats(tmp_path, *GOOD)
    own = figure(id="rep", kind="reproduction", value=81.3)
    found = compared(tmp_path, figure(id="validation", split="validation"), figure(), own, figure(id="other", variant="row-lstm"))
    assert [(one.figure and one.figure.id, one.verdict and one.verdict.name) for one in found] == [
        ("prnn-t4-pixelcnn", "reproduced"),
        ("rep", None),
        ("validation", "not comparable"),
    ]
    assert primary(found) is found[0]
    assert primary(found[2:]) is found[2]
    assert primary(found[1:2]) is None


def test_a_cell_that_no_paper_has_a_figure_for(tmp_path: Path) -> None:
    add_nats(tmp_path, 81.2)
    only, beside = compared(tmp_path, figure(kind="reproduction"))
    assert (only.figure, only.verdict and only.verdict.name) == (None, "no figure")
    assert only.measured == pytest.approx(bits_per_dim(81.2, MNIST))
    assert beside.verdict is None


def test_a_bound_is_held_against_a_bound(tmp_path: Path) -> None:
    add_nats(tmp_path, 79.9, 80.0, 80.1, variant="pixelvae-upsampling")
    published = {"value": 80.08, "variant": "pixelvae-upsampling", "estimator": "elbo", "bound": True}
    (found,) = compared(tmp_path, figure(**published))
    assert (found.verdict and found.verdict.name, found.measured_bound) == ("reproduced", True)


def test_an_elbo_sold_as_importance_samples_is_not_believed(tmp_path: Path) -> None:
    """Of the row that the suite scores by one sample; the one that it scores by a thousand is beside it."""
    published = {"value": 79.48, "estimator": "iwae-1000", "bound": True, "tolerance": 5.0}
    for record in add_nats(tmp_path, 79.9, 80.0, 80.1, variant="pixelvae-upsampling"):
        rewrite(folder_of(tmp_path, record), lambda record: with_likelihood(record, estimator="iwae-1000"))
    add_nats(tmp_path, 79.0, 79.1, 79.2, variant="pixelvae")
    sold, genuine = compared(
        tmp_path, figure(**published, id="sold", variant="pixelvae-upsampling"), figure(**published, id="own", variant="pixelvae")
    )[::-1]
    assert (genuine.verdict and genuine.verdict.name, genuine.cell.estimator) == ("reproduced", "iwae-1000")
    assert sold.verdict is not None
    assert sold.verdict.name == "incomplete"
    assert "seed 0 does not add up" in sold.verdict.sentence


def test_a_class_conditional_figure_is_of_another_thing(tmp_path: Path) -> None:
    add_nats(tmp_path, *GOOD)
    verdict = only_verdict(tmp_path, figure(conditional=True))
    assert "given to the published model only" in verdict.sentence


def test_the_papers_call_the_test_images_of_the_small_imagenets_validation() -> None:
    figures = [found for found in load_figures() if found.kind == "paper" and (found.task or "").startswith("imagenet")]
    assert figures
    assert {found.split for found in figures} == {"validation"}


# The same of a frame.


def test_a_frame_of_a_store_gets_the_verdict_of_the_store(tmp_path: Path) -> None:
    add_nats(tmp_path, *GOOD)
    row, verdict = judged(load_results(tmp_path)), only_verdict(tmp_path)
    assert (row["task"], row["variant"], row["n"], row["seeds"], row["unit"]) == ("mnist-fixed", "pixelcnn", 3, 3, "nats/image")
    assert (row["figure"], row["published"], row["verdict"]) == ("prnn-t4-pixelcnn", 81.30, "reproduced")
    assert row["measured"] == pytest.approx(81.3, abs=1e-9)
    assert row["difference"] == row["measured"] - 81.30
    assert row["sentence"] == verdict.sentence
    assert (row["low"], row["high"]) == verdict.interval


@pytest.mark.parametrize("nats", [(81.3,), GOOD, (83.0, 83.1, 83.2, 81.3)])
def test_a_row_that_stands_three_times_counts_once(tmp_path: Path, nats: tuple[float, ...]) -> None:
    add_nats(tmp_path, *nats)
    frame = load_results(tmp_path)
    alone, known = judged(frame), Known(figures=(figure(),))
    assert alone["seeds"] == len(nats)
    for other in (pd.concat([frame] * 3), frame.sample(frac=1, random_state=1)):
        pd.testing.assert_frame_equal(compare_with_published(other, known), compare_with_published(frame, known))


@pytest.mark.parametrize(("column", "value"), [("bits_per_dim", 0.1494), ("status", "failed"), ("run_key", "0123456789ab")])
def test_of_two_frames_nobody_chooses_the_better_seed(tmp_path: Path, column: str, value: Any) -> None:
    """Two stores may hold a run each; whoever puts the better one first would choose."""
    add_nats(tmp_path, *GOOD)
    frame = load_results(tmp_path)
    other = frame.copy()
    other.loc[2, column] = value
    other.loc[2, "nats_per_image"] *= other.bits_per_dim[2] / frame.bits_per_dim[2]
    for both in (pd.concat([frame, other]), pd.concat([other, frame])):
        row = judged(both)
        assert row["verdict"] == "incomplete"
        assert "there are several runs of seed 2" in row["sentence"]


@pytest.mark.parametrize("column", ["trained_positions", "cell"])
def test_what_a_frame_does_not_say_makes_no_verdict_better(tmp_path: Path, column: str) -> None:
    add_nats(tmp_path, *GOOD)
    row = judged(load_results(tmp_path).drop(columns=[column]))
    assert row["verdict"] == {"trained_positions": "incomplete", "cell": "not comparable"}[column]
    assert {"trained_positions": "not probed", "cell": "not the row of suite paper"}[column] in row["sentence"]


@pytest.mark.parametrize("column", ["bits_per_dim", "nats_per_image", "n_images", "estimator"])
@pytest.mark.parametrize("value", [None, float("inf"), float("nan")])
def test_half_a_likelihood_is_no_measurement(tmp_path: Path, column: str, value: Any) -> None:
    add_nats(tmp_path, *GOOD)
    frame = load_results(tmp_path)
    frame[column] = frame[column].astype(object)
    frame.loc[1, column] = value
    row = judged(frame)
    assert (row["verdict"], row["n"]) == ("incomplete", 2)
    assert "seed 1 has no number" in row["sentence"]


def test_a_frame_that_came_through_a_file_of_texts_gets_the_same_verdict(tmp_path: Path) -> None:
    add_nats(tmp_path, *GOOD)
    frame = load_results(tmp_path)
    texts = frame.assign(**{name: frame[name].map(str) for name in ("seed", "updates", "bits_per_dim", "nats_per_image", "n_images")})
    assert judged(texts) == judged(frame) == judged(frame.assign(seed=frame.seed.astype(float)))


@pytest.mark.parametrize(
    ("column", "value"), [("seed", "first"), ("seed", 0.5), ("seed", None), ("updates", None), ("nats_per_image", "many")]
)
def test_a_frame_without_numbers_where_they_must_be_is_refused(tmp_path: Path, column: str, value: Any) -> None:
    add_nats(tmp_path, *GOOD)
    with pytest.raises(UserError, match=f"The frame's column '{column}' "):
        compare_with_published(load_results(tmp_path).assign(**{column: [value] * 3}))


def test_a_frame_of_everything_has_a_row_for_each_cell(tmp_path: Path) -> None:
    add_nats(tmp_path, 81.2, 81.3)
    add_spec(tmp_path, paper_spec(seed=7), status="failed")
    add_run(tmp_path, "gated-pixelcnn", 0.001, task="photos", causal="leaky")
    known = Known(figures=(figure(), figure(id="rep", kind="reproduction")))
    frame = pixelbench.compare_with_published(load_results(tmp_path), known)
    rows = frame.sort_values(["task", "figure"]).to_dict("records")
    assert [(row["task"], row["n"], row["seeds"], row["verdict"]) for row in rows] == [
        ("mnist-fixed", 2, 3, "incomplete"),
        ("mnist-fixed", 2, 3, ""),
        ("photos", 1, 1, "not causal"),
    ]
    assert pd.isna(rows[2]["measured"])
    assert pd.isna(rows[2]["published"])


def test_frames_without_rows_and_without_columns(tmp_path: Path) -> None:
    empty = compare_with_published(load_results(tmp_path))
    assert len(empty) == 0
    assert {"task", "variant", "n", "measured", "figure", "published", "unit", "difference", "verdict", "sentence"} <= set(empty)
    with pytest.raises(UserError, match="has no column 'task'"):
        compare_with_published(pd.DataFrame({"x": [1]}))

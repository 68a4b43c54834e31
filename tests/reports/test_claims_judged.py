"""Own claims get the verdicts that papers' figures get, marked as the file's claim, and about the cells of that file alone."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pixelbench.analysis.comparisons import comparisons_of
from pixelbench.analysis.context import Context
from pixelbench.data import get_task
from pixelbench.published.comparison import Comparison, Known, compare_cells_with_figures
from pixelbench.published.rows import Rows
from pixelbench.reports.report import build_report
from pixelbench.store.cells import cells_of, load_runs
from pixelbench.store.scan import scan
from pixelbench.store.spec import RunSpec
from pixelbench.suites.load import load_suite
from pixelbench.suites.schema import Suite
from pixelbench.suites.specs import specs_of
from pixelbench.units import bits_per_dim
from tests.support.record_factory import add_spec
from tests.support.suite_file import TEXT, write_suite

pytestmark = pytest.mark.quick

CLAIM = """
[[claim]]
task = "digits"
variant = "gated-pixelcnn"
value = 1.90
unit = "bits/dim"
source = "My thesis, Table 3"
"""


def suite_of(folder: Path, text: str = TEXT + CLAIM) -> Suite:
    return load_suite(write_suite(folder, text))


def add_seeds(store: Path, suite: Suite, *bits: float, budget: str = "cpu", **changes: Any) -> list[RunSpec]:
    specs = specs_of(suite, only=["gated-pixelcnn"], seeds=range(len(bits)), budget=budget)
    for spec, value in zip(specs, bits, strict=True):
        add_spec(store, replace(spec, **changes), value)
    return specs


def compared(store: Path, suite: Suite) -> list[Comparison]:
    return compare_cells_with_figures(cells_of(load_runs(scan(store).examine())), Known.with_claims(suite, "tiny.toml"))


def only(store: Path, suite: Suite) -> tuple[str, str]:
    (found,) = compared(store, suite)
    assert found.verdict is not None
    return found.verdict.name, found.verdict.sentence


@pytest.mark.parametrize(
    ("bits", "name"),
    [((1.9, 1.901, 1.899), "reproduced"), ((1.7, 1.701, 1.699), "better"), ((2.2, 2.201, 2.199), "worse"), ((1.9, 1.9), "incomplete")],
)
def test_a_claim_is_judged_as_a_figure_is(tmp_path: Path, bits: tuple[float, ...], name: str) -> None:
    suite = suite_of(tmp_path)
    add_seeds(tmp_path / "runs", suite, *bits)
    verdict, sentence = only(tmp_path / "runs", suite)
    assert verdict == name
    assert "the claimed 1.90" in sentence
    assert "published" not in sentence


def test_a_claim_is_marked_as_the_file_s_in_every_report(tmp_path: Path) -> None:
    suite = suite_of(tmp_path)
    add_seeds(tmp_path / "runs", suite, 1.9, 1.901, 1.899)
    known = Known.with_claims(suite, "tiny.toml")
    report = build_report(tmp_path / "runs", context=Context(known))
    (one,) = report.compared
    assert (one.figure.paper, one.figure.locator, one.verdict_name) == (
        "My thesis, Table 3 (claimed in tiny.toml)",
        "[[claim]] in tiny.toml",
        "reproduced",
    )
    assert one.figure.context == ""
    assert report.tables[0].rows[0].published == one
    assert comparisons_of(report.cells) == ()  # without the file there is no claim


def test_a_claim_about_a_class_conditional_variant_is_about_its_conditional_likelihood(tmp_path: Path) -> None:
    text = TEXT + 'settings = { condition = "class", classes = 10 }\n' + CLAIM
    suite = suite_of(tmp_path, text)
    add_seeds(tmp_path / "runs", suite, 1.9, 1.901, 1.899)
    assert only(tmp_path / "runs", suite)[0] == "reproduced"
    assert [claim.conditional for claim in Known.with_claims(suite, "tiny.toml").claims] == [True]
    assert [claim.conditional for claim in Known.with_claims(suite_of(tmp_path), "tiny.toml").claims] == [False]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"updates": 9}, "not the row of suite tiny: updates 9 instead of 10"),
        ({"family": "pixelcnn"}, "not the row of suite tiny: family pixelcnn instead of gated-pixelcnn"),
        ({"expect": "leaky"}, "its suite declares that it leaks"),
    ],
)
def test_a_claim_is_about_the_row_of_its_file_and_no_other(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    suite = suite_of(tmp_path)
    add_seeds(tmp_path / "runs", suite, 1.9, 1.901, 1.899, **changes)
    name, sentence = only(tmp_path / "runs", suite)
    assert name == "not comparable"
    assert said in sentence


def test_where_a_file_has_no_budget_paper_its_default_decides(tmp_path: Path) -> None:
    suite = suite_of(tmp_path)
    add_seeds(tmp_path / "runs", suite, 1.9, 1.901, 1.899, budget="smoke")
    name, sentence = only(tmp_path / "runs", suite)
    assert name == "incomplete"
    assert "budget smoke instead of cpu" in sentence


def test_a_file_may_ask_for_more_seeds(tmp_path: Path) -> None:
    suite = suite_of(tmp_path, TEXT.replace("seeds = [1, 2]", "seeds = [1, 2]\nverdict_seeds = 4") + CLAIM)
    add_seeds(tmp_path / "runs", suite, 1.9, 1.901, 1.899)
    name, sentence = only(tmp_path / "runs", suite)
    assert name == "incomplete"
    assert "3 seeds of the 4 that decide, seed 3 not stored" in sentence


@pytest.mark.parametrize("unit", ["nats/image", "bits/dim"])
@pytest.mark.parametrize(("nats", "name"), [(90.0, "worse"), (81.6, "reproduced")])
def test_of_two_levels_bits_are_held_as_near_as_nats(tmp_path: Path, unit: str, nats: float, name: str) -> None:
    """0.02 bits/dim, which is usual on images of many levels, would be 11 nats an image here."""
    per_bit = 1 / bits_per_dim(1.0, (1, 28, 28))
    claim = CLAIM.replace("digits", "mnist-fixed").replace("1.90", "81.30" if unit == "nats/image" else "0.14961").replace("bits/dim", unit)
    suite = suite_of(tmp_path, TEXT.replace('"digits"', '"mnist-fixed"').replace("seeds = [1, 2]", "seeds = [0, 1, 2]") + claim)
    add_seeds(tmp_path / "runs", suite, *((nats + seed / 100) / per_bit for seed in range(3)))
    (own,) = (one for one in compared(tmp_path / "runs", suite) if one.figure is not None and one.figure.kind == "claim")
    assert own.verdict is not None
    assert own.verdict.name == name


@pytest.mark.parametrize("task", ["digits", "imagenet32", "mnist-fixed", "cifar10"])
def test_a_claim_is_about_the_images_that_runs_are_tested_on(tmp_path: Path, task: str) -> None:
    """Of the small ImageNets the papers call them validation images."""
    suite = suite_of(tmp_path, TEXT.replace('"digits"', f'"{task}"') + CLAIM.replace('"digits"', f'"{task}"'))
    (claim,) = Known.with_claims(suite, "tiny.toml").claims
    assert (claim.split, claim.on_validation) == (get_task(task).published_split, False)


def test_a_claim_takes_nothing_from_the_papers_figures(tmp_path: Path) -> None:
    """A suite with a variant and a budget of the papers' names: its claim is judged, the paper's figure is not about it."""
    text = 'name = "mine"\ndefault_budget = "paper"\n[budget.paper]\nupdates = 120\n[[task]]\nname = "mnist-fixed"\n'
    text += '[[variant]]\nname = "pixelcnn"\nfamily = "pixelcnn-plain"\nsettings = { layers = 1, maps = 4 }\n'
    claim = CLAIM.replace("digits", "mnist-fixed").replace("gated-pixelcnn", "pixelcnn")
    suite = suite_of(tmp_path, text + claim.replace("1.90", "81.3").replace("bits/dim", "nats/image"))
    for spec, bits in zip(specs_of(suite, seeds=range(3)), (0.1495, 0.1496, 0.1497), strict=True):
        add_spec(tmp_path / "runs", spec, bits)
    own, paper = compared(tmp_path / "runs", suite)
    assert (own.figure and own.figure.kind, own.verdict and own.verdict.name) == ("claim", "reproduced")
    assert (paper.figure and paper.figure.id, paper.verdict and paper.verdict.name) == ("prnn-t4-pixelcnn", "not comparable")
    assert paper.verdict is not None
    assert "not the row of suite paper: family pixelcnn-plain instead of pixelcnn" in paper.verdict.sentence


def test_rows_of_a_suite_are_found_by_name_and_matched_by_key(tmp_path: Path) -> None:
    suite = suite_of(tmp_path)
    rows = Rows(suite)
    assert rows.find("digits", "nobody") is None
    assert rows.find("photos", "uniform") is None
    row = rows.find("digits", "gated-pixelcnn")
    assert row is not None
    for budget in suite.budgets:
        for device in ("cpu", "cuda"):
            (spec,) = specs_of(suite, only=["gated-pixelcnn"], seeds=[5], budget=budget, device=device)
            assert row.budget_of(spec.cell_key) == budget
            assert row.differences(spec) == []
            limited = specs_of(suite, only=["gated-pixelcnn"], seeds=[5], budget=budget, device=device, limit=16)[0]
            assert row.budget_of(limited.cell_key) is None
            assert row.budget_of(limited.cell_key, 16) == budget
            assert row.budget_of(replace(spec, updates=99).cell_key, 16) is None

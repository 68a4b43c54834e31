"""Two stores side by side: what counts as a change, what as noise, and what as a regression."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import ttest_ind

from pixelbench.analysis.changes import Change, Changes, compare_stores
from pixelbench.reports.changes_text import legend, row, sentences, to_markdown
from pixelbench.statistics import clustered_interval, difference
from pixelbench.store.artifacts import NATS, read_nats
from pixelbench.store.record import Record
from pixelbench.store.scan import scan
from pixelbench.units import bits_per_dim, bits_to_nats
from tests.support import record_factory as factory
from tests.support.record_factory import add_run, folder_of, rewrite

MNIST = (1, 28, 28)


@pytest.fixture
def a(tmp_path: Path) -> Path:
    return tmp_path / "a"


@pytest.fixture
def b(tmp_path: Path) -> Path:
    return tmp_path / "b"


def only_change(a: Path, b: Path) -> Change:
    (change,) = compare_stores(a, b).changes
    return change


def add_seeds(store: Path, *bits: float, **changes: Any) -> list[Record]:
    return factory.add_seeds(store, "pixelcnn", *bits, **changes)


def test_equal_numbers_are_identical(a: Path, b: Path) -> None:
    for store in (a, b):
        add_seeds(store, 1.0, 1.1)
    change = only_change(a, b)
    assert (change.kind, change.regression, change.difference, change.seeds) == ("identical", False, 0.0, (2, 2))


@pytest.mark.parametrize(
    ("after", "kind"),
    [((1.3, 1.31, 1.29), "worse"), ((0.7, 0.71, 0.69), "improved"), ((1.005, 0.995, 1.01), "unchanged")],
)
def test_seeds_and_images_together_say_what_is_beyond_noise(a: Path, b: Path, after: tuple[float, ...], kind: str) -> None:
    add_seeds(a, 1.0, 1.01, 0.99)
    add_seeds(b, *after)
    change = only_change(a, b)
    assert (change.kind, change.regression) == (kind, kind == "worse")
    assert change.difference == pytest.approx(sum(after) / 3 - 1.0)
    assert "paired over 60 images in 12 groups, 3 and 3 seeds" in change.sentence


def nats_of(store: Path) -> list[np.ndarray]:
    """Of the seeds of `pixelcnn`, in their order."""
    runs = sorted(scan(store).values(), key=lambda run: run.record.seed)
    return [read_nats(run.folder / NATS)[0] for run in runs if run.record.variant.name == "pixelcnn"]


def test_the_noise_is_that_of_every_report(a: Path, b: Path) -> None:
    """So `compare` never says `unchanged` where a report would say that one beats the other, nor the other way round."""
    add_seeds(a, 1.0, 1.03, 0.98)
    add_seeds(b, 1.06, 1.01, 1.05)
    change, found = only_change(a, b), difference(nats_of(a), nats_of(b), np.arange(60) // 5, (3, 16, 16))
    assert found is not None
    assert (change.difference, change.noise) == pytest.approx((found.mean, (found.high - found.low) / 2))
    assert (change.kind == "unchanged") == (not found.distinguishable)


def test_the_squares_of_the_noise_of_images_and_of_seeds_add(a: Path, b: Path) -> None:
    before, after = (1.0, 1.03, 0.98), (1.06, 1.01, 1.05)
    add_seeds(a, *before)
    add_seeds(b, *after, image_seed=8)  # other images are hard for the models of B
    gap: np.ndarray = np.mean(nats_of(b), axis=0) - np.mean(nats_of(a), axis=0)
    low, high = clustered_interval(bits_per_dim(gap, (3, 16, 16)), np.arange(60) // 5)
    seeds = ttest_ind(after, before, equal_var=False).confidence_interval(0.95)
    halves = (high - low) / 2, (seeds.high - seeds.low) / 2
    assert min(halves) > 0.02
    assert only_change(a, b).noise == pytest.approx(math.hypot(*halves))


def test_one_seed_each_needs_more_than_the_tolerance(a: Path, b: Path) -> None:
    add_seeds(a, 1.0)
    add_seeds(b, 1.015)  # to the eye of paired images a sure difference
    small = only_change(a, b)
    assert (small.kind, small.noise) == ("unchanged", 0.02)
    assert small.sentence.endswith("one seed each, seed noise unknown).")
    add_run(a, "gated-pixelcnn", 1.0)
    add_run(b, "gated-pixelcnn", 1.025)
    assert {change.label: change.kind for change in compare_stores(a, b).changes} == {"pixelcnn": "unchanged", "gated-pixelcnn": "worse"}


def test_images_of_two_levels_are_compared_in_nats(a: Path, b: Path) -> None:
    for store, nats in ((a, 80.0), (b, 80.4)):
        add_seeds(store, bits_per_dim(nats, MNIST), task="mnist-fixed")
    change = only_change(a, b)
    assert (change.unit, change.kind) == ("nats/image", "unchanged")
    assert (change.before, change.after, change.difference) == pytest.approx((80.0, 80.4, 0.4))
    assert change.noise == pytest.approx(0.5)


def test_a_code_length_has_no_noise(a: Path, b: Path) -> None:
    for store, bits in ((a, 1.7), (b, 1.7001)):
        add_run(store, "png", bits)
    change = only_change(a, b)
    assert (change.kind, change.noise) == ("worse", 0.0)
    assert "no chance in it" in change.sentence


def test_rounding_is_no_change(a: Path, b: Path) -> None:
    for store, bits in ((a, 3.8), (b, 3.8 + 1e-9)):
        add_run(store, "histogram", bits)
    assert only_change(a, b).kind == "unchanged"


def test_a_new_leak_is_a_regression_however_good_its_number(a: Path, b: Path) -> None:
    add_run(a, "pixelcnn", 1.0)
    add_run(b, "pixelcnn", 0.5, causal="leaky")
    change = only_change(a, b)
    assert (change.kind, change.regression, change.causal) == ("causality changed", True, ("complete", "leaky"))
    assert (change.before, change.difference) == (None, None)
    assert "0.5" not in change.sentence


def test_a_leak_that_is_gone_or_a_map_that_is_not_complete_is_no_regression(a: Path, b: Path) -> None:
    add_run(a, "pixelcnn", 0.5, causal="leaky")
    add_run(b, "pixelcnn", 1.0)
    add_run(a, "gated-pixelcnn", 1.0)
    add_run(b, "gated-pixelcnn", 1.0, causal="partial")
    changes = compare_stores(a, b)
    assert [(change.kind, change.regression) for change in changes.changes] == [("causality changed", False)] * 2


def test_two_leaks_are_not_compared(a: Path, b: Path) -> None:
    add_run(a, "pixelcnn", 0.5, causal="leaky")
    add_run(b, "pixelcnn", 0.9, causal="leaky")
    change = only_change(a, b)
    assert (change.kind, change.regression, change.difference) == ("unchanged", False, None)


def test_a_run_that_is_not_done_any_more_is_a_regression_also_beside_good_seeds(a: Path, b: Path) -> None:
    add_seeds(a, 1.0, 1.0)
    add_run(b, "pixelcnn", 0.5, seed=0)
    add_run(b, "pixelcnn", seed=1, status="diverged")
    change = only_change(a, b)
    assert (change.kind, change.regression, change.seeds) == ("no longer done", True, (1, 1))
    assert change.sentence.startswith("Seed 1 was done before, diverged now. -0.5000 bits/dim")
    back = only_change(b, a)
    assert (back.kind, back.regression) == ("now done", True)  # and worse, which is why
    assert back.sentence.startswith("Seed 1 is done now, diverged before. +0.5000 bits/dim, beyond")


def test_what_failed_in_both_has_no_number(a: Path, b: Path) -> None:
    for store in (a, b):
        add_run(store, "pixelcnn", status="failed")
    change = only_change(a, b)
    assert (change.kind, change.regression) == ("no number", False)


def test_seeds_that_both_have_are_compared_and_others_where_there_are_none(a: Path, b: Path, tmp_path: Path) -> None:
    add_seeds(a, 1.0, 2.0, 3.0)
    add_seeds(b, 1.0)
    change = only_change(a, b)
    assert (change.kind, change.seeds) == ("identical", (1, 1))
    add_run(tmp_path / "c", "pixelcnn", 2.0, seed=9)
    apart = only_change(a, tmp_path / "c")
    assert (apart.kind, apart.seeds, apart.difference) == ("unchanged", (3, 1), 0.0)


def test_cells_are_matched_by_what_was_asked_for_not_by_name(a: Path, b: Path) -> None:
    for store, name, budget in ((a, "pixelcnn", "quick"), (b, "my-own-name", "short")):
        add_run(store, name, 1.0, family="pixelcnn", budget=budget)
    change = only_change(a, b)
    assert change.label == "pixelcnn"
    assert (change.kind, change.difference) == ("identical", 0.0)


def spoil(store: Path, record: Record) -> None:
    assert record.likelihood is not None
    one_cluster = replace(record.likelihood, n_clusters=1)
    rewrite(folder_of(store, record), lambda record: replace(record, likelihood=one_cluster))


def test_a_run_that_does_not_add_up_any_more_is_a_regression_and_has_no_number(a: Path, b: Path) -> None:
    add_seeds(a, 1.0, 1.1)
    _, second = add_seeds(b, 1.0, 0.5)
    spoil(b, second)
    change = only_change(a, b)
    assert (change.kind, change.regression, change.seeds, change.difference) == ("no longer done", True, (1, 1), 0.0)
    assert change.sentence == "Seed 1 was done before, does not add up now. The same numbers (1 seed)."
    back = only_change(b, a)
    assert (back.kind, back.regression) == ("now done", False)
    assert back.sentence.startswith("Seed 1 is done now, did not add up before.")
    assert "does not add up, so it is not ranked, compared or judged" in compare_stores(a, b).problems[0]


def test_where_nothing_adds_up_nothing_is_compared(a: Path, b: Path) -> None:
    for store in (a, b):
        spoil(store, *add_seeds(store, 1.0))
    change = only_change(a, b)
    assert (change.kind, change.regression, change.difference) == ("no number", False, None)
    assert change.sentence == "Nothing to compare: does not add up in A, does not add up in B."


@pytest.mark.parametrize("spoilt", [0, 1, 2])
def test_a_cell_is_certified_by_its_worst_map(a: Path, b: Path, spoilt: int) -> None:
    for seed in range(3):
        add_run(a, "pixelcnn", 1.0 + seed / 10, seed=seed)
        add_run(b, "pixelcnn", 1.0 + seed / 10, seed=seed, causal="partial" if seed == spoilt else "complete")
    change = only_change(a, b)
    assert (change.kind, change.causal, change.regression) == ("causality changed", ("complete", "partial"), False)


def test_what_one_store_lacks_says_how_the_other_was_asked(a: Path, b: Path) -> None:
    add_run(a, "pixelcnn", 1.0)
    add_run(b, "pixelcnn", 1.0, updates=900, recipe={"precision": "bf16"})
    first, second = compare_stores(a, b).changes
    assert (first.kind, second.kind) == ("only in A", "only in B")
    assert first.otherwise == ("precision bf16 instead of fp32, updates 900 instead of 500",)
    assert not first.regression
    assert not second.regression


def test_damaged_records_are_named_and_the_rest_is_compared(a: Path, b: Path) -> None:
    for store in (a, b):
        add_seeds(store, 1.0)
    damaged = folder_of(b, add_run(b, "gated-pixelcnn", 1.0)) / "record.json"
    damaged.write_text("{", encoding="utf-8")
    changes = compare_stores(a, b)
    assert [change.kind for change in changes.changes] == ["identical"]
    assert len(changes.problems) == 1
    assert "gated-pixelcnn" in changes.problems[0]


def many(a: Path, b: Path) -> Changes:
    for store, bits in ((a, 1.0), (b, 1.3)):
        add_run(store, "pixelcnn", bits)
        add_run(store, "uniform", 4.0)
        add_run(store, "a|b<script>", bits, family="gated-pixelcnn", settings={"layers": 5})
    add_run(b, "gated-pixelcnn", 1.0)
    return compare_stores(a, b)


def test_text_begins_with_regressions_and_counts_the_identical(a: Path, b: Path) -> None:
    changes = many(a, b)
    assert changes.summary == "4 cells: 2 worse, 1 only in B, 1 identical."
    assert row(changes.changes[0])[0] == "photos/a|b<script>"
    assert row(changes.changes[1])[:3] == ["photos/pixelcnn", "1.000", "1.300"]
    assert row(changes.changes[1])[4] == "! worse"
    assert len(sentences(changes)) == 2
    assert "! marks a regression" in legend(changes)


def test_markdown_is_escaped_and_leaves_out_the_identical(a: Path, b: Path) -> None:
    page = to_markdown(many(a, b))
    assert page.startswith("### PixelBench: 2 regressions\n")
    assert "<script>" not in page
    assert r"a\|b&lt;script&gt;" in page
    assert "uniform" not in page


def test_json_is_plain(a: Path, b: Path) -> None:
    found = json.loads(json.dumps(many(a, b).as_dict(), allow_nan=False))
    assert found["regressions"] == 2
    assert {change["kind"] for change in found["changes"]} == {"worse", "only in B", "identical"}


def test_bits_and_nats_agree(a: Path, b: Path) -> None:
    for store, bits in ((a, 0.10), (b, 0.11)):
        add_seeds(store, bits, task="mnist-fixed")
    assert only_change(a, b).difference == pytest.approx(bits_to_nats(0.01 * 784))


@pytest.mark.parametrize("lone", ["1" * 64, "9" * 64])
def test_of_a_cell_that_several_codes_made_the_one_with_the_most_seeds_is_compared(a: Path, b: Path, lone: str) -> None:
    """Whatever the codes are called, and whichever store has two of them."""
    for store in (a, b):
        for record in add_seeds(store, 1.0, 1.01):
            rewrite(folder_of(store, record), lambda record: replace(record, provenance=replace(record.provenance, source_digest="5" * 64)))
    other = add_run(b, "pixelcnn", 2.0, seed=2)
    rewrite(folder_of(b, other), lambda record: replace(record, provenance=replace(record.provenance, source_digest=lone)))
    for one, two in ((a, b), (b, a)):
        change = only_change(one, two)
        assert (change.kind, change.seeds) == ("identical", (2, 2))

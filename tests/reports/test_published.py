"""Cells of a store, and rows of a frame, beside published figures."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from record_factory import add_run

import pixelbench
from pixelbench.errors import UserError
from pixelbench.published.figures import Figure, load_figures
from pixelbench.reports.published import Comparison, compare_cells_with_figures, compare_with_published, foremost
from pixelbench.reports.runs import cells_of, load_runs
from pixelbench.store.frame import load_results
from pixelbench.store.scan import scan
from pixelbench.units import bits_per_dim

SHAPE = (1, 28, 28)


def figure(value: float = 81.30, **changes: Any) -> Figure:
    known: dict[str, Any] = {
        "id": "prnn-t4-pixelcnn",
        "kind": "paper",
        "paper": "van den Oord et al. 2016a",
        "year": 2016,
        "model": "PixelCNN",
        "dataset": "MNIST",
        "preprocessing": "fixed binarisation (Larochelle files)",
        "split": "test",
        "metric": "nll_nats",
        "unit": "nats/image",
        "value": value,
        "printed": f"{value:.2f}",
        "bound": False,
        "estimator": "exact",
        "locator": "Table 4",
        "verified": True,
        "file": "pixelrnn-2016.toml",
        "task": "mnist-fixed",
        "variant": "pixelcnn",
    }
    return Figure(**(known | changes))


def add_seeds(store: Path, *nats: float, variant: str = "pixelcnn", **changes: Any) -> None:
    """Runs of `paper` budget whose trained models were probed, one a seed."""
    for seed, value in enumerate(nats):
        record = add_run(store, variant, bits_per_dim(value, SHAPE), **({"task": "mnist-fixed", "seed": seed, "budget": "paper"} | changes))
        record["causality"]["trained_positions"] = 16
        if record["likelihood"]:
            record["likelihood"]["n_images"] = 10_000
        rewrite(store, record)


def rewrite(store: Path, record: dict[str, Any]) -> None:
    path = store / record["task"]["name"] / record["variant"]["name"] / record["run_key"] / "record.json"
    path.write_text(json.dumps(record), encoding="utf-8")


def compared(store: Path, *figures: Figure) -> list[Comparison]:
    return compare_cells_with_figures(cells_of(load_runs(scan(store))), figures)


def test_three_seeds_inside_the_band_reproduce_a_figure_in_its_own_unit(tmp_path: Path) -> None:
    add_seeds(tmp_path, 81.2, 81.3, 81.4)
    (found,) = compared(tmp_path, figure())
    assert found.verdict is not None
    assert found.verdict.name == "reproduced"
    assert found.measured == pytest.approx(81.3)
    assert found.verdict.n_seeds == 3


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"budget": "cpu"}, "incomplete"),
        ({"evaluation": {"test_images": 10_000}}, "incomplete"),  # as many as were scored: the limit may have bitten
        ({"evaluation": {"test_images": 20_000}}, "reproduced"),  # more than there are
        ({"causal": "leaky"}, "not causal"),
        ({"causal": "partial"}, "incomplete"),
        ({"estimator": "iwae-8"}, "not comparable"),
        ({"settings": {"condition": "class"}}, "not comparable"),
    ],
)
def test_what_the_records_say_decides(tmp_path: Path, changes: dict[str, Any], name: str) -> None:
    add_seeds(tmp_path, 81.2, 81.3, 81.4, **changes)
    (found,) = compared(tmp_path, figure())
    assert found.verdict is not None
    assert found.verdict.name == name
    assert (found.measured is None) == (name == "not causal")


def test_a_trained_model_that_was_not_probed_gets_no_verdict(tmp_path: Path) -> None:
    for seed in range(3):
        add_run(tmp_path, "pixelcnn", bits_per_dim(81.3, SHAPE), task="mnist-fixed", seed=seed, budget="paper")
    (found,) = compared(tmp_path, figure())
    assert found.verdict is not None
    assert "not probed" in found.verdict.sentence


def test_one_leaking_seed_is_enough(tmp_path: Path) -> None:
    add_seeds(tmp_path, 81.2, 81.3, 81.4)
    add_run(tmp_path, "pixelcnn", 0.1, task="mnist-fixed", seed=7, budget="paper", causal="leaky")
    (found,) = compared(tmp_path, figure())
    assert (found.verdict and found.verdict.name, found.measured) == ("not causal", None)


def test_seeds_that_failed_are_no_measurement_and_are_said(tmp_path: Path) -> None:
    add_seeds(tmp_path, 81.2, 81.3, 81.4)
    add_run(tmp_path, "pixelcnn", task="mnist-fixed", seed=7, budget="paper", status="diverged")
    (found,) = compared(tmp_path, figure())
    assert found.verdict is not None
    assert (found.verdict.name, found.verdict.n_seeds) == ("reproduced", 3)
    assert "Of 4 seeds, 1 did not come to a number." in found.verdict.sentence


def test_nats_that_are_not_the_bits_of_the_record_are_not_comparable(tmp_path: Path) -> None:
    """56.3 nats of thresholded images are 81.2 bits; whoever writes these as nats contradicts the bits/dim beside them."""
    for seed in range(3):
        record = add_run(tmp_path, "pixelcnn", bits_per_dim(56.3, SHAPE), task="mnist-fixed", seed=seed, budget="paper")
        record["likelihood"]["nats_per_image"] = 81.2
        rewrite(tmp_path, record)
    (found,) = compared(tmp_path, figure())
    assert found.verdict is not None
    assert found.verdict.name == "not comparable"
    assert "contradict each other" in found.verdict.sentence


def test_images_binarised_otherwise_are_not_comparable(tmp_path: Path) -> None:
    add_seeds(tmp_path, 81.2, 81.3, 81.4)
    for words in ("deterministic threshold (x > 0.5)", "dynamic (stochastic) binarisation", "stochastic per-access draw"):
        (found,) = compared(tmp_path, figure(preprocessing=words))
        assert found.verdict is not None
        assert found.verdict.name == "not comparable"
        assert "binarisation" in found.verdict.sentence


def test_several_figures_of_one_cell_and_reproductions_beside_them(tmp_path: Path) -> None:
    add_seeds(tmp_path, 81.2, 81.3, 81.4)
    own = figure(id="rep", kind="reproduction", value=81.3)
    found = compared(tmp_path, figure(id="validation", split="validation"), figure(), own, figure(id="other", variant="row-lstm"))
    assert [(one.figure and one.figure.id, one.verdict and one.verdict.name) for one in found] == [
        ("validation", "not comparable"),
        ("prnn-t4-pixelcnn", "reproduced"),
        ("rep", None),
    ]
    assert foremost(found) is found[1]
    assert foremost(found[:1]) is found[0]
    assert foremost(found[2:]) is None


def test_a_cell_that_no_paper_has_a_figure_for(tmp_path: Path) -> None:
    add_seeds(tmp_path, 81.2)
    only, beside = compared(tmp_path, figure(kind="reproduction"))
    assert (only.figure, only.verdict and only.verdict.name) == (None, "no figure")
    assert only.measured == pytest.approx(bits_per_dim(81.2, SHAPE))
    assert beside.verdict is None


def test_a_bound_is_held_against_a_bound(tmp_path: Path) -> None:
    add_seeds(tmp_path, 79.6, 79.7, 79.8, variant="pixelvae", family="pixelvae", estimator="elbo")
    published = {"value": 79.66, "variant": "pixelvae", "estimator": "elbo", "bound": True}
    (found,) = compared(tmp_path, figure(**published))
    assert (found.verdict and found.verdict.name, found.measured_bound) == ("reproduced", True)


def test_a_class_conditional_figure_is_of_another_thing(tmp_path: Path) -> None:
    add_seeds(tmp_path, 81.2, 81.3, 81.4)
    (found,) = compared(tmp_path, figure(config_name="class-conditional (one-hot class bias)"))
    assert found.verdict is not None
    assert "given to the published model only" in found.verdict.sentence


def test_the_papers_call_the_test_images_of_the_small_imagenets_validation() -> None:
    figures = [found for found in load_figures() if found.kind == "paper" and (found.task or "").startswith("imagenet")]
    assert figures
    assert {found.split for found in figures} == {"validation"}


# The same of a frame.


def test_a_frame_without_word_of_the_trained_model_is_never_reproduced(tmp_path: Path) -> None:
    add_seeds(tmp_path, 81.2, 81.3, 81.4)
    frame = load_results(tmp_path)
    (row,) = compare_with_published(frame.drop(columns=["trained_positions"], errors="ignore"), [figure()]).to_dict("records")
    assert (row["task"], row["variant"], row["n"], row["seeds"], row["unit"]) == ("mnist-fixed", "pixelcnn", 3, 3, "nats/image")
    assert (row["figure"], row["published"], row["verdict"]) == ("prnn-t4-pixelcnn", 81.30, "incomplete")
    assert row["measured"] == pytest.approx(81.3, abs=1e-9)
    assert row["difference"] == row["measured"] - 81.30
    assert row["low"] < 81.3 < row["high"]
    assert "not probed" in row["sentence"]


def test_a_frame_that_says_all_gets_the_verdict_of_the_store(tmp_path: Path) -> None:
    add_seeds(tmp_path, 81.2, 81.3, 81.4)
    (row,) = compare_with_published(load_results(tmp_path).assign(trained_positions=16), [figure()]).to_dict("records")
    (found,) = compared(tmp_path, figure())
    assert found.verdict is not None
    assert (row["verdict"], row["sentence"]) == ("reproduced", found.verdict.sentence)
    assert (row["low"], row["high"]) == found.verdict.interval


def test_a_frame_of_everything_has_a_row_for_each_cell(tmp_path: Path) -> None:
    add_seeds(tmp_path, 81.2, 81.3)
    add_run(tmp_path, "pixelcnn", task="mnist-fixed", seed=7, budget="paper", status="failed")
    add_run(tmp_path, "gated-pixelcnn", 0.001, task="photos", causal="leaky")
    frame = pixelbench.compare_with_published(load_results(tmp_path), [figure(), figure(id="rep", kind="reproduction")])
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

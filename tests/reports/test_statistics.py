"""Differences between the cells of a store: with all their seeds and images, honest where these do not settle it, closed to leaks."""

from pathlib import Path

import numpy as np
import pytest

from pixelbench.analysis.ordering import expected_order
from pixelbench.analysis.paired import compare_cells, difference_of, paired_difference
from pixelbench.reports.html.document import html_of
from pixelbench.reports.report import Report, build_report
from pixelbench.statistics import Difference
from pixelbench.store.artifacts import NATS, read_nats
from pixelbench.store.cells import Cell
from pixelbench.store.record import Provenance
from tests.support.record_factory import add_run, add_seeds, folder_of, nats_file


def cell_of(report: Report, label: str) -> Cell:
    return next(cell for cell in report.cells if cell.label == label)


BITS = ("likelihood", "bits_per_dim")


def compared(store: Path, first: str, second: str) -> Difference | None:
    report = build_report(store)
    return compare_cells(cell_of(report, first), cell_of(report, second))


def test_sentences_say_who_beats_whom_and_where_nobody_does(tmp_path: Path) -> None:
    add_seeds(tmp_path, "gated-pixelcnn", 1.000, 1.010)
    add_seeds(tmp_path, "pixelcnn", 1.001, 1.011)
    add_run(tmp_path, "histogram", 3.8)
    first, second = build_report(tmp_path).order
    assert first.sentence.startswith("gated-pixelcnn and pixelcnn are not distinguishable: gated-pixelcnn is 0.001 bits/dim better, but")
    assert not first.holds
    assert second.sentence.startswith("pixelcnn beats histogram by 2.79")
    assert second.sentence.endswith("paired over 60 images in 12 groups, 2 and 1 seeds).")
    assert second.holds


@pytest.mark.parametrize("better", [0.0001, 0.5])
def test_one_seed_each_and_no_noise_known_is_never_called_better(tmp_path: Path, better: float) -> None:
    """Whatever the images say: of equal nets with one seed each nine in ten would be."""
    add_run(tmp_path, "gated-pixelcnn", 1.5 - better, noise=0.001)
    add_run(tmp_path, "pixelcnn", 1.5, noise=0.001)
    (step,) = build_report(tmp_path).order
    assert step.sentence.startswith("One seed each, seed noise unknown: gated-pixelcnn is ")
    assert "(95 % interval over images alone " in step.sentence
    assert not step.holds


def test_one_seed_each_borrows_the_noise_of_cells_of_the_task_and_budget_that_have_several(tmp_path: Path) -> None:
    add_run(tmp_path, "gated-pixelcnn", 1.0)
    add_run(tmp_path, "pixelcnn", 1.5)
    for others in ({"updates": 900}, {"task": "digits"}, {"causal": "leaky", "settings": {"first_layer": "residual"}}):
        add_seeds(tmp_path, "other", 1.2, 1.25, **{"settings": {"layers": 9}, **others})  # another budget, another task, a leak
    add_seeds(tmp_path, "histogram", 3.8, 3.9)  # not trained
    found = compared(tmp_path, "gated-pixelcnn", "pixelcnn")
    assert found is not None
    assert (found.seed_noise, found.distinguishable) == ("unknown", False)
    add_seeds(tmp_path, "deep", 1.2, 1.23, 1.26, settings={"layers": 7})
    add_seeds(tmp_path, "deeper", 1.2, 1.23, settings={"layers": 8})
    found = compared(tmp_path, "gated-pixelcnn", "pixelcnn")
    assert found is not None
    assert (found.seed_noise, found.degrees_of_freedom, found.distinguishable) == ("pooled", 3, True)
    assert build_report(tmp_path).order[0].sentence.endswith("one seed each, seed noise pooled over cells with 3 degrees of freedom).")


def test_what_is_fitted_from_a_random_start_has_the_noise_of_its_own_seeds(tmp_path: Path) -> None:
    """Not none, as what counts has; and none that a net with one seed could borrow."""
    add_seeds(tmp_path, "histogram", 3.8, 3.8, 3.8)
    add_seeds(tmp_path, "histogram", 3.0, 3.1, 3.2, settings={"pseudo_count": 3.0})
    add_seeds(tmp_path, "histogram", 2.0, 2.1, 2.2, settings={"pseudo_count": 2.0})
    add_run(tmp_path, "pixelcnn", 1.5)
    more, fewer, counted, net = sorted(build_report(tmp_path).cells, key=lambda cell: (cell.family == "pixelcnn", cell.mean(*BITS)))
    assert (more.by_chance, fewer.by_chance, counted.by_chance, net.by_chance) == (True, True, False, True)
    found = [compare_cells(one, other) for one, other in ((more, fewer), (more, counted), (more, net), (counted, net))]
    assert [one and one.seed_noise for one in found] == ["own", "own", "unknown", "unknown"]
    add_run(tmp_path, "pixelcnn", 1.5, seed=1)
    (net,) = (cell for cell in build_report(tmp_path).cells if cell.family == "pixelcnn")
    found = compare_cells(more, net)
    assert found is not None
    assert (found.seed_noise, found.seeds) == ("own", (3, 2))


def test_seeds_that_differ_much_make_nobody_better(tmp_path: Path) -> None:
    """The images alone would be sure of it, at every one of the seeds."""
    add_seeds(tmp_path, "gated-pixelcnn", 1.0, 1.4, noise=0.001)
    add_seeds(tmp_path, "pixelcnn", 1.1, 1.5, noise=0.001)
    (step,) = build_report(tmp_path).order
    assert (step.difference.seed_noise, step.holds) == ("own", False)
    assert "not distinguishable" in step.sentence


def test_the_first_seed_does_not_stand_for_all(tmp_path: Path) -> None:
    """Not its mean, not its images, and not where another seed kept none."""
    first = add_seeds(tmp_path, "gated-pixelcnn", 1.0, 1.2, 1.3)
    second = add_seeds(tmp_path, "pixelcnn", 1.5, 1.9)
    found = compared(tmp_path, "gated-pixelcnn", "pixelcnn")
    assert found is not None
    assert found.mean == pytest.approx(1.7 - 3.5 / 3, abs=1e-6)
    assert found.seeds == (3, 2)
    report = build_report(tmp_path)
    kept = cell_of(report, "gated-pixelcnn").nats
    assert kept is not None
    for nats, record in zip(kept[0], first, strict=True):
        assert np.array_equal(nats, read_nats(folder_of(tmp_path, record) / NATS)[0])
    (folder_of(tmp_path, second[1]) / NATS).write_bytes(b"no archive")  # so it does not add up, and one seed is left
    found = compared(tmp_path, "gated-pixelcnn", "pixelcnn")
    assert found is not None
    assert (found.seeds, found.mean) == ((3, 1), pytest.approx(1.5 - 3.5 / 3, abs=1e-6))


def test_a_broken_order_is_said_and_does_not_hold(tmp_path: Path) -> None:
    add_seeds(tmp_path, "gated-pixelcnn", 1.5, 1.51)
    add_seeds(tmp_path, "pixelcnn", 1.0, 1.01)
    (step,) = build_report(tmp_path).order
    assert (step.holds, step.reversed) == (False, True)
    assert step.sentence.startswith("gated-pixelcnn loses to pixelcnn by 0.500 bits/dim (95 % interval 0.4")
    assert '<span class="unseen">The other way round:</span> gated-pixelcnn loses' in html_of(build_report(tmp_path), {})


def test_leaks_and_code_lengths_never_take_part(tmp_path: Path) -> None:
    add_run(tmp_path, "pixelcnn", 0.001, causal="leaky")
    add_run(tmp_path, "histogram", 3.8)
    add_run(tmp_path, "png", 1.7)
    report = build_report(tmp_path)
    assert report.order == ()
    histogram = cell_of(report, "histogram")
    assert [compare_cells(histogram, cell) for cell in report.cells if cell is not histogram] == [None, None]


def test_other_test_images_are_not_paired(tmp_path: Path) -> None:
    """Of another digest under the same name: not even where nats and clusters have the same length."""
    for digest in ("a" * 64, "b" * 64):
        for variant in ("gated-pixelcnn", "pixelcnn"):
            add_seeds(tmp_path, variant, 3.0, 3.1, task="imagenet32", digest=digest)
    cells = build_report(tmp_path).cells
    assert len(cells) == 4
    for one in cells:
        for other in cells:
            same = one.runs[0].record.task.digest == other.runs[0].record.task.digest
            assert (compare_cells(one, other) is not None) == same
            assert (paired_difference(one, other) is not None) == same
            assert (difference_of(one, other) is not None) == same


def test_images_of_other_clusters_are_not_paired(tmp_path: Path) -> None:
    """Of a schema that kept others, say: the difference of each image is known, but not what is independent."""
    add_seeds(tmp_path, "gated-pixelcnn", 1.0, 1.1)
    add_seeds(tmp_path, "pixelcnn", 1.1, 1.2)
    assert compared(tmp_path, "gated-pixelcnn", "pixelcnn") is not None
    report = build_report(tmp_path)
    one, other = cell_of(report, "gated-pixelcnn"), cell_of(report, "pixelcnn")
    kept = one.nats
    assert kept is not None
    vars(one)["nats"] = (kept[0], np.arange(60))
    assert difference_of(one, other) is None


def test_a_run_without_its_nats_takes_part_in_nothing(tmp_path: Path) -> None:
    add_run(tmp_path, "gated-pixelcnn", 1.0)
    path = folder_of(tmp_path, add_run(tmp_path, "pixelcnn", 1.1)) / NATS
    assert len(build_report(tmp_path).order) == 1
    for blob in (nats_file(np.zeros(60, np.float32), np.arange(60)), b"not a zip"):
        path.write_bytes(blob)
        assert build_report(tmp_path).order == ()
    path.unlink()
    assert build_report(tmp_path).order == ()


def test_order_takes_unablated_variants_and_the_longest_budget(tmp_path: Path) -> None:
    add_run(tmp_path, "gated-pixelcnn", 1.2, budget="smoke", updates=10)
    add_run(tmp_path, "gated-pixelcnn", 0.9, budget="cpu", updates=1000)
    add_run(tmp_path, "gated-no-colour", 0.5, settings={"colour_conditioning": False})
    add_run(tmp_path, "uniform", 4.0)
    report = build_report(tmp_path)
    (step,) = expected_order(list(report.cells), "photos")
    assert (step.first, step.second) == ("gated-pixelcnn (cpu)", "uniform")
    assert step.difference.mean == pytest.approx(3.1, abs=0.01)


def test_seeds_made_by_other_code_are_another_cell(tmp_path: Path) -> None:
    """They are never averaged; a store that mixes them says which is which."""
    add_seeds(tmp_path, "pixelcnn", 1.0, 1.1)
    add_run(tmp_path, "pixelcnn", 2.0, seed=2, provenance=Provenance("cpu", "6" * 64))
    cells = build_report(tmp_path).cells
    assert {cell.label: [run.seed for run in cell.runs] for cell in cells} == {
        "pixelcnn (code text 555555555555)": [0, 1],
        "pixelcnn (code text 666666666666)": [2],
    }

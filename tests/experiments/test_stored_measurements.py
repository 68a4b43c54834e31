"""The measurements that are committed: on every task noise, copies and repetitions are called by name, and real images are not."""

from itertools import combinations
from pathlib import Path

import pytest

from pixelbench.evaluation.measures.failures import name_failures
from pixelbench.evaluation.measures.registry import MEASURES
from pixelbench.store.documents.measurements import QUALITY, Measurement, parse_measurements

RESULTS = Path(__file__).parents[2] / "results"
TASKS = ("cifar10-16", "digits", "mnist-fixed", "photos")


def stored(task: str) -> dict[Path, tuple[Measurement, ...]]:
    return {path: parse_measurements(path.read_bytes()).measured for path in sorted(RESULTS.glob(f"{task}/*/*/{QUALITY}"))}


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("features", ["pixels", "random-conv"])
def test_controls_are_called_by_name_and_real_images_are_not(task: str, features: str) -> None:
    of_these = [one for measured in stored(task).values() for one in measured if one.features == features]
    assert of_these
    for one in of_these:
        assert set(MEASURES) <= set(one.values), "a table of every measure"
        named = {
            control: {found.name for found in name_failures(one.controls[control], one.floor, one.controls)} for control in one.controls
        }
        assert named["independent-pixels"] == {"noise-samples"}
        assert named["copies"] == {"memorised-samples"}
        assert "collapsed-samples" in named["repeated"]
        assert name_failures(one.floor, one.floor, one.controls) == []


def test_another_seed_stays_within_the_errors() -> None:
    """Samples, reference, floor and controls are all drawn again. Of so many pairs a few lie more than two errors apart, and none four."""
    (measured,) = (found for path, found in stored("digits").items() if path.parts[-3] == "gated-pixelcnn")
    for features in ("pixels", "random-conv"):
        seeds = [one for one in measured if one.features == features and one.n == 445]
        assert len({one.seed for one in seeds}) == 3
        apart = [abs(one.values[name].beyond(other.values[name]) or 0.0) for one, other in combinations(seeds, 2) for name in MEASURES]
        assert max(apart) < 4
        assert sum(distance > 2 for distance in apart) <= 0.1 * len(apart)

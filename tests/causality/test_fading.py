"""What fades into rounding is no hole, and a hole is none that has faded."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pixelbench.causality import CausalityReport, check_causality
from pixelbench.causality.analysis.summary import summarise
from tests.causality.handmade import evidence_of, map_where

Place = tuple[int, int, int]
SHAPE = (1, 9, 9)


def report_on(effect: Callable[[int, int], float]) -> CausalityReport:
    """`effect(row, column)` of an earlier input at that offset; below rounding it is hidden by it."""

    def change(out: Place, into: Place) -> float:
        row, column = into[1] - out[1], into[2] - out[2]
        return effect(row, column) if (row, column) < (0, 0) else 0.0

    _, height, width = SHAPE
    places = [(0, row, column) for row in range(height) for column in range(width)]
    effects = np.array([[change(out, into) for into in places] for out in places])
    return summarise(evidence_of(map_where(lambda out, into: False, SHAPE), SHAPE, effects=effects), target="made by hand")


def names(report: CausalityReport) -> list[str]:
    return [diagnosis.name for diagnosis in report.diagnosis]


def recurrence(row: int, column: int) -> float:
    """Along the raster, from one sub-pixel to the next."""
    return 0.4 ** -(row * 9 + column)


@pytest.mark.quick
def test_influence_that_fades_with_the_distance_is_said_to_and_no_fault() -> None:
    report = report_on(recurrence)
    assert report.blind_spots  # in the last row that is seen, where it ends
    assert names(report) == []
    assert "Influence fades with the distance" in report.notes[0]


@pytest.mark.quick
@pytest.mark.parametrize("hole", [(-1, 2), (-2, 0), (0, -2)])
def test_a_hole_among_what_is_seen_clearly_stays_one(hole: tuple[int, int]) -> None:
    assert names(report_on(lambda *offset: 0.0 if offset == hole else recurrence(*offset))) != []


@pytest.mark.quick
def test_a_blind_spot_that_reaches_to_where_effects_fade_stays_one() -> None:
    report = report_on(lambda row, column: 0.0 if column > -row else 0.02 ** max(-row, abs(column)))
    assert names(report) == ["blind-spot"]
    assert report.notes == ()


@pytest.mark.quick
def test_effects_that_are_weak_everywhere_have_not_faded() -> None:
    assert names(report_on(lambda *offset: 0.0 if offset == (-3, 1) else 1e-8)) == ["gap-in-context"]


class RasterLSTM(nn.Module):
    """Over the raster, moved on by one: right, and it forgets."""

    def __init__(self) -> None:
        super().__init__()
        self.memory, self.head = nn.LSTM(1, 8, batch_first=True), nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        before = nn.functional.pad(x.flatten(1), (1, -1))[..., None]
        return self.head(self.memory(before)[0]).transpose(1, 2).unflatten(2, x.shape[2:])


def test_a_network_that_forgets_is_not_told_that_a_path_is_missing() -> None:
    torch.manual_seed(0)
    report = check_causality(RasterLSTM(), shape=(1, 12, 12), levels=2)
    assert (report.verdict, names(report)) == ("causal", [])
    assert any("fades" in note for note in report.notes)

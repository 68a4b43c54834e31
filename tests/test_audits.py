"""What differs from an expectation, and the verdict of several certificates together."""

import dataclasses
from typing import Any

import pytest

from pixelbench.analysis.audits import ANY, Expectation, differences, gap_offsets, verdict_of
from pixelbench.causality.doubts import NOTHING_TESTED
from pixelbench.causality.report import CausalityReport, Diagnosis, Missing
from tests.support.certificate_factory import certificate

SEES_ITSELF = certificate(sees_itself=True)
CAUSAL = certificate()
GAPS = (Missing((-1, 2), 0, 0, inside=True), Missing((0, -1), 0, 0, inside=True), Missing((-5, 0), 0, 0, inside=False))


def with_gaps(*gaps: Missing) -> CausalityReport:
    return dataclasses.replace(CAUSAL, missing=gaps, missing_kinds=len(gaps), blind_spots=sum(gap.inside for gap in gaps))


def test_a_gap_is_inside_the_bounding_box_and_counted_once_for_all_colours() -> None:
    assert gap_offsets(with_gaps(*GAPS, Missing((-1, 2), 1, 0, inside=True))) == ((-1, 2), (0, -1))


@pytest.mark.parametrize(
    ("expected", "reports", "said"),
    [
        (Expectation("causal"), [CAUSAL], ()),
        (Expectation("leaky"), [CAUSAL], ("expected leaky",)),
        (Expectation("causal"), [SEES_ITSELF], ("expected causal",)),
        (Expectation("leaky", faults=("sees-itself",)), [SEES_ITSELF], ()),
        (Expectation("leaky", faults=("looks-back",)), [SEES_ITSELF], ("expected the diagnosis looks-back; found sees-itself",)),
        (Expectation(ANY), [SEES_ITSELF], ()),
        (Expectation(gaps=2), [with_gaps(*GAPS)], ()),
        (Expectation(gaps=0), [with_gaps(*GAPS)], ("expected 0 gaps, found 2 at (-1, +2), (+0, -1)",)),
        (Expectation(gap_offsets=((0, -1), (-1, 2))), [with_gaps(*GAPS)], ()),
        (Expectation(gap_offsets=()), [with_gaps(*GAPS)], ("further gaps at (-1, +2), (+0, -1)",)),
        (Expectation(gap_offsets=((-1, 2), (-3, 1))), [with_gaps(*GAPS)], ("further gaps at (+0, -1); no gaps any more at (-3, +1)",)),
        (Expectation(gap_offsets=((-3, 1),)), [with_gaps()], ("no gaps any more at (-3, +1)",)),
    ],
)
def test_differences(expected: Expectation, reports: list[CausalityReport], said: tuple[str, ...]) -> None:
    assert differences(expected, verdict_of(reports), reports) == said


@pytest.mark.parametrize(
    ("expected", "verdict", "said"),
    [
        (Expectation("unchecked"), "unchecked", ()),
        (Expectation(), "unchecked", ("expected causal",)),
        (Expectation(ANY), "missing", ("its source is missing",)),
        (Expectation("unchecked", gaps=0), "unchecked", ("gaps cannot be compared, since there is no dependence map",)),
        (Expectation(gaps=0, faults=("x",)), "unchecked", ("expected causal",)),
    ],
)
def test_without_a_map(expected: Expectation, verdict: str, said: tuple[str, ...]) -> None:
    assert differences(expected, verdict) == said


def undecided(**fields: Any) -> CausalityReport:
    return dataclasses.replace(CAUSAL, doubts=(Diagnosis(NOTHING_TESTED, "Nothing moved."),), **fields)


def test_the_worst_verdict_counts() -> None:
    assert verdict_of([CAUSAL, SEES_ITSELF]) == "leaky"
    assert verdict_of([CAUSAL, dataclasses.replace(CAUSAL, complete=False)]) == "partial"
    assert verdict_of([undecided()]) == "undecided"


def test_a_doubt_that_a_training_step_settles_does_not_count() -> None:
    assert verdict_of([undecided(), dataclasses.replace(CAUSAL, after_step=True)]) == "causal"
    assert verdict_of([undecided(), undecided(after_step=True)]) == "undecided"

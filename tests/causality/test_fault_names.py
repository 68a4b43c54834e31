"""Patterns drawn by hand get their names: no network, no engine."""

from typing import Any

import numpy as np
import pytest

from pixelbench.causality import CausalityReport
from pixelbench.causality.analysis.diagnosis_texts import SENTENCES
from pixelbench.causality.analysis.summary import summarise
from pixelbench.causality.render.text import report_text
from tests.causality.handmade import METHOD, evidence_of, map_where, raster, report_on

pytestmark = pytest.mark.quick


def names(report: CausalityReport) -> list[str]:
    return [diagnosis.name for diagnosis in report.diagnosis]


def earlier(out: Any, into: Any) -> bool:
    return raster(into) < raster(out)


def plus(extra: Any) -> Any:
    """The full causal map, and the pairs that `extra(row, column, out, into)` adds."""
    return lambda out, into: earlier(out, into) or extra(into[1] - out[1], into[2] - out[2], out, into)


def minus(gone: Any) -> Any:
    """The full causal map without the pairs that `gone(row, column, out, into)` takes away."""
    return lambda out, into: earlier(out, into) and not gone(into[1] - out[1], into[2] - out[2], out, into)


LEAKS: dict[str, tuple[Any, tuple[int, int, int], list[str]]] = {
    "itself": (plus(lambda r, c, o, i: o == i), (3, 6, 7), ["sees-itself"]),
    "itself, one channel": (plus(lambda r, c, o, i: o == i), (1, 6, 7), ["sees-itself"]),
    "only the last colour sees itself": (plus(lambda r, c, o, i: o == i and o[0] == 2), (3, 6, 7), ["sees-itself"]),
    "first two colours see themselves": (plus(lambda r, c, o, i: o == i and o[0] < 2), (3, 6, 7), ["colours-mixed"]),
    "R sees G": (plus(lambda r, c, o, i: (r, c) == (0, 0) and (o[0], i[0]) == (0, 1)), (3, 6, 7), ["colours-mixed"]),
    "itself and R sees B": (
        plus(lambda r, c, o, i: o == i or ((r, c) == (0, 0) and (o[0], i[0]) == (0, 2))),
        (3, 6, 7),
        ["sees-itself", "colours-mixed"],
    ),
    "the whole pixel": (plus(lambda r, c, o, i: (r, c) == (0, 0)), (3, 6, 7), ["whole-pixel-seen"]),
    "two to the right": (plus(lambda r, c, o, i: r == 0 and 0 <= c <= 2), (1, 6, 7), ["vertical-stack-unshifted"]),
    "right, not itself": (plus(lambda r, c, o, i: r == 0 and 0 < c <= 2), (1, 6, 7), ["right-neighbours-seen"]),
    "two ahead, in a sequence": (plus(lambda r, c, o, i: 0 <= c <= 2), (1, 1, 12), ["looks-ahead"]),
    "the next but itself, in a sequence": (plus(lambda r, c, o, i: c == 1), (1, 1, 12), ["looks-ahead"]),
    "the whole row": (plus(lambda r, c, o, i: r == 0), (1, 6, 7), ["whole-row-seen"]),
    "a row below": (plus(lambda r, c, o, i: r == 1 and abs(c) <= 1), (1, 6, 7), ["rows-below-kept"]),
    "everything": (lambda out, into: True, (3, 4, 5), ["normalised-over-space"]),
    "first row": (plus(lambda r, c, o, i: o[1] == 0), (1, 6, 7), ["first-row-attends-to-everything"]),
    "next in raster": (plus(lambda r, c, o, i: 0 <= r * 7 + c <= 1), (1, 6, 7), ["shifted-the-wrong-way"]),
    "opposite column": (plus(lambda r, c, o, i: r == 0 and c == 6), (1, 6, 7), ["wraps-around"]),
    "last row only": (plus(lambda r, c, o, i: i[1] == 5 and (r, c) == (1, 0)), (1, 6, 7), ["border-only"]),
    "first column of outputs": (plus(lambda r, c, o, i: o[2] == 0 and (r, c) == (0, 1)), (1, 6, 7), ["border-only"]),
    "blocks of two columns": (plus(lambda r, c, o, i: r == 0 and o[2] // 2 == i[2] // 2), (1, 6, 8), ["strided"]),
    "one pair": (plus(lambda r, c, o, i: (o[1:], i[1:]) == ((2, 1), (2, 4))), (1, 6, 7), ["unknown-pattern"]),
    "other way round": (lambda out, into: earlier(into, out), (3, 4, 5), ["wrong-direction"]),
    "columns first": (lambda out, into: (into[2], into[1]) < (out[2], out[1]), (1, 4, 5), ["width-and-height-swapped"]),
    "colours reversed": (
        lambda out, into: (into[1], into[2], -into[0]) < (out[1], out[2], -out[0]),
        (3, 4, 5),
        ["colours-in-another-order"],
    ),
}


@pytest.mark.parametrize("name", LEAKS)
def test_leaks_have_their_names_and_no_other(name: str) -> None:
    sees, shape, expected = LEAKS[name]
    report = report_on(sees, shape)
    assert report.verdict == "leaky"
    assert names(report) == expected


GAPS: dict[str, tuple[Any, tuple[int, int, int], list[str]]] = {
    "none": (earlier, (3, 4, 5), []),
    "nothing is seen": (lambda out, into: False, (3, 4, 5), ["nothing-seen"]),
    "blind spot": (minus(lambda r, c, o, i: c > -r), (1, 6, 11), ["blind-spot"]),
    "the end of the row above": (minus(lambda r, c, o, i: (r, c) == (-1, 10)), (1, 6, 11), ["row-end-missing-or-blind-spot"]),
    "the end of the row above, of a wide image": (minus(lambda r, c, o, i: (r, c) == (-1, 17)), (1, 3, 18), ["row-end-missing"]),
    "the ends of rows": (minus(lambda r, c, o, i: r == -1 and i[2] == 10 and o[2] < 8), (1, 6, 11), ["row-end-missing-widely"]),
    "the last colour at the end of the row above": (minus(lambda r, c, o, i: (r, c, i[0]) == (-1, 4, 2)), (3, 4, 5), ["row-end-missing"]),
    "the first colour at the end of the row above": (minus(lambda r, c, o, i: (r, c, i[0]) == (-1, 4, 0)), (3, 4, 5), ["gap-in-context"]),
    "the last colour there, by one colour only": (
        minus(lambda r, c, o, i: (r, c, i[0], o[0]) == (-1, 4, 2, 1)),
        (3, 4, 5),
        ["gap-in-context"],
    ),
    "two pixels at the end of the row above": (minus(lambda r, c, o, i: r == -1 and c > 8), (1, 6, 11), ["blind-spot"]),
    "triangle": (minus(lambda r, c, o, i: abs(c) > -r and r < 0), (1, 6, 11), ["triangular-context"]),
    "own row only": (minus(lambda r, c, o, i: r < 0), (1, 6, 7), ["vertical-link-missing"]),
    "no own row": (minus(lambda r, c, o, i: r == 0), (1, 6, 7), ["own-row-missing"]),
    "not the left neighbour": (minus(lambda r, c, o, i: (r, c) == (0, -1)), (1, 6, 7), ["left-neighbour-missing"]),
    "every second column": (minus(lambda r, c, o, i: c % 2 != 0), (1, 6, 9), ["lattice"]),
    "every third row": (minus(lambda r, c, o, i: r % 3 != 0), (1, 8, 6), ["lattice"]),
    "a hole": (minus(lambda r, c, o, i: (r, c) == (-2, 0)), (1, 6, 7), ["gap-in-context"]),
    "a hole for one pair of colours": (minus(lambda r, c, o, i: (r, c, o[0], i[0]) == (-1, 0, 1, 2)), (3, 4, 5), ["gap-in-context"]),
    "the right half does not see the row above": (
        minus(lambda r, c, o, i: r == -1 and abs(c) == 1 and o[2] > 3),
        (1, 6, 7),
        ["gap-by-position"],
    ),
    "a row of outputs does not see far to the left": (minus(lambda r, c, o, i: o[1] == 2 and c < -3), (1, 6, 7), ["gap-by-position"]),
    "units that are dead here and there": (
        minus(lambda r, c, o, i: (o[1:], i[1:]) in (((2, 3), (1, 1)), ((4, 1), (1, 2)), ((3, 5), (0, 1)))),
        (1, 6, 7),
        [],
    ),
    "no colour": (minus(lambda r, c, o, i: (r, c) == (0, 0)), (3, 4, 5), ["colour-blind"]),
    "B does not see G": (minus(lambda r, c, o, i: (r, c, o[0], i[0]) == (0, 0, 2, 1)), (3, 4, 5), ["partial-colour-conditioning"]),
    "colours apart": (minus(lambda r, c, o, i: o[0] != i[0]), (3, 4, 5), ["colour-blind", "channels-apart"]),
}


@pytest.mark.parametrize("name", GAPS)
def test_missing_context_has_its_name_and_no_other(name: str) -> None:
    sees, shape, expected = GAPS[name]
    report = report_on(sees, shape)
    assert report.verdict == "causal"
    assert names(report) == expected


def test_an_unknown_pattern_gets_the_smallest_counter_example() -> None:
    odd = {((0, 1, 1), (0, 3, 4)): 0.9, ((0, 2, 3), (0, 2, 5)): 0.3, ((0, 4, 0), (0, 4, 2)): 0.2}
    shape = (1, 5, 6)
    dependence = map_where(earlier, shape)
    effects = 0.5 * dependence
    for (out, into), effect in odd.items():
        effects[out[1] * 6 + out[2], into[1] * 6 + into[2]] = effect
    report = summarise(evidence_of(dependence, shape, effects=effects), target="odd")
    assert report.example is not None
    assert (report.example.output, report.example.input, report.example.effect) == ((0, 2, 3), (0, 2, 5), 0.3)
    assert names(report) == ["unknown-pattern"]
    assert "(2 kinds)" in report.diagnosis[0].sentence
    assert "input (2, 5) changes output (2, 3) by 0.3" in report.diagnosis[0].sentence
    assert report.counter_example == "input (2, 5) changes output (2, 3) by 0.3 (relative)"


def test_coupling_over_the_batch_explains_a_normalisation_but_not_a_kernel() -> None:
    coupled = report_on(lambda out, into: True, (1, 4, 5), coupling=(0.2, 7))
    assert names(coupled) == ["coupled-over-batch"]
    assert coupled.coupling is not None
    assert (coupled.coupling.output, coupled.order, coupled.cycle) == ((0, 1, 2), None, None)
    both = report_on(plus(lambda r, c, o, i: o == i), (1, 4, 5), coupling=(0.2, 7))
    assert names(both) == ["coupled-over-batch", "sees-itself"]


def test_state_and_weakness_are_said_beside_the_pattern() -> None:
    itself = map_where(plus(lambda r, c, o, i: o == i), (1, 4, 5))
    weak = np.where(np.eye(20, dtype=bool), 1e-8, 0.5 * itself)
    report = summarise(evidence_of(itself, (1, 4, 5), effects=weak, repeatable=False), target="weak")
    assert names(report) == ["sees-itself", "weak-path", "carries-state"]
    assert not report.repeatable
    assert "1e-08" in report.diagnosis[1].sentence


def test_what_shows_only_jointly_is_said_so_and_not_guessed_at() -> None:
    leaks = ((1, 3), (6, 9))
    dependence = map_where(earlier, (1, 4, 5))
    for output, source in leaks:
        dependence[output, source] = True
    report = summarise(evidence_of(dependence, (1, 4, 5), joint=leaks), target="joint")
    assert names(report) == ["active-only-jointly"]
    assert report.diagnosis[0].sentence.startswith("2 dependences")


def test_an_open_kernel_after_a_training_step_has_lost_its_mask() -> None:
    square = plus(lambda r, c, o, i: abs(r) <= 1 and abs(c) <= 1)
    assert names(report_on(square, (1, 6, 7), after_step=True)) == ["mask-lost-in-training"]
    assert names(report_on(square, (1, 6, 7))) == ["rows-below-kept"]


def test_partial_maps_are_diagnosed_from_what_was_measured() -> None:
    dependence = map_where(plus(lambda r, c, o, i: o == i), (3, 4, 5))
    report = summarise(evidence_of(dependence, (3, 4, 5), np.array([2, 14, 29, 30, 59])), target="some")
    assert names(report) == ["sees-itself"]
    assert (report.complete, report.order) == (False, None)
    assert report.cycle is not None
    clean = summarise(evidence_of(map_where(earlier, (3, 4, 5)), (3, 4, 5), np.array([3, 4, 5, 59])), target="some")
    assert (clean.verdict, clean.order, clean.cycle, clean.diagnosis) == ("partial", None, None, ())


def test_every_diagnosis_says_what_to_do_and_can_be_filled_in() -> None:
    facts = {"order": "", "border": "", "joint": 1, "kinds": 1, "example": "", "largest": 0.1, "missing": 1, "pairs": ""}
    facts |= {"columns": "", "pairs_in_places": 2, "where": "", "ahead": 1}
    for name, sentence in SENTENCES.items():
        assert name == name.lower().replace(" ", "-")
        assert sentence.format(**facts).endswith(".")
        assert sentence.count(". ") >= 1
    assert METHOD.tolerance == 1e-10


def test_what_some_positions_miss_is_counted_by_pairs_and_placed() -> None:
    shape = (1, 5, 6)
    report = report_on(minus(lambda r, c, o, i: r == -1 and i[2] == 5 and o[2] < 4), shape)
    assert report.missing_kinds == 1  # (-1, +5), which no output can see
    assert report.pairs_missed_in_places == 3 * 4
    first = report.missed_in_places[0]
    assert (first.offset, first.pairs, first.measured) == ((-1, 2), 4, 16)
    assert first.outputs == ((1, 3), (2, 3), (3, 3), (4, 3))
    said = "Missed at some positions only, 12 pairs of pixels: (-1, +2) by 4 of 16 outputs in column 3, (-1, +3) by 4 of 12 outputs in col"
    assert said in report_text(report)
    assert CausalityReport.from_json(report.to_json()) == report
    scattered = report_on(minus(lambda r, c, o, i: (o[1:], i[1:]) in (((2, 3), (1, 1)), ((4, 1), (3, 4)))), shape)
    assert "Blind spots: none that all positions miss." in report_text(scattered)
    assert "(-1, -2) by 1 of 16 outputs in column 3" in report_text(scattered)
    assert "Missed" not in report_text(report_on(earlier, shape))


def test_pairs_are_counted_where_some_inputs_were_changed_only() -> None:
    dependence = map_where(minus(lambda r, c, o, i: o[1] == 1 and i == (0, 0, 2)), (3, 4, 5))
    some = np.array([6, 7, 8, 9, 10, 11])  # all colours of (0, 2) and of (0, 3)
    report = summarise(evidence_of(dependence, (3, 4, 5), some), target="some")
    assert report.pairs_missed_in_places == 0  # G and B of that pixel are seen
    dependence = map_where(minus(lambda r, c, o, i: o[1] == 1 and i[1:] == (0, 2)), (3, 4, 5))
    report = summarise(evidence_of(dependence, (3, 4, 5), some), target="some")
    assert {one.offset: one.pairs for one in report.missed_in_places} == {(-1, step): 1 for step in (-1, 0, 1, 2)}

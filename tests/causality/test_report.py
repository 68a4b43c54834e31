"""What a report says: to programs (the certificate) and to people (the text)."""

import dataclasses
import json

import numpy as np
import pytest

from pixelbench.causality import CausalityReport
from pixelbench.causality.analysis.summary import summarise
from pixelbench.causality.render.text import named_gaps, report_text
from tests.causality.handmade import evidence_of, map_where, raster, report_on


def leaky() -> CausalityReport:
    return report_on(lambda out, into: raster(into) <= raster(out) or (out[0], into[0], out[1:]) == (0, 2, into[1:]), (3, 4, 5))


def clean() -> CausalityReport:
    return report_on(lambda out, into: raster(into) < raster(out) and into[2] - out[2] <= out[1] - into[1], (1, 6, 9))


def listed() -> CausalityReport:
    rank = np.argsort([5, 0, 3, 2, 4, 1])
    return summarise(evidence_of(rank[None, :] < rank[:, None], (1, 2, 3)), target="listed")


def coupled() -> CausalityReport:
    return report_on(lambda out, into: raster(into) < raster(out), (1, 2, 3), coupling=(0.25, 4))


def partial() -> CausalityReport:
    causal = map_where(lambda out, into: raster(into) < raster(out), (3, 4, 5))
    return summarise(evidence_of(causal, (3, 4, 5), np.arange(7)), target="some")


@pytest.mark.parametrize("make", [leaky, clean, listed, coupled, partial])
def test_the_certificate_can_be_read_back(make: object) -> None:
    report = make()  # type: ignore[operator]
    document = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert CausalityReport.from_json(document) == report
    assert document["schema"] == 1
    assert document["verdict"] == report.verdict
    assert document["diagnosis"] == [diagnosis.sentence for diagnosis in report.diagnosis]


def test_a_certificate_of_another_schema_is_refused() -> None:
    with pytest.raises(ValueError, match="schema 7"):
        CausalityReport.from_json(leaky().to_json() | {"schema": 7})


def test_the_certificate_has_the_fields_that_were_promised() -> None:
    document = leaky().to_json()
    assert {"offset", "input_colour", "output_colour", "count", "example"} == set(document["leaks"][0])
    assert {"input", "output", "effect"} == set(document["leaks"][0]["example"])
    assert document["context"] == {"rows_above": 3, "columns_left": 4, "columns_right": 4}
    assert document["colour_conditioning"] == {"0": [2], "1": [0], "2": [0, 1]}
    assert {"dtype", "probes", "tolerance"} <= set(document["method"])
    assert {"order", "missing", "batch_coupling", "repeatable", "seconds", "complete", "mode", "target", "shape"} <= set(document)


def test_leaks_come_by_count_with_their_strongest_example() -> None:
    shape = (1, 3, 4)
    effects = 0.5 * map_where(lambda out, into: raster(into) < raster(out), shape)
    effects[0, 0], effects[5, 5], effects[2, 3] = 0.1, 0.7, 0.9
    report = summarise(evidence_of(effects > 0, shape, effects=effects), target="x")
    assert [(leak.offset, leak.count, leak.example.effect) for leak in report.leaks] == [((0, 0), 2, 0.7), ((0, 1), 1, 0.9)]
    assert report.example == report.leaks[0].example  # the nearest, not the strongest
    assert report.largest_leak == 0.9
    assert report.sees_itself


def test_what_is_between_noise_and_tolerance_is_unresolved_and_allowed_pairs_need_only_exceed_noise() -> None:
    shape = (1, 2, 2)
    effects = np.zeros((4, 4))
    effects[0, 1], effects[2, 3], effects[3, 2], effects[3, 0] = 1e-12, 1e-16, 1e-12, 1e-16
    report = summarise(evidence_of(effects > 0, shape, effects=effects), target="x")
    assert (report.verdict, report.unresolved) == ("causal", 1)
    assert {gap.offset for gap in report.missing} >= {(-1, -1)}
    assert (0, -1) not in {gap.offset for gap in report.missing}


def test_long_lists_are_cut_and_counted() -> None:
    report = report_on(lambda out, into: False, (3, 9, 11))
    assert len(report.missing) == 1000
    assert report.missing_kinds == 9 * (21 * 8 + 10) + 3
    everything = report_on(lambda out, into: True, (2, 6, 7))
    assert len(everything.leaks) == 200
    assert everything.leak_kinds == 4 * (13 * 5 + 6) + 3


def test_the_text_of_a_leaky_module_says_all() -> None:
    report = dataclasses.replace(leaky(), target="net.py:make", after_step=True, unresolved=3, repeatable=False)
    text = report_text(report)
    for words in (
        "net.py:make (3x4x5, eval mode, after a training step): Not causal: input ",
        "Measured: made by hand.",
        "leak: R sees R at the same pixel, 20 pairs",
        "Unresolved: 3 pairs",
        "Not repeatable",
        "R sees B, G sees R, B sees R and G",
        "Order: none can save it, output R at (0, 0) sees its own input.",
        "- sees-itself: ",
        "X leak",
        "[X]",
    ):
        assert words in text, words


def test_the_text_of_a_clean_module_claims_no_more_than_was_measured() -> None:
    text = report_text(clean())
    assert "No leak found (complete map, tolerance 1e-10 in float64)." in text
    assert "Order: raster." in text
    assert "Blind spots: " in text
    assert "- blind-spot: " in text
    assert "leak:" not in text
    assert "7 of 60 positions" in report_text(partial())
    assert "Order: not known, the map is not complete." in report_text(partial())


def test_the_text_names_orders_lists_and_rings() -> None:
    assert "causal in this one: (1, 2), (0, 0), (1, 0), (0, 2), (1, 1), (0, 1)." in report_text(listed())
    swapped = report_on(lambda out, into: (into[2], into[1]) < (out[2], out[1]), (1, 3, 4))
    assert "causal in this one: column-major." in report_text(swapped)
    assert "Order: not known, the images of a batch are coupled." in report_text(coupled())
    ring = report_on(lambda out, into: raster(into) < raster(out) or (out, into) == ((0, 0, 1), (0, 0, 2)), (1, 2, 3))
    assert "each of these sees the next: (0, 1), (0, 2), (0, 1)." in report_text(ring)


def test_the_map_is_drawn_with_the_output_in_brackets() -> None:
    near = report_on(lambda out, into: raster(into) < raster(out) and max(out[1] - into[1], abs(out[2] - into[2])) <= 1, (1, 5, 7))
    lines = report_text(near).splitlines()
    assert lines[-3:] == [" · · · · ·", " · █ █ █ ·", " · █[ ]"]
    many = report_text(report_on(lambda out, into: raster(into) < raster(out), (3, 9, 16)))
    assert max(map(len, many.split("Map around")[1].splitlines()[1:])) <= 130


def test_blind_spots_are_named_by_position_and_by_colour_only_where_some_see_it() -> None:
    far = report_on(lambda out, into: out[2] - into[2] == 11, (1, 1, 12))
    assert named_gaps(far, far.blind_spots, 3) == ("10 earlier positions", "(+0, -1), (+0, -2), (+0, -3), …")
    colours = report_on(lambda out, into: into[2] < out[2] and not (out[2] - into[2] == 1 and out[0] == 0), (2, 1, 4))
    count, names = named_gaps(colours, colours.blind_spots, 5)
    assert count == "2 earlier positions"
    assert names.startswith("same pixel, channel 0 by channel 1, (+0, -1), channel 0 by channel 0 and channel 1 by channel 0")

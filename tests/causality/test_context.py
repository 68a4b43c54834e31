"""How far is seen, what is missing on the way, and the picture of both."""

from typing import Any

import numpy as np
import pytest
import torch

import pixelbench as pb
from pixelbench.causality import CausalityReport, check_causality
from pixelbench.causality.analysis.context import context_of, map_of, missing_of
from pixelbench.causality.analysis.offsets import Offsets, tally
from pixelbench.causality.report import Context
from tests.causality.faulty import TwoStacks
from tests.causality.handmade import evidence_of, map_where, raster, report_on


def offsets_of(sees: Any, shape: tuple[int, int, int], positions: np.ndarray | None = None) -> Offsets:
    return tally(evidence_of(map_where(sees, shape), shape, positions))


def within(rows: int, left: int, right: int) -> Any:
    """Sees what is earlier and in that box."""
    return lambda out, into: raster(into) < raster(out) and out[1] - into[1] <= rows and -left <= into[2] - out[2] <= right


def test_the_bounding_box_is_over_all_colours() -> None:
    def sees(out: Any, into: Any) -> bool:
        reach = 1 if into[0] == 0 else 2
        return within(1, reach, 1)(out, into)

    assert context_of(offsets_of(sees, (2, 4, 6))) == Context(1, 2, 1)
    assert context_of(offsets_of(lambda out, into: False, (2, 4, 6))) == Context(0, 0, 0)


def test_a_full_box_has_nothing_missing_inside_and_the_rest_outside() -> None:
    offsets = offsets_of(within(2, 2, 1), (1, 5, 6))
    missing = missing_of(offsets, context_of(offsets))
    assert not any(gap.inside for gap in missing)
    assert (0, -3) in {gap.offset for gap in missing}
    assert len(missing) == int(offsets.earlier.sum()) - (2 + 2 * 4)


def test_holes_are_inside_and_come_first() -> None:
    box = within(2, 2, 2)
    offsets = offsets_of(lambda out, into: box(out, into) and (into[1] - out[1], into[2] - out[2]) != (-1, 2), (1, 5, 6))
    missing = missing_of(offsets, context_of(offsets))
    assert [gap.offset for gap in missing if gap.inside] == [(-1, 2)]
    assert missing[0].inside


def test_colours_of_the_same_pixel_always_count_as_inside() -> None:
    offsets = offsets_of(lambda out, into: out[0] == 2 and into[0] == 0 and out[1:] == into[1:], (3, 3, 4))
    missing = missing_of(offsets, context_of(offsets))
    same = {(gap.input_colour, gap.output_colour, gap.inside) for gap in missing if gap.offset == (0, 0)}
    assert same == {(0, 1, True), (1, 2, True)}


def test_what_was_not_measured_is_not_missing() -> None:
    offsets = offsets_of(within(1, 1, 1), (1, 3, 3), np.array([8]))
    assert missing_of(offsets, context_of(offsets)) == []


def test_the_picture_shows_seen_blind_leak_and_unknown() -> None:
    box = within(1, 1, 1)
    offsets = offsets_of(lambda out, into: (box(out, into) and (into[1] - out[1], into[2] - out[2]) != (-1, 1)) or out == into, (1, 4, 6))
    drawn = map_of(offsets, context_of(offsets))
    assert (drawn.top, drawn.left) == (-2, -2)
    assert drawn.pairs == {(0, 0): ("....", ".##.", ".#x ", "    ")}


def test_the_picture_is_clipped_to_the_image_and_to_a_bearable_size() -> None:
    everywhere = report_on(lambda out, into: True, (1, 2, 3)).map
    assert (everywhere.top, everywhere.left) == (-1, -2)
    assert everywhere.pairs[0, 0] == ("#####", "##xxx", "xxxxx")
    size = (1, 1, 79, 99)
    large = Offsets((1, 40, 50), np.ones(size, dtype=int), np.ones(size, dtype=int), np.zeros(size, dtype=bool))
    drawn = map_of(large, Context(39, 49, 49))
    assert (drawn.top, drawn.left) == (-21, -21)
    assert (len(drawn.pairs[0, 0]), len(drawn.pairs[0, 0][0])) == (21 + 1 + 11, 43)


def test_positions_never_changed_are_drawn_as_unknown() -> None:
    offsets = offsets_of(within(1, 1, 1), (1, 3, 3), np.array([8]))
    assert map_of(offsets, Context(1, 1, 1)).pairs[0, 0] == ("?????", "?????", "??   ", "??   ")


@pytest.mark.by_default(1)
@pytest.mark.parametrize("channels", [1, 3])
def test_the_gated_family_sees_all_of_its_box_and_the_one_stack_family_does_not(channels: int) -> None:
    settings = {"channels": channels, "height": 6, "width": 9, "levels": 4, "layers": 2, "maps": 2 * channels, "first_kernel": 3}
    reports = {}
    for family in ("pixelcnn", "gated-pixelcnn"):
        torch.manual_seed(0)
        reports[family] = check_causality(pb.create_model(family, **settings), (channels, 6, 9), levels=4)
    assert [diagnosis.name for diagnosis in reports["pixelcnn"].diagnosis] == ["blind-spot"]
    assert (reports["gated-pixelcnn"].diagnosis, reports["gated-pixelcnn"].blind_spots) == ((), 0)


@pytest.mark.slow
def test_one_stack_and_two_strictly_vertical_ones_cannot_be_told_apart() -> None:
    torch.manual_seed(0)
    family = pb.create_model("pixelcnn", channels=1, height=6, width=9, levels=4, layers=2, maps=8, first_kernel=3)
    one = check_causality(family, (1, 6, 9), levels=4)
    two = check_causality(TwoStacks(1, strict=True), (1, 6, 9), levels=4)
    assert one.map == two.map
    assert words(one) == words(two)
    assert "one stack of masked convolutions, or two stacks" in words(one)


def words(report: CausalityReport) -> str:
    return " ".join(diagnosis.sentence for diagnosis in report.diagnosis)

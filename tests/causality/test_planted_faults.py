"""Each planted fault is found, with its offset and colours, and nothing that the fault does not do."""

import pytest
import torch
from planted import FAULTS, LEVELS, Extra, Fault, Transposed, at_border, smaller_of_next_two

from pixelbench.causality import CausalityReport, check_causality

NAMES = sorted(FAULTS)


def report_of(fault: Fault) -> CausalityReport:
    torch.manual_seed(1)
    return check_causality(fault.build(), fault.shape, levels=LEVELS, mode=fault.mode)


@pytest.mark.parametrize("name", NAMES)
def test_fault_is_found_where_it_was_planted(name: str) -> None:
    fault = FAULTS[name]
    report = report_of(fault)
    assert report.status == "leaky"
    assert report.counter_example
    assert report.batch_coupling == fault.coupled
    leaking = leak_kinds(report)
    if fault.offset is not None:
        assert (*fault.offset, *fault.colours) in leaking
    if fault.absent is not None:
        assert (*fault.absent, 0, 0) not in leaking
    assert report.largest_leak > report.tolerance


def leak_kinds(report: CausalityReport) -> set[tuple[int, int, int, int]]:
    """All kinds of leak from the map itself (`report.leaks` lists the most frequent only), counted independently of the summary."""
    channels, height, width = report.shape
    total = channels * height * width
    kinds = set()
    for output in range(total):
        for column, source in enumerate(report.positions.tolist()):
            if output <= source and report.dependence[output, column]:
                o, i = output // channels, source // channels
                kinds.add((i // width - o // width, i % width - o % width, source % channels, output % channels))
    assert {(leak.row, leak.column, leak.input_colour, leak.output_colour) for leak in report.leaks} <= kinds
    assert report.leak_kinds == len(kinds)
    return kinds


def test_counter_example_names_colour_place_and_amount() -> None:
    report = report_of(FAULTS["at the border only"])
    sentence = report.counter_example or ""
    assert any(sentence.startswith(f"input ({row}, 4) changes output ({row}, 3) by ") for row in range(4))
    assert sentence.endswith(" (relative)")
    assert "Not causal: input" in report.summary()


def test_colours_have_names_when_there_are_three() -> None:
    report = report_of(FAULTS["mask B first, colours"])
    assert (report.counter_example or "")[:8] in ("input R ", "input G ", "input B ")
    assert report.sees_itself
    assert report.sees_same_pixel == ((True, False, False), (True, True, False), (True, True, True))


def test_a_border_leak_is_counted_once_a_row() -> None:
    (leak,) = report_of(FAULTS["at the border only"]).leaks
    assert (leak.row, leak.column, leak.count) == (0, 1, 4)


def test_a_leak_of_gain_1e9_is_measured_as_small() -> None:
    report = report_of(FAULTS["gain 1e-9"])
    assert 1e-10 < report.largest_leak < 1e-7


def test_a_change_between_noise_and_tolerance_is_called_unresolved() -> None:
    torch.manual_seed(1)
    report = check_causality(Extra(1, lambda x: 1e-12 * x), (1, 4, 5), levels=LEVELS)
    assert report.status == "complete"
    assert report.unresolved == 20


def test_coupling_is_said_although_every_offset_is_allowed() -> None:
    report = report_of(FAULTS["coupling over the batch"])
    assert report.leaks == ()  # an image alone in its batch is clean
    assert (report.counter_example or "").startswith("changing one image of a batch changes output (")


def test_swapped_sides_are_clean_at_width_one_only() -> None:
    torch.manual_seed(1)
    module = Transposed(1)
    assert check_causality(module, (1, 1, 6), levels=LEVELS).status == "complete"
    assert check_causality(module, (1, 6, 6), levels=LEVELS).status == "leaky"


def test_what_single_changes_miss_a_joint_change_shows_and_pins() -> None:
    torch.manual_seed(1)
    module = Extra(1, smaller_of_next_two)
    assert check_causality(module, (1, 4, 5), levels=LEVELS, bases=("zeros",)).status == "complete"
    report = check_causality(module, (1, 4, 5), levels=LEVELS, bases=("zeros", "joint"))
    assert report.status == "leaky"
    assert leak_kinds(report) <= {(0, 1, 0, 0), (0, 2, 0, 0)}
    assert sum(leak.count for leak in report.leaks) >= 8  # of 12 outputs with two pixels to their right; equal smaller ones show nothing


def test_a_joint_change_shows_leaks_beyond_the_positions_asked() -> None:
    torch.manual_seed(1)
    report = check_causality(Extra(1, at_border), (1, 4, 5), levels=LEVELS, positions=[3])
    assert report.status == "leaky"
    assert [(leak.row, leak.column, leak.count) for leak in report.leaks] == [(0, 1, 1)]
    assert report.positions.tolist() == [3, 4]

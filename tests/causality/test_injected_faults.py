"""Each injected fault is found, with its offset, colours and name, and nothing that the fault does not do."""

from collections import Counter

import numpy as np
import pytest
import torch

from pixelbench.causality import CausalityReport, check_causality
from pixelbench.causality.analysis.summary import summarise
from pixelbench.causality.check import measure
from tests.causality.faulty import RowAttention
from tests.causality.injected import FAULTS, GAPS, Fault, Gap
from tests.causality.nets import LEVELS, Extra, Transposed, at_border, smaller_of_next_two


def report_of(net: Fault | Gap, **settings: object) -> CausalityReport:
    torch.manual_seed(1)
    chosen = {"levels": LEVELS} | settings
    if isinstance(net, Fault):
        chosen |= {"mode": net.mode, "after_step": net.after_step}
    return check_causality(net.build(), net.shape, **chosen)  # type: ignore[arg-type]


def test_there_are_enough_of_them() -> None:
    assert len(FAULTS) >= 30
    assert {fault.channels for fault in FAULTS.values()} >= {1, 3}
    assert all(fault.size[0] != fault.size[1] for fault in FAULTS.values())


@pytest.mark.by_default(12)
@pytest.mark.parametrize("name", FAULTS)
def test_fault_is_found_where_it_was_injected(name: str) -> None:
    fault = FAULTS[name]
    torch.manual_seed(1)
    evidence = measure(fault.build(), fault.shape, levels=LEVELS, mode=fault.mode, after_step=fault.after_step)
    report = summarise(evidence, target=name)
    assert report.verdict == "leaky"
    assert report.counter_example
    assert report.batch_coupling == fault.coupled
    leaking = counted(evidence.effects, evidence.positions, fault.shape, evidence.method.tolerance)
    assert report.leak_kinds == len(leaking)
    assert all(leaking[(*leak.offset, leak.input_colour, leak.output_colour)] == leak.count for leak in report.leaks)
    assert fault.offset is None or (*fault.offset, *fault.colours) in leaking
    assert fault.absent not in {(row, column) for row, column, *_ in leaking}
    assert fault.diagnosis in [diagnosis.name for diagnosis in report.diagnosis]
    assert report.largest_leak > report.method.tolerance


def counted(effects: np.ndarray, positions: np.ndarray, shape: tuple[int, int, int], tolerance: float) -> Counter[tuple[int, ...]]:
    """How many leaks there are of each kind (row, column, input colour, output colour), counted one by one."""
    channels, _, width = shape
    kinds: Counter[tuple[int, ...]] = Counter()
    for output, column in np.argwhere(effects > tolerance).tolist():
        source = int(positions[column])
        if output <= source:
            o, i = output // channels, source // channels
            kinds[i // width - o // width, i % width - o % width, source % channels, output % channels] += 1
    return kinds


@pytest.mark.by_default(4)
@pytest.mark.parametrize("name", GAPS)
def test_missing_context_is_named(name: str) -> None:
    gap = GAPS[name]
    report = report_of(gap)
    # Where nothing moves at all, nothing was tested.
    assert (report.verdict, report.order) == ("undecided" if gap.diagnosis == "nothing-seen" else "causal", "raster")
    assert gap.diagnosis in [diagnosis.name for diagnosis in report.diagnosis]
    missing = {(entry.offset, entry.input_colour, entry.output_colour) for entry in report.missing}
    assert (gap.offset, *gap.colours) in missing
    assert gap.seen is None or any((gap.seen, into, out) not in missing for into in range(gap.channels) for out in range(gap.channels))


def test_a_border_leak_is_counted_once_a_row_and_its_example_can_be_found_by_hand() -> None:
    report = report_of(FAULTS["at the border only"])
    (leak,) = report.leaks
    assert (leak.offset, leak.count) == ((0, 1), 4)
    assert report.example == leak.example
    assert leak.example.input[2] == 4
    assert "inputs in the last column" in next(diagnosis.sentence for diagnosis in report.diagnosis if diagnosis.name == "border-only")


def test_two_faults_get_two_names() -> None:
    names = [diagnosis.name for diagnosis in report_of(FAULTS["itself and the border"]).diagnosis]
    assert {"sees-itself", "border-only"} <= set(names)


def test_the_pairs_of_mixed_colours_are_named() -> None:
    report = report_of(FAULTS["concatenation mixes colours"])
    sentence = next(diagnosis.sentence for diagnosis in report.diagnosis if diagnosis.name == "colours-mixed")
    assert "(R sees itself, G sees itself)" in sentence


def test_a_leak_of_gain_1e9_is_measured_as_small() -> None:
    report = report_of(FAULTS["gain 1e-9"])
    assert 1e-10 < report.largest_leak < 1e-7


def test_a_change_between_noise_and_tolerance_is_called_unresolved() -> None:
    torch.manual_seed(1)
    report = check_causality(Extra(1, lambda x: 1e-12 * x), (1, 4, 5), levels=LEVELS)
    assert report.verdict == "causal"
    assert report.unresolved == 20


@pytest.mark.slow
def test_coupling_is_said_although_every_offset_is_allowed() -> None:
    report = report_of(FAULTS["coupling over the batch"])
    assert (report.leaks, report.example, report.order) == ((), None, None)  # an image alone in its batch is clean
    assert report.counter_example is not None
    assert report.counter_example.startswith("changing other images of a batch changes output (")


def test_swapped_sides_are_clean_at_width_one_only() -> None:
    torch.manual_seed(1)
    module = Transposed(1)
    assert check_causality(module, (1, 1, 6), levels=LEVELS).verdict == "causal"
    assert check_causality(module, (1, 6, 6), levels=LEVELS).order == "column-major"


def test_what_single_changes_miss_a_joint_change_shows() -> None:
    torch.manual_seed(1)
    module = Extra(1, smaller_of_next_two)
    report = check_causality(module, (1, 4, 5), levels=LEVELS, bases=("zeros", "joint"))
    assert report.verdict == "leaky"
    assert {leak.offset for leak in report.leaks} <= {(0, 1), (0, 2)}
    assert any(leak.offset == (0, 2) for leak in report.leaks)


def test_a_leak_at_the_border_is_found_at_given_positions_only() -> None:
    torch.manual_seed(1)
    report = check_causality(Extra(1, at_border), (1, 4, 5), levels=LEVELS, positions=[4])
    assert (report.verdict, report.complete) == ("leaky", False)
    assert [(leak.offset, leak.count) for leak in report.leaks] == [((0, 1), 1)]


def test_rows_that_attend_to_the_rows_above_leak_at_the_first_row_only() -> None:
    torch.manual_seed(1)
    report = check_causality(RowAttention(1, mask=True), (1, 5, 4), levels=LEVELS)
    assert {leak.example.output[1] for leak in report.leaks} == {0}

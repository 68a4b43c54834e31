"""No false alarms: causal modules of many kinds are causal."""

import pytest
import torch

from pixelbench.causality import check_causality
from tests.causality.clean import CLEAN
from tests.causality.nets import LEVELS

#: What may be missing in a clean module, and what it may carry along.
EXPECTED = {"blind-spot", "row-end-missing", "row-end-missing-or-blind-spot", "row-end-missing-widely", "gap-in-context", "carries-state"}


@pytest.mark.by_default(8)
@pytest.mark.parametrize("name", sorted(CLEAN))
def test_clean_modules_are_clean(name: str) -> None:
    clean = CLEAN[name]
    torch.manual_seed(2)
    report = check_causality(clean.build(), clean.shape, levels=LEVELS, mode=clean.mode)
    assert (report.verdict, report.counter_example, report.leaks, report.coupling) == ("causal", None, (), None)
    assert report.unresolved == 0
    assert (report.order, report.cycle) == ("raster", None)
    assert report.repeatable != clean.moves
    assert report.colour_conditioning == {out: tuple(range(out)) for out in range(clean.channels)}
    assert {diagnosis.name for diagnosis in report.diagnosis} <= EXPECTED
    assert not any("x" in row for rows in report.map.pairs.values() for row in rows)


def test_a_correct_two_stack_net_misses_nothing_and_needs_no_diagnosis() -> None:
    torch.manual_seed(2)
    report = check_causality(CLEAN["two stacks, colours"].build(), (3, 6, 9), levels=LEVELS)
    assert (report.blind_spots, report.diagnosis) == (0, ())
    assert (report.context.rows_above, report.context.columns_left, report.context.columns_right) == (4, 3, 3)

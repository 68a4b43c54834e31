"""All the certificates that were asked for, one after the other: both modes, before and after a training step."""

import dataclasses
import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from torch import nn

from pixelbench.causality.analysis.diagnosis_texts import LOST_MASK, LOST_MASK_FOR_SURE
from pixelbench.causality.check import check_causality
from pixelbench.causality.report import CausalityReport, Diagnosis
from pixelbench.errors import UserError, unknown

#: Said of a check of evaluation mode alone.
TRAINING_UNCHECKED = "Training mode was not checked; --mode both does."
MODES = ("eval", "train", "both")


def certificates(
    module: nn.Module | Callable,
    shape: Sequence[int],
    *,
    mode: str = "eval",
    after_step: bool = False,
    seconds: float | None = None,
    **options: Any,
) -> Iterator[CausalityReport]:
    """The reports, each when it is there: for `both` first `eval`; with `after_step` each mode before the step and after it.

    Args:
        module, shape, options: as `check_causality` takes them.
        mode: `eval`, `train` or `both`.
        after_step: check again after one training step on random images.
        seconds: for all of them together, shared out evenly.

    Raises:
        UserError: as `check_causality`.
    """
    if mode not in MODES:
        raise unknown("mode", mode, MODES)
    if seconds is not None and not seconds > 0:
        raise UserError(f"seconds must be more than 0; got {seconds}.")
    modes = ("eval", "train") if mode == "both" else (mode,)
    wanted = [(one, step) for one in modes for step in ((False, True) if after_step else (False,))]
    ends = time.monotonic() + (math.inf if seconds is None else seconds)
    before: CausalityReport | None = None
    for done, (one, step) in enumerate(wanted):
        share = None if seconds is None else max(1e-3, (ends - time.monotonic()) / (len(wanted) - done))
        report = check_causality(module, shape, mode=one, after_step=step, seconds=share, **options)
        if mode == "eval":
            report = dataclasses.replace(report, notes=(*report.notes, TRAINING_UNCHECKED))
        yield _compared(before, report) if step and before is not None else report
        before = report


def _compared(before: CausalityReport, after: CausalityReport) -> CausalityReport:
    """Name the likely cause of a leak after the training step only, which the comparison shows and no single map can."""
    if before.leaky or not after.leaky or before.doubts:  # a leak that zeros hid is no mask that was lost
        return after
    others = tuple(diagnosis for diagnosis in after.diagnosis if diagnosis.name != LOST_MASK)
    return dataclasses.replace(after, diagnosis=(Diagnosis(LOST_MASK, LOST_MASK_FOR_SURE), *others))

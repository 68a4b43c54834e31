"""For test-suites: `assert_causal`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from torch import nn

from pixelbench.causality.certificates import certificates
from pixelbench.causality.doubts import open_doubts
from pixelbench.causality.options import DEFAULT_BASES
from pixelbench.causality.render.text import named_gaps, report_text
from pixelbench.causality.report import CausalityReport
from pixelbench.causality.sampler.check import check_sampler
from pixelbench.errors import unknown

_CONTEXTS = ("box", "full")
_NAMED = 5


def assert_causal(
    module: nn.Module | Callable,
    shape: Sequence[int],
    *,
    levels: int = 256,
    context: Literal["box", "full"] | None = None,
    input: str = "auto",
    output: str | None = None,
    select: int | str | None = None,
    input_layout: str | None = None,
    head: str | Callable | None = None,
    args: Mapping[str, float] | None = None,
    bases: Sequence[str] = DEFAULT_BASES,
    images: np.ndarray | None = None,
    order: str | Sequence[int] = "raster",
    allow_state: bool = False,
    seed: int = 0,
    mode: str = "eval",
    seconds: float | None = None,
    after_step: bool = False,
    sampler: str | Callable | None = None,
) -> list[CausalityReport]:
    """Fail with the whole report where `module` leaks, where nothing can be concluded, and on request where it does not see enough.

    All of it runs in the process of the test, where the module already is: a module that ends the process, hangs or prints does so to the
    test. `pixelbench check` gives it a process of its own, with a limit on time and memory.

    Args:
        module: any module, or a function of a batch, a lambda for instance; weights, mode and global random states stay as they are.
        shape: (C, H, W); the complete map of a small image, (3, 8, 7) for instance, takes seconds. Not square, so that swapped sides show.
        levels: how many values a sub-pixel can have.
        context: `box` also fails on a blind spot (an earlier sub-pixel that is never seen although farther ones are) and on missing colour
            conditioning; `full` on any earlier sub-pixel of the image that is never seen.
        input, output, select: how images enter and where the output is, see `pixelbench.check_causality`; found out where only one fits.
        input_layout, head, args, bases, images, order, allow_state, seed: see `pixelbench.check_causality`.
        mode: `eval`, `train` or `both`.
        seconds: a limit on the time. What is not reached is not claimed: the report then says `partial`, and the assertion holds.
        after_step: check again after one training step on random images.
        sampler: also hold what this method, or function of the module and a number of images, draws against the module's own probabilities;
            all images of `shape` must be countable, such as (1, 2, 3) with 2 levels. See `check_sampler`.

    Returns:
        The reports, one a mode, and with `after_step` before and after it.

    Raises:
        AssertionError: a leak; a module in which nothing moves, or whose own rounding hides leaks; missing context where `context` asks; a
            sampler that draws from other probabilities.
        UserError: the module cannot be checked.
    """
    __tracebackhide__ = True
    if context is not None and context not in _CONTEXTS:
        raise unknown("context", context, _CONTEXTS)
    options: dict[str, Any] = {"levels": levels, "input": input, "output": output, "select": select, "input_layout": input_layout}
    options |= {"head": head, "args": args, "bases": bases, "images": images, "order": order, "allow_state": allow_state, "seed": seed}
    reports: list[CausalityReport] = []
    for report in certificates(module, shape, mode=mode, seconds=seconds, after_step=after_step, **options):
        _refuse(open_doubts(reports[-1], report) if reports else False, reports[-1:], "")
        _refuse(bool(fault := _fault(report, context)), [report], fault)
        reports.append(report)
    _refuse(bool(reports) and open_doubts(reports[-1], None), reports[-1:], "")
    if sampler is not None:
        _require_own_draws(module, shape, sampler, options, seconds)
    return reports


def _require_own_draws(module: Any, shape: Sequence[int], sampler: str | Callable, options: dict[str, Any], seconds: float | None) -> None:
    __tracebackhide__ = True
    asked = {name: options[name] for name in ("levels", "input", "output", "select", "input_layout", "head", "args", "seed")}
    report = check_sampler(module, shape, sampler=sampler, seconds=seconds, **asked)
    if not report.agrees:
        raise AssertionError(f"{report.summary()}\n\n{report.text()}") from None


def _refuse(failed: bool, reports: list[CausalityReport], fault: str) -> None:
    """Fail, the sentence first: what stands in front of an exception's text is all that some runners show."""
    __tracebackhide__ = True
    if failed:
        raise AssertionError(f"{fault or reports[0].summary()}\n\n{report_text(reports[0])}") from None


def _fault(report: CausalityReport, context: str | None) -> str:
    if report.leaky or report.stateful:
        return report.summary()
    kinds = {None: 0, "box": report.blind_spots, "full": report.missing_kinds}[context]
    if not kinds:
        return ""
    count, names = named_gaps(report, kinds, _NAMED)
    what = "Blind spots, {} never seen although farther ones are" if context == "box" else "Missing context, {} never seen"
    return f"{what.format(count)}: {names} (row and column of the input minus the output's)."

"""Getting images before they are needed, with progress on stderr: bars on a terminal, plain lines elsewhere."""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from pixelbench.cli.output import say, stderr

if TYPE_CHECKING:
    from pixelbench.data import Task
    from pixelbench.data.download.progress import DownloadStep, ReportStep
    from pixelbench.experiments.plan import Plan

#: Between two plain lines about one file.
EVERY_SECONDS = 10.0


def with_images(plan_again: "Callable[[], tuple[Plan, str]]", *, fetch: bool, allow_overlap: bool = False) -> "tuple[Plan, str]":
    """A plan and its device, planned again after missing images were fetched (`fetch`); what cannot be had is said, and stays missing."""
    plan, device = plan_again()
    got = _obtained(plan.absent, allow_overlap) if fetch else set()
    if not got:
        return plan, device
    plan, device = plan_again()
    for remark in (remark for task in plan.tasks if task.name in got for remark in task.remarks):
        say(remark)
    return plan, device


def _obtained(tasks: "Sequence[Task]", allow_overlap: bool) -> set[str]:
    """Those of the tasks, by name, that have their images now."""
    from pixelbench.errors import UserError

    got = set()
    for task in tasks:
        if task.obtain is None:
            continue
        try:
            with progress() as report:
                task.obtain(report, allow_overlap=allow_overlap)
            got.add(task.name)
        except UserError as error:
            say(str(error))
    return got


@contextlib.contextmanager
def progress() -> "Iterator[ReportStep]":
    """Take the steps of a download or a preparation and show them until the block ends."""
    console = stderr()
    if not console.is_terminal:
        yield DownloadLines()
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    name, note = TextColumn("{task.description}", markup=False), TextColumn("{task.fields[note]}", markup=False)
    columns = name, BarColumn(), note, TimeRemainingColumn()
    with Progress(*columns, console=console) as bars:
        rows: dict[str, Any] = {}

        def show(step: "DownloadStep") -> None:
            row = rows.get(step.what)
            if row is None:
                row = rows[step.what] = bars.add_task(step.what, total=step.total, note="")
            bars.update(row, completed=step.done, total=step.total, note=amount(step))

        yield show


class DownloadLines:
    """A line now and then about each file, and one when it is there."""

    def __init__(self) -> None:
        self._spoke: dict[str, float] = {}

    def __call__(self, step: "DownloadStep") -> None:
        now = time.monotonic()
        if step.done == step.total or now - self._spoke.get(step.what, -EVERY_SECONDS) >= EVERY_SECONDS:
            self._spoke[step.what] = now
            say(f"{step.what}: {amount(step)}" if step.total or step.done else f"{step.what} …")


def amount(step: "DownloadStep") -> str:
    """`12.3 of 170.5 MB`, `4,000 of 50,000 images`; without the total where nobody knows it."""
    if step.unit == "images":
        return f"{step.done:,} of {step.total:,} images" if step.total else f"{step.done:,} images"
    done = step.done / 1e6
    return f"{done:.1f} of {step.total / 1e6:.1f} MB" if step.total else f"{done:.1f} MB"

"""The common part of `run` and `ablate`: a plan is executed with progress on stderr, then reported; every ending has its exit code."""

import contextlib
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import typer

from pixelbench.cli.output import FAILED, FINE, INTERRUPTED, WRONG_USE, ended_by, print_json, say, stdout
from pixelbench.cli.proving import prove_runs
from pixelbench.cli.suites import plan_json

if TYPE_CHECKING:
    from rich.console import Console

    from pixelbench.analysis.context import Context
    from pixelbench.cli.tracking import Tool
    from pixelbench.experiments.plan import Plan
    from pixelbench.experiments.run.outcome import Outcome
    from pixelbench.reports.report import Report

#: Prints what people see of a report.
Show = Callable[["Report", "Console"], None]


@dataclass(frozen=True)
class Execution:
    """How runs are executed, whatever they are; see `run_plan`."""

    workers: "int | Literal['auto'] | None"
    max_seconds: float | None
    micro_batch: int | None
    fail_fast: bool
    log: "Tool | None" = None
    """A tracking tool that curves and final numbers go to as well."""
    world_size: int = 1
    """Processes that share each run's batches, of which this is the first."""
    compile: "Literal['auto', 'off', 'on']" = "off"
    sample_batch: int | None = None
    patience: float | None = None
    pages: bool = True
    """Write the report of the whole store afterwards."""


def execute(
    plan: "Plan",
    device: str,
    show: Show,
    how: Execution,
    *,
    as_json: bool,
    context: "Context",
    about: dict[str, Any] | None = None,
    prove: int | None = None,
) -> int:
    """Execute the plan, report its runs, and write the page of the whole store; returns the exit code.

    Args:
        plan: what to execute.
        device: resolved.
        show: prints the report of the plan's runs.
        how: the options of `run_plan`, and where events go.
        as_json: one document instead of what `show` prints.
        context: what runs are held against.
        about: further entries of that document.
        prove: how many test images of each run are really coded, where that was not done yet; None codes none.
    """
    if not can_begin(plan, as_json=as_json):
        return WRONG_USE
    document = {**(about or {}), "suite": plan.suite} if as_json else None
    try:
        outcome = _execute(plan, device, how)
        if outcome is not None and outcome.signal is not None:
            say(f"Stopped. {outcome.advice or 'All runs had ended.'}")
            return _stopped(plan, document, context, outcome.signal)
        unproved = None if prove is None else prove_runs(plan, prove)
    except KeyboardInterrupt:  # before the first run, or in a proof
        return _stopped(plan, document, context, signal.SIGINT)
    return conclude(plan, outcome, show, as_json=as_json, context=context, about=about, unproved=unproved, pages=how.pages)


def can_begin(plan: "Plan", *, as_json: bool) -> bool:
    """Whether anything of a plan can be executed; says what cannot, and prints the plan as JSON where nothing can."""
    for sentence in (*plan.problems, *plan.missing_data):
        say(sentence)
    if plan.impossible and as_json:
        print_json(plan_json(plan))
    return not plan.impossible


def conclude(
    plan: "Plan",
    outcome: "Outcome | None",
    show: Show,
    *,
    as_json: bool,
    context: "Context",
    about: dict[str, Any] | None = None,
    unproved: list[str] | None = None,
    pages: bool = True,
) -> int:
    """Report the plan's runs once they have ended, wherever they were executed; returns the exit code. Arguments as of `execute`.

    `unproved`: a sentence for each run whose images did not come back, where any were really coded. `pages`: write the whole store's.
    """
    page = _write_pages(plan, context, changed=unproved is not None or outcome is not None) if pages else None
    return _report(plan, outcome, show, {**(about or {}), "suite": plan.suite} if as_json else None, context, unproved or [], page)


@contextlib.contextmanager
def document_at_ctrl_c(suite: str, *, as_json: bool) -> Iterator[None]:
    """Around what precedes the runs: Ctrl-C leaves a document of no runs too, and ends as everywhere."""
    try:
        yield
    except KeyboardInterrupt:
        if as_json:
            with _undisturbed():
                print_json({"suite": suite, "interrupted": signal.SIGINT.name, "runs": []})
        raise typer.Exit(INTERRUPTED) from None


def _stopped(plan: "Plan", document: dict[str, Any] | None, context: "Context", number: int) -> int:
    """Print what is done as JSON, where that is asked for, and how to go on; returns the exit code."""
    from pixelbench.reports.report import build_report

    if document is not None:
        with _undisturbed():
            built = build_report(plan.store, {cell.spec.key for cell in plan.cells}, context)
            page = plan.store / "report.md"
            print_json({**document, **_document(plan, built, page if page.exists() else None, _faults(built), signal.Signals(number).name)})
    say(f"Go on with: {shlex.join(['pixelbench', *sys.argv[1:]])}")
    return ended_by(number)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """The command ends in a moment: an impatient further Ctrl-C must not cut the document."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _execute(plan: "Plan", device: str, how: Execution) -> "Outcome | None":
    """Execute what is due, with progress on stderr; None where there was nothing to execute."""
    if not plan.to_run:
        return None
    from pixelbench.cli.progress import progress
    from pixelbench.cli.tracking import tracking
    from pixelbench.experiments.schedule.scheduler import run_plan

    options = {name: value for name, value in vars(how).items() if name not in ("log", "pages")}
    with tracking(how.log, plan) as log, progress(plan.suite, len(plan.to_run)) as show:

        def on_event(event: dict[str, Any]) -> None:
            show(event)
            log(event)

        return run_plan(plan, device=device, on_event=on_event, note=say, **options)


def _report(
    plan: "Plan",
    outcome: "Outcome | None",
    show: Show,
    about: dict[str, Any] | None,
    context: "Context",
    unproved: list[str],
    page: Path | None,
) -> int:
    """The plan's runs, as JSON under what it is `about` where that is given; returns the exit code.

    `unproved`: a sentence for each run whose images did not come back from their bytes. `page`: of the whole store, where one was written.
    """
    from pixelbench.reports.report import build_report

    built = build_report(plan.store, {cell.spec.key for cell in plan.cells}, context)
    faults = [*_faults(built), *unproved]
    if about is not None:
        print_json({**about, **_document(plan, built, page, faults)})
    else:
        show(built, stdout())
    if outcome is None:
        say(_nothing_left(plan))
    elif outcome.advice:
        say(outcome.advice)
    for fault in faults:
        say(fault)
    if page is not None:
        say(f"Report: {page} and {page.with_suffix('.html')}")
    useless = any(cell.state == "failed" and not cell.runs for cell in plan.cells)  # also without a record that could say so
    return FAILED if faults or useless or (outcome is not None and outcome.remaining) else FINE


def _write_pages(plan: "Plan", context: "Context", *, changed: bool) -> Path:
    """`report.md` and `report.html` of everything in the store; as they are where it was not `changed`. Returns the first one's path."""
    page = plan.store / "report.md"
    if changed or not (page.exists() and page.with_suffix(".html").exists()):
        from pixelbench.cli.reproducing import reproductions_of
        from pixelbench.reports.html.document import write_html
        from pixelbench.reports.markdown import write_markdown
        from pixelbench.reports.report import build_report

        built = build_report(plan.store, context=context)
        write_markdown(built)
        write_html(built, reproductions=reproductions_of(built))
    return page


def _faults(report: "Report") -> list[str]:
    """One sentence for each run that failed, or whose causality is not what the suite declares."""
    sentences = []
    for run in (run for cell in report.cells for run in cell.runs):
        name, record = f"{run.task}/{run.variant} seed {run.seed}", run.record
        if not run.done:
            said = f": {record.error.message}" if record.error else ""
            sentences.append(f"{name} ended as {record.status}{said}")
        elif run.leaky and record.expect == "causal":
            sentences.append(f"{name} is not causal, and the suite does not declare it: {record.causality.counter_example}")
        elif not run.leaky and record.expect == "leaky":
            sentences.append(f"{name} is declared to leak, but no leak was found.")
    return sentences


def _nothing_left(plan: "Plan") -> str:
    """Also says what could be run again."""
    states = [cell.state for cell in plan.cells]
    failed, stale, absent, total = states.count("failed"), states.count("stale"), states.count("missing data"), len(states)
    said = f"Nothing left {'that can be done' if absent else 'to do'}: {total - failed - absent} of {total} runs are stored"
    if absent:
        said += f", {absent} wait for images that are missing"
    if failed:
        said += f", {failed} failed before (`--rerun failed` tries again)"
    if stale:
        said += f", {stale} are of code that computes something else than today's (`--rerun stale` runs them again)"
    if unverified := states.count("unverified"):
        said += f", of {unverified} nobody can tell whether they are today's code's (they keep no fingerprint)"
    return f"{said}."


def _document(plan: "Plan", report: "Report", page: Path | None, faults: list[str], interrupted: str | None = None) -> dict[str, Any]:
    """`interrupted`: the signal that ended it; then `report` is None unless there was a page before."""
    statuses = {run.key: run.record.status for cell in report.cells for run in cell.runs}
    runs = [
        {"run_key": cell.spec.key, "run": cell.spec.label, "status": statuses.get(cell.spec.key, "missing"), "made": cell.runs}
        for cell in plan.cells
    ]
    return {"runs": runs, "faults": faults, "report": page, "interrupted": interrupted, **report.as_dict()}

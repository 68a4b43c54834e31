"""`pixelbench run`."""

import shlex
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pixelbench.cli.options import (
    DEFAULT_RESULTS,
    BudgetOption,
    DataOption,
    DeviceOption,
    JsonOption,
    LimitOption,
    OnlyOption,
    PrecisionOption,
    Rerun,
    RerunOption,
    ResultsOption,
    SeedsOption,
    ShardOption,
    SuiteOption,
)
from pixelbench.cli.output import FAILED, FINE, INTERRUPTED, WRONG_USE, print_json, say, stdout

if TYPE_CHECKING:
    from pathlib import Path

    from pixelbench.experiments.outcome import Outcome
    from pixelbench.experiments.plan import Plan
    from pixelbench.reports.report import Report


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(epilog="Example: pixelbench run --suite quick --only 'digits/*' --results my-runs")(run)


def run(
    suite: SuiteOption,
    only: OnlyOption = None,
    seeds: SeedsOption = None,
    budget: BudgetOption = None,
    max_seconds: Annotated[float | None, typer.Option("--max-seconds", min=0.001, help="Cap on the training of each run.")] = None,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    workers: Annotated[int | None, typer.Option("--workers", min=0, help="Processes; 0 works in this one; by default one a core.")] = None,
    shard: ShardOption = None,
    rerun: RerunOption = Rerun.missing,
    limit: LimitOption = None,
    results: ResultsOption = DEFAULT_RESULTS,
    data: DataOption = None,
    fail_fast: Annotated[bool, typer.Option("--fail-fast", help="Stops all after the first run that fails.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Shows the plan and makes nothing.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Trains and evaluates what the results folder does not have yet, then reports.

    Whatever ends it (Ctrl-C, kill, power), finished runs are kept and the same command goes on. Exit code 1: some run failed, diverged or
    timed out, or causality is not what the suite declares; 2: every run needs images that are missing.
    """
    from pixelbench.cli.suites import plan_json, plan_suite, print_plan
    from pixelbench.data.folder import use_data_folder

    use_data_folder(data)
    plan, chosen = plan_suite(
        suite, results, only=only, seeds=seeds, budget=budget, rerun=rerun, limit=limit, device=device, precision=precision, shard=shard
    )
    if dry_run:
        print_json(plan_json(plan)) if as_json else print_plan(plan)
        return
    for sentence in (*plan.problems, *plan.missing_data):
        say(sentence)
    if plan.impossible:
        if as_json:
            print_json(plan_json(plan))
        raise typer.Exit(WRONG_USE)
    outcome = _make(plan, chosen, workers, max_seconds, fail_fast)
    if outcome is not None and outcome.stopped:
        say(f"Stopped. {outcome.advice or 'All runs had ended.'}")
        say(f"Go on with: {shlex.join(['pixelbench', *sys.argv[1:]])}")
        raise typer.Exit(INTERRUPTED)
    code = _report(plan, outcome, as_json)
    if code:
        raise typer.Exit(code)


def _make(plan: "Plan", device: str, workers: int | None, max_seconds: float | None, fail_fast: bool) -> "Outcome | None":
    """Makes what is to be made, with progress on stderr; None where there was nothing to make."""
    if not plan.to_run:
        return None
    from pixelbench.cli.progress import progress
    from pixelbench.experiments.schedule import run_plan

    with progress(plan.suite, len(plan.to_run)) as show:
        return run_plan(plan, workers=workers, device=device, max_seconds=max_seconds, fail_fast=fail_fast, on_event=show)


def _report(plan: "Plan", outcome: "Outcome | None", as_json: bool) -> int:
    """Table and lessons of the plan's runs, the page of the whole store; returns the exit code."""
    from pixelbench.reports.report import build_report
    from pixelbench.reports.terminal import print_report

    built = build_report(plan.store, {cell.spec.key for cell in plan.cells})
    page = _write_page(plan, outcome)
    faults = _faults(built)
    if as_json:
        print_json(_document(plan, built, page, faults))
    else:
        print_report(built, stdout())
    if outcome is None:
        say(_nothing_left(plan))
    elif outcome.advice:
        say(outcome.advice)
    for fault in faults:
        say(fault)
    say(f"Report: {page}")
    return FAILED if faults or (outcome is not None and outcome.remaining) else FINE


def _write_page(plan: "Plan", outcome: "Outcome | None") -> "Path":
    """`report.md` of everything in the store; left as it is where nothing was made."""
    page = plan.store / "report.md"
    if outcome is not None or not page.exists():
        from pixelbench.reports.markdown import write_markdown
        from pixelbench.reports.report import build_report

        write_markdown(build_report(plan.store))
    return page


def _faults(report: "Report") -> list[str]:
    """One sentence for each run that failed, or whose causality is not what the suite declares."""
    sentences = []
    for run in (run for cell in report.cells for run in cell.runs):
        name, record = f"{run.task}/{run.variant} seed {run.seed}", run.record
        if not run.done:
            said = f": {record['error']['message']}" if record["error"] else ""
            sentences.append(f"{name} ended as {record['status']}{said}")
        elif run.leaky and record["expect"] == "causal":
            sentences.append(f"{name} is not causal, and the suite does not declare it: {record['causality'].get('counter_example')}")
        elif not run.leaky and record["expect"] == "leaky":
            sentences.append(f"{name} is declared to leak, but no leak was found.")
    return sentences


def _nothing_left(plan: "Plan") -> str:
    """Also says what could be made anew."""
    states = [cell.state for cell in plan.cells]
    failed, stale, absent, total = states.count("failed"), states.count("stale"), states.count("missing data"), len(states)
    said = f"Nothing left {'that can be done' if absent else 'to do'}: {total - failed - absent} of {total} runs are stored"
    if absent:
        said += f", {absent} wait for images that are missing"
    if failed:
        said += f", {failed} failed before (`--rerun failed` tries again)"
    if stale:
        said += f", {stale} were made by other source code than today's (`--rerun stale` makes them anew)"
    return f"{said}."


def _document(plan: "Plan", report: "Report", page: "Path", faults: list[str]) -> dict[str, Any]:
    statuses = {run.key: run.record["status"] for cell in report.cells for run in cell.runs}
    runs = [
        {"run_key": cell.spec.key, "run": cell.spec.label, "status": statuses.get(cell.spec.key, "missing"), "made": cell.runs}
        for cell in plan.cells
    ]
    return {"suite": plan.suite, "runs": runs, "faults": faults, "report": page, **report.as_dict()}

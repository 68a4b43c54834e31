"""`pixelbench ablate NAME`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pixelbench.cli.arguments import completing
from pixelbench.cli.arguments.options import (
    DEFAULT_RESULTS,
    BudgetOption,
    Compile,
    CompileOption,
    DataOption,
    DeviceOption,
    DryRunOption,
    FailFastOption,
    JsonOption,
    LimitOption,
    LogOption,
    MaxSecondsOption,
    MicroBatchOption,
    NoFetchOption,
    PrecisionOption,
    Rerun,
    RerunOption,
    ResultsOption,
    SampleBatchOption,
    SeedsOption,
    WorkersOption,
    parse_sample_batch,
    parse_workers,
)
from pixelbench.cli.output import FINE, print_json, say

if TYPE_CHECKING:
    from rich.console import Console

    from pixelbench.reports.report import Report

_EXAMPLES = """Example: pixelbench ablate colour-conditioning

Example: pixelbench ablate blind-spot --task cifar10-16 --seeds 0-2"""

NameArgument = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="An ablation (`pixelbench list ablations`), or a suite file that is one.", autocompletion=completing.ablations
    ),
]
TaskOption = Annotated[
    str | None,
    typer.Option("--task", help="A task, or folder:PATH, instead of the ablation's own.", metavar="TASK", autocompletion=completing.tasks),
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=_EXAMPLES)(ablate)


def ablate(
    name: NameArgument,
    task: TaskOption = None,
    seeds: SeedsOption = None,
    budget: BudgetOption = None,
    max_seconds: MaxSecondsOption = None,
    micro_batch: MicroBatchOption = None,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    workers: WorkersOption = None,
    compile: CompileOption = Compile.off,
    sample_batch: SampleBatchOption = None,
    rerun: RerunOption = Rerun.missing,
    limit: LimitOption = None,
    results: ResultsOption = DEFAULT_RESULTS,
    data: DataOption = None,
    no_fetch: NoFetchOption = False,
    fail_fast: FailFastOption = False,
    log: LogOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> int:
    """Change one design choice of Gated PixelCNN and show, side by side, what that costs and what becomes of the samples.

    Runs that the results folder has, of any suite, are not executed again. Exit codes as of `run`: a leak by design
    that is found is a success.
    """
    from pixelbench.analysis.context import Context
    from pixelbench.cli.execution import Execution, document_at_ctrl_c, execute
    from pixelbench.cli.obtaining import with_images
    from pixelbench.cli.suites import PlanOptions, plan_json, plan_suite, print_plan
    from pixelbench.data.folder import use_data_folder
    from pixelbench.suites.ablation import load_ablation, on_task

    use_data_folder(data)
    how = Execution(
        parse_workers(workers),
        max_seconds,
        micro_batch,
        fail_fast,
        log,
        compile=compile.value,
        sample_batch=parse_sample_batch(sample_batch),
    )
    whole, requested = load_ablation(name)
    suite, note = on_task(whole, requested, task)
    if note:
        say(note)
    options = PlanOptions(seeds, budget, rerun, limit, device, precision)
    with document_at_ctrl_c(suite.name, as_json=as_json):
        plan, chosen = with_images(
            lambda: plan_suite(suite, results, options, ablation=name, verify=not dry_run),
            fetch=not (no_fetch or dry_run),
        )
    if dry_run:
        print_json(plan_json(plan)) if as_json else print_plan(plan)
        return FINE
    about = {"ablation": suite.name, "task": suite.tasks[0].name, "question": requested.question, "baseline": requested.baseline}
    return execute(
        plan,
        chosen,
        lambda report, console: _print(report, suite.name, console),
        how,
        as_json=as_json,
        about=about,
        context=Context.of_suite(suite, Path(name).name),
    )


def _print(report: "Report", name: str, console: "Console") -> None:
    """The ablation's section; the tables where it has none, as where runs failed."""
    from pixelbench.reports.terminal import print_ablation, print_report

    if any(ablation.choice.name == name for ablation in report.ablations):
        print_ablation(report, name, console)
    else:
        print_report(report, console)

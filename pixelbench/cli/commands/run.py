"""`pixelbench run`."""

import typer

from pixelbench.cli.options import (
    DEFAULT_RESULTS,
    AllowOverlapOption,
    BudgetOption,
    Compile,
    CompileOption,
    DataOption,
    DeviceOption,
    DryRunOption,
    FailFastOption,
    GpusPerRunOption,
    JsonOption,
    LimitOption,
    LogOption,
    MaxSecondsOption,
    MicroBatchOption,
    NoFetchOption,
    OnlyOption,
    PrecisionOption,
    ProveOption,
    Rerun,
    RerunOption,
    ResultsOption,
    SampleBatchOption,
    SeedsOption,
    ShardOption,
    SuiteArgument,
    SuiteOption,
    WorkersOption,
    parse_sample_batch,
    parse_workers,
    suite_named,
)
from pixelbench.cli.output import FINE, print_json


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: pixelbench run quick --only 'digits/*' --results my-runs")(run)


def run(
    suite: SuiteArgument = None,
    suite_option: SuiteOption = None,
    only: OnlyOption = None,
    seeds: SeedsOption = None,
    budget: BudgetOption = None,
    max_seconds: MaxSecondsOption = None,
    micro_batch: MicroBatchOption = None,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    workers: WorkersOption = None,
    gpus_per_run: GpusPerRunOption = None,
    compile: CompileOption = Compile.off,
    sample_batch: SampleBatchOption = None,
    shard: ShardOption = None,
    rerun: RerunOption = Rerun.missing,
    limit: LimitOption = None,
    prove: ProveOption = None,
    results: ResultsOption = DEFAULT_RESULTS,
    data: DataOption = None,
    no_fetch: NoFetchOption = False,
    allow_overlap: AllowOverlapOption = False,
    fail_fast: FailFastOption = False,
    log: LogOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> int:
    """Train and evaluate what the results folder does not have yet, then report.

    Images that are missing are downloaded or prepared, where that can be done. Whatever ends it (Ctrl-C, kill, power), finished runs are
    kept and the same command goes on. Exit code 1: some run failed, diverged or timed out, or causality is not what the suite declares;
    2: every run needs images that are missing. Under torchrun its processes share the batches of each run, as with --gpus-per-run.
    """
    from pixelbench.cli.execution import Execution, document_at_ctrl_c, execute
    from pixelbench.cli.obtaining import with_images
    from pixelbench.cli.ranks import Place
    from pixelbench.cli.suites import PlanOptions, context_of, plan_json, plan_suite, print_plan
    from pixelbench.data.folder import use_data_folder
    from pixelbench.reports.terminal import print_report

    named = suite_named(suite, suite_option, "run")
    use_data_folder(data)
    place = Place.of_process()
    place.check(gpus_per_run, workers, device, compile.value)
    if (code := place.taken(gpus_per_run)) is not None:
        return code
    how = Execution(
        parse_workers(workers),
        max_seconds,
        micro_batch,
        fail_fast,
        log,
        place.size,
        compile=compile.value,
        sample_batch=parse_sample_batch(sample_batch),
    )
    options = PlanOptions(seeds, budget, rerun, limit, device, precision, only, shard)
    with document_at_ctrl_c(named, as_json=as_json):
        plan, chosen = with_images(
            lambda: plan_suite(named, results, options, verify=not dry_run),
            fetch=not (no_fetch or dry_run),
            allow_overlap=allow_overlap,
        )
    if dry_run:
        print_json(plan_json(plan)) if as_json else print_plan(plan)
        return FINE
    return execute(plan, place.own(chosen), print_report, how, as_json=as_json, context=context_of(named), prove=prove)

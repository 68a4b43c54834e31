"""`pixelbench run`."""

import typer

from pixelbench.cli.arguments.options import (
    DEFAULT_RESULTS,
    AllowOverlapOption,
    BudgetOption,
    Compile,
    CompileOption,
    DataOption,
    DetachOption,
    DeviceOption,
    DryRunOption,
    FailFastOption,
    GpusPerRunOption,
    JsonOption,
    Launcher,
    LauncherOption,
    LimitOption,
    LogOption,
    MaxSecondsOption,
    MicroBatchOption,
    NoFetchOption,
    OnlyOption,
    PagesOption,
    ParallelismOption,
    PartitionOption,
    PatienceOption,
    PrecisionOption,
    ProveOption,
    Rerun,
    RerunOption,
    ResultsOption,
    RunsPerTaskOption,
    SampleBatchOption,
    SeedsOption,
    ShardOption,
    SlurmOption,
    SuiteArgument,
    SuiteOption,
    TimeOption,
    WorkersOption,
    parse_sample_batch,
    parse_workers,
    suite_named,
)
from pixelbench.cli.output import FINE


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
    compile: CompileOption = Compile.off,
    sample_batch: SampleBatchOption = None,
    shard: ShardOption = None,
    launcher: LauncherOption = Launcher.local,
    partition: PartitionOption = None,
    gpus_per_run: GpusPerRunOption = None,
    time: TimeOption = None,
    array_parallelism: ParallelismOption = None,
    runs_per_task: RunsPerTaskOption = None,
    slurm: SlurmOption = None,
    detach: DetachOption = False,
    rerun: RerunOption = Rerun.missing,
    limit: LimitOption = None,
    prove: ProveOption = None,
    results: ResultsOption = DEFAULT_RESULTS,
    data: DataOption = None,
    no_fetch: NoFetchOption = False,
    allow_overlap: AllowOverlapOption = False,
    fail_fast: FailFastOption = False,
    patience: PatienceOption = None,
    log: LogOption = None,
    pages: PagesOption = True,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> int:
    """Train and evaluate what the results folder does not have yet, then report.

    Images that are missing are downloaded or prepared, where that can be done. Whatever ends it (Ctrl-C, kill, power), finished runs are
    kept and the same command goes on. With --launcher slurm an array of jobs executes them. Under torchrun its processes share the batches
    of each run, as with --gpus-per-run. Exit code 1: some run failed, diverged or timed out, or causality is not what the suite declares;
    2: every run needs images that are missing.
    """
    from pixelbench.cli.cluster.launching import ClusterOptions, Requested, check_cluster, launch, planned_for, show_plan
    from pixelbench.cli.cluster.ranks import Place
    from pixelbench.cli.execution import Execution, document_at_ctrl_c, execute
    from pixelbench.cli.obtaining import with_images
    from pixelbench.cli.suites import PlanOptions, context_of, plan_suite
    from pixelbench.data.folder import use_data_folder
    from pixelbench.reports.terminal import print_report

    named = suite_named(suite, suite_option, "run")
    use_data_folder(data)
    processes, draws = parse_workers(workers), parse_sample_batch(sample_batch)
    by_slurm = launcher is Launcher.slurm
    cluster = ClusterOptions(partition, gpus_per_run if by_slurm else None, time, array_parallelism, runs_per_task, slurm, detach)
    cluster.check(launcher)
    options = PlanOptions(seeds, budget, rerun, limit, device, precision, only, shard)
    place = Place() if by_slurm else Place.of_process()
    if by_slurm:
        options = planned_for(options, cluster, processes)
        check_cluster(results, cluster)
    else:
        place.check(gpus_per_run, workers, device, compile.value)
        if (code := place.taken(gpus_per_run)) is not None:
            return code
    with document_at_ctrl_c(named, as_json=as_json):
        plan, chosen = with_images(
            lambda: plan_suite(named, results, options, verify=not dry_run),
            fetch=not (no_fetch or dry_run),
            allow_overlap=allow_overlap,
        )
    if dry_run:
        show_plan(plan, cluster if by_slurm else None, as_json=as_json)
        return FINE
    how = Execution(
        processes,
        max_seconds,
        micro_batch,
        fail_fast,
        log,
        place.size,
        compile=compile.value,
        sample_batch=draws,
        patience=patience,
        pages=pages,
    )
    if by_slurm:
        requested = Requested(named, results, options, how, data, prove, allow_overlap)
        return launch(plan, requested, cluster, print_report, as_json=as_json, context=context_of(named))
    return execute(plan, place.own(chosen), print_report, how, as_json=as_json, context=context_of(named), prove=prove)

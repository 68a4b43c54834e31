"""`pixelbench plan`."""

import typer

from pixelbench.cli.arguments.options import (
    DEFAULT_RESULTS,
    BudgetOption,
    DataOption,
    DeviceOption,
    GpusPerRunOption,
    JsonOption,
    Launcher,
    LauncherOption,
    LimitOption,
    OnlyOption,
    PrecisionOption,
    Rerun,
    RerunOption,
    ResultsOption,
    RunsPerTaskOption,
    SeedsOption,
    ShardOption,
    SuiteArgument,
    SuiteOption,
    TimeOption,
    suite_named,
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: pixelbench plan quick --only 'photos/gated-*'")(plan)


def plan(
    suite: SuiteArgument = None,
    suite_option: SuiteOption = None,
    only: OnlyOption = None,
    seeds: SeedsOption = None,
    budget: BudgetOption = None,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    shard: ShardOption = None,
    launcher: LauncherOption = Launcher.local,
    gpus_per_run: GpusPerRunOption = None,
    time: TimeOption = None,
    runs_per_task: RunsPerTaskOption = None,
    rerun: RerunOption = Rerun.missing,
    limit: LimitOption = None,
    results: ResultsOption = DEFAULT_RESULTS,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what `run` would do: which runs are stored, missing, stale, failed or without data, and what those to execute may cost.

    The cost is estimated by stored runs on the same kind of device, and said to be unknown where there are none. With --launcher slurm: how
    many jobs of which length that would be, wherever this is asked.
    """
    from pixelbench.cli.cluster.launching import ClusterOptions, planned_for, show_plan
    from pixelbench.cli.suites import PlanOptions, plan_suite
    from pixelbench.data.folder import use_data_folder

    named = suite_named(suite, suite_option, "plan")
    use_data_folder(data)
    options = PlanOptions(seeds, budget, rerun, limit, device, precision, only, shard)
    cluster = ClusterOptions(gpus_per_run=gpus_per_run, time=time, runs_per_task=runs_per_task)
    cluster.check(launcher)
    by_slurm = launcher is Launcher.slurm
    made, _ = plan_suite(named, results, planned_for(options, cluster) if by_slurm else options)
    show_plan(made, cluster if by_slurm else None, as_json=as_json)

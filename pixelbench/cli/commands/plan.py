"""`pixelbench plan`."""

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
    SuiteArgument,
    SuiteOption,
    suite_named,
)
from pixelbench.cli.output import print_json


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
    rerun: RerunOption = Rerun.missing,
    limit: LimitOption = None,
    results: ResultsOption = DEFAULT_RESULTS,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what `run` would do: which runs are stored, missing, stale, failed or without data, and what those to execute may cost.

    The cost is estimated by stored runs on the same kind of device, and said to be unknown where there are none.
    """
    from pixelbench.cli.suites import PlanOptions, plan_json, plan_suite, print_plan
    from pixelbench.data.folder import use_data_folder

    named = suite_named(suite, suite_option, "plan")
    use_data_folder(data)
    options = PlanOptions(seeds, budget, rerun, limit, device, precision, only, shard)
    made, _ = plan_suite(named, results, options)
    if as_json:
        print_json(plan_json(made))
    else:
        print_plan(made)

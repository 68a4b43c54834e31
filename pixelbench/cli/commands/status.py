"""`pixelbench status`."""

from typing import TYPE_CHECKING, Any

import typer

from pixelbench.cli.arguments.options import DEFAULT_RESULTS, JsonOption, ResultsOption, SuiteFilter, WatchOption
from pixelbench.cli.output import NOTHING, print_json, print_table, say, stdout
from pixelbench.visible import visible

if TYPE_CHECKING:
    from pixelbench.store.cells import Run
    from pixelbench.store.record import RunError

#: The last lines of a failed run's log that are shown; the record and `--json` have all that were kept.
LOG_LINES = 8


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: pixelbench status --results results")(status)


def status(
    suite: SuiteFilter = None, results: ResultsOption = DEFAULT_RESULTS, watch: WatchOption = False, as_json: JsonOption = False
) -> None:
    """List the runs in a results folder, with the error and the last log lines of those that failed.

    With --watch first those under way, here or as jobs of Slurm, until all have ended or Ctrl-C.
    """
    from pixelbench.cli.suites import keys_of_suite
    from pixelbench.store.cells import load_runs
    from pixelbench.store.scan import require_store, scan

    keys = None if suite is None else keys_of_suite(suite, results)
    if watch:
        from pixelbench.cli.cluster.watching import watch as show_until_ended

        show_until_ended(require_store(results), keys)
    found = scan(require_store(results)).examine()
    runs = load_runs(found, keys)
    if as_json:
        print_json({"runs": [_entry(run) for run in runs], "problems": found.problems})
    elif runs:
        titles = ("run", "task/variant", "seed", "budget", "status", "bits/dim")
        print_table(titles, [_row(run) for run in runs], right=("seed", "bits/dim"), whole=2)
        for run in runs:
            if run.record.error is not None:
                _print_error(run, run.record.error)
    for problem in found.problems:
        say(problem)
    if not runs and not found.problems:
        say(f"No runs are stored in '{results}'; execute some with `pixelbench run --suite quick`.")
        raise typer.Exit(NOTHING)


def _entry(run: "Run") -> dict[str, Any]:
    record, likelihood = run.record, None if run.doubts else run.record.likelihood
    return {
        "run_key": record.run_key,
        "task": run.task,
        "variant": run.variant,
        "seed": run.seed,
        "budget": record.budget.name,
        "status": record.status,
        "bits_per_dim": None if likelihood is None else likelihood.bits_per_dim,
        "estimator": None if likelihood is None else likelihood.estimator,
        "causal": record.causality.status,
        "expect": record.expect,
        "seconds": record.cost.all_seconds,
        "doubts": list(run.doubts),
        "error": None if record.error is None else vars(record.error),
    }


def _row(run: "Run") -> list[str]:
    from pixelbench.analysis import format as words

    entry = _entry(run)
    mark = " (not causal)" if entry["causal"] == "leaky" and entry["bits_per_dim"] is not None else ""
    return [
        entry["run_key"],
        f"{run.task}/{run.variant}",
        str(run.seed),
        entry["budget"],
        run.end,
        words.measured(entry["bits_per_dim"], entry["estimator"]) + mark,
    ]


def _print_error(run: "Run", error: "RunError") -> None:
    from rich.text import Text

    console = stdout()
    console.print(Text(visible(f"{run.task}/{run.variant} seed {run.seed}: {error.type}: {error.message}")))
    for line in error.log[-LOG_LINES:]:
        console.print(Text(visible(f"  {line}"), style="dim"))

"""`pixelbench status`."""

from typing import Any

import typer

from pixelbench.cli.options import DEFAULT_RESULTS, JsonOption, ResultsOption, SuiteFilter
from pixelbench.cli.output import NOTHING, print_json, print_table, say, stdout

#: The last lines of a failed run's log that are shown; the record and `--json` have all that were kept.
LOG_LINES = 8


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(epilog="Example: pixelbench status --results results")(status)


def status(suite: SuiteFilter = None, results: ResultsOption = DEFAULT_RESULTS, as_json: JsonOption = False) -> None:
    """Lists the runs in a results folder, with the error and the last log lines of those that failed."""
    from pixelbench.cli.suites import keys_of_suite
    from pixelbench.reports.runs import load_runs
    from pixelbench.store.scan import require_store, scan

    found = scan(require_store(results))
    runs = load_runs(found, None if suite is None else keys_of_suite(suite, results))
    records = [run.record for run in runs]
    if as_json:
        print_json({"runs": [_entry(record) for record in records], "problems": found.problems})
    elif records:
        titles = ("run", "task/variant", "seed", "budget", "status", "bits/dim")
        print_table(titles, [_row(record) for record in records], right=("seed", "bits/dim"), whole=2)
        for record in records:
            _print_error(record)
    for problem in found.problems:
        say(problem)
    if not records:
        say(f"No runs are stored in '{results}'; make them with `pixelbench run --suite quick`.")
        raise typer.Exit(NOTHING)


def _entry(record: dict[str, Any]) -> dict[str, Any]:
    return {
        "run_key": record["run_key"],
        "task": record["task"]["name"],
        "variant": record["variant"]["name"],
        "seed": record["seed"],
        "budget": record["budget"]["name"],
        "status": record["status"],
        "bits_per_dim": record["likelihood"] and record["likelihood"]["bits_per_dim"],
        "estimator": record["likelihood"] and record["likelihood"]["estimator"],
        "causal": record["causality"]["status"],
        "expect": record["expect"],
        "seconds": record["cost"]["seconds"],
        "error": record["error"],
    }


def _row(record: dict[str, Any]) -> list[str]:
    from pixelbench.reports import words

    entry = _entry(record)
    mark = " (not causal)" if entry["causal"] == "leaky" and entry["bits_per_dim"] is not None else ""
    return [
        entry["run_key"],
        f"{entry['task']}/{entry['variant']}",
        str(entry["seed"]),
        entry["budget"],
        entry["status"],
        words.measured(entry["bits_per_dim"], entry["estimator"]) + mark,
    ]


def _print_error(record: dict[str, Any]) -> None:
    if not record["error"]:
        return
    from rich.text import Text

    error = record["error"]
    console = stdout()
    console.print(Text(f"{record['task']['name']}/{record['variant']['name']} seed {record['seed']}: {error['type']}: {error['message']}"))
    for line in (error.get("log") or [])[-LOG_LINES:]:
        console.print(Text(f"  {line}", style="dim"))

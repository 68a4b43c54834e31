"""`pixelbench report`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pixelbench.cli.options import DEFAULT_RESULTS, JsonOption, ResultsOption, SuiteFilter
from pixelbench.cli.output import NOTHING, print_json, say, stdout
from pixelbench.errors import UserError


class Format(StrEnum):
    """What `report` makes. By default both."""

    terminal = "terminal"
    markdown = "markdown"


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(epilog="Example: pixelbench report --results results --csv results.csv")(report)


def report(
    suite: SuiteFilter = None,
    results: ResultsOption = DEFAULT_RESULTS,
    form: Annotated[Format | None, typer.Option("--format", help="Only this one; by default both.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Where the page goes, instead of into the store.", metavar="FILE")] = None,
    csv: Annotated[Path | None, typer.Option("--csv", help="Also writes the tidy table, one row a run.", metavar="FILE")] = None,
    as_json: JsonOption = False,
) -> None:
    """Shows what is stored: tables ordered by bits/dim, what beats what, both lessons; writes report.md. Trains nothing."""
    if out is not None and form is Format.terminal:
        raise UserError("--out is where the Markdown goes; leave out --format terminal.")
    from pixelbench.cli.suites import keys_of_suite
    from pixelbench.reports.report import build_report
    from pixelbench.store.scan import require_store

    keys = None if suite is None else keys_of_suite(suite, results)
    built = build_report(require_store(results), keys)
    if as_json:
        print_json(built.as_dict())
    elif form is not Format.markdown:
        from pixelbench.reports.terminal import print_report

        print_report(built, stdout())
    if not built.tables:
        say(f"No runs{f' of suite {suite}' if suite else ''} in '{results}'; make them with `pixelbench run --suite {suite or 'quick'}`.")
        raise typer.Exit(NOTHING)
    if form is Format.markdown or (form is None and not as_json) or out is not None:
        from pixelbench.reports.markdown import write_markdown

        say(f"Report: {write_markdown(built, out)}")
    if csv is not None:
        from pixelbench.reports.csv import write_csv

        write_csv(results, csv, keys)
        say(f"Table: {csv}")

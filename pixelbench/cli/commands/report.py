"""`pixelbench report`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pixelbench.cli.arguments.options import DEFAULT_RESULTS, JsonOption, ResultsOption, SuiteFilter
from pixelbench.cli.output import NOTHING, print_json, say, stdout
from pixelbench.errors import UserError, unknown

if TYPE_CHECKING:
    from collections.abc import Collection

    from pixelbench.reports.report import Report

#: What `report` makes by default, and what else it can.
USUAL = ("terminal", "markdown", "html")
FORMATS = (*USUAL, "latex", "csv", "parquet")
#: The files of those that go into a folder.
_FILES = {"markdown": "report.md", "html": "report.html", "latex": "report.tex", "csv": "report.csv", "parquet": "report.parquet"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: pixelbench report --results results --format html --out pages")(report)


def report(
    suite: SuiteFilter = None,
    results: ResultsOption = DEFAULT_RESULTS,
    form: Annotated[
        str | None,
        typer.Option("--format", help="Only these, with commas: terminal, markdown, html, latex, csv, parquet.", metavar="FORMATS"),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="The folder for the pages, instead of the store.", metavar="DIR")] = None,
    csv: Annotated[Path | None, typer.Option("--csv", help="Also writes the tidy table, one row a run.", metavar="FILE")] = None,
    as_json: JsonOption = False,
) -> None:
    """Show what is stored: tables, verdicts, ablations; write report.md and report.html. Nothing is trained."""
    forms = _formats(form, as_json and out is None)
    if out is not None:
        _check_folder(out, forms)
    if csv is not None and csv.is_dir():
        raise UserError(f"--csv takes a file, and '{csv}' is a folder.")
    from pixelbench.cli.suites import context_of, keys_of_suite
    from pixelbench.reports.report import build_report
    from pixelbench.store.scan import require_store

    keys = None if suite is None else keys_of_suite(suite, results)
    built = build_report(require_store(results), keys, context_of(suite))
    if as_json:
        print_json(built.as_dict())
    elif "terminal" in forms:
        from pixelbench.reports.terminal import print_report

        print_report(built, stdout())
    for problem in built.problems if as_json or "terminal" not in forms else ():
        say(problem)
    if not built.tables and not built.problems:
        say(
            f"No runs{f' of suite {suite}' if suite else ''} in '{results}'; execute some with `pixelbench run --suite {suite or 'quick'}`."
        )
        raise typer.Exit(NOTHING)
    _write_pages(built, forms, out)
    _write_tables(results, keys, csv, {form: (out or results) / _FILES[form] for form in forms if form in ("csv", "parquet")})


def _write_pages(built: "Report", forms: tuple[str, ...], out: Path | None) -> None:
    if "markdown" in forms:
        from pixelbench.reports.markdown import write_markdown

        say(f"Report: {write_markdown(built, out and out / 'report.md')}")
    if "html" in forms:
        from pixelbench.cli.reproducing import reproductions_of
        from pixelbench.reports.html.document import write_html

        say(f"Page: {write_html(built, out and out / 'report.html', reproductions_of(built))}")
    if "latex" in forms:
        from pixelbench.reports.export.latex import write_latex

        say(f"LaTeX: {write_latex(built, out and out / 'report.tex')}")


def _write_tables(results: Path, keys: "Collection[str] | None", csv: Path | None, paths: dict[str, Path]) -> None:
    """The tidy table, one row a run, as CSV and as Parquet."""
    files = [(path, "csv") for path in (csv, paths.get("csv")) if path is not None]
    files += [(paths["parquet"], "parquet")] if "parquet" in paths else []
    if not files:
        return
    from pixelbench.reports.export.csv import write_csv, write_parquet  # which loads pandas

    for path, kind in files:
        (write_csv if kind == "csv" else write_parquet)(results, path, keys)
        say(f"Table: {path}")


def _formats(text: str | None, only_json: bool) -> tuple[str, ...]:
    """`terminal,md` → ("terminal", "markdown"); by default all, or none where the JSON document is all that is asked for."""
    if text is None:
        return () if only_json else USUAL
    names = ["markdown" if name.strip() == "md" else name.strip() for name in text.split(",")]
    for name in names:
        if name not in FORMATS:
            raise unknown("format", name, FORMATS)
    return tuple(names)


def _check_folder(out: Path, forms: tuple[str, ...]) -> None:
    if not set(_FILES) & set(forms):
        raise UserError("--out is where the pages go; leave out --format terminal.")
    if out.suffix in {Path(name).suffix for name in _FILES.values()} or out.is_file():
        raise UserError(f"--out names the folder that the pages go into, as report.md and report.html; '{out}' is a file's name.")

"""`pixelbench compare A B`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from pixelbench.cli.arguments.options import JsonOption
from pixelbench.cli.output import NOTHING, REGRESSION, print_json, print_table, say, stdout
from pixelbench.visible import visible

#: A name of so many letters still leaves room for the numbers at 80 columns; longer ones are broken.
LONGEST = 32

_EPILOG = """Example: pixelbench compare results runs --markdown comment.md

Example: pixelbench compare results runs --markdown - >> "$GITHUB_STEP_SUMMARY\""""

#: Instead of a file: standard output.
_PRINTED = Path("-")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=_EPILOG)(compare)


def compare(
    a: Annotated[Path, typer.Argument(help="The results folder to hold against: before.", metavar="A")],
    b: Annotated[Path, typer.Argument(help="The results folder that is judged: after.", metavar="B")],
    markdown: Annotated[
        Path | None,
        typer.Option(
            "--markdown", help="Also writes Markdown, for a pull request's comment; - prints it instead of the table.", metavar="FILE"
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say what changed from one results folder to another beyond noise: improved, worse, no longer causal. A regression exits with 4."""
    from pixelbench.analysis.changes import compare_stores
    from pixelbench.errors import UserError
    from pixelbench.reports.changes_text import RIGHT, TITLES, legend, row, sentences, shown, to_markdown

    if as_json and markdown == _PRINTED:
        raise UserError("--markdown - and --json both want standard output; give --markdown a file.")
    if markdown is not None and markdown.is_dir():
        raise UserError(f"--markdown takes a file, and '{markdown}' is a folder.")
    changes = compare_stores(a, b)
    if as_json:
        print_json(changes.as_dict())
    elif markdown == _PRINTED:
        sys.stdout.write(visible(to_markdown(changes)))
    elif changes.changes:
        rows = [row(change) for change in shown(changes)]
        if rows:
            print_table(TITLES, rows, right=RIGHT, whole=int(max(len(name) for name, *_ in rows) <= LONGEST))
            for line in (legend(changes), *sentences(changes)):
                stdout().print(line, markup=False)
        stdout().print(changes.summary, markup=False)
    for problem in changes.problems:
        say(f"Not used: {problem}")
    if markdown is not None and markdown != _PRINTED:
        from pixelbench.files.atomic import write_text

        write_text(markdown, to_markdown(changes))
        say(f"Comment: {markdown}")
    if not changes.in_both:
        say(f"'{a}' and '{b}' have no run in common that was asked for in the same way; nothing was compared.")
        raise typer.Exit(NOTHING)
    if changes.regressions:
        count = len(changes.regressions)
        say(f"{count} regression{'' if count == 1 else 's'} from '{a}' to '{b}'.")
        raise typer.Exit(REGRESSION)

"""`pixelbench audit FILE`."""

from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pixelbench.cli.arguments.options import JsonOption, check_place
from pixelbench.cli.encodings import spell_out
from pixelbench.cli.output import FAILED, FINE, NOTHING, print_json, print_table, say, stdout
from pixelbench.errors import NothingMatched, UserError

if TYPE_CHECKING:
    from pixelbench.analysis.audits import Audited
    from pixelbench.experiments.foreign.audit_file import AuditEntry, AuditFile

_EXAMPLES = """Example: pixelbench audit audit.toml

Example: pixelbench audit audit.toml --sources ~/repositories --markdown audit.md --certificates certificates"""

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="A TOML file with a table [[entry]] for each module.")]
SourcesOption = Annotated[
    Path | None, typer.Option("--sources", metavar="DIR", help="The folder that the entries' sources are in; by default that of FILE.")
]
OnlyOption = Annotated[list[str] | None, typer.Option("--only", metavar="GLOB", help="Only entries of such a name; may be given again.")]
WorkersOption = Annotated[int, typer.Option("--workers", min=1, metavar="N", help="Entries that are checked at the same time.")]
AllowMissingOption = Annotated[bool, typer.Option("--allow-missing", help="Entries whose source is not on this machine are no failure.")]
MarkdownOption = Annotated[Path | None, typer.Option("--markdown", metavar="FILE", help="Also writes table and certificates as Markdown.")]
HtmlOption = Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Also writes them as one HTML page.")]
CertificatesOption = Annotated[
    Path | None, typer.Option("--certificates", metavar="DIR", help="Also writes a JSON file for each entry, named after it.")
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=_EXAMPLES)(audit)


def audit(
    file: FileArgument,
    sources: SourcesOption = None,
    only: OnlyOption = None,
    workers: WorkersOption = 1,
    allow_missing: AllowMissingOption = False,
    markdown: MarkdownOption = None,
    html: HtmlOption = None,
    certificates: CertificatesOption = None,
    as_json: JsonOption = False,
) -> int:
    """Check many modules that are on this machine, each in a process of its own, and hold the verdicts against what FILE expects.

    The modules are executed, as by `pixelbench check`: name only code that you would run. Nothing is downloaded.

    Exit code 0: all is as expected; 1: something is not; 2: FILE has errors, which are all named; 3: no entry is left, or all are missing.
    """
    from pixelbench.analysis.audits import MISSING
    from pixelbench.experiments.foreign.audit_file import load_audit
    from pixelbench.reports.audit_text import outcome, table_of

    spell_out(as_json=as_json)
    _require_folders(sources, markdown, html)
    read = load_audit(file)
    entries = _chosen(read, only or [])
    found = _audited(read, entries, sources, workers, allow_missing=allow_missing)
    _write(read.title, found, markdown, html, certificates)
    if as_json:
        print_json({"schema": 1, "title": read.title, "entries": [one.to_json() for one in found]})
    else:
        print_table(*table_of(found))
        stdout().print(outcome(found), markup=False)
    if not all(one.as_expected for one in found):
        return FAILED
    return NOTHING if all(one.verdict == MISSING for one in found) else FINE


def _require_folders(sources: Path | None, markdown: Path | None, html: Path | None) -> None:
    """Before anything is checked, which may take long."""
    if sources is not None and not sources.is_dir():
        raise UserError(f"There is no folder '{sources}'; --sources is the one that the entries' sources are in.")
    for option, path in (("--markdown", markdown), ("--html", html)):
        if path is not None:
            check_place(path, option)


def _chosen(read: "AuditFile", only: list[str]) -> "list[AuditEntry]":
    chosen = [entry for entry in read.entries if not only or any(fnmatch(entry.name, pattern) for pattern in only)]
    if not chosen:
        names = ", ".join(entry.name for entry in read.entries)
        raise NothingMatched(f"--only {' '.join(only)} leaves no entry of '{read.path}'; it has: {names}.")
    return chosen


def _audited(read: "AuditFile", entries: "list[AuditEntry]", sources: Path | None, workers: int, *, allow_missing: bool) -> "list[Audited]":
    """In the order of the file, whatever ends first; a line for each that is done."""
    from pixelbench.experiments.foreign.auditing import audits

    found: dict[str, Audited] = {}
    for one in audits(read, entries, sources, workers=workers, allow_missing=allow_missing):
        found[one.name] = one
        differing = f" ({'; '.join(one.differences)})" if one.differences else ""
        say(f"{len(found)} of {len(entries)}: {one.name} is {one.verdict}{differing}, {one.seconds:.1f} s.")
    return [found[entry.name] for entry in entries]


def _write(title: str, found: "list[Audited]", markdown: Path | None, html: Path | None, certificates: Path | None) -> None:
    from pixelbench.files.atomic import write_json, write_text

    if markdown is not None:
        from pixelbench.reports.audit_text import to_markdown

        write_text(markdown, to_markdown(title, found))
        say(f"Markdown: {markdown}")
    if html is not None:
        from pixelbench.reports.html.audit import write_audit

        write_audit(title, found, html)
        say(f"Page: {html}")
    if certificates is not None:
        for one in found:
            write_json(certificates / f"{one.name}.json", one.to_json())
        say(f"Certificates: {certificates}")

"""The README's result tables, made from the committed store: `python -m pixelbench.reports.readme README.md results quick`."""

import os
import sys
from pathlib import Path

from pixelbench.errors import UserError
from pixelbench.files.atomic import write_text
from pixelbench.reports import columns, escape
from pixelbench.reports.markdown import decided_table, result_table
from pixelbench.reports.report import Report, build_report
from pixelbench.suites.load import load_suite
from pixelbench.suites.specs import specs_of

BEGIN = "<!-- results:begin -->"
END = "<!-- results:end -->"
COLUMNS = (
    columns.RANK,
    columns.VARIANT,
    columns.SCORE,
    columns.NATS,
    columns.PUBLISHED,
    columns.VERDICT,
    columns.SEEDS,
    columns.CAUSAL,
    columns.SEQUENTIAL,
    columns.LATENTS,
)


def readme_table(store: Path, link: str = "results/report.md", suite: str | None = None) -> str:
    """The published figures that a store decides, then a compact table a task.

    Args:
        store: of all runs.
        link: where the whole report is, relative to the README.
        suite: the tables are of the runs that this suite asks for; by default of all.
    """
    report = build_report(store)
    parts = ["Published figures that these runs decide:", decided_table(report)] if report.decided else []
    shown_runs = report if suite is None else build_report(store, _keys_of(suite, report))
    decided = {one.task for one in report.decided} if suite else set()
    for table in shown_runs.tables:
        if table.task in decided:
            continue
        shown = [column for column in COLUMNS if column in columns.columns_of(table)] + columns.statistics_of(table)
        parts += [f"**{escape.text(table.task)}**, {escape.text(columns.caption(table))}:", result_table(table, shown)]
    parts.append(f"Sample grids, learning curves, paired differences and how to read them: [{link}]({escape.link(link)}).")
    return "\n\n".join(parts)


def with_results(readme: str, table: str) -> str:
    """The README's text with `table` between the markers.

    Raises:
        UserError: the two markers are not there, once each and in this order.
    """
    if readme.count(BEGIN) != 1 or readme.count(END) != 1 or readme.index(BEGIN) > readme.index(END):
        raise UserError(f"The README needs one line '{BEGIN}' and, below it, one line '{END}'; add them where the table belongs.")
    before, rest = readme.split(BEGIN)
    return f"{before}{BEGIN}\n{table}\n{END}{rest.split(END)[1]}"


def updated(readme: Path, store: Path, suite: str | None = None) -> str:
    """The README as it should be, given the store."""
    link = Path(os.path.relpath(store / "report.md", readme.parent)).as_posix()
    return with_results(readme.read_text(encoding="utf-8"), readme_table(store, link, suite))


def _keys_of(suite: str, report: Report) -> set[str]:
    """The keys of the suite's runs with any seed that the report has."""
    seeds = sorted({run.record.seed for cell in report.cells for run in cell.runs})
    return {spec.key for spec in specs_of(load_suite(suite), seeds=seeds)}


def main(arguments: list[str]) -> int:
    """Bring a README up to date; exit code 2 with one sentence where it cannot."""
    if len(arguments) not in (2, 3):
        sys.stderr.write("Usage: python -m pixelbench.reports.readme README.md results [SUITE]\n")
        return 2
    readme, store = Path(arguments[0]), Path(arguments[1])
    try:
        write_text(readme, updated(readme, store, *arguments[2:]))
    except (UserError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

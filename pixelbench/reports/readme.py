"""The README's result table, made from the committed store: `python -m pixelbench.reports.readme README.md results`."""

import os
import sys
from pathlib import Path

from pixelbench.errors import UserError
from pixelbench.files.atomic import write_text
from pixelbench.reports import columns, escape
from pixelbench.reports.markdown import decided_table, result_table
from pixelbench.reports.report import build_report

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


def readme_table(store: Path, link: str = "results/report.md") -> str:
    """A compact table a task, and where the whole report is (`link`, relative to the README)."""
    report = build_report(store)
    parts = ["Published figures that these runs decide:", decided_table(report)] if report.decided else []
    for table in report.tables:
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


def updated(readme: Path, store: Path) -> str:
    """What the README should say, given the store."""
    link = Path(os.path.relpath(store / "report.md", readme.parent)).as_posix()
    return with_results(readme.read_text(encoding="utf-8"), readme_table(store, link))


def main(arguments: list[str]) -> int:
    """Brings a README up to date; exit code 2 with one sentence where it cannot."""
    if len(arguments) != 2:
        sys.stderr.write("Usage: python -m pixelbench.reports.readme README.md results\n")
        return 2
    readme, store = Path(arguments[0]), Path(arguments[1])
    try:
        write_text(readme, updated(readme, store))
    except (UserError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

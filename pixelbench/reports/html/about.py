"""The end of a page: how to read it, and where it comes from."""

import re

from pixelbench.analysis import format as words
from pixelbench.reports.legend import explanations
from pixelbench.reports.report import Report
from pixelbench.store.record import Provenance

#: Explained here because only a page draws them.
DRAWINGS = """\
- **published beside measured**: the ring is the published value, the bar behind it the tolerance within which a measurement counts as
  the same, the dot what was measured here; a line through the dot is a 90 % interval over seeds.
- **forest plot**: the dot is the difference to the baseline, the line its 95 % interval, the upright line no difference."""

_TERM = re.compile(r"\*\*(.+?)\*\*")


def how_to_read(report: Report) -> list[tuple[str, str]]:
    """Terms with their explanations, those that the page has."""
    items = re.split(r"^- ", "\n".join([*explanations(report), DRAWINGS]), flags=re.MULTILINE)
    return [_term(" ".join(item.split())) for item in items if item.strip()]


def provenance_rows(report: Report) -> list[tuple[str, str]]:
    """Code, versions, devices, seeds, budgets and cost of all runs."""
    runs = [run for cell in report.cells for run in cell.runs]
    given = [run.record.provenance for run in runs]
    known = {
        "code": {_commit(about) for about in given},
        "versions": {f"{name} {version}" for about in given for name, version in about.versions.items()},
        "device": {about.device for about in given},
        "threads a run": {str(about.threads) for about in given},
        "precision": {about.precision for about in given},
        "seeds": {str(run.seed) for run in runs},
        "budgets": {f"{run.record.budget.name} ({words.whole(run.updates)} updates)" for run in runs if run.updates},
    }
    total = sum(run.record.cost.seconds for run in runs)
    lines = [(name, ", ".join(sorted(values, key=_natural))) for name, values in known.items() if values]
    return [*lines, ("computing", f"{words.seconds(total)} seconds for {len(runs):,} run{'' if len(runs) == 1 else 's'}")]


def _term(item: str) -> tuple[str, str]:
    """`**zeros**, **coherence**: the share` → `zeros, coherence` and `the share`; marks of Markdown within are dropped."""
    term, _, rest = item.partition(": ")
    return _plain(term), _plain(rest)


def _plain(text: str) -> str:
    return _TERM.sub(r"\1", text).replace("*", "")


def _commit(about: Provenance) -> str:
    """`0123456789ab with uncommitted changes`"""
    commit = about.git_commit
    return (commit[:12] if commit else "not from a git checkout") + (" with uncommitted changes" if about.git_dirty else "")


def _natural(text: str) -> tuple[bool, int, str]:
    """Whole numbers by their size."""
    return (False, int(text), "") if text.isdecimal() and len(text) < 20 else (True, 0, text)

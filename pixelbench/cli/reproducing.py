"""What the pages say of a stored run beside its numbers: the command that makes it again, and what the suite says of its choices."""

import contextlib
import shlex
from functools import cache
from typing import TYPE_CHECKING

from pixelbench.errors import UserError
from pixelbench.reports.html_variants import Asked

if TYPE_CHECKING:
    from pixelbench.reports.report import Report
    from pixelbench.store.record import Record, Request
    from pixelbench.suites.schema import Suite
    from pixelbench.suites.setting_origins import SettingOrigins

#: The suite that speaks of papers; where another one that ships asks for the same run, it may have nothing to say of it.
_OF_PAPERS = "paper"


def asked_of(report: "Report") -> dict[str, Asked]:
    """Run key → the command that made the run, as its record has it, and what a suite that ships says of exactly this cell.

    Runs of schema 1 do not know their command, so they have no entry.
    """
    found = {}
    for cell in report.cells:
        request = cell.runs[0].record.request
        if request is None:
            continue
        origins = _origins(cell.runs[0].record, request)
        remarks = (origins.assumed, origins.deviations) if origins else ((), ())
        for run in cell.runs:
            if run.record.request is not None:
                found[run.key] = Asked(command_of(run.record, run.record.request), *remarks)
    return found


def command_of(record: "Record", request: "Request") -> str:
    """`pixelbench run --suite paper --only mnist-fixed/fvsbn --budget paper`, without its `--seeds`."""
    if request.command == "ablate":  # an ablation is run as a whole
        words = ["pixelbench", "ablate", request.suite, "--task", request.task]
    else:
        words = ["pixelbench", "run", "--suite", request.suite, "--only", f"{request.task}/{record.variant.name}"]
    words += ["--budget", request.budget]
    words += ["--limit", str(request.limit)] if request.limit else []
    words += ["--precision", request.precision] if request.precision != "auto" else []
    return shlex.join(words)


def _origins(record: "Record", request: "Request") -> "SettingOrigins | None":
    """What the suite that asked says of the cell, or the one of papers where that asks for the same and has more to say."""
    found = [origins for name in (request.suite, _OF_PAPERS) if (origins := _origins_in(name, record))]
    return next((origins for origins in found if origins.assumed or origins.deviations), next(iter(found), None))


def _origins_in(name: str, record: "Record") -> "SettingOrigins | None":
    from pixelbench.suites.resolve import pairs
    from pixelbench.suites.setting_origins import setting_origins
    from pixelbench.suites.specs import row_specs

    suite, names = _shipped(name), (record.task.name, record.variant.name)
    if suite is None or record.spec.cell_key not in {spec.cell_key for spec in row_specs(suite, *names).values()}:
        return None
    task, variant = next((task, variant) for task, variant in pairs(suite) if (task.name, variant.name) == names)
    return setting_origins(suite, task, variant, record.budget.name)


@cache
def _shipped(name: str) -> "Suite | None":
    from pixelbench.suites.load import ablation_names, load_suite, suite_names

    with contextlib.suppress(UserError):  # a page can do without
        return load_suite(name) if name in (*suite_names(), *ablation_names()) else None
    return None

"""Words of the pages on a stored run beside its numbers: the command that executes it again, and what the suite says of its choices."""

from dataclasses import replace
from typing import TYPE_CHECKING

from pixelbench.reports.html import again
from pixelbench.reports.html.variants import Reproduction

if TYPE_CHECKING:
    from pixelbench.reports.report import Report
    from pixelbench.store.record import Record, Request
    from pixelbench.suites.setting_origins import SettingOrigins

#: The suite that speaks of papers; where another one that ships asks for the same run, it may have nothing to say of it.
_OF_PAPERS = "paper"


def reproductions_of(report: "Report") -> dict[str, Reproduction]:
    """Run key → the command that executes the run, and what a suite that ships says of exactly this cell.

    The command is that of its record, as long as the suite still has the row. Runs of schema 1 do not know theirs, so they have no entry.
    """
    found = {}
    for cell in report.cells:
        request = cell.runs[0].record.request
        if request is None:
            continue
        origins = _origins(cell.runs[0].record, request)
        remarks = (origins.assumed, origins.deviations) if origins else ((), ())
        for run in cell.runs:
            if (asked := present_request(run.record)) is not None:
                found[run.key] = Reproduction(command_of(run.record, asked), *remarks)
    return found


def present_request(record: "Record") -> "Request | None":
    """What asks for a run at present: its own request; where the suite has no such row any more, that of the first one that ships and asks
    for exactly this cell; None where none does, or the run does not know its own."""
    from pixelbench.suites.load import ablation_names, suite_names

    request = record.request
    if request is None or again.still_has(request, record.task.name, record.variant.name):
        return request
    for name in (*suite_names(), *ablation_names()):
        if budgets := _budgets_in(name, record):
            return replace(request, suite=name, budget=request.budget if request.budget in budgets else budgets[0])
    return None


def command_of(record: "Record", request: "Request") -> str:
    """`pixelbench run --suite paper --only mnist-fixed/fvsbn --budget paper`, without its `--seeds`."""
    return again.command_of(request, _precision(record, request), variant=record.variant.name)


def _precision(record: "Record", request: "Request") -> str:
    """The requested precision; where `auto` has become bf16, that, since on another device it would become fp32."""
    made_in = "fp32" if record.recipe is None else record.recipe.precision
    return "bf16" if (request.precision, made_in) == ("auto", "bf16") else request.precision


def _origins(record: "Record", request: "Request") -> "SettingOrigins | None":
    """The remarks of the requesting suite on the cell, or of the one of papers where that asks for the same and has more to say."""
    found = [origins for name in (request.suite, _OF_PAPERS) if (origins := _origins_in(name, record))]
    return next((origins for origins in found if origins.assumed or origins.deviations), next(iter(found), None))


def _budgets_in(name: str, record: "Record") -> list[str]:
    """The budgets at which a suite that ships asks for exactly this cell."""
    from pixelbench.suites.specs import row_specs

    suite = again.shipped(name)
    rows = {} if suite is None else row_specs(suite, record.task.name, record.variant.name)
    return [budget for (budget, _), spec in rows.items() if spec.cell_key == record.spec.cell_key]


def _origins_in(name: str, record: "Record") -> "SettingOrigins | None":
    from pixelbench.suites.resolve import pairs
    from pixelbench.suites.setting_origins import setting_origins

    suite, names, budgets = again.shipped(name), (record.task.name, record.variant.name), _budgets_in(name, record)
    if suite is None or not budgets:
        return None
    task, variant = next((task, variant) for task, variant in pairs(suite) if (task.name, variant.name) == names)
    budget = record.budget.name if record.budget.name in budgets else budgets[0]  # suites may call the same length differently
    return setting_origins(suite, task, variant, budget)

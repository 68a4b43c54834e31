"""A report for people, as plain text without colours of a terminal."""

from pixelbench.causality.report import CausalityReport


def report_text(report: CausalityReport) -> str:
    """The whole report, several lines without a newline at the end."""
    lines = [report.summary(), *(f"- {diagnosis.sentence}" for diagnosis in report.diagnosis)]
    return "\n".join(lines)

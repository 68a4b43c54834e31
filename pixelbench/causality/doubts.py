"""Which doubts about a certificate stay open beside the one that follows. No torch."""

from pixelbench.causality.report import CausalityReport

NOTHING_TESTED = "nothing-tested"
HIDDEN_LEAK = "hidden-by-zero"


def open_doubts(report: CausalityReport, following: CausalityReport | None) -> bool:
    """Whether nothing can be concluded from a report, nor from the one after it: a training step gives power to a module that had none.

    Args:
        following: the report that `certificates` gave next, if any.
    """
    settled = (
        following is not None
        and following.after_step
        and not report.after_step
        and following.mode == report.mode
        and following.verdict != "undecided"
        and all(doubt.name in (NOTHING_TESTED, HIDDEN_LEAK) for doubt in report.doubts)
    )
    return report.verdict == "undecided" and not settled

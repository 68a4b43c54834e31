"""What the cells of a report are held against: published figures, claims, and the design choices of ablations."""

from dataclasses import dataclass, field

from pixelbench.published.comparison import Known
from pixelbench.suites.design_choice import DesignChoice, choices_with, shipped_choices
from pixelbench.suites.schema import Suite


@dataclass(frozen=True)
class Context:
    """By default what ships."""

    known: Known = field(default_factory=Known)
    choices: tuple[DesignChoice, ...] = field(default_factory=shipped_choices)

    @classmethod
    def of_suite(cls, suite: Suite, file: str) -> "Context":
        """What ships, and a suite's claims and what it ablates; `file` is what the suite is called."""
        return cls(Known.with_claims(suite, file) if suite.claims else Known(), choices_with(suite))

"""Which cells of a suite a figure is about: a verdict hangs on what was asked for, never on a name."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property

from pixelbench.store.spec import RunSpec, differences
from pixelbench.suites.load import load_suite
from pixelbench.suites.schema import Suite
from pixelbench.suites.specs import row_specs

#: The suites whose rows the papers' figures are about: the models themselves, and the tables in which papers take them apart.
SUITES = ("paper", "pixelcnn-pp-tables", "row-lstm-tables")
#: The budget that is as long as the papers trained.
WHOLE_BUDGET = "paper"


@dataclass(frozen=True)
class SuiteRow:
    """A task and variant of a suite."""

    suite: Suite
    task: str
    variant: str

    @property
    def verdict_seeds(self) -> int:
        """How many seeds decide: 0 to this, less one."""
        return self.suite.verdict_seeds_of(next(variant for variant in self.suite.variants if variant.name == self.variant))

    @property
    def whole_budget(self) -> str:
        """The budget at which a verdict can fall: `paper`, or where the suite has none of that name its default."""
        return WHOLE_BUDGET if WHOLE_BUDGET in self.suite.budgets else self.suite.default_budget

    @cached_property
    def _specs(self) -> Mapping[tuple[str, str], RunSpec]:
        return row_specs(self.suite, self.task, self.variant)

    def budget_of(self, cell_key: str, limit: int | None = None) -> str | None:
        """The budget at which the suite asks for exactly this cell, with at most `limit` images; None where it never does."""
        specs = self._specs if limit is None else {**self._specs, **self._limited(limit)}
        return next((budget for (budget, _), spec in specs.items() if spec.cell_key == cell_key), None)

    def _limited(self, limit: int) -> dict[tuple[str, str], RunSpec]:
        found = row_specs(self.suite, self.task, self.variant, limit)
        return {(budget, f"{precision}, limited"): spec for (budget, precision), spec in found.items()}

    def differences(self, spec: RunSpec) -> list[str]:
        """`layers 4 instead of 15`: in what a run differs from the suite's row at the budget where it differs least."""
        found = [differences(spec, own) for own in self._specs.values()]
        return min(found, key=len) if found else []


class Rows:
    """The rows of suites by task and variant; of one that several of them have the first suite's."""

    def __init__(self, *suites: Suite):
        self._suites = suites
        self._known: dict[tuple[str, str], SuiteRow | None] = {}

    def find(self, task: str, variant: str) -> SuiteRow | None:
        """The row of that name; None where no suite has one."""
        if (task, variant) not in self._known:
            found = (SuiteRow(suite, task, variant) for suite in self._suites if row_specs(suite, task, variant))
            self._known[task, variant] = next(found, None)
        return self._known[task, variant]


@cache
def paper_rows() -> Rows:
    """The rows that the papers' figures are about."""
    return Rows(*map(load_suite, SUITES))

"""The findings about many modules, each beside what was expected of it."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from pixelbench.causality.doubts import open_doubts
from pixelbench.causality.report import CausalityReport

#: `unchecked`: the module could not be checked; `normalised` is of `sums_to_one`, `agrees` of `sampler`.
Expected = Literal[
    "causal", "partial", "leaky", "stateful", "undecided", "unchecked", "normalised", "not normalised", "agrees", "differs", "any"
]
MISSING, UNCHECKED, ANY = "missing", "unchecked", "any"
#: Of several certificates of one module the first of these is its verdict.
_WORST_FIRST = ("leaky", "stateful", "undecided", "partial", "causal")

Offset = tuple[int, int]


@dataclass(frozen=True)
class Expectation:
    """What an audit file expects of an entry; None: nothing is said of it."""

    verdict: Expected = "causal"
    gaps: int | None = None
    """How many earlier positions inside the bounding box are never seen."""
    gap_offsets: tuple[Offset, ...] | None = None
    """All of these positions, (row, column) of the input minus the output's, and no other."""
    faults: tuple[str, ...] = ()
    """Names of diagnoses that must be among those found."""


@dataclass(frozen=True)
class Audited:
    """The findings about an entry.

    Attributes:
        verdict: one of `Expected`, or `missing`: the module is not on this machine.
        sentence: the finding in one sentence.
        differences: how this is not what was expected, a clause each; none where it is.
        certificates: JSON documents, as `check --json` prints them; one a mode, and after a training step.
        printed: the end of what the module printed, where it could not be checked.
        seconds: it took, starting its process included.
    """

    name: str
    target: str
    source: str
    note: str
    verdict: str
    sentence: str
    expected: Expectation
    differences: tuple[str, ...] = ()
    certificates: tuple[dict[str, Any], ...] = ()
    printed: str = ""
    seconds: float = 0.0

    @property
    def as_expected(self) -> bool:
        """Nothing differs; of an entry that is missing nothing is known, so it never is."""
        return not self.differences

    def to_json(self) -> dict[str, Any]:
        """JSON-safe."""
        return {**asdict(self), "as_expected": self.as_expected}


def verdict_of(reports: Sequence[CausalityReport]) -> str:
    """The worst of several certificates of one module; doubts that a later one has settled do not count."""
    open_ones = map(open_doubts, reports, [*reports[1:], None])
    counted = [report.verdict for report, doubtful in zip(reports, open_ones, strict=True) if doubtful or report.verdict != "undecided"]
    return min(counted, key=_WORST_FIRST.index)


def gap_offsets(report: CausalityReport) -> tuple[Offset, ...]:
    """Where earlier positions inside the bounding box are never seen, by some colour at least; ascending."""
    return tuple(sorted({gap.offset for gap in report.missing if gap.inside}))


def differences(expected: Expectation, verdict: str, reports: Sequence[CausalityReport] = ()) -> tuple[str, ...]:
    """How findings differ from what was expected. Gaps are those of the first report, diagnoses those of any.

    Args:
        expected: what the audit file says.
        verdict: the verdict found.
        reports: none where there is no map.
    """
    return tuple(_differences(expected, verdict, reports))


def _differences(expected: Expectation, verdict: str, reports: Sequence[CausalityReport]) -> Iterable[str]:
    if verdict == MISSING:
        yield "its source is missing"
        return
    if expected.verdict not in (ANY, verdict):
        yield f"expected {expected.verdict}"
    asked = [name for name in ("gaps", "gap_offsets") if getattr(expected, name) is not None] + (["faults"] if expected.faults else [])
    if not reports:
        if asked and expected.verdict in (ANY, verdict):
            yield f"{' and '.join(asked)} cannot be compared, since there is no dependence map"
        return
    found = gap_offsets(reports[0])
    if expected.gaps is not None and expected.gaps != len(found):
        yield f"expected {expected.gaps} gaps, found {len(found)}{_listed(found)}"
    if expected.gap_offsets is not None and set(expected.gap_offsets) != set(found):
        more, fewer = (sorted(one) for one in (set(found) - set(expected.gap_offsets), set(expected.gap_offsets) - set(found)))
        yield "; ".join([f"further gaps{_listed(more)}"] * bool(more) + [f"no gaps any more{_listed(fewer)}"] * bool(fewer))
    names = list(dict.fromkeys(name for report in reports for name in report.faults))
    lacking = [name for name in expected.faults if name not in names]
    if lacking:
        yield f"expected the diagnosis {', '.join(lacking)}; found {', '.join(names) or 'none'}"


#: Offsets that are named.
_MOST_LISTED = 8


def _listed(offsets: Sequence[Offset]) -> str:
    named = [f"({row:+d}, {column:+d})" for row, column in offsets[:_MOST_LISTED]]
    return f" at {', '.join(named)}{', …' if len(offsets) > _MOST_LISTED else ''}" if named else ""

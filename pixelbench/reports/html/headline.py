"""The first screen: which claims were reached, what leaks, what design choices changed, how to run it again, and where it comes from."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from pixelbench.analysis import format as words
from pixelbench.analysis.ablations import AblationRow, TaskAblation
from pixelbench.analysis.paired import PairedDifference
from pixelbench.published.comparison import FigureComparison
from pixelbench.published.verdicts import DECIDED, SIGNS, Name
from pixelbench.reports.html.again import Again, commands_of
from pixelbench.reports.html.anchors import choice_anchor
from pixelbench.reports.html.drawn.dotplot import Panel, panel_of_one
from pixelbench.reports.report import Report
from pixelbench.store.cells import Cell

#: Design choices that the first screen has room for, those that changed most.
_MOST_CHOICES = 4
#: Names of leaking variants, likewise.
_MOST_NAMES = 6
#: Commits of unknown order that are named there.
_MOST_COMMITS = 3


@dataclass(frozen=True)
class VerdictCount:
    """How many published figures have a verdict."""

    name: Name
    sign: str
    count: int


@dataclass(frozen=True)
class Leaks:
    """How many variants leak by design, leak although nobody said so, show no leak, and were not checked; and, in words, whether an
    undeclared leak was found."""

    by_design: int
    undeclared: int
    none_found: int
    unchecked: int

    @property
    def sentence(self) -> str:
        """`No undeclared leak; 6 variants leak by design`"""
        undeclared = f"{_counted(self.undeclared, 'undeclared leak')} found" if self.undeclared else "No undeclared leak"
        return f"{undeclared}; {_counted(self.by_design, 'variant')} {'leaks' if self.by_design == 1 else 'leak'} by design"

    @property
    def rest(self) -> str:
        """`33 show no leak; 4 were not checked: image formats`, as far as there are any."""
        said = [f"{_counted(self.none_found, 'variant')} {'shows' if self.none_found == 1 else 'show'} none"] if self.none_found else []
        said += [f"{self.unchecked} {'was' if self.unchecked == 1 else 'were'} not checked"] if self.unchecked else []
        return "; ".join(said)


@dataclass(frozen=True)
class Finding:
    """The largest change that a design choice made: on a task, to a variant. `difference`: in words, with what it is not shown to be; of a
    leak that it is one."""

    title: str
    target: str
    task: str
    value: str
    difference: str


@dataclass(frozen=True)
class Headline:
    """What the first screen says. `decided` figures are those on which a verdict has fallen, `waiting` the others that can be compared,
    `from_memory` those decided ones that nobody has seen in their source, `suspicious` those that are better than is believed unchecked.
    `best`: the decided one nearest to its figure. `leaking`: the names of the first variants that leak, each with its tasks, and how many
    more do."""

    verdicts: tuple[VerdictCount, ...]
    decided: int
    from_memory: int
    suspicious: int
    waiting: tuple[VerdictCount, ...]
    best: Panel | None
    leaks: Leaks
    leaking: tuple[tuple[str, tuple[str, ...]], ...]
    more_leaking: int
    findings: tuple[Finding, ...]
    more_findings: int
    commands: tuple[Again, ...]
    origin: str


def headline_of(report: Report) -> Headline:
    """Counts and best lines of a report."""
    judged = [one for one in report.compared if one.verdict is not None]
    counts = Counter(one.verdict.name for one in judged if one.verdict)
    decided = tuple(VerdictCount(name, SIGNS[name], counts[name]) for name in DECIDED)
    others = tuple(VerdictCount(name, SIGNS[name], counts[name]) for name in SIGNS if name not in DECIDED and counts[name])
    best = min(report.decided, key=_nearness, default=None)
    findings, leaking = _findings(report.ablations), _leaking(report.cells)
    return Headline(
        verdicts=decided,
        decided=len(report.decided),
        from_memory=sum(not one.figure.verified for one in report.decided),
        suspicious=sum(one.suspicious for one in report.decided),
        waiting=others,
        best=None if best is None else panel_of_one(best),
        leaks=count_leaks(report.cells),
        leaking=leaking[:_MOST_NAMES],
        more_leaking=max(0, len(leaking) - _MOST_NAMES),
        findings=findings[:_MOST_CHOICES],
        more_findings=max(0, len(findings) - _MOST_CHOICES),
        commands=commands_of(report),
        origin=_origin(report),
    )


def count_leaks(cells: Iterable[Cell]) -> Leaks:
    """By what the records say was found and was expected."""
    known = [(cell.causality, cell.expected) for cell in cells]
    leaking = [expected == "leaky" for status, expected in known if status == "leaky"]
    unchecked = sum(status == "unchecked" for status, _ in known)
    return Leaks(sum(leaking), len(leaking) - sum(leaking), len(known) - len(leaking) - unchecked, unchecked)


def _leaking(cells: Iterable[Cell]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The names of the variants that leak, each with its tasks."""
    found: dict[str, list[str]] = {}
    for cell in cells:
        if cell.leaky:
            found.setdefault(cell.label, []).append(cell.task)
    return tuple((label, tuple(where)) for label, where in found.items())


def _nearness(one: FigureComparison) -> tuple[int, bool, float]:
    """Reproduced before better before worse, seen before from memory, then the smallest difference in tolerances."""
    name = one.verdict.name if one.verdict else "no figure"
    place = DECIDED.index(name) if name in DECIDED else len(DECIDED)
    return place, not one.figure.verified, abs(one.difference or 0.0) / (one.figure.band or 1.0)


def _findings(ablations: Iterable[TaskAblation]) -> tuple[Finding, ...]:
    """One a design choice, those that changed most first; behind them what is not shown to be a change, then leaks."""
    largest: dict[str, tuple[tuple[int, float], Finding]] = {}
    for ablation in ablations:
        for entry in ablation.rows[1:]:
            size, finding = _size(entry), _finding(ablation, entry)
            if size >= largest.get(ablation.choice.name, (size, finding))[0]:
                largest[ablation.choice.name] = size, finding
    return tuple(finding for _, finding in sorted(largest.values(), key=lambda pair: pair[0], reverse=True))


def _size(entry: AblationRow) -> tuple[int, float]:
    """A difference that is shown before any that is not, and these before none."""
    if entry.paired is None:
        return 0, 0.0
    return 2 if entry.paired.difference.distinguishable else 1, abs(entry.paired.difference.mean)


def _finding(ablation: TaskAblation, entry: AblationRow) -> Finding:
    if entry.row.category == "leaking":
        difference = "not causal: no likelihood"
    else:
        difference = words.NONE if entry.paired is None else _difference(entry.paired)
    return Finding(ablation.choice.title, choice_anchor(ablation.choice.name), ablation.task, entry.value, difference)


def _difference(paired: PairedDifference) -> str:
    """`+0.583 bits/dim`; `+0.016 bits/dim, not distinguishable` where the interval holds 0 or nothing is known of the noise of seeds."""
    one = paired.difference
    unclear = "" if one.distinguishable else ", seed noise unknown" if one.seed_noise == "unknown" else ", not distinguishable"
    before, behind = words.AT_MOST if paired.of == "at most" else "", ", of bounds" if paired.of == "bounds" else ""
    return f"{before}{one.mean:+.3f} bits/dim{behind}{unclear}"


def _origin(report: Report) -> str:
    """`83 runs of 43 variants on 4 tasks, executed from 2026-11-02 to 2026-11-29, at commits 0123456 to 89abcde`; the commits are counted
    where they are not in order, since some runs do not know their day."""
    runs = [run for cell in report.cells for run in cell.runs]
    about = [run.record.provenance for run in runs]
    dated = sorted((one.date, (one.git_commit or "")[:7]) for one in about if one.date)
    said = [f"{_counted(len(runs), 'run')} of {_counted(len(report.cells), 'variant')} on {_counted(len(report.tables), 'task')}"]
    if not dated:
        said.append("executed on days that their records do not keep")
    else:
        ends = list(dict.fromkeys((dated[0][0], dated[-1][0])))
        said.append(f"executed {'from ' if len(ends) > 1 else 'on '}{' to '.join(ends)}")
        said += [f"{len(runs) - len(dated):,} of them before days were kept"] if len(dated) < len(runs) else []
    ordered = list(dict.fromkeys(commit for _, commit in dated if commit))
    others = sorted({one.git_commit[:7] for one in about if one.git_commit})
    if ordered and (len(dated) == len(runs) or set(others) <= set(ordered)):
        said.append(f"at commit{'' if len(ordered) == 1 else 's'} {' to '.join(dict.fromkeys((ordered[0], ordered[-1])))}")
    elif others:
        said.append(f"at {_counted(len(others), 'commit')}" if len(others) > _MOST_COMMITS else f"at commit {', '.join(others)}")
    return ", ".join(said)


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"

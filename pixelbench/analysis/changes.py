"""Two stores side by side: what became better, worse, or not causal any more, and what differs by no more than noise.

Cells are matched by everything that was asked for but the seed, whatever suites call them. Likelihoods are compared over the seeds that
both stores have, where there are any. The noise of a difference has two sources, whose variances add:

- the images: the paired difference over test images, by photograph where several are cut from one;
- the seeds: the spread within each cell, or where one has a single seed, pooled over both stores and their other cells. Where there is
  nothing to pool, the noise of training is not known; then a difference below the tolerance that published figures get (0.02 bits/dim; 0.5
  nats an image of two levels) counts as noise.

Both are those of `pixelbench.statistics.difference`, as in every report.
"""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from pixelbench.analysis.paired import difference_of
from pixelbench.published.comparability import seeds_in_words
from pixelbench.published.figures import usual_bits
from pixelbench.statistics import pooled_variance
from pixelbench.store.cells import NOT_BELIEVED, Cell, Run, cells_of, load_runs
from pixelbench.store.scan import require_store, scan
from pixelbench.store.spec import differences

Kind = Literal[
    "causality changed", "no longer done", "now done", "worse", "improved", "unchanged", "identical", "no number", "only in A", "only in B"
]
#: How a list of changes begins: with what matters most.
ORDER: tuple[Kind, ...] = (
    "causality changed",
    "no longer done",
    "worse",
    "improved",
    "now done",
    "unchanged",
    "no number",
    "only in A",
    "only in B",
    "identical",
)
#: Bits/dim by which the same computation may differ on another machine.
_ROUNDING = 1e-6
_Numbers = tuple[float | None, float | None, float | None, float | None]
_NOTHING: _Numbers = (None, None, None, None)


@dataclass(frozen=True)
class Change:
    """One cell in both stores, or in one of them.

    `before`, `after`, `difference` (after minus before, above 0 where more is needed) and `noise` (half of the 95 % interval) are in
    `unit`: nats/image for images of two levels, else bits/dim; None where there is nothing to compare, as of a leak. `seeds`: how many
    were compared in A and in B, or are in the only one. `causal`: in A and in B. `regression`: a leak that was not there, a run that is
    not done any more, or worse beyond noise. `otherwise`: of a cell that is only in A, what B's cells of that name were asked otherwise.
    """

    task: str
    label: str
    kind: Kind
    regression: bool
    sentence: str
    unit: str
    before: float | None = None
    after: float | None = None
    difference: float | None = None
    noise: float | None = None
    seeds: tuple[int, int] = (0, 0)
    causal: tuple[str | None, str | None] = (None, None)
    otherwise: tuple[str, ...] = ()


@dataclass(frozen=True)
class Changes:
    """All cells of two stores, what matters most first. `problems`: a sentence for each record that could not be used."""

    first: Path
    second: Path
    changes: tuple[Change, ...]
    problems: tuple[str, ...]

    @property
    def regressions(self) -> list[Change]:
        return [change for change in self.changes if change.regression]

    @property
    def in_both(self) -> list[Change]:
        return [change for change in self.changes if not change.kind.startswith("only in")]

    def count(self, kind: Kind) -> int:
        """How many cells are of a kind."""
        return sum(change.kind == kind for change in self.changes)

    @property
    def summary(self) -> str:
        """`2 cells: 1 worse, 1 identical.`"""
        counts = [f"{self.count(kind)} {kind}" for kind in ORDER if self.count(kind)]
        return f"{len(self.changes)} cell{'' if len(self.changes) == 1 else 's'}: {', '.join(counts)}."

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "a": self.first.as_posix(),
            "b": self.second.as_posix(),
            "changes": [dataclasses.asdict(change) for change in self.changes],
            "regressions": len(self.regressions),
            "summary": self.summary,
            "problems": list(self.problems),
        }


def compare_stores(first: Path, second: Path) -> Changes:
    """Compare store `first` (A) with store `second` (B).

    Raises:
        UserError: one of them is no folder that can be read.
    """
    found = [scan(require_store(store)).examine() for store in (first, second)]
    a, b = (_by_question(cells_of(load_runs(one))) for one in found)
    changes = [_change(a[requested], b[requested]) for requested in a if requested in b]
    lone_b = [b[requested] for requested in b if requested not in a]
    changes += [_only(a[requested], "only in A", lone_b) for requested in a if requested not in b]
    changes += [_only(cell, "only in B", []) for cell in lone_b]
    changes.sort(key=lambda change: (not change.regression, ORDER.index(change.kind), change.task, change.label))
    return Changes(first, second, tuple(changes), tuple(problem for one in found for problem in one.problems))


def _by_question(cells: list[Cell]) -> dict[str, Cell]:
    """Cell key → the cell; where its seeds were made by several codes, the one with the most seeds."""
    found: dict[str, Cell] = {}
    for cell in sorted(cells, key=lambda cell: len(cell.runs)):
        found[cell.runs[0].record.spec.cell_key] = cell
    return found


def _only(cell: Cell, kind: Kind, others: list[Cell]) -> Change:
    """`others`: where a cell of the same name is among them, it is said in what it was asked for otherwise."""
    n, status = len(cell.runs), cell.causality
    seeds, causal = ((n, 0), (status, None)) if kind == "only in A" else ((0, n), (None, status))
    namesakes = [other for other in others if (other.runs[0].task, other.runs[0].variant) == (cell.runs[0].task, cell.runs[0].variant)]
    requested = tuple(", ".join(differences(other.runs[0].record.spec, cell.runs[0].record.spec)) for other in namesakes)
    said = ", ".join([f"{seeds_in_words(n)} {kind.removeprefix('only ')}", *(f"asked for otherwise in B: {one}" for one in requested)])
    return Change(cell.task, cell.label, kind, False, f"{said}.", cell.unit, seeds=seeds, causal=causal, otherwise=requested)


def _change(a: Cell, b: Cell) -> Change:
    before, after = _compared(a, b)
    causal = (a.causality, b.causality)
    lost, gained = _ended_otherwise(a, b)
    leaked = causal[1] == "leaky" and causal[0] != "leaky"
    kind, said, numbers = _likelihood(before, after, a, b)
    regression = leaked or bool(lost) or kind == "worse"
    if lost or gained:
        said = [] if kind == "no number" else said
        said = [*_ends(gained, "is done now, {} before", "did not add up"), *_ends(lost, "was done before, {} now"), *said]
        kind = "no longer done" if lost else "now done"
    if leaked or (causal[0] != causal[1] and before.scored and after.scored):
        kind, said = "causality changed", [f"{_CAUSAL[causal[0]]} before, {_CAUSAL[causal[1]]} now.", *said]
    seeds = (len(before.scored), len(after.scored))
    return Change(a.task, a.label, kind, regression, " ".join(said), a.unit, *numbers, seeds=seeds, causal=causal)


_CAUSAL = {
    "leaky": "not causal",
    "unchecked": "not checked for leaks",
    "partial": "no leak found (partial map)",
    "complete": "no leak found",
}


def _compared(a: Cell, b: Cell) -> tuple[Cell, Cell]:
    """Both with the seeds that both have a number of; with all where there is no such seed."""
    common = {run.key for run in a.scored} & {run.key for run in b.scored}
    if not common:
        return a, b
    first, second = (tuple(run for run in cell.runs if run.key in common) for cell in (a, b))
    return dataclasses.replace(a, runs=first), dataclasses.replace(b, runs=second)


def _ended_otherwise(a: Cell, b: Cell) -> tuple[list[Run], list[Run]]:
    """Of the seeds in both: those done in A alone, as they are in B; and those done in B alone, as they are in A."""
    before, after = ({run.key: run for run in cell.runs} for cell in (a, b))
    both = [key for key in before if key in after]
    lost = [after[key] for key in both if before[key].end == "done" != after[key].end]
    return lost, [before[key] for key in both if after[key].end == "done" != before[key].end]


def _likelihood(before: Cell, after: Cell, a: Cell, b: Cell) -> tuple[Kind, list[str], _Numbers]:
    """The change of the numbers: kind, sentences, and the four numbers of `Change`; `a` and `b` have all seeds, for the noise."""
    if not (before.scored and after.scored):
        ends = [cell.runs[-1].end for cell in (before, after)]
        return "no number", [f"Nothing to compare: {ends[0]} in A, {ends[1]} in B."], _NOTHING
    same = [(one.key, one.record.likelihood) for one in before.scored] == [(one.key, one.record.likelihood) for one in after.scored]
    if a.leaky or b.leaky:
        return "identical" if same else "unchanged", ["A leak's likelihood means nothing and is not compared."], _NOTHING
    values = [before.in_unit(float(np.mean([score.bits_per_dim for score in cell.likelihoods]))) for cell in (before, after)]
    difference = values[1] - values[0]
    noise, source = (0.0, "") if same else _noise(before, after, a, b)
    numbers: _Numbers = (values[0], values[1], difference, noise)
    if same:
        return "identical", [f"The same numbers ({seeds_in_words(len(after.scored))})."], numbers
    within = abs(difference) <= max(noise, before.in_unit(_ROUNDING))
    kind: Kind = "unchanged" if within else "worse" if difference > 0 else "improved"
    decimals = 2 if before.unit == "nats/image" else 4
    amount = f"{difference:+.{decimals}f} {before.unit}"
    said = f"{amount}, {'within' if within else 'beyond'} the noise of ± {noise:.{decimals}f} ({source})."
    return kind, [said], numbers


def _noise(before: Cell, after: Cell, a: Cell, b: Cell) -> tuple[float, str]:
    """Half of the 95 % interval of the difference, in the cell's unit, and what it is made of."""
    bits = [[score.bits_per_dim for score in cell.likelihoods] for cell in (a, b)]
    pool = pooled_variance(bits) or before.seed_variance or after.seed_variance
    first, second = (dataclasses.replace(cell, seed_variance=pool) for cell in (before, after))
    found, tolerance = difference_of(first, second), usual_bits(before.shape, before.levels)
    if found is None:
        return (before.in_unit(tolerance), "the noise of training is not known") if before.by_chance else (0.0, "no chance in it")
    half = (found.high - found.low) / 2
    if found.seed_noise == "unknown":
        half = max(half, tolerance)
    return before.in_unit(half), found.basis


def _ends(runs: list[Run], words: str, not_believed: str = NOT_BELIEVED) -> list[str]:
    ends = [not_believed if run.doubts else run.end for run in runs]
    return [f"Seed {run.seed} {words.format(end)}." for run, end in zip(runs, ends, strict=True)]

"""A section a variant: what was drawn, what it can see, how it was executed, and the command that executes it again."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pixelbench.analysis import format as words
from pixelbench.analysis.tables import Row
from pixelbench.published.comparison import FigureComparison
from pixelbench.published.rows import WHOLE_BUDGET
from pixelbench.reports.html.drawn.curves import CurveChart, draw_lines
from pixelbench.reports.html.drawn.pictures import Picture
from pixelbench.reports.html.sources import entries
from pixelbench.reports.pictures.maps import MapGroup
from pixelbench.reports.warmups import warm_up
from pixelbench.store.cells import Cell, Run
from pixelbench.store.record import Provenance, Stretch


@dataclass(frozen=True)
class Reproduction:
    """How to reproduce a run: the `command` that executes it again but for its `--seeds`, what the paper leaves unsaid and the suite has
    `assumed`, and its `deviations` from the paper."""

    command: str
    assumed: tuple[str, ...] = ()
    deviations: tuple[str, ...] = ()


@dataclass(frozen=True)
class SeedLine:
    """One run of a variant, in words."""

    seed: int
    key: str
    status: str
    score: str
    validation: str
    updates: str
    seconds: str
    made: str
    error: str
    log: str


@dataclass(frozen=True)
class VariantSection:
    """The contents of a section. `anchor` is its id. Of several seeds, pictures and curve are the lowest's that has them. `settings`,
    `recipe` and `protocol` are lines of names and values. `latents`: on their warm-up, empty without any. `caveat`: of `assumed` and
    `deviations`, if they are of another budget."""

    anchor: str
    row: Row
    compared: tuple[FigureComparison, ...]
    samples: Picture | None
    curve: CurveChart | None
    map: Picture | None
    seen: str
    causality: tuple[str, ...]
    latents: str
    sampler: str
    diagnoses: tuple[str, ...]
    settings: str
    recipe: str
    protocol: str
    seeds: tuple[SeedLine, ...]
    commands: tuple[str, ...]
    assumed: tuple[str, ...]
    deviations: tuple[str, ...]
    caveat: str
    citation: str
    """BibTeX of its runs and of the papers beside them."""


def variant_of(
    anchor: str,
    cell: Cell,
    row: Row,
    compared: Iterable[FigureComparison],
    group: tuple[MapGroup, Picture] | None,
    samples: Picture | None,
    reproductions: Mapping[str, Reproduction],
) -> VariantSection:
    """The section of a cell.

    Args:
        anchor: its id.
        cell, row: the runs, and their line in the table of the task.
        compared: what was published of it.
        group: what its network sees, and the drawing of it; None where no certificate says.
        samples: its sample grid.
        reproductions: run key → what a suite says of the run, where one is known.
    """
    first, shown, compared = cell.runs[0].record, cell.shown_run, tuple(compared)
    return VariantSection(
        anchor=anchor,
        row=row,
        compared=compared,
        samples=samples,
        curve=draw_lines([cell]),
        map=group[1] if group else None,
        seen=group[0].sentences if group else "",
        causality=(*dict.fromkeys(_causality(run) for run in cell.runs), *_probed(cell)),
        latents=warm_up(first),
        sampler=(shown.record.samples.sampler or "") if shown.record.samples is not None else "",
        diagnoses=tuple(found.sentence or found.name for found in shown.record.diagnoses),
        settings=_listing({"family": cell.family, **cell.settings}),
        recipe=_listing(first.spec.recipe),
        protocol=_listing({"budget": first.budget.name, "updates": first.budget.updates, **first.spec.evaluation}),
        seeds=tuple(_seed(run) for run in cell.runs),
        commands=_with_seeds(cell, reproductions),
        assumed=_said(reproductions[run.key].assumed for run in cell.runs if run.key in reproductions),
        deviations=_said(reproductions[run.key].deviations for run in cell.runs if run.key in reproductions),
        caveat=_caveat(first.budget.name),
        citation=entries(cell, (one.figure for one in compared)),
    )


def _caveat(budget: str) -> str:
    """The remark that choices are those of the longest budget."""
    return "" if budget == WHOLE_BUDGET else f"Said of the budget {WHOLE_BUDGET}; this is {budget}, for which the listings above hold."


def _said(remarks: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """Each remark once."""
    return tuple(dict.fromkeys(said for of_run in remarks for said in of_run))


def _with_seeds(cell: Cell, reproductions: Mapping[str, Reproduction]) -> tuple[str, ...]:
    """Each command once, with all seeds that it is for."""
    seeds: dict[str, list[int]] = {}
    for run in cell.runs:
        if run.key in reproductions:
            seeds.setdefault(reproductions[run.key].command, []).append(run.seed)
    return tuple(f"{command} --seeds {','.join(map(str, numbers))}" for command, numbers in seeds.items())


def _causality(run: Run) -> str:
    """The record's words on the check of a run's own causality."""
    found = run.record.causality
    if found.status == "unchecked":
        return "Causality was not checked."
    said = words.CAUSAL[found.status].capitalize()
    if found.counter_example:
        said += f": {found.counter_example}"
    if found.tolerance is not None:
        said += f", tolerance {found.tolerance:g}"
    return f"{said}. Measured: {found.probes}." if found.probes else f"{said}."


def _probed(cell: Cell) -> tuple[str, ...]:
    counts = [count for run in cell.runs if (count := run.record.causality.trained_positions)]
    if not counts:
        return ()
    number = f"{counts[0]}" if len(set(counts)) == 1 else f"{min(counts)} to {max(counts)}"
    return (f"Of the trained weights themselves the outputs were probed at {number} sub-pixels.",)


def _seed(run: Run) -> SeedLine:
    record = run.record
    likelihood = None if run.doubts else record.likelihood
    return SeedLine(
        seed=run.seed,
        key=run.key,
        status=run.end,
        score=words.NONE if likelihood is None else words.measured(likelihood.bits_per_dim, likelihood.estimator),
        validation=words.NONE if likelihood is None else words.bits(likelihood.validation_bits_per_dim),
        updates=words.whole(record.cost.updates) + (f", best {record.selected_update:,}" if record.selected_update is not None else ""),
        seconds=words.seconds(record.cost.all_seconds),
        made=_made(record.provenance),
        error=record.error.message if record.error else "; ".join(run.doubts),
        log="\n".join(record.error.log) if record.error else "",
    )


def _made(provenance: Provenance) -> str:
    """`cpu, fp32, 1 thread, commit 0123456789ab with uncommitted changes`, then what was made before elsewhere."""
    last = ", ".join([provenance.device, provenance.precision, *_made_by(provenance)])
    return "; ".join([last, *map(_made_before, provenance.earlier)])


def _made_before(stretch: Stretch) -> str:
    """`up to update 11,856 cuda (NVIDIA H200), 1 thread, compiled, commit 0123456789ab`"""
    if stretch.device is None:
        return f"up to update {stretch.until:,} by a machine and code that its checkpoint does not name"
    return f"up to update {stretch.until:,} {', '.join([stretch.device, *_made_by(stretch)])}"


def _made_by(made: Provenance | Stretch) -> Iterator[str]:
    """Threads, parts of a batch, compilation and commit."""
    if made.threads is not None:
        yield f"{made.threads} thread{'' if made.threads == 1 else 's'}"
    if made.micro_batch is not None:
        yield f"micro-batches of {made.micro_batch:,}"
    if made.world_size is not None:
        yield f"{made.world_size:,} processes"
    if made.compiled:
        yield "compiled"
    changed = " with uncommitted changes" if made.git_dirty else ""
    yield f"commit {made.git_commit[:12]}{changed}" if made.git_commit else "no git checkout"


def _listing(values: Mapping[str, Any]) -> str:
    """A line each, the values below one another; nested ones as `constants.beta1`."""
    pairs = _pairs(values)
    width = min(24, max((len(name) for name, _ in pairs), default=0))
    return "\n".join(f"{name:{width}}  {value}" for name, value in pairs)


def _pairs(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Names and values; None was not asked for and is left out."""
    pairs: list[tuple[str, str]] = []
    for name, value in values.items():
        if isinstance(value, dict):
            pairs += _pairs(value, f"{prefix}{name}.")
        elif value is not None:
            pairs.append((prefix + name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)))
    return pairs

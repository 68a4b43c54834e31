"""One table a task: ranked causal variants, those conditional on the class, bounds, code lengths, leaks, and what has no number."""

import dataclasses
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from pixelbench.analysis.comparisons import primary_of
from pixelbench.analysis.paired import compare_cells
from pixelbench.analysis.quality.measured import preferred
from pixelbench.evaluation.quality import STATISTICS
from pixelbench.published.comparison import FigureComparison
from pixelbench.statistics import Difference
from pixelbench.store.cells import Cell
from pixelbench.store.documents.measurements import Measurement
from pixelbench.store.documents.proofs import Proof, proved_fields
from pixelbench.units import bits_to_nats

#: `ranked`: exact likelihood, no leak found. `told`: the same, of images whose class is given. `bound`: the model needs so much at most.
#: `reference`: a code length, which is not a model's likelihood. `leaking`: its number means nothing and has no rank. `unscored`: the run
#: did not come to a number.
Category = Literal["ranked", "told", "bound", "reference", "leaking", "unscored"]
ORDER: tuple[Category, ...] = ("ranked", "told", "bound", "reference", "leaking", "unscored")


@dataclass(frozen=True)
class Row:
    """One cell of a suite. Numbers are means over its finished seeds; None where there is none."""

    label: str
    family: str
    category: Category
    rank: int | None
    bits_per_dim: float | None
    bits_per_dim_se: float | None
    """Standard error over test images, clustered by photograph or form."""
    nats_per_image: float | None
    nats_per_image_se: float | None
    estimator: str | None
    """`exact`, `elbo`, `iwae-K` or `code-length`; of a bound, bits and nats are at most what stands here."""
    seeds: int
    spread: float | None
    """Standard deviation of bits/dim over seeds."""
    behind: Difference | None
    """Paired difference to the best ranked variant, positive where this one needs more bits."""
    causal: str
    expected: str
    sequential_bits_per_dim: float | None
    sequential_bits_per_dim_se: float | None
    sequential_images: int | None
    statistics: dict[str, float | None]
    canvas_agreement: float | None
    active_units: float | None
    """How many of the `latent_dimensions` latents differ from image to image."""
    latent_dimensions: float | None
    kl: float | None
    """Nats an image that are spent on the latents."""
    updates: int
    parameters: int | None
    seconds: float | None
    status: str
    diagnoses: tuple[str, ...]
    published: FigureComparison | None = None
    """The primary figure of a paper about this cell, and its verdict."""
    proof: Proof | None = None
    """Test images of its lowest proved seed that were really coded."""
    quality: Measurement | None = None
    """What was measured of the samples of its lowest measured seed, in the feature set that says most."""

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON, statistics and proof beside the others, as in a tidy frame; `category` is called `standing` there."""
        published = None if self.published is None else self.published.as_dict()
        values: dict[str, Any] = dataclasses.asdict(dataclasses.replace(self, published=None)) | {"published": published}
        statistics: dict[str, Any] = values.pop("statistics")
        del values["proof"], values["quality"]
        values |= proved_fields(self.proof)
        return statistics | {"standing" if name == "category" else name: value for name, value in values.items()}


@dataclass(frozen=True)
class TaskTable:
    """The rows of a task and, as what to hold them against, the statistics of the real test images.

    `task` is as in `Cell`. `digest` is of the decoded images; `preprocessing` how they were made, in whole sentences: several where the
    records say it differently. `all_training`: the labels of rows whose training saw the validation images too.
    """

    task: str
    digest: str
    preprocessing: tuple[str, ...]
    shape: tuple[int, int, int]
    levels: int
    rows: tuple[Row, ...]
    real: dict[str, float | None]
    budgets: tuple[str, ...]
    all_training: tuple[str, ...] = ()

    @property
    def coloured(self) -> bool:
        return self.shape[0] > 1

    @property
    def measured(self) -> bool:
        """Whether there is anything to show of the real test images."""
        return any(value is not None for value in self.real.values())

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**dataclasses.asdict(self), "rows": [row.as_dict() for row in self.rows]}

    @property
    def binary(self) -> bool:
        """Images of two levels, whose likelihood the literature gives in nats per image."""
        return self.levels == 2


def build_tables(cells: list[Cell], compared: Iterable[FigureComparison] = ()) -> list[TaskTable]:
    """Tables of all tasks by name; `compared`: the cells beside published figures, of which each row shows the primary one."""
    published, tables = primary_of(compared), []
    for task in sorted({cell.task for cell in cells}):
        members = [cell for cell in cells if cell.task == task]
        tables.append(table_of(members, _ranked_rows(members, published)))
    return tables


def table_of(cells: list[Cell], rows: list[Row]) -> TaskTable:
    """A table of these cells, all of one task."""
    statistics = STATISTICS.usable()[0]
    real = {name: next((v for cell in cells if (v := cell.statistic(name, of="real")) is not None), None) for name in statistics}
    budgets = tuple(sorted({cell.runs[0].record.budget.name for cell in cells}))
    about = [cell.runs[0].record.task for cell in cells]
    preprocessing = tuple(dict.fromkeys(task.preprocessing for task in about))
    first, everything = cells[0], tuple(cell.label for cell in cells if cell.runs[0].record.spec.split == "all-training")
    return TaskTable(first.task, first.runs[0].data[1], preprocessing, first.shape, first.levels, tuple(rows), real, budgets, everything)


def category_of(cell: Cell) -> Category:
    """Where a cell belongs. A leak outweighs everything; without a finished run there is no number."""
    if not cell.scored:
        return "unscored"
    if cell.leaky:
        return "leaking"
    if cell.bound:
        return "bound"
    if cell.conditional and cell.estimator == "exact":
        return "told"
    return "ranked" if cell.comparable else "reference"


def _ranked_rows(cells: list[Cell], published: dict[tuple[str, str], FigureComparison]) -> list[Row]:
    def place(cell: Cell) -> tuple[int, float, str]:
        bits = cell.mean("likelihood", "bits_per_dim")
        return ORDER.index(category_of(cell)), float("inf") if bits is None else bits, cell.label

    ordered = sorted(cells, key=place)
    best = ordered[0] if category_of(ordered[0]) == "ranked" else None
    return [
        row_of(
            cell,
            rank if category_of(cell) == "ranked" else None,
            compare_cells(best, cell) if best and best is not cell else None,
            published.get((cell.task, cell.label)),
        )
        for rank, cell in enumerate(ordered, start=1)
    ]


def row_of(
    cell: Cell,
    rank: int | None = None,
    behind: Difference | None = None,
    published: FigureComparison | None = None,
    features: str | None = None,
) -> Row:
    """A cell's row; `features`: the set in which its samples' quality is wanted, where it was measured in that."""
    category = category_of(cell)
    last = cell.scored[-1] if cell.scored else cell.runs[-1]
    bits = [score.bits_per_dim for score in cell.likelihoods]
    seconds = [run.record.cost.all_seconds for run in cell.runs]
    sequential_images = cell.mean("sequential", "n_images")
    error = None if category == "reference" else cell.mean("likelihood", "bits_per_dim_se")
    return Row(
        label=cell.label,
        family=cell.family,
        category=category,
        rank=rank,
        bits_per_dim=cell.mean("likelihood", "bits_per_dim"),
        bits_per_dim_se=error,
        nats_per_image=cell.mean("likelihood", "nats_per_image"),
        nats_per_image_se=None if error is None else bits_to_nats(error * math.prod(cell.shape)),
        estimator=cell.estimator,
        seeds=len(cell.scored),
        spread=float(np.std(bits, ddof=1)) if len(bits) > 1 else None,
        behind=behind,
        causal=cell.causality,
        expected=cell.expected,
        sequential_bits_per_dim=cell.mean("sequential", "bits_per_dim"),
        sequential_bits_per_dim_se=cell.mean("sequential", "bits_per_dim_se"),
        sequential_images=None if sequential_images is None else round(sequential_images),
        statistics={name: cell.statistic(name) for name in STATISTICS.usable()[0]},
        canvas_agreement=cell.mean("samples", "canvas_agreement"),
        active_units=cell.mean("latent", "active_units"),
        latent_dimensions=cell.mean("latent", "dimensions"),
        kl=cell.mean("latent", "kl"),
        updates=last.updates,
        parameters=last.record.cost.parameters,
        seconds=float(np.mean(seconds)) if seconds else None,
        status=_status(cell),
        diagnoses=tuple(sorted({found.name for run in cell.scored for found in run.record.diagnoses})),
        published=published,
        quality=preferred(cell, features),
        proof=next((run.stored.proof for run in cell.scored if run.stored.proof is not None), None),
    )


def _status(cell: Cell) -> str:
    """`done`, `failed`, or `2 done, 1 failed` where the seeds ended differently; `not trained here` of weights from a file."""
    ends = ["not trained here" if run.done and run.record.given and not run.doubts else run.end for run in cell.runs]
    counts = {end: ends.count(end) for end in dict.fromkeys(sorted(ends))}
    return ends[0] if len(counts) == 1 else ", ".join(f"{count} {end}" for end, count in counts.items())

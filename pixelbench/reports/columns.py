"""Which columns a table has and what stands in them: shared by terminal, Markdown and README, so that they never disagree."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from pixelbench.analysis import format as words
from pixelbench.analysis.ablations import TaskAblation
from pixelbench.analysis.tables import Row, TaskTable
from pixelbench.evaluation.measures import MEASURES
from pixelbench.evaluation.quality import STATISTICS, Statistic

#: The weight of a column that says nothing.
SILENT = 9
#: Measures of a higher weight stand in the table of sample quality alone.
_BESIDE = 4


@dataclass(frozen=True)
class Column:
    """`weight` says how dearly a narrow terminal holds on to it: 0 always, 1 unless its words do not fit even with lines broken, of more
    the highest goes first; see `weight_of`. `real` fills the row of real images."""

    title: str
    cell: Callable[[Row], str]
    real: Callable[[TaskTable], str] = lambda table: ""
    right: bool = True
    weight: int = 0


RANK = Column("#", lambda row: str(row.rank or ""))
VARIANT = Column("variant", lambda row: row.label, lambda table: "real test images", right=False)
SCORE = Column("bits/dim", words.mean)
NATS = Column("nats/image", words.nats)
PUBLISHED = Column("published", words.published)
DIFFERENCE = Column("difference", words.difference, weight=1)
VERDICT = Column("verdict", words.verdict, right=False)
SEEDS = Column("n", lambda row: str(row.seeds), weight=1)
LATENTS = Column("latents used", words.latents, weight=4)
CAUSAL = Column("causal", words.causal, right=False)
SEQUENTIAL = Column("sequential score", words.sequential, weight=4)
PROVED = Column("proved", words.proved, weight=3)
BEHIND = Column("behind the best (95 %)", lambda row: words.behind(row.behind), weight=7)
BEHIND_NATS = Column("behind the best, nats (95 %)", lambda row: words.behind_nats(row), weight=7)
UPDATES = Column("updates", lambda row: words.whole(row.updates), weight=8)
PARAMETERS = Column("parameters", lambda row: words.whole(row.parameters), weight=6)
SECONDS = Column("seconds", lambda row: words.seconds(row.seconds), weight=5)
#: Of an ablation's difference, behind which a page draws it.
AGAINST = "difference (95 %)"
STATUS = Column("status", lambda row: row.status, right=False)


def columns_of(table: TaskTable) -> list[Column]:
    """The columns that say something of a task's rows.

    Grey images have no colour coherence; nats per image are for images of two levels, whose bits/dim differ in the last digits alone;
    without a leak there is no sequential score, without a paper's figure no verdict.
    """
    judged = [PUBLISHED, DIFFERENCE, VERDICT] if any(row.published for row in table.rows) else []
    likelihood, behind, last = (NATS, BEHIND_NATS, [SCORE]) if table.binary else (SCORE, BEHIND, [])
    columns = [RANK, VARIANT, likelihood, *judged, SEEDS, CAUSAL, behind, SEQUENTIAL, PROVED, LATENTS, *statistics_of(table), *last]
    return _speaking([*columns, UPDATES, PARAMETERS, SECONDS, STATUS], table)


def columns_of_ablation(ablation: TaskAblation) -> list[Column]:
    """Likewise of an ablation's rows: what differs, and the difference that it makes."""
    value = Column("what differs", lambda row: ablation.of(row.label).value, right=False, weight=5)
    against = Column(AGAINST, lambda row: words.against(ablation.of(row.label).paired))
    beside = [*measures_of(ablation.table), *statistics_of(ablation.table)]
    columns = [VARIANT, value, SCORE, NATS, against, SEEDS, CAUSAL, SEQUENTIAL, LATENTS, *beside]
    if all(entry.paired is None for entry in ablation.rows):
        columns.remove(against)
    if any(row.status != "done" for row in ablation.table.rows):
        columns.append(STATUS)
    return _speaking(columns, ablation.table)


def statistics_of(table: TaskTable) -> list[Column]:
    """A column for each statistic that has one and says something here: of colours where there are any, others' where measured."""
    found = {name: one for name, one in STATISTICS.usable()[0].items() if one.weight is not None and (table.coloured or not one.coloured)}
    values = [table.real, *(row.statistics for row in table.rows)]
    return [_column(one) for name, one in found.items() if STATISTICS.is_own(name) or any(known.get(name) is not None for known in values)]


def measures_of(table: TaskTable) -> list[Column]:
    """A column for each measure of samples that some row has: of features in each feature set, and named with it; of pixels once."""
    measured = [row.quality for row in table.rows if row.quality is not None]
    usual = [name for name, one in MEASURES.usable()[0].items() if one.weight <= _BESIDE]
    names = [name for name in usual if any(name in one.values for one in measured)]
    sets = dict.fromkeys(one.features for one in measured)
    of_features = [_measured(name, features) for features in sets for name in names if MEASURES[name].in_features]
    return [*of_features, *(_measured(name, None) for name in names if not MEASURES[name].in_features)]


@cache
def _measured(name: str, features: str | None) -> Column:
    measure = MEASURES[name]

    def said(row: Row) -> str:
        found = row.quality if row.quality is not None and features in (None, row.quality.features) else None
        return words.with_error(found.values.get(name) if found else None, words.most_decimals(measure.unit))

    unit = ", dB" if measure.unit == "dB" else ""
    return Column(f"{measure.title}{unit}" if features is None else f"{measure.title}/{features}", said, weight=measure.weight)


@cache
def _column(statistic: Statistic) -> Column:
    name, said = statistic.name, words.share if statistic.unit == "share" else words.ratio
    weight = statistic.weight or 0
    return Column(statistic.title, lambda row: said(row.statistics.get(name)), lambda table: said(table.real.get(name)), weight=weight)


def _speaking(columns: list[Column], table: TaskTable) -> list[Column]:
    silent = {
        NATS: not table.binary,
        LATENTS: all(row.kl is None for row in table.rows),
        PROVED: all(row.proof is None for row in table.rows),
        SEQUENTIAL: all(row.sequential_bits_per_dim is None for row in table.rows),
    }
    return [column for column in columns if not silent.get(column, False)]


def weight_of(column: Column, table: TaskTable) -> int:
    """A column's weight among those of a table: of images of two levels bits/dim says what nats say; a status column that says nothing but
    `done` goes before all others."""
    if column is STATUS and all(row.status == "done" for row in table.rows):
        return SILENT
    return 2 if column is SCORE and table.binary else column.weight


def caption(table: TaskTable) -> str:
    """`16x16x3 images of 16 levels, budget quick`; the size is height, width, channels. And which rows are trained on more images."""
    channels, height, width = table.shape
    budgets = f"budget{'s' if len(table.budgets) > 1 else ''} {', '.join(table.budgets)}"
    said = f"{height}x{width}x{channels} images of {table.levels} levels, {budgets}"
    if not table.all_training:
        return said
    return f"{said}; trained on all training images, with those that others hold out for validation: {', '.join(table.all_training)}"

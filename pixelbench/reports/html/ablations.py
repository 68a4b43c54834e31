"""Ablations as a page shows them: a forest plot inside the table, what it teaches in words, and the grids beside one another."""

from dataclasses import dataclass

from pixelbench.analysis import format as words
from pixelbench.analysis.ablations import TaskAblation
from pixelbench.reports import columns
from pixelbench.reports.html.anchors import anchor, choice_anchor
from pixelbench.reports.html.drawn.pictures import Crop, Picture
from pixelbench.reports.html.drawn.scales import Scale, axis_around
from pixelbench.reports.html.tables import Grid, grid_of


@dataclass(frozen=True)
class Whisker:
    """A difference to the baseline with its 95 % interval; places in per cent of the width. `open`: it is at most so large. `tone`: `more`,
    `fewer` or `unclear` bits than the baseline."""

    low: float
    mean: float
    high: float
    zero: float
    open: bool
    tone: str
    alt: str


@dataclass(frozen=True)
class Forest:
    """An ablation on one task. `whiskers` has an entry for each line of the grid, None where there is nothing to draw;
    `zero` is the place of no difference."""

    anchor: str
    task: str
    caption: str
    grid: Grid
    whiskers: tuple[Whisker | None, ...]
    marks: tuple[tuple[float, str], ...]
    zero: float
    sentences: tuple[str, ...]
    samples: tuple[tuple[str, bool, Picture], ...]
    maps: tuple[tuple[str, bool, Picture], ...]


@dataclass(frozen=True)
class ChoiceSection:
    """All ablations of one design choice."""

    anchor: str
    title: str
    question: str
    forests: tuple[Forest, ...]


def forest_of(
    ablation: TaskAblation,
    anchors: dict[str, str],
    samples: dict[str, Picture],
    crops: dict[str, Crop],
    maps: dict[str, Picture],
    leaking: set[str],
) -> Forest:
    """An ablation's table and plot.

    Args:
        ablation: what it compares.
        anchors: label of a variant → id of its section.
        samples: label → its grid.
        crops: label → some of its samples.
        maps: label → the drawing of what it sees.
        leaking: labels of the variants that are not causal.
    """
    caption = columns.caption(ablation.table)
    grid = grid_of(
        f"{ablation.choice.title} on {ablation.task}: {caption}", ablation.table, columns.columns_of_ablation(ablation), anchors, crops
    )
    whiskers, axis = _whiskers(ablation)
    shown = [(label, label in leaking, samples[label]) for label in ablation.labels if label in samples]
    different = {picture.name for label in ablation.labels if (picture := maps.get(label))}
    drawn = {maps[label].name: (label, label in leaking, maps[label]) for label in reversed(ablation.labels) if label in maps}
    return Forest(
        anchor=anchor(choice_anchor(ablation.choice.name), ablation.task),
        task=ablation.task,
        caption=caption,
        grid=grid,
        whiskers=whiskers,
        marks=tuple(axis.marks(3)) if axis else (),
        zero=axis.at(0.0) if axis else 0.0,
        sentences=tuple(ablation.sentences),
        samples=tuple(shown),
        maps=tuple(reversed(drawn.values())) if len(different) > 1 else (),
    )


def _whiskers(ablation: TaskAblation) -> tuple[tuple[Whisker | None, ...], Scale | None]:
    """A whisker or nothing for each row, and their axis; None where there is nothing to draw."""
    pairs = [entry.paired for entry in ablation.rows]
    known = [paired.difference for paired in pairs if paired is not None]
    if not known:
        return tuple(None for _ in pairs), None
    axis = axis_around([0.0, *(value for one in known for value in (one.low, one.mean, one.high))])
    drawn: list[Whisker | None] = []
    for paired in pairs:
        if paired is None:
            drawn.append(None)
            continue
        one = paired.difference
        tone = "unclear" if not one.distinguishable else "more" if one.mean > 0 else "fewer"
        places = axis.at(one.low), axis.at(one.mean), axis.at(one.high), axis.at(0.0)
        drawn.append(Whisker(*places, paired.of == "at most", tone, f"Difference to the baseline {words.against(paired)} bits/dim"))
    return tuple(drawn), axis

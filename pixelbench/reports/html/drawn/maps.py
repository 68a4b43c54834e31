"""Dependence maps as vector drawings in the page's colours: a panel for each pair of colours, around the output's own pixel."""

import itertools
from dataclasses import dataclass

from pixelbench.causality.render.map_text import map_rows
from pixelbench.causality.render.picture import KINDS
from pixelbench.causality.report import CausalityReport, colour_name
from pixelbench.reports.html.drawn.pictures import Picture, Pictures

#: Of the classes by which the style sheet colours a cell.
NAMES = {"#": "seen", "b": "blind", ".": "beyond", "x": "ahead", " ": "later", "?": "unmeasured"}
#: In cells: between panels, above one for its title, and left and below for the offsets.
_GAP, _TITLE, _MARGIN = 1.5, 2.2, 2.6
#: Marks on an axis, at most about.
_MARKS = 6
#: A drawing has at least this width, in cells, so that its letters are no larger than the page's.
_LEAST = 34.0


@dataclass(frozen=True)
class Panel:
    """What one colour's output sees of another colour, its corner at (`x`, `y`). `areas`: class and path of each kind of cell. `crosses`: a
    mark on each leak, for eyes that do not tell red from green. `here`: the output's own pixel."""

    x: float
    y: float
    title: str
    areas: tuple[tuple[str, str], ...]
    crosses: str
    here: tuple[int, int]
    across: tuple[tuple[float, str], ...]
    upwards: tuple[tuple[float, str], ...]
    height: int


@dataclass(frozen=True)
class DrawnMap:
    """A map; the unit is one cell."""

    panels: tuple[Panel, ...]


def add_map(report: CausalityReport, pictures: Pictures) -> Picture:
    """The drawing of a map, held by the page once."""
    channels, drawn = report.shape[0], report.map
    height, width = len(drawn.pairs[0, 0]), len(drawn.pairs[0, 0][0])
    title = _TITLE if channels > 1 else 0.4
    panels = tuple(
        _panel(report, out, into, _MARGIN + into * (width + _GAP), title + out * (height + _GAP + title), (height, width))
        for out, into in itertools.product(range(channels), repeat=2)
    )
    size = _MARGIN + channels * (width + _GAP), channels * (height + _GAP + title) + _MARGIN / 2
    key = f"{drawn.top} {drawn.left} {[panel.areas for panel in panels]}"
    said = f"Dependence map of {report.target}. {report.summary()}"
    return pictures.add_drawing(DrawnMap(panels), key, (max(size[0], _LEAST), size[1]), said)


def legend_of(reports: list[CausalityReport]) -> tuple[tuple[str, str], ...]:
    """Class and words of each kind of cell that these maps have."""
    found = {letter for report in reports for pair in report.map.pairs for row in map_rows(report, *pair) for letter in row}
    return tuple((NAMES[letter], said) for letter, (_, said) in KINDS.items() if letter in found)


def _panel(report: CausalityReport, out: int, into: int, x: float, y: float, size: tuple[int, int]) -> Panel:
    rows, channels = map_rows(report, out, into), report.shape[0]
    crosses = " ".join(
        f"M{column + 0.25:g} {row + 0.25:g}l.5 .5m0 -.5l-.5 .5"
        for row, line in enumerate(rows)
        for column, one in enumerate(line)
        if one == "x"
    )
    return Panel(
        x=x,
        y=y,
        title=f"{colour_name(out, channels)} sees {colour_name(into, channels)}" if channels > 1 else "",
        areas=tuple((NAMES[letter], path) for letter in KINDS if (path := _area(rows, letter))),
        crosses=crosses,
        here=(-report.map.left, -report.map.top),
        across=_marks(report.map.left, size[1]) if out == channels - 1 else (),
        upwards=_marks(report.map.top, size[0]) if into == 0 else (),
        height=size[0],
    )


def _area(rows: list[str], letter: str) -> str:
    """The cells of one letter as a path: neighbours in a row are one rectangle."""
    parts: list[str] = []
    for row, line in enumerate(rows):
        column = 0
        for one, group in itertools.groupby(line):
            length = len(list(group))
            if one == letter:
                parts.append(f"M{column} {row}h{length}v1h-{length}z")
            column += length
    return "".join(parts)


def _marks(first: int, count: int) -> tuple[tuple[float, str], ...]:
    """The middle of a cell and its offset: round ones, 0 among them."""
    step = next((step for step in (1, 2, 5, 10, 20, 50) if count <= _MARKS * step), 100)
    return tuple((offset - first + 0.5, f"{offset:+d}" if offset else "0") for offset in range(first, first + count) if offset % step == 0)

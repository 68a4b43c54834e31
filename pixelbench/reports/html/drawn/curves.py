"""Learning curves as vector drawings that take the page's colours, in the unit of the task."""

from dataclasses import dataclass
from typing import Any

from pixelbench.analysis import format as words
from pixelbench.reports.html.drawn.scales import Scale, axis_around
from pixelbench.reports.pictures.plots import MOST_CURVES, curve_of, in_unit_of_task, settled
from pixelbench.store.cells import Cell
from pixelbench.store.curve_file import Curve

#: Of the drawing, in its own units.
WIDTH, HEIGHT = 560, 240
#: A line has no more points than anybody can see.
_POINTS = 120
#: More dots run into one another.
_DOTS = 40


@dataclass(frozen=True)
class CurveLine:
    """Of one variant: places `x,y x,y …` in the drawing, `dots` as a path. `tone` tells it from the others, `dotted` from likelihoods.
    `note` is `not causal`, `a bound` or nothing. `points`: update, training and validation value of those drawn, as CSV."""

    label: str
    note: str
    tone: int
    dotted: bool
    train: str
    validation: str
    dots: str
    last: str
    points: str


@dataclass(frozen=True)
class CurveChart:
    """Bits/dim, or of images of two levels nats an image, against updates. `alt` says in words what is to be seen; `more`: so many curves
    have no room."""

    unit: str
    lines: tuple[CurveLine, ...]
    across: tuple[tuple[float, str], ...]
    upwards: tuple[tuple[float, str], ...]
    alt: str
    more: int = 0


def draw_lines(cells: list[Cell]) -> CurveChart | None:
    """The curves of these cells of one task, of several seeds the lowest that kept one; None where nothing was trained.

    What leaks is no likelihood, so that it has no say in the scale and is drawn as far as it lies in it.
    """
    curves = [(cell, curve) for cell in cells if (curve := _curve_of(cell))]
    drawn = curves[:MOST_CURVES]
    longest = max((update for _, curve in drawn for update, *_ in curve), default=0)
    values = settled([curve for cell, curve in drawn if not cell.leaky], longest) or settled([curve for _, curve in drawn], longest)
    if not values:
        return None
    unit = cells[0].unit
    across, upwards = Scale(0, longest or 1, WIDTH), axis_around(values, HEIGHT, 0.06)
    lines = tuple(_line(cell, curve, index, across, upwards) for index, (cell, curve) in enumerate(drawn))
    said = "; ".join(f"{line.label}{f' ({line.note})' if line.note else ''} ends at {line.last} {unit}" for line in lines)
    marks = tuple((round(HEIGHT - place, 2), label) for place, label in upwards.marks())
    alt = f"Learning curves, {unit} against updates: {said}."
    return CurveChart(unit, lines, tuple(across.marks(5)), marks, alt, len(curves) - len(drawn))


def _curve_of(cell: Cell) -> Curve:
    return in_unit_of_task(cell, next((curve for run in cell.runs if (curve := curve_of(run))), []))


def _line(cell: Cell, curve: Curve, index: int, across: Scale, upwards: Scale) -> CurveLine:
    train = [(update, value) for update, value, _ in curve if value is not None]
    validation = [(update, value) for update, _, value in curve if value is not None]
    last = (validation or train)[-1:]
    train, validation = ([point for point in points if upwards.low <= point[1] <= upwards.high] for points in (train, validation))
    return CurveLine(
        label=cell.label,
        note="not causal" if cell.leaky else "a bound" if cell.bound else "",
        tone=index,
        dotted=cell.leaky,
        train=_path(train, across, upwards),
        validation=_path(validation, across, upwards),
        dots=" ".join(f"M{x:g} {y:g}h0" for x, y in _places(validation, across, upwards)) if len(validation) <= _DOTS else "",
        last=(f"{last[0][1]:.2f}" if cell.unit == "nats/image" else words.bits(last[0][1])) if last else words.NONE,
        points="\n".join(",".join("" if value is None else f"{value:.6g}" for value in row) for row in _thinned(curve)),
    )


def _path(points: list[tuple[int, float]], across: Scale, upwards: Scale) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in _places(_thinned(points), across, upwards))


def _thinned(points: list[Any]) -> list[Any]:
    """At most so many points as can be seen, the last one among them."""
    step = max(1, -(-len(points) // _POINTS))
    return [*points[::step], *(points[-1:] if (len(points) - 1) % step else [])]


def _places(points: list[tuple[int, float]], across: Scale, upwards: Scale) -> list[tuple[float, float]]:
    return [(round(across.at(update), 1), round(HEIGHT - upwards.at(bits), 1)) for update, bits in points]

"""Learning curves as vector drawings that take the page's colours."""

from dataclasses import dataclass

from pixelbench.reports.html.scales import Scale, axis_around
from pixelbench.reports.plots import curve_of
from pixelbench.store.artifacts import Curve
from pixelbench.store.cells import Cell

#: Of the drawing, in its own units.
WIDTH, HEIGHT = 560, 240
#: A line has no more points than anybody can see.
_POINTS = 120
#: More dots run into one another.
_DOTS = 40
#: The steep beginning of a curve, as a part of the updates, which would flatten the rest; it is cut off where it leaves the drawing.
_FALL = 0.1
#: Tones told apart with any colour vision; further curves are dashed as well.
TONES = 7


@dataclass(frozen=True)
class CurveLine:
    """Of one variant: places `x,y x,y …` in the drawing, `dots` as a path. `tone` 0 to 6 and `dash` (`dash0` to `dash3`) tell it from
    others, `dotted` from likelihoods. `note` is `not causal`, `a bound` or nothing."""

    label: str
    note: str
    tone: int
    dash: str
    train: str
    validation: str
    dots: str
    last: str


@dataclass(frozen=True)
class CurveChart:
    """Bits/dim against updates. `alt` says in words what is to be seen."""

    lines: tuple[CurveLine, ...]
    across: tuple[tuple[float, str], ...]
    upwards: tuple[tuple[float, str], ...]
    alt: str


def draw_lines(cells: list[Cell]) -> CurveChart | None:
    """The curves of these cells, of several seeds the lowest that kept one; None where nothing was trained."""
    curves = [(cell, curve) for cell in cells if (curve := _curve_of(cell))]
    if not curves:
        return None
    longest = max(update for _, curve in curves for update, *_ in curve)
    settled = [value for _, curve in curves for update, *pair in curve for value in pair if value is not None and update >= _FALL * longest]
    if not settled:
        return None
    across, upwards = Scale(0, longest or 1, WIDTH), axis_around(settled, HEIGHT, 0.06)
    lines = tuple(_line(cell, curve, index, across, upwards) for index, (cell, curve) in enumerate(curves))
    said = "; ".join(f"{line.label}{f' ({line.note})' if line.note else ''} ends at {line.last} bits/dim" for line in lines)
    marks = tuple((round(HEIGHT - place, 2), label) for place, label in upwards.marks())
    return CurveChart(lines, tuple(across.marks(5)), marks, f"Learning curves, bits/dim against updates: {said}.")


def _curve_of(cell: Cell) -> Curve:
    return next((curve for run in cell.runs if (curve := curve_of(run))), [])


def _line(cell: Cell, curve: Curve, index: int, across: Scale, upwards: Scale) -> CurveLine:
    train = [(update, bits) for update, bits, _ in curve if bits is not None and bits <= upwards.high]
    validation = [(update, bits) for update, _, bits in curve if bits is not None and bits <= upwards.high]
    last = (validation or train)[-1:]
    return CurveLine(
        label=cell.label,
        note="not causal" if cell.leaky else "a bound" if cell.bound else "",
        tone=index % TONES,
        dash="dotted" if cell.leaky else f"dash{index // TONES % 4}",
        train=_path(train, across, upwards),
        validation=_path(validation, across, upwards),
        dots=" ".join(f"M{x:g} {y:g}h0" for x, y in _places(validation, across, upwards)) if len(validation) <= _DOTS else "",
        last=f"{last[0][1]:.3f}" if last else "–",
    )


def _path(points: list[tuple[int, float]], across: Scale, upwards: Scale) -> str:
    step = max(1, -(-len(points) // _POINTS))
    kept = [*points[::step], *(points[-1:] if (len(points) - 1) % step else [])]
    return " ".join(f"{x:g},{y:g}" for x, y in _places(kept, across, upwards))


def _places(points: list[tuple[int, float]], across: Scale, upwards: Scale) -> list[tuple[float, float]]:
    return [(round(across.at(update), 1), round(HEIGHT - upwards.at(bits), 1)) for update, bits in points]

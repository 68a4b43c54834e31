"""Published beside measured: for each figure its tolerance band, the published value, what was measured and its interval on one axis."""

from collections.abc import Callable
from dataclasses import dataclass

from pixelbench.analysis import format as words
from pixelbench.published.comparison import FigureComparison
from pixelbench.reports.html.scales import Scale, axis_around


@dataclass(frozen=True)
class Dots:
    """One line of the plot; places in per cent of its width. `band`, `measured` and `interval` are None where there are none."""

    compared: FigureComparison
    published: float
    band: tuple[float, float] | None
    measured: float | None
    interval: tuple[float, float] | None

    @property
    def alt(self) -> str:
        """The line in words."""
        one = self.compared
        at_most, where = "at most " if one.figure.bound else "", " on validation images" if one.figure.on_validation else ""
        said = f"published {at_most}{one.figure.printed}{where}"
        if one.figure.band is not None:
            said += f", tolerance ± {one.figure.band:.3g}"
        if one.measured is None:
            return f"{said}, nothing measured"
        said += f", measured {'at most ' if one.measured_bound else ''}{words.in_unit(one.measured, one.figure.unit)}"
        return said if one.interval is None else f"{said}, 90 % interval {one.interval[0]:.3f} to {one.interval[1]:.3f}"


@dataclass(frozen=True)
class Panel:
    """The figures on one task in one unit."""

    task: str
    unit: str
    marks: tuple[tuple[float, str], ...]
    dots: tuple[Dots, ...]


def panels_of(compared: tuple[FigureComparison, ...]) -> list[Panel]:
    """By task and unit; within a panel the lowest published value first, figures of one variant together."""
    groups: dict[tuple[str, str], list[FigureComparison]] = {}
    for one in compared:
        groups.setdefault((one.task, one.figure.unit), []).append(one)
    return [_panel(task, unit, members) for (task, unit), members in sorted(groups.items())]


def _panel(task: str, unit: str, members: list[FigureComparison]) -> Panel:
    axis = axis_around([value for one in members for value in _extent(one)])
    return Panel(task, unit, tuple(axis.marks()), tuple(_dots(one, axis) for one in sorted(members, key=_place(members))))


def _place(members: list[FigureComparison]) -> Callable[[FigureComparison], tuple[float, str, bool, str]]:
    best = {label: min(one.figure.value for one in members if one.label == label) for label in {one.label for one in members}}
    return lambda one: (best[one.label], one.label, bool(one.figure.context), one.figure.id)


def _extent(one: FigureComparison) -> list[float]:
    values = [one.figure.value, *(one.interval or ())]
    if one.figure.band is not None:
        values += [one.figure.value - one.figure.band, one.figure.value + one.figure.band]
    return values if one.measured is None else [*values, one.measured]


def _dots(one: FigureComparison, axis: Scale) -> Dots:
    band = None if one.figure.band is None else (axis.at(one.figure.value - one.figure.band), axis.at(one.figure.value + one.figure.band))
    interval = None if one.interval is None else (axis.at(one.interval[0]), axis.at(one.interval[1]))
    return Dots(one, axis.at(one.figure.value), band, None if one.measured is None else axis.at(one.measured), interval)

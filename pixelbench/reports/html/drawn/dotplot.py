"""Published beside measured: for each figure its tolerance band, the published value, what was measured and its interval on one axis."""

from collections.abc import Callable
from dataclasses import dataclass

from pixelbench.analysis import format as words
from pixelbench.published.comparison import FigureComparison
from pixelbench.reports.html.anchors import anchor
from pixelbench.reports.html.drawn.scales import Scale, axis_around

_MEMORY, _INCOMPARABLE = "From memory, not verified", "Cannot be compared, or is not judged"
#: What is folded → its part of an id.
_FOLDS = {_MEMORY: "memory", _INCOMPARABLE: "incomparable"}


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
class Fold:
    """Lines that are shown when they are asked for, on an axis of their own. `said`: what they are, and how many have which verdict."""

    name: str
    said: str
    marks: tuple[tuple[float, str], ...]
    dots: tuple[Dots, ...]


@dataclass(frozen=True)
class Panel:
    """The figures on one task in one unit. `dots`: those that were seen in their source and can be compared, decided ones first; the others
    are folded."""

    task: str
    unit: str
    anchor: str
    marks: tuple[tuple[float, str], ...]
    dots: tuple[Dots, ...]
    folds: tuple[Fold, ...] = ()


def panels_of(compared: tuple[FigureComparison, ...]) -> list[Panel]:
    """By task and unit; within a panel the lowest published value first, figures of one variant together."""
    groups: dict[tuple[str, str], list[FigureComparison]] = {}
    for one in compared:
        groups.setdefault((one.task, one.figure.unit), []).append(one)
    return [_panel(task, unit, members) for (task, unit), members in sorted(groups.items())]


def panel_of_one(one: FigureComparison) -> Panel:
    """A figure on an axis of its own."""
    axis = axis_around(_extent(one), room=0.25)
    return Panel(one.task, one.figure.unit, "", tuple(axis.marks(3)), (_dots(one, axis),))


def _panel(task: str, unit: str, members: list[FigureComparison]) -> Panel:
    groups: dict[str, list[FigureComparison]] = {"": [], _MEMORY: [], _INCOMPARABLE: []}
    for one in sorted(members, key=_place(members)):
        groups[_fold(one)].append(one)
    folds = [Fold(_FOLDS[name], _said(name, group), *_drawn(group)) for name, group in groups.items() if name and group]
    return Panel(task, unit, anchor("published", task, unit.replace("/", "-a-")), *_drawn(groups[""]), tuple(folds))


def _drawn(members: list[FigureComparison]) -> tuple[tuple[tuple[float, str], ...], tuple[Dots, ...]]:
    """The marks of an axis around these figures, and a line each."""
    if not members:
        return (), ()
    axis = axis_around([value for one in members for value in _extent(one)])
    return tuple(axis.marks()), tuple(_dots(one, axis) for one in members)


def _fold(one: FigureComparison) -> str:
    """Where a line stands: nowhere folded, among those from memory, or among those that cannot be compared or are not judged."""
    if one.verdict is None or one.verdict_name in ("not comparable", "no figure"):
        return _INCOMPARABLE
    return "" if one.figure.verified else _MEMORY


def _said(name: str, members: list[FigureComparison]) -> str:
    """`from memory, not verified: 3 figures (2 better, 1 worse)`"""
    counts: dict[str, int] = {}
    for one in members:
        counts[one.verdict_name or "shown beside"] = counts.get(one.verdict_name or "shown beside", 0) + 1
    which = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    return f"{name}: {len(members)} figure{'' if len(members) == 1 else 's'} ({which})"


def _place(members: list[FigureComparison]) -> Callable[[FigureComparison], tuple[bool, float, str, bool, str]]:
    best = {label: min(one.figure.value for one in members if one.label == label) for label in {one.label for one in members}}
    return lambda one: (
        one.verdict is None or not one.verdict.decided,
        best[one.label],
        one.label,
        bool(one.figure.context),
        one.figure.id,
    )


def _extent(one: FigureComparison) -> list[float]:
    values = [one.figure.value, *(one.interval or ())]
    if one.figure.band is not None:
        values += [one.figure.value - one.figure.band, one.figure.value + one.figure.band]
    return values if one.measured is None else [*values, one.measured]


def _dots(one: FigureComparison, axis: Scale) -> Dots:
    band = None if one.figure.band is None else (axis.at(one.figure.value - one.figure.band), axis.at(one.figure.value + one.figure.band))
    interval = None if one.interval is None else (axis.at(one.interval[0]), axis.at(one.interval[1]))
    return Dots(one, axis.at(one.figure.value), band, None if one.measured is None else axis.at(one.measured), interval)

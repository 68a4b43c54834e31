"""Learning curves: train and validation likelihoods against updates, in the unit of the task, one figure a task."""

import contextlib
import io
import itertools
import warnings
from collections.abc import Callable, Iterator
from typing import Any

from pixelbench.store.artifacts import CURVE
from pixelbench.store.cells import Cell, Run
from pixelbench.store.curve_file import Curve, read_curve
from pixelbench.visible import visible

#: Okabe and Ito's palette, told apart with any colour vision, and behind it others, with marks of their own.
COLOURS = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#000000",
    "#B3123F",
    "#6A3FB5",
    "#5F7300",
    "#7A4A2A",
    "#4FB6B0",
)
MARKERS = "ooooooosssss"
#: More in one drawing cannot be told apart; none has the colour of another.
MOST_CURVES = len(COLOURS)
#: The steep beginning of a curve, as a part of the updates, which would flatten the rest; it is cut off where it leaves the drawing.
_FALL = 0.1
#: Baselines without training are lines to hold the curves against.
LEVEL_LINES = ("uniform", "histogram")


def draw_curves(cells: list[Cell], kept: Callable[[Any, Callable[[], bytes]], bytes]) -> bytes | None:
    """A PNG of the curves of a task's cells, the first `MOST_CURVES` that have one, the same bytes for the same store; None without any.

    Of several seeds the lowest is drawn. Thin: training; thick with dots: validation; dashed: leaking, so not a likelihood, and drawn as
    far as it lies in the scale of the others.

    Args:
        cells: of one task.
        kept: takes the values that are drawn, and how to draw them; gives the picture, or the one that it has of these values.
    """
    read = ((cell, in_unit_of_task(cell, curve)) for cell in cells if (curve := curve_of(cell.runs[0])))
    curves = list(itertools.islice(read, MOST_CURVES))
    if not curves:
        return None

    def draw() -> bytes:
        import matplotlib

        with matplotlib.rc_context({"text.parse_math": False}), drawable_text():  # a name between dollar signs is no formula
            return _png(_drawn(cells, curves))

    lines = [[cell.label, cell.leaky, cell.bound, curve] for cell, curve in curves]
    return kept([cells[0].task, cells[0].unit, lines, _levels(cells)], draw)


@contextlib.contextmanager
def drawable_text() -> Iterator[None]:
    """Letters that the font lacks are boxes in the picture, and no warning each."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        yield


def _drawn(cells: list[Cell], curves: list[tuple[Cell, Curve]]):
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(8, 4.5), dpi=90, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for index, (cell, curve) in enumerate(curves):
        _draw_cell(axes, cell, curve, COLOURS[index], MARKERS[index])
    low, high = _limits(curves)
    for label, family, level in _levels(cells):
        if low < level < high:
            axes.axhline(level, color="0.6", linewidth=0.8, linestyle=":")
            side = "bottom" if family == "uniform" else "top"  # the two can be close
            axes.annotate(visible(label), (1, level), xycoords=("axes fraction", "data"), ha="right", va=side, fontsize=8, color="0.4")
    axes.set(xlabel="updates", ylabel=cells[0].unit, title=f"{visible(cells[0].task)}: validation (dots) and training (thin)")
    axes.set_ylim(low, high)
    axes.set_xlim(left=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=8, frameon=False, loc="upper left", bbox_to_anchor=(1.01, 1.0))
    return figure


def _draw_cell(axes, cell: Cell, curve: Curve, colour: str, marker: str) -> None:
    style = "--" if cell.leaky else "-"
    train = [(update, bits) for update, bits, _ in curve if bits is not None]
    validation = [(update, bits) for update, _, bits in curve if bits is not None]
    if train:
        axes.plot(*zip(*train, strict=True), color=colour, linewidth=0.7, alpha=0.45, linestyle=style)
    name = visible(cell.label)
    name = f" {name}" if name.startswith("_") else name  # which would say that it has no place in the legend
    label = f"{name}{' (not causal)' if cell.leaky else ' (a bound)' if cell.bound else ''}"
    points = validation or train
    if not points:
        return
    shown = marker if validation else None
    axes.plot(*zip(*points, strict=True), color=colour, linewidth=1.6, linestyle=style, marker=shown, markersize=3.5, label=label)


def _levels(cells: list[Cell]) -> list[tuple[str, str, float]]:
    """Label, family and likelihood of the baselines without training."""
    name = "nats_per_image" if cells[0].unit == "nats/image" else "bits_per_dim"
    flat = [cell for cell in cells if cell.family in LEVEL_LINES]
    return [(cell.label, cell.family, level) for cell in flat if (level := cell.mean("likelihood", name)) is not None]


def _limits(curves: list[tuple[Cell, Curve]]) -> tuple[float, float]:
    """A scale for what is no leak, whose numbers are no likelihoods and have no say in it."""
    longest = max(update for _, curve in curves for update, *_ in curve)
    values = settled([curve for cell, curve in curves if not cell.leaky], longest) or settled([curve for _, curve in curves], longest)
    low, high = min(values, default=0.0), max(values, default=1.0)
    spare = 0.06 * (high - low) or 0.5 * abs(high) or 0.5
    return low - spare, high + spare


def settled(curves: list[Curve], longest: int) -> list[float]:
    """The values behind the steep beginning of curves over so many updates."""
    return [value for curve in curves for update, *pair in curve for value in pair if value is not None and update >= _FALL * longest]


def in_unit_of_task(cell: Cell, curve: Curve) -> Curve:
    """A curve of bits/dim in the cell's unit."""

    def given(bits: float | None) -> float | None:
        return None if bits is None else cell.in_unit(bits)

    return [(update, given(train), given(validation)) for update, train, validation in curve]


def curve_of(run: Run) -> Curve:
    """Its learning curve; empty where it has none that is whole."""
    path = run.stored.artifact(CURVE)
    return [] if path is None else read_curve(path)


def _png(figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})  # no version inside: the same curves give the same bytes
    return buffer.getvalue()

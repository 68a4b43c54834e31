"""Learning curves: train and validation bits/dim against updates, one figure a task."""

import contextlib
import io
import itertools
import math
import warnings
from collections.abc import Iterator

from pixelbench.store.artifacts import CURVE, Curve, read_curve
from pixelbench.store.cells import Cell, Run
from pixelbench.visible import visible

#: Okabe and Ito's palette: told apart with any colour vision.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
#: One after the other where there are more curves than colours.
MARKERS = ("o", "s", "^", "D", "v")
#: More in one drawing cannot be told apart.
MOST_CURVES = 12
#: Baselines without training are lines to hold the curves against.
LEVEL_LINES = ("uniform", "histogram")


def draw_curves(cells: list[Cell]) -> bytes | None:
    """A PNG of the curves of a task's cells, the first `MOST_CURVES` that have one, the same bytes for the same store; None without any.

    Of several seeds the lowest is drawn. Thin: training; thick with dots: validation; dashed: leaking, so not a likelihood.
    """
    read = ((cell, curve) for cell in cells if (curve := curve_of(cell.runs[0])))
    curves = list(itertools.islice(read, MOST_CURVES))
    if not curves:
        return None
    import matplotlib

    with matplotlib.rc_context({"text.parse_math": False}), drawable_text():  # a name between dollar signs is no formula
        return _png(_drawn(cells, curves))


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
        turn, place = divmod(index, len(COLOURS))
        _draw_cell(axes, cell, curve, COLOURS[place], MARKERS[turn % len(MARKERS)])
    for cell in cells:
        if cell.family in LEVEL_LINES and (bits := cell.mean("likelihood", "bits_per_dim")) is not None:
            axes.axhline(bits, color="0.6", linewidth=0.8, linestyle=":")
            side = "bottom" if cell.family == "uniform" else "top"  # the two can be close
            axes.annotate(visible(cell.label), (1, bits), xycoords=("axes fraction", "data"), ha="right", va=side, fontsize=8, color="0.4")
    axes.set(xlabel="updates", ylabel="bits/dim", title=f"{visible(cells[0].task)}: validation (dots) and training (thin)")
    axes.set_ylim(0, 1.1 * math.log2(cells[0].levels))
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


def curve_of(run: Run) -> Curve:
    """Its learning curve; empty where it has none that is whole."""
    path = run.stored.artifact(CURVE)
    return [] if path is None else read_curve(path)


def _png(figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})  # no version inside: the same curves give the same bytes
    return buffer.getvalue()

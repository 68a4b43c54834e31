"""The dependence map as a picture: what one pixel's outputs see around it, one panel for each pair of colours."""

import io
import os
import secrets
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pixelbench.causality.render.map_text import map_rows
from pixelbench.causality.report import CausalityReport, colour_name
from pixelbench.errors import UserError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Letter of a cell → its colour and its words.
KINDS = {
    "#": ("#2FB98F", "seen"),
    "b": ("#3A3A3A", "blind spot: earlier, within the context, not seen"),
    ".": ("#C9C9C9", "earlier, beyond the context"),
    "x": ("#D00000", "leak: seen, and may not be"),
    " ": ("#F3F1EA", "may not be seen and is not"),
    "?": ("#FFFFFF", "not measured"),
}
#: The first line of a picture says, where no leak was found, just that: a finite probe never shows that there is none.
_TITLES = {"causal": "no leak found", "partial": "no leak found at the positions probed"}
#: Largest side of a panel and of a cell, in inches.
_SIDE, _SIDE_ALONE, _CELL = 2.8, 4.2, 0.36
_DPI = 100
#: Ticks on one axis, at most about.
_TICKS = 11


def map_figure(report: CausalityReport) -> "Figure":
    """Rows of panels: output colours; columns: input colours. On the axes: offsets, input minus output."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    channels = report.shape[0]
    rows, columns = _extent(report)
    cell = min(_CELL, (_SIDE_ALONE if channels == 1 else _SIDE) / max(rows, columns))
    width = max(6.0, channels * (columns * cell + 0.5) + 0.6)
    title = _title(report, int(13 * width))
    used = _used(report)
    height = channels * (rows * cell + 0.35) + 0.2 * title.count("\n") + 0.2 * -(-(len(used) + 1) // _beside(width)) + 0.8
    figure = Figure(figsize=(width, height), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    panels: Any = figure.subplots(channels, channels, squeeze=False, sharex=True, sharey=True)
    for out in range(channels):
        for into in range(channels):
            _panel(panels[out, into], report, out, into, cell)
        panels[out, 0].set_ylabel("row offset", fontsize=8)
    for axes in panels[-1]:  # not the figure's own label, which would lie under the legend
        axes.set_xlabel("column offset", fontsize=8)
    figure.suptitle(title, fontsize=10, parse_math=False)
    figure.legend(handles=_legend(used), loc="outside lower center", ncols=_beside(width), fontsize=8, frameon=False)
    return figure


def map_png(report: CausalityReport) -> bytes:
    """The picture as a PNG, the same bytes for the same report."""
    return _rendered(report, "png")


def write_map(report: CausalityReport, path: Path) -> None:
    """Write the picture, whole or not at all, the same bytes for the same report.

    Raises:
        UserError: the suffix is neither `.png` nor `.svg`, or the file cannot be written.
    """
    kind = path.suffix.lower().removeprefix(".")
    if kind not in ("png", "svg"):
        raise UserError(f"A map is drawn as .png or .svg: give '{path}' one of these endings.")
    data = _rendered(report, kind)
    # The store's atomic writer is a neighbour of this package, so out of its reach.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    try:
        temporary.write_bytes(data)
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise UserError(f"The map cannot be written to '{path}' ({error.strerror}): choose another file with --plot.") from error


def _rendered(report: CausalityReport, kind: str) -> bytes:
    import matplotlib

    # No versions, no dates, no random names inside.
    metadata: dict[str, None] = {"Software": None} if kind == "png" else {"Date": None, "Creator": None}
    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "pixelbench"}):
        map_figure(report).savefig(buffer, format=kind, metadata=metadata)
    return buffer.getvalue()


def _extent(report: CausalityReport) -> tuple[int, int]:
    """Rows and columns of a panel."""
    rows = report.map.pairs[0, 0]
    return len(rows), len(rows[0])


def _used(report: CausalityReport) -> list[str]:
    found = {letter for pair in report.map.pairs for row in map_rows(report, *pair) for letter in row}
    return [letter for letter in KINDS if letter in found]


def _title(report: CausalityReport, columns: int) -> str:
    size = "x".join(map(str, report.shape))
    step = ", after a training step" if report.after_step else ""
    first = f"{report.target} ({size}, {report.mode} mode{step}): {_TITLES.get(report.verdict, report.verdict)}"
    return "\n".join(line for text in (first, report.summary()) for line in textwrap.wrap(text, columns))


def _panel(axes: "Axes", report: CausalityReport, out: int, into: int, cell: float) -> None:
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    rows, (height, width) = map_rows(report, out, into), _extent(report)
    top, left = report.map.top, report.map.left
    places = [(letter, left + column, top + row) for row, line in enumerate(rows) for column, letter in enumerate(line)]
    line = min(1.0, 4 * cell)
    for kind in KINDS:  # in this order, not a set's: neighbours' edges overlap
        squares = [Rectangle((column - 0.5, row - 0.5), 1, 1) for letter, column, row in places if letter == kind]
        if not squares:
            continue
        hatch, edge = ("////", "#909090") if kind == "?" else (None, "white")
        axes.add_collection(PatchCollection(squares, facecolor=KINDS[kind][0], edgecolor=edge, linewidth=line, hatch=hatch))
    leaks = [(column, row) for letter, column, row in places if letter == "x"]
    if leaks:  # a mark as well, for eyes that do not tell red from green
        columns, heights = [column for column, _ in leaks], [row for _, row in leaks]
        axes.scatter(columns, heights, marker="x", s=(24 * cell) ** 2, linewidths=8 * cell, color="white", zorder=3)
    axes.add_patch(Rectangle((-0.5, -0.5), 1, 1, fill=False, edgecolor="black", linewidth=max(1.2, 6 * cell), zorder=4))
    axes.set(xlim=(left - 0.6, left + width - 0.4), ylim=(top + height - 0.4, top - 0.6), aspect="equal")
    axes.set_xticks(_ticks(left, width))
    axes.set_yticks(_ticks(top, height))
    axes.tick_params(labelsize=7, length=2)
    axes.spines[:].set_visible(False)
    channels = report.shape[0]
    if channels > 1:
        axes.set_title(f"{colour_name(out, channels)} sees {colour_name(into, channels)}", fontsize=9)


def _ticks(first: int, count: int) -> list[int]:
    """Round offsets, 0 among them."""
    step = next(step for step in (1, 2, 5, 10, 20, 50) if count <= _TICKS * step or step == 50)
    return [offset for offset in range(first, first + count) if offset % step == 0]


def _beside(width: float) -> int:
    """Entries of the legend in one row."""
    return max(1, int(width / 2.9))


def _legend(used: list[str]) -> list[Any]:
    from matplotlib.patches import Patch

    kinds = [(KINDS[letter], "////" if letter == "?" else None) for letter in used]
    handles = [Patch(facecolor=colour, edgecolor="#909090", hatch=hatch, label=words) for (colour, words), hatch in kinds]
    return [*handles, Patch(facecolor="none", edgecolor="black", linewidth=1.6, label="the output's own pixel")]

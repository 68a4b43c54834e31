"""Pictures of a task on a page: sample grids and dependence maps, each where a section first asks for it, the rest at the end."""

import dataclasses
import os
from collections.abc import Collection, Sequence
from pathlib import Path

from pixelbench.causality.render.picture import map_png
from pixelbench.files.atomic import write_changed
from pixelbench.reports import escape
from pixelbench.reports.pictures.drawings import Drawings
from pixelbench.reports.pictures.maps import MapGroup, map_groups
from pixelbench.reports.pictures.plots import drawable_text
from pixelbench.store.artifacts import SAMPLES
from pixelbench.store.cells import Cell
from pixelbench.visible import visible

#: Where the figures of a report lie, beside it; small enough to commit.
FILES = "report-files"

MAPS = (
    "What an output sees around its own pixel, over all pixels of the image: every input sub-pixel of a narrow copy of the network was "
    "changed, in float64. Green is seen, dark is a blind spot: earlier, and not seen. Red may not be seen. A "
    "counter-example is one changed input and one output, of the same or an earlier sub-pixel, that moved: one proves a leak, and no "
    "number of tries proves that there is none."
)


class Gallery:
    """The pictures of a task's cells for a page in the folder `beside`. Its methods give Markdown, and remember what was shown."""

    def __init__(self, task: str, cells: list[Cell], beside: Path, drawings: Drawings) -> None:
        self._task, self._cells, self._beside, self._drawings = task, cells, beside, drawings
        self._groups = map_groups(cells)
        self._grids_shown: set[str] = set()
        self._maps_shown: dict[tuple[str, ...], str] = {}  # labels of a group → the first name that its picture bears

    def grids(self, labels: tuple[str, ...]) -> list[str]:
        """Samples of these cells, one below the other, whether shown before or not."""
        self._grids_shown.update(labels)
        return [grid for label in labels for cell in self._cells if cell.label == label and (grid := self._captioned(cell))]

    def grids_side_by_side(self, labels: tuple[str, ...], diagnosed: Collection[str]) -> list[str]:
        """Samples of these cells in one row of a table, whether shown before or not, with the diagnoses of those new and not explained."""
        cells = [cell for label in labels for cell in self._cells if cell.label == label]
        shown = [(cell, picture) for cell in cells if (picture := self._grid(cell))]
        parts = _row([(_heading(cell), picture) for cell, picture in shown])
        new = [cell for cell, _ in shown if cell.label not in self._grids_shown and cell.label not in diagnosed]
        self._grids_shown.update(labels)
        diagnoses = [f"- {_heading(cell)}: {said}" for cell in new if (said := _diagnoses(cell))]
        return [*parts, "\n".join(diagnoses)] if diagnoses else parts

    def other_grids(self) -> list[str]:
        """All that no section has shown."""
        others = tuple(cell.label for cell in self._cells if cell.label not in self._grids_shown)
        heading = f"### {'Other samples' if self._grids_shown else 'Samples'} beside real test images"
        grids = self.grids(others)
        return [heading, *grids] if grids else []

    def differing_maps(self, labels: tuple[str, ...]) -> list[str]:
        """The maps of these cells beside one another, but for those shown before; nothing where all see what the first one sees."""
        requested = [(mine, group) for group in self._groups if (mine := [label for label in labels if label in group.labels])]
        if all(labels[0] in mine for mine, _ in requested):
            return []
        requested.sort(key=lambda pair: labels.index(pair[0][0]))
        old = [self._pointer(mine, group) for mine, group in requested if group.labels in self._maps_shown]
        new = [(mine, group) for mine, group in requested if group.labels not in self._maps_shown]
        parts = self._legend() if new else []
        parts += _row([(_names(mine, group), self._map(mine, group)) for mine, group in new])
        if new:
            parts.append("\n".join(f"- {_caption(mine, group)}" for mine, group in new))
        if old:
            parts.append(f"Dependence map{'s' if len(old) > 1 else ''} shown above: {'; '.join(old)}.")
        return parts

    def other_maps(self) -> list[str]:
        """All that no section has shown."""
        others = [group for group in self._groups if group.labels not in self._maps_shown]
        if not others:
            return []
        parts = [f"### {'Other dependence maps' if self._maps_shown else 'Dependence maps'}", *self._legend()]
        for group in others:
            parts += [_caption(group.labels, group), self._map(group.labels, group)]
        return parts

    def _captioned(self, cell: Cell) -> str | None:
        picture = self._grid(cell)
        if picture is None:
            return None
        said = _diagnoses(cell)
        return f"{_heading(cell)}{f': {said}' if said else ''}\n\n{picture}"

    def _grid(self, cell: Cell) -> str | None:
        path = cell.shown_run.stored.artifact(SAMPLES)
        if path is None:
            return None
        return _picture(f"Samples of {cell.label}", Path(os.path.relpath(path, self._beside)).as_posix())

    def _legend(self) -> list[str]:
        return [] if self._maps_shown else [MAPS]

    def _map(self, labels: Sequence[str], group: MapGroup) -> str:
        """The picture, under the names of these of its variants."""
        self._maps_shown[group.labels] = labels[0]
        name = f"{FILES}/map-{escape.file_name(self._task)}-{escape.file_name(labels[0])}.png"
        target = ", ".join(labels)
        report = dataclasses.replace(group.report, target=visible(target))
        with drawable_text():
            write_changed(self._beside / name, self._drawings.png(report.to_json(), lambda: map_png(report)))
        return _picture(f"Dependence map of {target}", name)

    def _pointer(self, labels: Sequence[str], group: MapGroup) -> str:
        first = self._maps_shown[group.labels]
        return f"{_names(labels, group)}{'' if first in labels else f', the same as of **{escape.text(first)}**'}"


def _caption(labels: Sequence[str], group: MapGroup) -> str:
    others = [label for label in group.labels if label not in labels]
    same = f" The same holds for {', '.join(others)}." if others else ""
    return f"{_names(labels, group)}: {escape.text(f'{group.sentences}{same}')}"


def _names(labels: Sequence[str], group: MapGroup) -> str:
    names = ", ".join(f"**{escape.text(label)}**" for label in labels)
    return f"{names}{' (*not causal*)' if group.report.leaky else ''}"


def _heading(cell: Cell) -> str:
    """A leaking variant's says so."""
    return f"**{escape.text(cell.label)}**{' (*not causal*)' if cell.leaky else ''}"


def _diagnoses(cell: Cell) -> str:
    return escape.text(" ".join(found.sentence for found in cell.shown_run.record.diagnoses))


def _picture(alt: str, path: str) -> str:
    return f"![{escape.text(alt)}]({escape.link(path)})"


def _row(pictures: list[tuple[str, str]]) -> list[str]:
    """Headings over pictures, side by side."""
    if not pictures:
        return []
    return [escape.table([heading for heading, _ in pictures], [False] * len(pictures), [[picture for _, picture in pictures]])]

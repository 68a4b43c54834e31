"""Dependence maps of a task's networks, from the certificates that their runs left."""

import dataclasses
from dataclasses import dataclass

from pixelbench.causality.render.text import seen_lines
from pixelbench.causality.report import CausalityReport
from pixelbench.store.artifacts import CERTIFICATE
from pixelbench.store.cells import Cell


@dataclass(frozen=True)
class MapGroup:
    """Variants whose certificates say the same: one picture serves them all. `report.target` names them."""

    labels: tuple[str, ...]
    report: CausalityReport

    @property
    def sentences(self) -> str:
        """Verdict, what is seen, what is wrong with it, and what else is to be known of it."""
        said = [self.report.summary(), *seen_lines(self.report), *(found.sentence for found in self.report.diagnosis)]
        return " ".join([*said, *self.report.notes])


def map_groups(cells: list[Cell]) -> list[MapGroup]:
    """The maps of a task's cells in the order of the cells. Baselines see nothing, so they have none."""
    groups: list[MapGroup] = []
    for cell in cells:
        report = _newest_certificate(cell)
        if report is None or not (report.leaky or "#" in _letters(report)):
            continue
        same = next((i for i, group in enumerate(groups) if _says(group.report) == _says(report)), None)
        if same is None:
            groups.append(MapGroup((cell.label,), report))
        else:
            groups[same] = dataclasses.replace(groups[same], labels=(*groups[same].labels, cell.label))
    return [dataclasses.replace(one, report=dataclasses.replace(one.report, target=", ".join(one.labels))) for one in groups]


def _newest_certificate(cell: Cell) -> CausalityReport | None:
    """Of several seeds that of the last day, since the newest checker says most of a network; of one day the lowest seed's."""
    with_one = [run for run in cell.runs if run.stored.artifact(CERTIFICATE)]
    newest = max(with_one, key=lambda run: run.record.provenance.date or "", default=None)
    path = None if newest is None else newest.stored.artifact(CERTIFICATE)
    return None if path is None else CausalityReport.read(path)


def _says(report: CausalityReport) -> tuple[object, ...]:
    """The key of a shared picture: variants with the same one share it; how strong a leak is differs between them."""
    return report.verdict, report.map, report.context, report.colour_conditioning, report.blind_spots, report.faults, report.notes


def _letters(report: CausalityReport) -> set[str]:
    return {letter for rows in report.map.pairs.values() for row in rows for letter in row}

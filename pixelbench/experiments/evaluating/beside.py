"""Where a model's number stands: beside the cells of a store on the same images, and beside what is claimed for it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pixelbench.causality.report import CausalityVerdict
from pixelbench.data import Task
from pixelbench.evaluation.likelihood import SplitLikelihood
from pixelbench.published.comparability import ROUNDING
from pixelbench.published.figures import usual_bits
from pixelbench.statistics import Difference, difference
from pixelbench.store.cells import Cell, cells_of, load_runs
from pixelbench.store.scan import scan
from pixelbench.suites.schema import Claim
from pixelbench.units import bits_to_nats


@dataclass(frozen=True)
class Neighbour:
    """A cell of a store, and how many nats an image it needs less than the model that is evaluated."""

    label: str
    nats_per_image: float
    bits_per_dim: float
    behind: float | None
    """Nats an image that the model needs more, image by image; None where the store keeps no nats of the same images."""
    low: float | None
    """Lower end of its 95 % interval over images."""
    high: float | None

    def said(self, nats: float) -> str:
        """`0.31 nats/image ahead (0.25 to 0.37)`."""
        ahead = nats - self.nats_per_image if self.behind is None else self.behind
        where = "ahead" if ahead >= 0 else "behind"
        interval = "" if self.low is None or self.high is None else f" ({self.low:.2f} to {self.high:.2f}, 95 % over images)"
        return f"{abs(ahead):.2f} nats/image {where}{interval}"


@dataclass(frozen=True)
class Claimed:
    """A claim and what these weights say of it."""

    verdict: Literal["reproduced", "better", "worse", "incomplete", "not causal"]
    sentence: str
    value: float
    measured: float
    unit: str
    source: str


def beside(results: Path, task: Task, test: SplitLikelihood) -> tuple[Neighbour, ...]:
    """The causal cells of a store that were scored exactly on the same test images, the best first; none where there is no store."""
    if not results.is_dir():
        return ()
    runs = load_runs(scan(results).examine())
    cells = [cell for cell in cells_of(runs) if cell.scored and cell.comparable and _same_images(cell, task, test)]
    found = [_neighbour(cell, test) for cell in cells]
    return tuple(sorted(found, key=lambda one: one.nats_per_image))


def judge_claim(claim: Claim, task: Task, test: SplitLikelihood, causality: CausalityVerdict | None, *, whole: bool) -> Claimed:
    """Hold the number of these very weights against a claim about them.

    One set of weights and all test images: nothing is left to chance but what the claim was rounded to and how it was computed, so that
    the usual tolerance and half of its last digit are the band, and there is no interval. As of a run's, a leak leaves no verdict, and
    less than a complete map without one (`causality` is not `causal`, None where there can be no map) leaves it incomplete.
    """
    nats = claim.unit == "nats/image"
    usual = usual_bits(task.shape, task.levels)
    usual = bits_to_nats(usual * task.dimensions) if nats else usual
    band = (usual if claim.tolerance is None else claim.tolerance) + 0.5 * 10.0 ** -len(claim.printed.partition(".")[2])
    measured = test.nats_per_image if nats else test.bits_per_dim
    away, decimals = measured - claim.value, 2 if nats else 3
    side = "above" if away >= 0 else "below"
    place = f"{abs(away):.{decimals}f} {side} {claim.printed} of {claim.source} (band ± {band:.3g})"
    distance = f"{measured:.{decimals}f} {claim.unit} is {place}"
    if causality in ("leaky", "stateful"):
        verdict, sentence = "not causal", f"Not causal: {distance}, and means nothing."
    elif not whole:
        verdict, sentence = "incomplete", f"Incomplete: on {test.n_images:,} test images alone, {distance}."
    elif causality != "causal":
        why = {None: "no map", "partial": "only a partial map"}.get(causality, "no conclusion")
        verdict, sentence = "incomplete", f"Incomplete: {why} of what the model sees; {distance}."
    elif abs(away) <= band + ROUNDING:
        verdict, sentence = "reproduced", f"Reproduced by these weights: {distance}."
    else:
        verdict, word = ("worse", "Worse") if away > 0 else ("better", "Better")
        hint = "" if away > 0 else " Suspicious: check split, binarisation and unit."
        sentence = f"{word}: {distance}.{hint}"
    return Claimed(verdict, sentence, claim.value, measured, claim.unit, claim.source)


def _same_images(cell: Cell, task: Task, test: SplitLikelihood) -> bool:
    """Also as many of them, or one of two means is of images that the other has not."""
    counts = {score.n_images for score in cell.likelihoods}
    return cell.runs[0].data == (task.name, task.digest, *task.shape, task.levels) and counts == {test.n_images}


def _neighbour(cell: Cell, test: SplitLikelihood) -> Neighbour:
    nats = cell.mean("likelihood", "nats_per_image")
    bits = cell.mean("likelihood", "bits_per_dim")
    assert nats is not None
    assert bits is not None
    found = _difference(cell, test)
    scale = bits_to_nats(1.0) * cell.shape[0] * cell.shape[1] * cell.shape[2]
    numbers = (None, None, None) if found is None else tuple(part * scale for part in (found.mean, found.low, found.high))
    return Neighbour(cell.label, nats, bits, *numbers)


def _difference(cell: Cell, test: SplitLikelihood) -> Difference | None:
    """How many bits/dim the evaluated weights need more than the mean of the cell's seeds; over images, since these weights are no seed."""
    kept = cell.nats
    if kept is None or kept[1].shape != test.clusters.shape or not (kept[1] == test.clusters).all():
        return None
    return difference(kept[0].mean(0)[None], test.nats[None], test.clusters, cell.shape, trained=(False, False))

"""FID and IS of papers beside ours: what may be held against what, and how far the two are apart. No torch.

No such figure has a tolerance, and most papers do not say over how many samples theirs is: so nothing is ever `reproduced` here. What is
said is how far apart the two are, over how many samples, and why that may mean nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from pixelbench.published.figures import Figure

#: The metric of a figure → its unit, which is the name of ours in the standard features.
METRICS = {"fid": "FID", "inception_score": "IS"}
#: The task that is each data set as published: FID and IS of shrunk or grey images are other numbers.
TASKS = {"CIFAR-10": "cifar10", "ImageNet-32": "imagenet32"}
#: The usual number of samples in papers.
USUAL_SAMPLES = 50_000


@dataclass(frozen=True)
class MeasuredSamples:
    """A number of ours."""

    name: str
    """`FID`, `IS`, or the name with the feature set that other weights give it."""
    value: float
    error: float | None
    n: int
    task: str
    standard: bool
    """In the features that papers use."""


@dataclass(frozen=True)
class SampleComparison:
    """A published number beside ours. `difference`: ours minus theirs; None where the two are not comparable."""

    figure: Figure
    difference: float | None
    sentence: str


def compare_samples(measured: MeasuredSamples, figures: Iterable[Figure]) -> list[SampleComparison]:
    """Our number beside each published one of its metric on the data set that its task is, or is made of; the nearest year first."""
    about = [one for one in figures if METRICS.get(one.metric) in _metrics(measured.name) and _related(one, measured.task)]
    return [_compared(figure, measured) for figure in sorted(about, key=lambda one: (one.year, one.id))]


def _compared(figure: Figure, measured: MeasuredSamples) -> SampleComparison:
    ours = f"{measured.name} {measured.value:.2f}{'' if measured.error is None else f' ± {measured.error:.2f}'} over {measured.n:,} samples"
    theirs = f"{figure.paper}'s {figure.unit} {figure.printed} of {figure.model}"
    reasons = reasons_against_samples(figure, measured)
    if reasons:
        return SampleComparison(figure, None, f"Not comparable with {theirs}: {'; '.join(reasons)} (ours: {ours}).")
    difference = measured.value - figure.value
    side = "higher" if difference > 0 else "lower"
    known = "" if figure.verified else " (from memory, not verified)"
    few = f" {_few(figure.unit)}" if measured.n < USUAL_SAMPLES else ""
    return SampleComparison(
        figure,
        difference,
        f"{ours}, {abs(difference):.2f} {side} than {theirs}{known}, whose number of samples is not known here.{few}",
    )


def reasons_against_samples(figure: Figure, measured: MeasuredSamples) -> list[str]:
    """Why the two cannot be held against each other: only what is known to differ."""
    reasons = {
        "ours is not in the features of published numbers": not measured.standard,
        f"the published images are {figure.dataset}, ours task {measured.task}": TASKS.get(figure.dataset) != measured.task,
    }
    return [reason for reason, holds in reasons.items() if holds]


def _few(unit: str) -> str:
    moves = "rises" if unit == "FID" else "falls"
    return f"{unit} {moves} as samples get fewer than the usual {USUAL_SAMPLES:,}, so the difference is not that of the models alone."


def _metrics(name: str) -> tuple[str, ...]:
    """The units that a number of ours may be asked about: its own, or of other weights the one that it would be."""
    begins = {"FID": "FID", "IS": "IS", "Fréchet distance": "FID", "class score": "IS"}
    return tuple(unit for start, unit in begins.items() if name == start or name.startswith(f"{start}/"))


def _related(figure: Figure, task: str) -> bool:
    published = TASKS.get(figure.dataset)
    return published is not None and (task == published or task.startswith(f"{published}-"))

"""The two lessons of the field in words, with this store's numbers and no further than they carry."""

import math
from dataclasses import dataclass
from typing import Any

from pixelbench.analysis import format as words
from pixelbench.analysis.paired import compare_cells
from pixelbench.analysis.tables import category_of
from pixelbench.store.cells import Cell

SEES_ITSELF = "What a model that sees the pixel it predicts is worth"
NO_COLOURS = "What becomes of the colours without colour conditioning"

#: Above this share of zeros samples are called black. The diagnosis in the record has its own, relative threshold.
BLACK = 0.95
#: A teacher-forced score below this part of the causal counterpart's is called absurd rather than low.
ABSURD = 0.5
#: Below this share of equal values the sampler is said to echo its canvas; above it, only that it depends on it.
ECHO = 0.5
#: How much nearer to real images the conditioned twin's colour coherence must be before the samples are said to show the difference.
VISIBLE = 0.1


@dataclass(frozen=True)
class Lesson:
    """One lesson as one variant of one task teaches it. `grids`: the labels of the cells whose samples show it, in order."""

    task: str
    title: str
    variant: str
    sentences: tuple[str, ...]
    grids: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"task": self.task, "title": self.title, "variant": self.variant, "sentences": list(self.sentences)}


def find_lessons(cells: list[Cell]) -> list[Lesson]:
    """All that the store teaches: first the leaks, then the missing colour conditioning, each by task and variant."""
    leaks = [_leak_lesson(cell, cells) for cell in cells if category_of(cell) == "leaking"]
    colours = [lesson for cell in cells if (lesson := _colour_lesson(cell, cells)) is not None]
    return [*leaks, *colours]


def _leak_lesson(cell: Cell, cells: list[Cell]) -> Lesson:
    causal = _counterpart(cell, cells, "first_layer", "causal")
    said = [_teacher_forced(cell, causal), _sequential(cell), _black(cell), _canvas(cell)]
    return Lesson(cell.task, SEES_ITSELF, cell.label, tuple(sentence for sentence in said if sentence), (cell.label,))


def _teacher_forced(cell: Cell, causal: Cell | None) -> str:
    forced = cell.mean("likelihood", "bits_per_dim")
    fault = words.FAULTS.get(cell.settings.get("first_layer", ""))
    who = f"{cell.label} ({fault}{', by design' if cell.expected == 'leaky' else ''})" if fault else cell.label
    said = f"{who} scores {words.bits(forced)} bits/dim as long as the true image lies on its input"
    honest = causal.mean("likelihood", "bits_per_dim") if causal else None
    if causal is None or honest is None or forced is None:
        return said + "; the causality check shows that this number is not a likelihood."
    beside = f"beside the {words.bits(honest)} of {causal.label}, which differs only in being causal"
    if forced < ABSURD * honest:
        return f"{said}: absurdly little {beside}. It copies the value that it should predict, so this is no likelihood."
    judged = "a little less than it may" if forced < honest else "no gain yet"
    return f"{said}: {judged}, {beside}. It is no likelihood all the same."


def _sequential(cell: Cell) -> str | None:
    score = cell.mean("sequential", "bits_per_dim")
    images = cell.mean("sequential", "n_images")
    if score is None or images is None:
        return None
    guess = math.log2(cell.levels)
    return (
        f"The process that its sampler really follows needs {words.bits(score)} bits/dim (sequential score, {images:.0f} images), "
        f"{'worse' if score > guess else 'better'} than the {words.bits(guess)} of knowing nothing (uniform)."
    )


def _black(cell: Cell) -> str | None:
    zeros, real, constant = cell.statistic("zeros"), cell.statistic("zeros", of="real"), cell.statistic("constant_images")
    if zeros is None:
        return None
    beside = "" if real is None else f" (real images: {words.share(real)})"
    if zeros >= BLACK:
        return f"Its samples are black: {words.share(zeros)} of their values are 0{beside}."
    flat = f", and {words.share(constant)} of the images are of one value" if constant else ""
    return f"Its samples are not black here: {words.share(zeros)} of their values are 0{beside}{flat}."


def _canvas(cell: Cell) -> str | None:
    agreement = cell.mean("samples", "canvas_agreement")
    if agreement is None:
        return None
    if agreement == 1:
        return "From a random canvas it drew the same images as from a black one, so this sampler did not show the leak."
    return (
        f"{'It echoes whatever canvas it is given' if agreement < ECHO else 'Its samples depend on the canvas'}: from a random canvas "
        f"instead of a black one, with the same random numbers, {words.share(agreement)} of the values come out the same; "
        "for a causal model that is 100 %."
    )


def _colour_lesson(cell: Cell, cells: list[Cell]) -> Lesson | None:
    if cell.settings.get("colour_conditioning") is not False or cell.shape[0] < 2 or not cell.comparable:
        return None
    conditioned = _counterpart(cell, cells, "colour_conditioning", True)
    said = [_coherence(cell, conditioned), _cost(cell, conditioned)]
    sentences = tuple(sentence for sentence in said if sentence)
    grids = (conditioned.label, cell.label) if conditioned else (cell.label,)
    return Lesson(cell.task, NO_COLOURS, cell.label, sentences, grids) if sentences else None


def _coherence(cell: Cell, conditioned: Cell | None) -> str | None:
    its, real = cell.statistic("colour_coherence"), cell.statistic("colour_coherence", of="real")
    if its is None or real is None:
        return None
    said = (
        f"The colours of {cell.label}'s samples vary together with a correlation of {words.ratio(its)}, "
        f"those of real images with {words.ratio(real)}"
    )
    other = conditioned.statistic("colour_coherence") if conditioned else None
    if conditioned is None or other is None:
        return said + "."
    reached = f"{said}; with colour conditioning {conditioned.label} reaches {words.ratio(other)}"
    if abs(real - its) - abs(real - other) > VISIBLE:
        return f"{reached}. In the sample grids this is colour noise: each pixel's red, green and blue are drawn without each other."
    return f"{reached}, which is hardly nearer: at this budget the samples do not show the difference."


def _cost(cell: Cell, conditioned: Cell | None) -> str | None:
    difference = compare_cells(conditioned, cell) if conditioned else None
    if conditioned is None or difference is None:
        return None
    if not difference.distinguishable:
        return difference.sentence(conditioned.label, cell.label)
    verb = "costs" if difference.mean > 0 else "saves"
    low, high = sorted((abs(difference.low), abs(difference.high)))
    return f"Doing without {verb} {abs(difference.mean):.3f} bits/dim (95 % interval {low:.3f} to {high:.3f}, {difference.basis})."


def _counterpart(cell: Cell, cells: list[Cell], setting: str, value: object) -> Cell | None:
    """The same cell but for one setting, itself causal and scored."""
    return next((other for other in cells if other.comparable and cell.differs_only_in(other, setting, value)), None)

"""Which faults the pattern of the map names; the class and the source of the module are never looked at."""

from collections.abc import Sequence

import numpy as np

from pixelbench.causality.analysis import leak_patterns
from pixelbench.causality.analysis.diagnosis_texts import LOST_MASK, SENTENCES
from pixelbench.causality.analysis.gaps import Gaps, named_gaps
from pixelbench.causality.analysis.leak_patterns import LeakPattern, Leaks, attribute, border_of
from pixelbench.causality.analysis.offsets import Offsets
from pixelbench.causality.analysis.orders import OWN_ORDERS
from pixelbench.causality.analysis.positions import Positions
from pixelbench.causality.probing.evidence import Evidence
from pixelbench.causality.report import Context, Diagnosis, Example, Leak, colour_name, place_name

#: Below this a float32 check by hand sees rounding only.
_WEAK = 1e-6
#: No stack of masked convolutions has kernels nearly as wide as such an image.
_WIDE = 16

#: The most specific first: each explains what it can, the next ones see the rest.
_PATTERNS: dict[str, LeakPattern] = {
    "normalised-over-space": leak_patterns.everything,
    "first-row-attends-to-everything": leak_patterns.first_outputs,
    "shifted-the-wrong-way": leak_patterns.next_in_raster,
    "wraps-around": leak_patterns.wrapped,
    "strided": leak_patterns.periodic,
    "border-only": leak_patterns.border,
    "rows-below-kept": leak_patterns.rows_below,
    "whole-row-seen": leak_patterns.whole_row,
    "right-neighbours-seen": leak_patterns.to_the_right,
    "vertical-stack-unshifted": leak_patterns.from_here_to_the_right,
    "whole-pixel-seen": leak_patterns.whole_pixel,
    "sees-itself": leak_patterns.itself,
    "colours-mixed": leak_patterns.mixed_colours,
}


def diagnose_leaks(
    evidence: Evidence,
    offsets: Offsets,
    context: Context,
    order: str | None,
    leaks: Sequence[Leak],
    positions: Positions,
    *,
    allowed: bool = False,
    faded: bool = False,
) -> tuple[Diagnosis, ...]:
    """Leaks first, the most specific pattern first; then what is missing. Nothing where the map is clean and full, or the output in doubt.

    Args:
        context: how far it sees.
        order: the name of an order in which the module is causal, as `find_order` gives it.
        leaks: all kinds, each with an example.
        positions: what is missed at some positions only.
        allowed: the order in which it is causal is one that the caller accepts: no leak is to be explained.
        faded: some influence fades into rounding, at some positions sooner than at others; where it has is left out of `offsets`.
    """
    if evidence.misread:
        return ()
    found = Leaks(evidence, offsets, order)
    gaps = Gaps(offsets, context)
    names = [*([] if allowed else _leaking(found, leaks)), *(named_gaps(gaps) if order in (None, "raster") or not leaks else ())]
    if evidence.shared:  # how the colours of a pixel depend on one another lies outside the module
        names = [name for name in names if name not in ("colour-blind", "partial-colour-conditioning")]
    if leaks:  # a leak can reach far, and draw the bounding box around nothing; what sees itself is no constant
        names = [name for name in names if name not in ("gap-in-context", "nothing-seen")]
    names = [_row_end(name, found) for name in names]
    if not leaks and not names and positions.regular and not faded:
        names = ["row-end-missing-widely" if positions.at_the_row_end else "gap-by-position"]
    fillings = _fillings(found, gaps, leaks) | _in_places(positions)
    sentences = {name: SENTENCES[name] for name in dict.fromkeys(names)}
    return tuple(Diagnosis(name, sentence.format(**(fillings | _pairs(name, found, gaps)))) for name, sentence in sentences.items())


def _leaking(found: Leaks, leaks: Sequence[Leak]) -> list[str]:
    evidence = found.evidence
    names = ["coupled-over-batch"] if evidence.coupling else []
    names += [] if found.order in (None, "raster") or not leaks else [_by_order(found.order)]
    if leaks and found.order is None:
        patterns = {name: one for name, one in _PATTERNS.items() if not (evidence.spread == "near" and name == "normalised-over-space")}
        named = [_elsewhere(name or "unknown-pattern", found) for name, _ in attribute(found, patterns)]
        named = ["padded-with-pixels"] if evidence.padded else named
        # A normalisation over the batch is one over space as well: one cause, one diagnosis.
        names += [name for name in named if not (evidence.coupling and name == "normalised-over-space")]
        names = [_after_step(found, name) for name in names]
        names += ["active-only-jointly"] if found.joint.any() else []
    largest = max((leak.example.effect for leak in leaks), default=1.0)
    names += ["weak-path"] if largest < _WEAK else []
    names += ["sees-former-images"] if evidence.former else []
    return names if evidence.repeatable or evidence.former else [*names, "carries-state"]


def _elsewhere(name: str, found: Leaks) -> str:
    """The name that fits a sequence, and what images of another size have shown, too."""
    spread = found.evidence.spread
    if found.shape[1] == 1 and name in ("vertical-stack-unshifted", "whole-row-seen", "right-neighbours-seen"):
        return "looks-ahead"  # a sequence has no rows below, and no vertical stack
    if name not in ("normalised-over-space", "rows-below-kept"):
        return name
    if spread == "one-size" and name == "normalised-over-space":
        return name if leak_patterns.of_one_cause(found) else "dense-or-normalised-over-space"
    far = "far-rows-seen" if name == "rows-below-kept" else name
    named = {"fading": "backward-recurrence", "by-the-first": "first-row-passed-on", "around": "wraps-around", "everywhere": far}
    return named.get(spread, name)


def _by_order(order: str) -> str:
    if order in OWN_ORDERS:
        return "order-of-its-own"
    if "column-major" in order:
        return "width-and-height-swapped"
    return "wrong-direction" if any(word in order for word in ("rows", "columns")) else "colours-in-another-order"


def _after_step(found: Leaks, name: str) -> str:
    """Where a training step was made first, a kernel that is open on all sides is one that lost its mask."""
    local = found.at(0, 0, found.offsets.leaks).any()
    return LOST_MASK if found.evidence.after_step and name == "rows-below-kept" and local else name


def _fillings(found: Leaks, gaps: Gaps, leaks: Sequence[Leak]) -> dict[str, object]:
    """The values that the sentences quote."""
    unknown = next((kinds for name, kinds in attribute(found, _PATTERNS) if name is None), np.zeros_like(found.offsets.leaks))
    strange = [leak for leak in leaks if found.at(*leak.offset, unknown)[leak.output_colour, leak.input_colour]]
    nearest = min(strange, key=nearness, default=None)
    columns = _without_row_end(found)
    return {
        "columns": f"{len(columns)} of the {found.shape[2]} columns",
        "order": found.order,
        "ahead": max((leak.offset[1] for leak in leaks), default=0),
        "border": border_of(found, found.offsets.leaks)[0],
        "joint": len(found.evidence.joint),
        "kinds": len(strange),
        "example": _example(nearest.example, found.shape[0]) if nearest else None,
        "largest": max((leak.example.effect for leak in leaks), default=0.0),
        "missing": f"{len(gaps.missing)} offsets" if len(gaps.missing) else "for some pairs of colours only",
    }


def nearness(leak: Leak) -> tuple[int, float]:
    """Sort the leaks that are easy to verify by hand to the front: the nearest, of those the strongest."""
    return abs(leak.offset[0]) + abs(leak.offset[1]), -leak.example.effect


def _in_places(positions: Positions) -> dict[str, object]:
    return {"pairs_in_places": positions.pairs, "where": positions.where}


def _example(example: Example, channels: int) -> str:
    source, output = place_name(example.input, channels), place_name(example.output, channels)
    return f"input {source} changes output {output} by {example.effect:.2g}"


def _pairs(name: str, found: Leaks, gaps: Gaps) -> dict[str, str]:
    """Which colours a sentence about colours means: `R sees G, G sees itself`."""
    channels = found.shape[0]
    missing = name == "partial-colour-conditioning"
    verb, kinds = ("does not see", gaps.colours[0]) if missing else ("sees", found.at(0, 0, found.offsets.leaks))
    names = [(colour_name(out, channels), "itself" if out == into else colour_name(into, channels)) for out, into in np.argwhere(kinds)]
    return {"pairs": ", ".join(f"{out} {verb} {into}" for out, into in names)}


def _row_end(name: str, found: Leaks) -> str:
    """By offset only the end of the row above is missing: is that all, and is it so in a wider image?"""
    if name != "row-end-missing" or found.offsets.seen[:, :, found.shape[1] - 2, -1].any():  # some of its colours are: no blind spot
        return name
    if found.evidence.wide_gaps:
        return "blind-spot"
    if len(_without_row_end(found)) > 1:
        return "row-end-missing-widely"
    certain = found.evidence.wide_gaps is False or found.shape[2] >= _WIDE
    return name if certain else "row-end-missing-or-blind-spot"


def _without_row_end(found: Leaks) -> list[int]:
    """Columns of a row that never see the last pixel of the row above."""
    channels, height, width = found.shape
    seen = np.zeros(width, dtype=bool)
    measured = np.zeros(width, dtype=bool)
    for column in np.flatnonzero((found.evidence.positions // channels) % width == width - 1):
        pixel = int(found.evidence.positions[column]) // channels
        if pixel // width + 1 < height:
            row = found.evidence.dependence[(pixel + 1) * channels : (pixel + 1 + width) * channels, column]
            seen |= row.reshape(width, channels).any(1)
            measured[:] = True
    return np.flatnonzero(measured & ~seen).tolist()

"""Could the check have seen a leak at all? Where nothing that may be seen is seen, nothing was tested."""

from collections.abc import Iterator

import numpy as np
import torch

from pixelbench.causality.doubts import HIDDEN_LEAK, NOTHING_TESTED
from pixelbench.causality.module.repeatable import Subject
from pixelbench.causality.probing.effects import Reference, largest_ordinary
from pixelbench.causality.probing.evidence import Evidence
from pixelbench.causality.probing.probes import Probes
from pixelbench.causality.probing.raster import copies, flat, folded, place_at
from pixelbench.causality.report import Diagnosis, colour_name, place_name

_CUTS = 8
#: Parameters that are filled one by one to name the one behind a hidden leak.
_NAMED = 24

SHARED = (
    "One output serves all colours of a pixel: what is certified is that the module's parameters are causal. How the colours of a pixel "
    "are conditioned lies in the loss; --head logistic-mixture, or FILE:function, certifies that too."
)
DRAWS = (
    "The module draws random numbers in evaluation mode (dropout that is left on, a sampled latent): every call here drew the same ones, "
    "and likelihoods differ from call to call."
)


def doubts_on_power(subject: Subject, probes: Probes, evidence: Evidence) -> Iterator[Diagnosis]:
    """Why a check that found no leak is no evidence."""
    allowed = ~evidence.forbidden
    if evidence.leaking.any() or evidence.coupling:
        return
    hidden = _hidden(subject, probes, evidence)
    if hidden:
        yield Diagnosis(HIDDEN_LEAK, hidden)
    elif allowed.any() and not (evidence.effects > evidence.floor)[allowed].any() and subject.traced(probes.random_images(1))[1]:
        after = " even after a training step" if evidence.after_step else ""
        yield Diagnosis(
            NOTHING_TESTED,
            f"Nothing was tested: no output moves{after}, not even with the earlier sub-pixels that it may see, although it is computed "
            "from them (a head or gate that starts at zero, saturated or vanishing layers). Train a step, or --after-step.",
        )


def dead_outputs(subject: Subject, probes: Probes, evidence: Evidence) -> Iterator[str]:
    """Which parts of the output never move, where others do: nothing was tested there."""
    one, other = probes.random_images(4), probes.random_images(4)
    before, after = subject(one), subject(other)
    scale = largest_ordinary(before)
    moved = (torch.nan_to_num(after - before).abs() > evidence.floor * scale).flatten(3).any(3).any(0).cpu().numpy()  # (K, C)
    if not moved.any() or moved.all():
        return
    channels = evidence.shape[0]
    colours, maps = np.flatnonzero(~moved.any(0)), np.flatnonzero(~moved.any(1))
    if len(colours):
        names = " and ".join(colour_name(int(colour), channels) for colour in colours)
        yield f"The outputs of {names} never move, so that nothing was tested there: train a step, or --after-step."
    if len(maps):
        names = ", ".join(map(str, maps[:8])) + (", …" if len(maps) > 8 else "")
        yield f"Of the {len(moved)} parameters of each sub-pixel, {len(maps)} never move (k = {names}): nothing was tested there."


def _hidden(subject: Subject, probes: Probes, evidence: Evidence) -> str:
    """A leak that a parameter which is exactly zero hides, as a sentence; empty where there is none."""
    names = subject.zeros()
    found = _leak_with(subject, probes, evidence, names) if names else None
    if found is None:
        return ""
    guilty = next((name for name in names[:_NAMED] if len(names) > 1 and _leak_with(subject, probes, evidence, [name])), None)
    what = f"the parameter {guilty or names[0]}" if guilty or len(names) == 1 else f"the parameters {', '.join(names[:4])}"
    source, output, effect = found
    channels = evidence.shape[0]
    return (
        f"A leak is hidden: {what} {'is' if guilty or len(names) == 1 else 'are'} exactly zero, and with small numbers in that place, as "
        f"after a training step, sub-pixels from {place_name(source, channels)} on change output {place_name(output, channels)} by "
        f"{effect:.2g} (relative). See it with --after-step."
    )


def _leak_with(
    subject: Subject, probes: Probes, evidence: Evidence, names: list[str]
) -> tuple[tuple[int, int, int], tuple[int, int, int], float] | None:
    """With these parameters filled, all sub-pixels from some place on are exchanged: does an output before them move?"""
    state = subject.filled(names)
    size = len(evidence.effects)
    cuts = np.unique(np.linspace(0, size - 1, min(_CUTS, size)).astype(int))
    first, second = probes.pair()
    base = Reference(subject(copies(first, len(cuts)), state))
    raster = np.where(np.arange(size)[None] >= cuts[:, None], flat(second), flat(first))
    change = base.change(subject(folded(raster, evidence.shape), state))
    change[np.arange(size)[None] > cuts[:, None]] = 0.0
    row, output = np.unravel_index(int(change.argmax()), change.shape)
    if not change[row, output] > evidence.method.tolerance:
        return None
    return place_at(int(cuts[row]), evidence.shape), place_at(int(output), evidence.shape), float(change[row, output])

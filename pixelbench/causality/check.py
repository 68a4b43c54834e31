"""Changes single input sub-pixels of any module and watches which outputs move.

Traps this avoids (each was measured to matter): float32 hides weak leaks in rounding; gradients miss thresholds and rounding; a base image
in the batch of its own changes hides coupling between images; a base at another batch size is rounded differently, and under dropout is
another network. So: float64, value changes, and every changed batch compared, place by place, with a batch of its base at the same size.
"""

import dataclasses
import math
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from torch import nn

from pixelbench.causality.analysis.resample import resample
from pixelbench.causality.analysis.summary import summarise
from pixelbench.causality.limits.memory import affordable_positions
from pixelbench.causality.limits.threads import threads_that_pay
from pixelbench.causality.limits.time_budget import TimeBudget
from pixelbench.causality.module.repeatable import Subject
from pixelbench.causality.options import DEFAULT_BASES, Options
from pixelbench.causality.other_sizes import look_again
from pixelbench.causality.probing.evidence import Evidence
from pixelbench.causality.probing.flows import doubt_on_flow
from pixelbench.causality.probing.layouts import doubt_on_layout
from pixelbench.causality.probing.positions import PROBE_ORDER, by_importance
from pixelbench.causality.probing.power import DRAWS, SHARED, dead_outputs, doubts_on_power
from pixelbench.causality.probing.precision import SINGLE_PRECISION, cleared, find_blur
from pixelbench.causality.probing.preflight import Coupling, find_coupling, former_images, later_states, measure_noise
from pixelbench.causality.probing.probes import Probes
from pixelbench.causality.probing.sweep import Sweep, Swept
from pixelbench.causality.probing.training_step import take_steps
from pixelbench.causality.probing.whole_image import Extremes, whole_image
from pixelbench.causality.report import CausalityReport, Diagnosis, Method

_TOLERANCE = 1e-10
#: A module that computes in lower precision inside has noise of its own; leaks must stand clear of it.
_CLEARANCE = 10.0
#: The allocator keeps blocks of up to 32 MB for the next call; larger ones come from the system again, at half the cost again.
_BATCH_BYTES = 28 * 2**20
#: More images or pixels a call no longer pay: their features do not stay in the cache.
_LARGEST_BATCH = 32
_BATCH_PIXELS = 2**14
#: Batches into which the time given is cut at least, so that the last one fits.
_LEAST_BATCHES = 50
#: A coupled module is probed with one image a call, and is leaky whatever else is found: a sample of positions is enough.
_COUPLED_POSITIONS = 64
#: Outputs whose effects are put in order at a time.
_SORTED = 2**12
COMPILED = "A compiled module was checked in its eager form."


def check_causality(
    module: nn.Module | Callable,
    shape: Sequence[int],
    *,
    levels: int = 256,
    input: str = "auto",
    output: str | None = None,
    select: int | str | None = None,
    input_layout: str | None = None,
    head: str | Callable | None = None,
    args: Mapping[str, float] | None = None,
    positions: Sequence[int] | np.ndarray | None = None,
    bases: Sequence[str] = DEFAULT_BASES,
    images: np.ndarray | None = None,
    order: str | Sequence[int] = "raster",
    allow_state: bool = False,
    seed: int = 0,
    mode: str = "eval",
    seconds: float | None = None,
    after_step: bool = False,
    target: str | None = None,
) -> CausalityReport:
    """Is the module causal in raster order?

    It is called through `conditionals(images)`, integers in and (B, K, C, H, W) out, where it has that, otherwise through `module(images)`,
    where `input` and `output` say, or trials find out, how. A float64 copy is checked; the module, its mode and all random states stay as
    they are.

    Args:
        module: any module, or function, that takes a batch of images and gives something for each sub-pixel.
        shape: (C, H, W).
        levels: how many values a sub-pixel can have, at least 2.
        input: `unit`: floats in [0, 1]; `symmetric`: in [-1, 1]; `int`: integers; `auto`: what fits.
        output: einops pattern of the output, `b (k c) h w` for instance; found out where only one fits.
        select: which entry of a tuple or dict is the output.
        input_layout: einops pattern of what enters, `b (h w c)` for instance; images (B, C, H, W) first, found out where others fit.
        head: what turns the output into the conditional distributions that are certified, see `pixelbench.causality.interface.heads`.
        args: further arguments of the call by name, a number each, given to it as one for each image.
        positions: raster places `(row * W + column) * C + channel` of the inputs to change; all of them by default.
        bases: images on which inputs are changed: `zeros` (the sampler's canvas), `maximum`, `random`; `joint`: all later ones too;
            `extremes`: flat, nearly flat, half and half and sparse ones, at some positions.
        images: (N, C, H, W) integers, images of the user's on which inputs are changed as well, at some positions.
        order: in which order of drawing it may be causal: `raster`, `any`, or the raster places in that order.
        allow_state: that the images of former calls change the output is accepted.
        seed: of the images, of the order of positions, and of the module's own random layers.
        mode: `eval` or `train`.
        seconds: stop before this long; what was not reached is not claimed (`partial`).
        after_step: train a step on random images first.
        target: what to call it in the report; its class by default.

    Raises:
        UserError: the module fails, gives another shape or NaN, or is not a function of its input; or an argument is out of range.
    """
    options = Options(
        levels=levels,
        input=input,
        output=output,
        select=select,
        input_layout=input_layout,
        head=head,
        args=args,
        positions=positions,
        bases=bases,
        images=images,
        order=order,
        allow_state=allow_state,
        seed=seed,
        mode=mode,
        seconds=seconds,
        after_step=after_step,
    )
    module, compiled = _eager(module)
    evidence = _measured(module, shape, options)
    if compiled:
        evidence = dataclasses.replace(evidence, notes=(COMPILED, *evidence.notes))
    concluded: dict[str, Any] = {"target": target or type(module).__name__, "order": order, "allow_state": allow_state}
    report = summarise(evidence, **concluded)

    left = None if seconds is None else seconds - evidence.seconds
    if evidence.misread or (left is not None and left <= 0):
        return report
    looked = look_again(evidence, report.faults, partial(_measured, module), dataclasses.replace(options, seconds=left))
    return report if looked is evidence else summarise(looked, **concluded)


def _eager(module: Any) -> tuple[Any, bool]:
    """A compiled module as it was before, and whether it was one: every call of another state or size would compile again."""
    original = getattr(module, "_orig_mod", None)
    return (original, True) if isinstance(original, nn.Module) else (module, False)


def measure(module: nn.Module | Callable, shape: Sequence[int], **options: Any) -> Evidence:
    """The measurements that `check_causality` concludes from; the arguments are the same."""
    return _measured(module, shape, Options(**options))


def _measured(module: nn.Module | Callable, shape: Sequence[int], options: Options) -> Evidence:
    time_budget = TimeBudget(options.seconds)
    size, seed = options.sized(shape), options.seed
    places = options.places(math.prod(size))
    subject = Subject(module, size, options)
    probes = Probes(size, options.levels, options.bases, len(places), seed)
    if options.after_step:
        take_steps(subject, probes, seed)
    with threads_that_pay(subject, probes.random_images(min(len(places), _LARGEST_BATCH))):
        return _swept(subject, probes, options, places, time_budget)


def _swept(subject: Subject, probes: Probes, options: Options, places: np.ndarray, time_budget: TimeBudget) -> Evidence:
    size, seed = subject.shape, options.seed
    batch, reduced = _batch_size(subject, probes, len(places), time_budget)
    if reduced:
        probes.reduce()
    noise, coupling, tolerance = _rounding(subject, probes, batch, reduced=reduced)
    later = later_states(subject, probes, batch, tolerance)
    former = former_images(subject, probes, batch, tolerance)
    order = by_importance(places, size, seed)[: affordable_positions(size)]
    if coupling:
        batch, order = 1, order[:_COUPLED_POSITIONS]
    states = [subject.state, *later]
    sweep = Sweep(subject, states, probes, batch, tolerance, time_budget)
    swept = sweep.run(order)
    further = whole_image(sweep, swept, Extremes(size, options, seed))
    sweep.pin(swept)
    method = Method("", tolerance, options.levels, subject.adapter.input, subject.adapter.output, seed)
    found = Evidence(size, options.mode, options.after_step, *_sorted(swept), tuple(swept.joint), coupling, not later, noise, method, 0.0)
    spare = {"per_image": sweep.per_image, "reserve": sweep.concluding(len(swept.positions)) / 2}
    images = resample(found, subject, states, probes, batch, time_budget, **spare)
    evidence = dataclasses.replace(_weighed(found, subject, probes), former=former, shared=subject.shared)
    misread = doubt_on_layout(subject, probes, evidence) or doubt_on_flow(subject, probes, evidence)
    evidence = dataclasses.replace(evidence, doubts=(*evidence.doubts, misread)) if misread else evidence
    fits = len(order) == len(places) or bool(coupling) or len(swept.positions) < len(order)
    return _described(evidence, _sentence(probes, swept, len(places), images, len(states), batch, further, fits=fits), time_budget)


def _weighed(evidence: Evidence, subject: Subject, probes: Probes) -> Evidence:
    """The evidence with what speaks against taking it at its word: rounding inside the module, and a lack of power."""
    doubts, notes = [], list[str]()
    blur = find_blur(subject, probes, evidence)
    if blur is not None:
        method = dataclasses.replace(evidence.method, tolerance=max(evidence.method.tolerance, cleared(blur)))
        evidence = dataclasses.replace(evidence, method=method, blur=blur.noise, joint=())
        doubts.append(Diagnosis(SINGLE_PRECISION, blur.sentence()))
    else:
        doubts += doubts_on_power(subject, probes, evidence)
    if not evidence.leaking.any() and not doubts:
        notes += dead_outputs(subject, probes, evidence)
    if subject.shared:
        notes.append(SHARED)
    if subject.draws and evidence.mode == "eval":
        notes.append(DRAWS)
    return dataclasses.replace(evidence, doubts=tuple(doubts), notes=tuple(notes))


def _batch_size(subject: Subject, probes: Probes, places: int, time_budget: TimeBudget) -> tuple[int, bool]:
    """Images a call, bounded by the memory of the outputs and by the time there is; and whether that time is too short for all places."""
    image = probes.random_images(1)
    subject(image)  # the first call warms up
    started = time.monotonic()
    output = subject(image)
    once = max(time.monotonic() - started, 1e-6)
    batch = min(_LARGEST_BATCH, _BATCH_BYTES // (output.numel() * 8), _BATCH_PIXELS // (image.shape[2] * image.shape[3]), places)
    if time_budget.left == math.inf:
        return max(1, batch), False
    batch = min(batch, int(time_budget.left / (_LEAST_BATCHES * once)))
    return max(1, batch), once * places * (len(probes.single) + len(probes.joint)) > time_budget.left


def _rounding(subject: Subject, probes: Probes, batch: int, *, reduced: bool) -> tuple[float, Coupling, float]:
    """The noise, coupling to the batch, and the tolerance that follows from the noise."""
    images = [base.image for base in probes.single]
    noise, coupling = measure_noise(subject, images, batch)
    tolerance = max(_TOLERANCE, _CLEARANCE * noise)
    if not coupling:
        coupling = find_coupling(subject, probes, images, 2 if reduced else max(2, min(batch, 4)), tolerance)
    return noise, coupling, tolerance


def _sorted(swept: Swept) -> tuple[np.ndarray, np.ndarray]:
    """Positions, ascending, and their effects, which are sorted where they are: a copy of a large map may not fit beside it."""
    rank = np.argsort(swept.positions)
    rows = swept.effects.T
    for start in range(0, rows.shape[1], _SORTED):
        rows[:, start : start + _SORTED] = rows[rank, start : start + _SORTED]
    return swept.positions[rank], swept.effects


def _sentence(probes: Probes, swept: Swept, requested: int, again: int, states: int, batch: int, further: str, *, fits: bool) -> str:
    total, count = swept.effects.shape
    which = f"all {total} sub-pixels" if count == total else f"{count} of {total} sub-pixels"
    if count < min(requested, total):
        which += f" ({PROBE_ORDER})" if fits else f" (as many as fit into memory: {PROBE_ORDER})"
    parts = [f"{which}: {probes.sentence(requested, swept.rounds)}"]
    parts += [further] if further else []
    parts += [f"what was not seen probed again on {again} further random images"] if again else []
    parts += ["from the first call's state and from those of later calls"] if states > 1 else []
    return "; ".join([*parts, f"base images in batches of their own, {batch} a batch"])


def _described(evidence: Evidence, sentence: str, time_budget: TimeBudget) -> Evidence:
    return dataclasses.replace(evidence, method=dataclasses.replace(evidence.method, probes=sentence), seconds=time_budget.spent)

"""Changes single input sub-pixels of any module and watches which outputs move.

Traps this avoids (each was measured to matter): float32 hides weak leaks in rounding; gradients miss thresholds and rounding; a base image
in the batch of its own changes hides coupling between images; a base at another batch size is rounded differently, and under dropout is
another network. So: float64, value changes, and every changed batch compared, place by place, with a batch of its base at the same size.
"""

import functools
import time
from collections.abc import Sequence

import numpy as np
from torch import Tensor, nn

from pixelbench.causality.compare import relative_change
from pixelbench.causality.joint import JointProbe
from pixelbench.causality.probes import Probes
from pixelbench.causality.raster import copies
from pixelbench.causality.report import CausalityReport
from pixelbench.causality.subject import Subject
from pixelbench.causality.summary import summarise
from pixelbench.errors import UserError

_TOLERANCE = 1e-10
#: A module that computes in lower precision inside has noise of its own; leaks must stand clear of it.
_CLEARANCE = 10.0
#: More than single precision can explain: a difference this large between batch sizes is no rounding.
_NOT_ROUNDING = 1e-4
_BATCH_BYTES = 64 * 2**20
_LARGEST_BATCH = 32
#: A coupled module is probed with one image a call, and is leaky whatever else is found: a sample of positions is enough.
_COUPLED_POSITIONS = 64

Coupling = tuple[float, int] | None


def check_causality(
    module: nn.Module,
    shape: Sequence[int],
    *,
    levels: int = 256,
    positions: Sequence[int] | np.ndarray | None = None,
    bases: Sequence[str] = ("zeros", "random", "joint"),
    seed: int = 0,
    mode: str = "eval",
    seconds: float | None = None,
) -> CausalityReport:
    """Is each output of `module` a function of strictly earlier sub-pixels (row, then column, then channel)?

    The module takes int64 images (B, C, H, W) with values 0 … levels-1 and gives (B, K, C, H, W), K parameters a sub-pixel, through
    `module.conditionals(images)` where it has that, otherwise through `module(images)`. A float64 copy is checked; the module's weights,
    buffers and mode, and the global random state, stay as they are.

    Args:
        module: any module with that face.
        shape: (C, H, W).
        levels: how many values a sub-pixel can have, at least 2.
        positions: raster places `(row * W + column) * C + channel` of the inputs to change; all of them by default.
        bases: images on which inputs are changed: `zeros` (the sampler's canvas), `maximum`, `random`; `joint`: all later ones too.
        seed: of the images, of the order of positions, and of the module's own random layers.
        mode: `eval` or `train`.
        seconds: stop after about this long; what was not reached is not claimed (`partial`).

    Raises:
        UserError: the module fails, gives another shape or NaN, or is not a function of its input; or an argument is out of range.
    """
    started = time.monotonic()
    size, places = _validated(shape, levels, positions, bases, mode)
    subject = Subject(module, size, mode=mode, seed=seed)
    probes = Probes(size, levels, bases, len(places), seed)
    batch = min(_batch_size(subject, probes, seconds), len(places))
    noise, coupling = _noise(subject, probes, batch)
    tolerance = max(_TOLERANCE, _CLEARANCE * noise)
    coupling = coupling or _coupling(subject, probes, min(batch, 4), tolerance)
    order = np.random.default_rng(seed).permutation(places)
    if coupling:
        batch, order = 1, order[:_COUPLED_POSITIONS]
    joints = [JointProbe(subject, first, second, batch, tolerance) for first, second in probes.joint]
    effects, probed = _sweep(subject, probes, joints, order, batch, None if seconds is None else started + seconds)
    for joint in joints:
        effects, probed = _with_pinned(effects, probed, joint.pin(effects, probed))
    rank = np.argsort(probed)
    method = f"value changes in float64, {mode} mode, seed {seed}: {probes.sentence}; base images in batches of their own, {batch} a batch"
    found = {"tolerance": tolerance, "noise": noise, "coupling": coupling}
    return summarise(effects[:, rank], probed[rank], shape=size, levels=levels, mode=mode, method=method, **found)


def _validated(
    shape: Sequence[int], levels: int, positions: Sequence[int] | np.ndarray | None, bases: Sequence[str], mode: str
) -> tuple[tuple[int, int, int], np.ndarray]:
    if len(shape) != 3 or min(shape) < 1:
        raise UserError(f"shape must be (channels, height, width), each at least 1; got {tuple(shape)}.")
    if levels < 2:
        raise UserError(f"levels must be at least 2, or no value can be changed; got {levels}.")
    if mode not in ("eval", "train"):
        raise UserError(f"mode must be 'eval' or 'train'; got '{mode}'.")
    if all(name == "joint" for name in bases):
        raise UserError("bases must name at least one of zeros, maximum and random.")
    channels, height, width = (int(entry) for entry in shape)
    total = channels * height * width
    places = np.arange(total) if positions is None else np.unique(np.asarray(positions, dtype=np.int64))
    if not len(places) or places[0] < 0 or places[-1] >= total:
        raise UserError(f"positions must be raster places from 0 to {total - 1}, at least one.")
    return (channels, height, width), places


def _batch_size(subject: Subject, probes: Probes, seconds: float | None) -> int:
    """Bounded by the memory of the outputs and, where time is short, so that several blocks of positions fit into it."""
    image = next(iter(probes.single.values()))[None]
    started = time.monotonic()
    output = subject(image)
    once = time.monotonic() - started
    batch = min(_LARGEST_BATCH, _BATCH_BYTES // (output.numel() * 8))
    if seconds is not None:
        batch = min(batch, int(seconds / (50 * max(once, 1e-6))))
    return max(1, batch)


def _noise(subject: Subject, probes: Probes, batch: int) -> tuple[float, Coupling]:
    """Rounding between equal calls and between batch sizes. A difference that is no rounding is a coupling to the batch's size.

    Raises:
        UserError: two equal calls differ.
    """
    noise, coupling = 0.0, None
    for base in probes.single.values():
        together = subject(copies(base, batch))
        again = float(relative_change(together, subject(copies(base, batch))).max())
        if again > _NOT_ROUNDING:
            raise UserError(
                f"The module is not a function of its input: two equal calls differ by {again:.2g} (relative) although random states and "
                "buffers were the same. Find what it carries from one call to the next."
            )
        noise = max(noise, again)
        if subject.draws:  # each place in the batch then has random numbers of its own
            continue
        between = relative_change(subject(base[None]), together).max(0)
        if between.max() > _NOT_ROUNDING:
            coupling = float(between.max()), int(between.argmax())
        else:
            noise = max(noise, float(between.max()))
    return noise, coupling


def _coupling(subject: Subject, probes: Probes, batch: int, tolerance: float) -> Coupling:
    """Does the output of an image, first or last of its batch, change when all the others are exchanged?"""
    batch = max(2, batch)
    worst: Coupling = None
    for base in probes.single.values():
        for place in (0, batch - 1):
            one, other = probes.strangers(batch), probes.strangers(batch)
            one[place] = other[place] = base
            change = relative_change(subject(one)[place, None], subject(other)[place, None])[0]
            if change.max() > max(tolerance, worst[0] if worst else 0.0):
                worst = float(change.max()), int(change.argmax())
    return worst


def _sweep(
    subject: Subject, probes: Probes, joints: list[JointProbe], order: np.ndarray, batch: int, deadline: float | None
) -> tuple[np.ndarray, np.ndarray]:
    """Largest relative change of every output for single changes of each input, block by block of positions; lets the joint probes look.

    Returns:
        (D, n) float64 and the n positions reached, in the order given.
    """
    bases = {name: subject(copies(base, batch)) for name, base in probes.single.items()}
    effects = np.zeros((next(iter(probes.single.values())).size, len(order)))
    for start in range(0, len(order), batch):
        block = order[start : start + batch]
        filled = np.concatenate([block, np.repeat(block[-1:], batch - len(block))])  # one batch size throughout: one rounding
        effects[:, start : start + len(block)] = _block(subject, probes, bases, filled)[: len(block)].T
        for joint in joints:
            joint.look(filled)
        if deadline is not None and time.monotonic() > deadline:
            return effects[:, : start + len(block)], order[: start + len(block)]
    return effects, order


def _block(subject: Subject, probes: Probes, bases: dict[str, Tensor], positions: np.ndarray) -> np.ndarray:
    """(n, D): the largest relative change over all base images and values, for n positions."""
    changes = (relative_change(outputs, subject(images)) for name, outputs in bases.items() for images in probes.changes(name, positions))
    return functools.reduce(np.maximum, changes)


def _with_pinned(effects: np.ndarray, probed: np.ndarray, pinned: list[tuple[int, int, float]]) -> tuple[np.ndarray, np.ndarray]:
    """Adds what joint changes showed; an input that was not on the list of positions has been changed by now, and gets a column."""
    for output, source, amount in pinned:
        if source not in probed:
            effects, probed = np.pad(effects, ((0, 0), (0, 1))), np.append(probed, source)
        column = int(np.flatnonzero(probed == source)[0])
        effects[output, column] = max(effects[output, column], amount)
    return effects, probed

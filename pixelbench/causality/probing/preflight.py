"""Measurements before any sub-pixel is changed: rounding, coupling between the images of a batch, and what later calls give."""

from collections.abc import Sequence

import numpy as np

from pixelbench.causality.module.repeatable import Subject
from pixelbench.causality.module.state import State
from pixelbench.causality.probing.effects import Reference, relative_change
from pixelbench.causality.probing.probes import Probes
from pixelbench.causality.probing.raster import copies
from pixelbench.errors import UserError

#: More than single precision can explain: a difference this large between equal calls or batch sizes is no rounding.
_NOT_ROUNDING = 1e-4

#: Relative change of, and raster place in, an image whose neighbours in the batch were exchanged.
Coupling = tuple[float, int] | None


def measure_noise(subject: Subject, images: Sequence[np.ndarray], batch: int) -> tuple[float, Coupling]:
    """Rounding between equal calls and between batch sizes. A difference that is no rounding is a coupling to the batch's size.

    Raises:
        UserError: two equal calls differ.
    """
    noise, coupling = 0.0, None
    for image in images:
        together = Reference(subject(copies(image, batch)))
        again = float(together.change(subject(copies(image, batch))).max())
        if again > _NOT_ROUNDING:
            raise UserError(
                f"The module is not a function of its input: two equal calls differ by {again:.2g} (relative) although weights, buffers, "
                "attributes and random states were the same. Find what it carries from one call to the next outside itself, and fix that."
            )
        noise = max(noise, again)
        if subject.draws:  # each place in the batch then has random numbers of its own
            continue
        alone = subject(copies(image, 1 if batch > 1 else 2))
        between = relative_change(together.outputs[:1], alone).max(0)
        if between.max() > _NOT_ROUNDING:
            coupling = float(between.max()), int(between.argmax())
        else:
            noise = max(noise, float(between.max()))
    return noise, coupling


def find_coupling(subject: Subject, probes: Probes, images: Sequence[np.ndarray], batch: int, tolerance: float) -> Coupling:
    """Does the output of an image, first or last of its batch, change when all the others are exchanged?"""
    worst: Coupling = None
    for image in images:
        for place in (0, batch - 1):
            one, other = probes.random_images(batch), probes.random_images(batch)
            one[place] = other[place] = image
            change = relative_change(subject(one)[place, None], subject(other)[place, None])[0]
            if change.max() > max(tolerance, worst[0] if worst else 0.0):
                worst = float(change.max()), int(change.argmax())
    return worst


def later_states(subject: Subject, probes: Probes, batch: int, tolerance: float) -> list[State]:
    """Make four calls in a row without putting anything back, and compare them with first calls on the same images.

    Returns:
        What the module was before the first call that gave something else, and before the last such call; empty where none did.
    """
    images = [probes.random_images(batch) for _ in range(2)]
    first = [Reference(subject(batch)) for batch in images]
    subject(images[0])
    strange = []
    for call in (1, 0, 1):
        before = subject.now()
        if (first[call].change(subject.next(images[call])) > tolerance).any():
            strange.append(before)
    return [*strange[:1], *strange[1:][-1:]]


def former_images(subject: Subject, probes: Probes, batch: int, tolerance: float) -> Coupling:
    """Does an output depend on the images of former calls? A first call comes before both, which may initialise the module by its data."""
    first, one, other, last = (probes.random_images(batch) for _ in range(4))
    outputs = []
    for former in (one, other):
        subject(first)
        subject.next(former)
        outputs.append(subject.next(last))
    change = relative_change(*outputs).max(0)
    return (float(change.max()), int(change.argmax())) if change.max() > tolerance else None

"""Is a small change a leak, or the rounding of something that the module computes in less than double precision?

Rounding cannot be told from a leak by its size. But it is another one as soon as anything before it changes by more than a rounding: under
weights that differ by one part in ten thousand a leak stays nearly what it is, rounding points somewhere else.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pixelbench.causality.module.repeatable import Subject
from pixelbench.causality.probing.effects import largest_ordinary
from pixelbench.causality.probing.evidence import Evidence
from pixelbench.causality.probing.probes import Probes

SINGLE_PRECISION = "single-precision"
#: No rounding of single precision is larger, relative to the largest output, in the networks that were measured (at most 1e-6).
_LARGEST = 1e-5
#: Of a narrower type that is seen in the module, this many roundings.
_ROUNDINGS = 100.0
#: In a module that is seen to compute in single precision, smaller changes are never called a leak.
_DOUBTED = 32.0
#: A leak must exceed the rounding that was measured by this factor.
_CLEAR = 16.0
_COLUMNS = 6
_JITTERS = 3
#: Cosine between a change and the same one under other weights.
_SAME = 0.9


@dataclass(frozen=True)
class Blur:
    """Rounding inside the module: `noise` is its size, relative to the largest output; `pairs` the forbidden ones that it explains."""

    noise: float
    pairs: int
    largest: float

    def sentence(self) -> str:
        """Why there is no verdict."""
        return (
            f"Single precision inside the module: {self.pairs} pairs that must not depend on one another change by at most "
            f"{self.largest:.1g} (relative), which cannot be told from its own rounding of {self.noise:.1g}. Compute in float64 for the "
            "check (look for complex64, float32 in numpy, or a scripted cast)."
        )


def find_blur(subject: Subject, probes: Probes, evidence: Evidence) -> Blur | None:
    """The rounding that explains forbidden changes; None where there are none so small, or where they are no rounding."""
    if not evidence.leaking.any():
        return None
    rounding = subject.traced(probes.random_images(1))[0]
    small = evidence.leaking & (evidence.effects < max(_LARGEST, _ROUNDINGS * rounding))
    if not small.any():
        return None
    columns = np.argsort(small.sum(0))[::-1][:_COLUMNS]
    columns = columns[np.logical_or.reduce(small, axis=0)[columns]]
    noise = _jittered(subject, probes, evidence, small, columns)
    if noise is None and rounding:
        doubted = small & (evidence.effects < _DOUBTED * rounding)
        noise = float(evidence.effects[doubted].max()) if doubted.any() else None
    if noise is None:
        return None
    explained = evidence.effects[small & (evidence.effects <= _CLEAR * noise)]
    return Blur(noise, len(explained), float(explained.max(initial=0.0))) if len(explained) else None


def cleared(blur: Blur) -> float:
    """The tolerance above which a change is no rounding."""
    return _CLEAR * blur.noise


def _jittered(subject: Subject, probes: Probes, evidence: Evidence, small: np.ndarray, columns: np.ndarray) -> float | None:
    """The largest of the changes, where they are not the same under weights and inputs a little different."""
    sizes, alike = [], []
    for _ in range(2):
        bases = np.repeat(probes.random_images(1), len(columns), 0)
        changed = probes.changed(bases, evidence.positions[columns])
        first = _changes(subject, bases, changed, small[:, columns], None)
        if not first.abs().max() > 0:
            continue
        for seed in range(1, _JITTERS + 1):
            again = _changes(subject, bases, changed, small[:, columns], seed)
            both = torch.linalg.vector_norm(first) * torch.linalg.vector_norm(again)
            alike.append(float((first * again).sum() / both) if both > 0 else 0.0)
            sizes.append(max(float(first.abs().max()), float(again.abs().max())))
    return max(sizes) if sizes and np.median(alike) < _SAME else None


def _changes(subject: Subject, bases: np.ndarray, changed: np.ndarray, small: np.ndarray, seed: int | None) -> Tensor:
    """(B, K, D) changes at the outputs where they are small and forbidden, zero elsewhere; relative to the largest output."""
    before, after = subject.jittered(bases, seed), subject.jittered(changed, seed)
    scale = largest_ordinary(torch.cat([before, after]))
    difference = torch.nan_to_num((after - before) / scale).permute(0, 1, 3, 4, 2).flatten(2)
    return difference * torch.from_numpy(small.T.copy())[:, None].to(difference)

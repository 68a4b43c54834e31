"""Are samples copies of training images?"""

import numpy as np

from pixelbench.evaluation.measures.compared import Compared
from pixelbench.evaluation.measures.registry import register_measure


@register_measure(
    "memorisation",
    title="train/held-out",
    meaning="the distance of a sample to its nearest training image relative to its nearest held-out one, as a multiple of what it is for "
    "real images",
    source="PixelBench, after Meehan et al. 2020, A Non-Parametric Test to Detect Data-Copying in Generative Models",
    better="near the floor",
    unit="ratio",
    in_features=False,
    control="copies",
    weight=3,
)
def memorisation(sets: Compared) -> float | None:
    """0 of copies of training images, 1 of images that are no nearer to them than real ones that nobody trained on.

    The median distance in pixels to the nearest of all training images, divided by that to the nearest reference image. There are more
    training images than reference images, so one of them is nearer by chance alone: the same ratio of the reference images, each held
    against the others, divides it out. None where samples or reference images repeat the reference. Fooled by shifted or mirrored copies.
    """
    samples, real = sets.to_train
    apart = sets.pixels_among_reference.copy()
    np.fill_diagonal(apart, np.inf)
    by_held_out, real_by_held_out = float(np.median(sets.pixels_between.min(1))), float(np.median(apart.min(1)))
    by_train, real_by_train = float(np.median(samples)), float(np.median(real))
    if not by_held_out or not real_by_train:
        return None
    return (by_train / by_held_out) / (real_by_train / real_by_held_out) if real_by_held_out else None

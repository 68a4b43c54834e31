"""KID: how far apart two sets of features are, by a kernel that sees their first three moments."""

import numpy as np

from pixelbench.evaluation.measures.compared import Compared
from pixelbench.evaluation.measures.registry import register_measure


@register_measure(
    "kid",
    title="KID",
    meaning="the kernel distance of samples to real images",
    source="Bińkowski et al. 2018, Demystifying MMD GANs",
    better="lower",
    unit="distance",
    weight=1,
)
def kernel_distance(sets: Compared) -> float:
    """The unbiased estimate of the squared maximum mean discrepancy with the kernel (x·y / D + 1)^3, on all images at once.

    Unbiased, so that its floor is 0 at any number of images, and single values may lie below. Fooled by samples that are memorised, and by
    what moves no moment up to the third.
    """
    return _others(sets.sample_kernel) + _others(sets.reference_kernel) - 2 * float(sets.kernel_between.mean())


def _others(kernel: np.ndarray) -> float:
    """The mean over all pairs of two images."""
    count = len(kernel)
    return float((kernel.sum() - np.trace(kernel)) / (count * (count - 1)))

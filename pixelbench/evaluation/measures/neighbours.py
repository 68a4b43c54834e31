"""Measures by nearest neighbours: do samples lie among real images, and the other way round?

Around each image of a set lies a ball up to its fifth nearest neighbour in the set; together they stand for where such images are. What
fools them: precision counts a sample in one overly large ball of an outlier, and calls memorised images perfect; recall calls noise varied,
since its balls are enormous; coverage and density were made against both. See Kynkäänniemi et al. 2019 and Naeem et al. 2020.
"""

import numpy as np

from pixelbench.evaluation.measures.compared import NEIGHBOURS, Compared
from pixelbench.evaluation.measures.registry import register_measure

_KYNKAANNIEMI = "Kynkäänniemi et al. 2019, Improved Precision and Recall Metric for Assessing Generative Models"
_NAEEM = "Naeem et al. 2020, Reliable Fidelity and Diversity Metrics for Generative Models"


@register_measure(
    "precision",
    title="precision",
    meaning="the share of samples that lie among real images",
    source=_KYNKAANNIEMI,
    better="higher",
    weight=2,
)
def precision(sets: Compared) -> float:
    """The share of samples in the surroundings of at least one real image."""
    return float(sets.inside.any(1).mean())


@register_measure(
    "recall", title="recall", meaning="the share of real images that lie among samples", source=_KYNKAANNIEMI, better="higher", weight=3
)
def recall(sets: Compared) -> float:
    """The share of real images in the surroundings of at least one sample."""
    return float((sets.between <= sets.sample_radii[:, None]).any(0).mean())


@register_measure(
    "density",
    title="density",
    meaning="how many real images' surroundings a sample lies in, relative to what real images do",
    source=_NAEEM,
    better="near the floor",
    unit="ratio",
    weight=6,
)
def density(sets: Compared) -> float:
    """The mean number of real images in whose surroundings a sample lies, by the number of neighbours. Above 1 where samples crowd."""
    return float(sets.inside.sum(1).mean() / NEIGHBOURS)


@register_measure(
    "coverage",
    title="coverage",
    meaning="the share of real images with a sample among their neighbours",
    source=_NAEEM,
    better="higher",
    weight=2,
)
def coverage(sets: Compared) -> float:
    """The share of real images in whose surroundings there is a sample."""
    return float(sets.inside.any(0).mean())


@register_measure(
    "spacing",
    title="spacing",
    meaning="the distance of a sample to its nearest other sample, relative to that of real images",
    source="PixelBench: 0 of samples that repeat each other",
    better="near the floor",
    unit="ratio",
    control="repeated",
    weight=5,
)
def spacing(sets: Compared) -> float | None:
    """The median over samples, divided by the median over as many real images; None where real images repeat each other."""
    count = min(sets.counts)
    real = _median_gap(sets.among_reference[:count, :count])
    return None if real == 0 else _median_gap(sets.among_samples[:count, :count]) / real


def _median_gap(among: np.ndarray) -> float:
    """The median distance to the nearest other image."""
    return float(np.median(np.partition(among, 1, axis=1)[:, 1]))

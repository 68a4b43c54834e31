"""The distance of power spectra: too much or too little fine structure."""

import numpy as np

from pixelbench.evaluation.measures.compared import Compared
from pixelbench.evaluation.measures.registry import register_measure

#: Power that is always there, relative to that of real images, so that plain images are 60 dB away and not infinitely far.
_LEAST = 1e-6


@register_measure(
    "spectrum",
    title="spectrum",
    meaning="the distance of the power spectrum to that of real images",
    source="Radially averaged spectra as in Durall et al. 2020, Watch your Up-Convolution",
    better="lower",
    unit="dB",
    in_features=False,
    weight=4,
)
def spectrum_distance(sets: Compared) -> float | None:
    """The root mean square over frequencies of the difference in decibels between mean spectra; None of images of one pixel.

    Of colours also by what the channels do not share. Fooled by anything with the right spectrum, such as textures without shapes.
    """
    real, drawn = sets.reference_spectra.mean(0), sets.sample_spectra.mean(0)
    if not real.size or not real.any():
        return None
    least = _LEAST * np.maximum(real, real.max() * _LEAST)
    return float(np.sqrt(np.mean((10 * np.log10((drawn + least) / (real + least))) ** 2)))

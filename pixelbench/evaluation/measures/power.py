"""Power spectra of images, averaged over directions."""

import numpy as np


def spectra(images: np.ndarray, levels: int) -> np.ndarray:
    """The power of each image at each spatial frequency, averaged over directions: (N, C, H, W) integers → (N, planes * bands) float64.

    Bands are whole cycles per longer side, from 1 to half of its pixels. Grey images have one plane; of colours there are two, what the
    channels share and what they do not: without it, colours that are drawn without each other would have the right spectrum.
    """
    values = images.astype(np.float64) / (levels - 1)
    shared = values.mean(1, keepdims=True)  # (N, 1, H, W)
    planes = [shared] if images.shape[1] == 1 else [shared, values - shared]
    return np.concatenate([_bands(plane) for plane in planes], axis=1)


def _bands(plane: np.ndarray) -> np.ndarray:
    """(N, c, H, W) → (N, bands), summed over the channels."""
    height, width = plane.shape[2:]
    side = max(height, width)
    radius = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None]) * side
    band = np.rint(radius).astype(int)
    power = (np.abs(np.fft.fft2(plane)) ** 2).sum(1) / (height * width)  # (N, H, W)
    return np.stack([power[:, band == b].mean(1) for b in range(1, side // 2 + 1)], axis=1) if side > 1 else np.empty((len(plane), 0))

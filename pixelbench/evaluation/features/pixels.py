"""The values of an image themselves as features."""

import hashlib
import math

import numpy as np

from pixelbench.evaluation.features import AboutImages, FeatureSet

_DEFINITION = "pixels 1: value / (levels - 1), in the order channel, row, column"


def pixel_features(task: AboutImages) -> FeatureSet:
    """Values scaled to 0 … 1 and laid out as one vector of C*H*W."""
    return FeatureSet("pixels", math.prod(task.shape), hashlib.sha256(_DEFINITION.encode()).hexdigest(), flattened)


def flattened(images: np.ndarray, levels: int) -> np.ndarray:
    """(N, C, H, W) integers 0 … levels-1 → (N, C*H*W) float64 in 0 … 1."""
    return images.reshape(len(images), -1).astype(np.float64) / (levels - 1)

"""A convolution network that nobody trained, as features of images that have no labels.

Random convolutions respond to local texture and to where it is, which is enough to tell noise, blur and wrong colours from real images, and
to no object that a person would name. Three 3x3 convolutions with rectification, each followed by a mean over 2x2 places; the features are
the mean responses of each layer in the four quarters of the image. Cf. Saxe et al. 2011, "On Random Weights and Unsupervised Feature
Learning".
"""

import hashlib
import math
from functools import cache
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from pixelbench.errors import UserError
from pixelbench.evaluation.features import AboutImages, FeatureSet

#: Output maps of the layers.
_WIDTHS = (32, 64, 64)
#: Mean responses are taken in so many parts of an image each way.
_PARTS = 2
#: Images at a time, whatever is asked for.
_CHUNK = 250
_SEED = "pixelbench random-conv 1"
#: SHA-256 of the weights by the images' channels: another one would be other features under the same name.
_PINNED = {
    1: "57277c033fb1641eba1d05cfebf7baecefcad3392d515f0ffe30ea07e65f68b6",
    3: "c9c1559dbcc1a7630f15bf7e38f386f601f3e2f42a8f35ba1a92a530bde79549",
}


def random_conv_features(task: AboutImages) -> FeatureSet:
    """Mean responses of three random layers in the four quarters of an image: 640 numbers, float32 arithmetic on the CPU.

    Raises:
        UserError: the weights are not the pinned ones.
    """
    channels = task.shape[0]
    weights = random_weights(channels)
    digest = hashlib.sha256(b"".join(one.numpy().astype("<f4").tobytes() for one in weights)).hexdigest()
    if _PINNED.get(channels, digest) != digest:
        raise UserError(f"The weights of random-conv for {channels} channels have another digest than is pinned; reinstall pixelbench.")
    return FeatureSet("random-conv", sum(_WIDTHS) * _PARTS**2, digest, responses)


@cache
def random_weights(channels: int) -> tuple[Tensor, ...]:
    """Filters (out, in, 3, 3) of the layers, float32, uniform with variance 2 / inputs (He et al. 2015).

    Their bits come from SHAKE-256 and not from a library's generator, which a new version may change. A filter of the first layer sums
    to 0, so that it responds to edges and not to brightness.
    """
    layers = []
    for number, (inputs, outputs) in enumerate(pairwise((channels, *_WIDTHS))):
        values = _uniform(f"{_SEED}/{channels}/{number}", (outputs, inputs, 3, 3))
        if number == 0:
            values -= values.mean((1, 2, 3), keepdims=True)
        layers.append(torch.from_numpy((values * math.sqrt(6 / (9 * inputs))).astype(np.float32)))
    return tuple(layers)


@torch.inference_mode()
def responses(images: np.ndarray, levels: int) -> np.ndarray:
    """(N, C, H, W) integers 0 … levels-1 → (N, 640) float32."""
    return torch.cat([_responses(torch.from_numpy(images[i : i + _CHUNK]), levels) for i in range(0, len(images), _CHUNK)]).numpy()


def _responses(images: Tensor, levels: int) -> Tensor:
    values = images.float() * (2 / (levels - 1)) - 1  # (B, C, H, W)
    found = []
    for weight in random_weights(images.shape[1]):
        values = F.relu(F.conv2d(F.pad(values, (1, 1, 1, 1), mode="replicate"), weight))
        found.append(F.adaptive_avg_pool2d(values, _PARTS).flatten(1))
        values = F.avg_pool2d(values, 2, ceil_mode=True)
    return torch.cat(found, 1)


def _uniform(seed: str, shape: tuple[int, ...]) -> np.ndarray:
    """float64 in [-1, 1) of 32 random bits each."""
    blob = hashlib.shake_256(seed.encode()).digest(4 * math.prod(shape))
    return np.frombuffer(blob, "<u4").reshape(shape) / 2.0**31 - 1

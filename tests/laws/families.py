"""The tiny models that every law is tested on. A new family inherits all laws by one more line in VARIANTS."""

from typing import Any

import torch

from pixelbench.models.base import AutoregressiveModel
from pixelbench.models.families import create_model

#: H != W, so that swapped axes are found; maps not divisible by three, so that mixed colour groups are found.
SHAPES = {"grey": (1, 6, 5), "colour": (3, 5, 4)}
TINY: dict[str, Any] = {"maps": 10, "layers": 2, "head_maps": 17, "kernel": 3, "first_kernel": 5}
NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {
    "pixelcnn": ("pixelcnn", {}),
    "pixelcnn-one-hot": ("pixelcnn", {"input_encoding": "one-hot"}),
    "pixelcnn-no-colour": ("pixelcnn", {"colour_conditioning": False}),
    "gated": ("gated-pixelcnn", {}),
    "gated-one-hot": ("gated-pixelcnn", {"input_encoding": "one-hot"}),
    "gated-no-colour": ("gated-pixelcnn", {"colour_conditioning": False}),
    "gated-no-gates": ("gated-pixelcnn", {"gates": False}),
}
LEAKY: dict[str, tuple[str, dict[str, Any]]] = {
    f"{family}-{first}": (family, {"first_layer": first}) for family in ("pixelcnn", "gated-pixelcnn") for first in ("residual", "mask-b")
}
BASELINES: dict[str, tuple[str, dict[str, Any]]] = {"uniform": ("uniform", {}), "histogram": ("histogram", {})}
CAUSAL = NETWORKS | BASELINES


def tiny(name: str, shape: tuple[int, int, int], levels: int = 4, seed: int = 0) -> AutoregressiveModel:
    """A float64 model of a tiny shape, weights large enough that every connection matters; a histogram has seen random images."""
    family, settings = (CAUSAL | LEAKY)[name]
    torch.manual_seed(seed)
    channels, height, width = shape
    extra = {} if name in BASELINES else TINY
    model = create_model(family, channels=channels, height=height, width=width, levels=levels, **{**extra, **settings}).double()
    if name == "histogram":
        model.fit(random_images(40, shape, levels, seed=seed).square() % levels)
    return model


def random_images(n: int, shape: tuple[int, int, int], levels: int, seed: int = 1) -> torch.Tensor:
    """(n, C, H, W) uint8."""
    return torch.randint(levels, (n, *shape), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)

"""PNG and lossless WebP as readable baselines: all images of a split coded as one mosaic.

One file for the whole split, since a file's header would weigh more than a small image, and a codec may then adapt over the split. In
return it sees neighbouring images, which no model of single images does. Level values are stored as they are, one byte each.
"""

import io
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from pixelbench.errors import UserError, unknown
from pixelbench.models.families import FAMILIES


def encode_png(mosaic: np.ndarray) -> bytes:
    """PNG with Pillow's best settings (`optimize`: deflate level 9). `mosaic`: uint8 (H, W, C), C being 1 or 3."""
    return _saved(Image.fromarray(mosaic[:, :, 0] if mosaic.shape[2] == 1 else mosaic), format="PNG", optimize=True)


def encode_webp(mosaic: np.ndarray) -> bytes:
    """Lossless WebP at the highest effort. It knows colour only, so a grey mosaic is stored as three equal channels."""
    colour = np.repeat(mosaic, 3, axis=2) if mosaic.shape[2] == 1 else mosaic
    return _saved(Image.fromarray(colour), format="WEBP", lossless=True, quality=100, method=6, exact=True)


def code_length_bits(images: np.ndarray, levels: int, codec: str) -> int:
    """Length in bits, header included, of the file that `codec` makes of all images.

    Args:
        images: integer (N, C, H, W), values 0 … levels-1.
        levels: how many values a sub-pixel can have, at most 256.
        codec: a family of that kind.

    Raises:
        UserError: an unknown codec, or images with neither 1 nor 3 channels.
        ValueError: a value outside 0 … levels-1.
    """
    encode = encoder(codec)
    if images.min() < 0 or images.max() >= min(levels, 256):
        raise ValueError(f"images must hold 0 to {min(levels, 256) - 1}, got {images.min()} to {images.max()}")
    return 8 * len(encode(as_mosaic(images)))


def encoder(codec: str) -> Callable[[np.ndarray], bytes]:
    """From a mosaic to the bytes of a file.

    Raises:
        UserError: there is no such codec.
    """
    family = FAMILIES.get(codec)
    if family is None or family.kind != "codec":
        raise unknown("codec", codec, [name for name, known in FAMILIES.usable()[0].items() if known.kind == "codec"])
    return family.load()


def as_mosaic(images: np.ndarray) -> np.ndarray:
    """All images side by side, row by row, in a nearly square uint8 (H', W', C); places left over are 0.

    Raises:
        UserError: images with neither 1 nor 3 channels.
    """
    count, channels, height, width = images.shape
    if channels not in (1, 3):
        raise UserError(f"PNG and WebP store images of 1 or 3 channels; these have {channels}. Leave the codecs out for this task.")
    columns = math.ceil(math.sqrt(count * height / width))
    rows = math.ceil(count / columns)
    places = np.zeros((rows * columns, channels, height, width), np.uint8)
    places[:count] = images
    grid = places.reshape(rows, columns, channels, height, width).transpose(0, 3, 1, 4, 2)  # (rows, H, columns, W, C)
    return np.ascontiguousarray(grid.reshape(rows * height, columns * width, channels))


def _saved(image: Image.Image, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, **options)
    return file.getvalue()

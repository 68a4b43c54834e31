"""One image file to an array, or the reason why it cannot be one; nothing that loses information is done to it.

Pixel values are taken as they are stored: no colour profile, gamma or rotation is applied.
"""

import os
import stat
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError
from PIL.ImageFile import ImageFile

from pixelbench.data.prepare.overlap import fingerprint
from pixelbench.errors import first_line

FORMATS = ("PNG", "JPEG", "WEBP", "BMP")
#: Pillow's modes that hold one grey value, and those that hold colours.
_GREY, _COLOUR = ("1", "L", "LA", "La"), ("P", "PA", "RGB", "RGBA", "RGBa", "RGBX")

Shape = tuple[int, int, int]


class RefusedError(Exception):
    """A file that cannot be used. `kind`: what is wrong, worded to follow a number of files; `detail`: of this file."""

    def __init__(self, kind: str, detail: str = ""):
        super().__init__(f"{kind} ({detail})" if detail else kind)
        self.kind, self.detail = kind, detail


class Chunk(NamedTuple):
    """Files to decode and where their images go.

    `first`: the number in the split of the first image; `position`: the byte in the array's file at which it begins.
    """

    split: str
    first: int
    folder: str
    names: list[str]
    shape: Shape
    array: str
    position: int


class Decoded(NamedTuple):
    """The outcome of a chunk. `grey`: files converted to colour. `refused`: (number in the chunk, kind, detail) of the files of no use.

    `prints`: the `fingerprint` of each image, of no meaning for files of no use.
    """

    grey: int
    refused: list[tuple[int, str, str]]
    prints: list[int]


def decode_chunk(chunk: Chunk) -> Decoded:
    """Write the images of the chunk into the array's file, zeros for those of no use. Runs in a worker process.

    Plain writes, not through a mapped page: on a full disk these raise OSError, where a page kills the process.

    Raises:
        OSError: the array cannot be written.
    """
    images = np.zeros((len(chunk.names), *chunk.shape), np.uint8)
    grey, refused = 0, []
    with _no_warnings():
        for number, name in enumerate(chunk.names):
            try:
                images[number], converted = decode(f"{chunk.folder}/{name}", chunk.shape)
                grey += converted
            except RefusedError as refusal:
                refused.append((number, refusal.kind, refusal.detail))
    with open(chunk.array, "r+b") as file:
        file.seek(chunk.position)
        file.write(images.data)
    return Decoded(grey, refused, [fingerprint(image) for image in images])


def decode(path: str, shape: Shape) -> tuple[np.ndarray, bool]:
    """The image as uint8 (C, H, W), and whether a grey file was made a colour image.

    Raises:
        RefusedError: the file is no image of that shape, or not without loss.
    """
    channels, height, width = shape
    with _opened(path) as image:
        if image.size != (width, height):
            raise RefusedError(f"not {width}x{height} pixels", f"{image.width}x{image.height}")
        grey = _is_grey(image)
        if channels == 1 and not grey:
            raise RefusedError("in colour among grey images")
        image.load()
        pixels = _without_alpha(image).convert("L" if channels == 1 else "RGB")
        return np.asarray(pixels).reshape(height, width, channels).transpose(2, 0, 1), grey and channels == 3


def common_shape(paths: Iterable[Path]) -> Shape | None:
    """(C, H, W) of most of these files, by their headers; one channel if all of them are grey. None where none can be read."""
    sizes, grey = Counter[tuple[int, int]](), True
    with _no_warnings():
        for path in paths:
            try:
                with _opened(str(path)) as image:
                    sizes[image.size] += 1
                    grey &= _is_grey(image)
            except RefusedError:
                continue
    if not sizes:
        return None
    width, height = sizes.most_common(1)[0][0]
    return 1 if grey else 3, height, width


@contextmanager
def _opened(path: str) -> Iterator[ImageFile]:
    """The image with its header read; whatever its decoder raises in the block becomes a RefusedError."""
    try:
        with _regular(path) as file, Image.open(file, formats=FORMATS) as image:
            yield image
    except RefusedError:
        raise
    except UnidentifiedImageError:
        raise RefusedError("damaged", f"not {', '.join(FORMATS)}") from None
    except Image.DecompressionBombError:
        raise RefusedError("too large to be opened") from None
    except Exception as error:  # decoders raise SyntaxError, ValueError, struct.error and more on damaged files
        if isinstance(error, OSError) and error.errno is not None:
            raise RefusedError("unreadable", error.strerror or "") from None
        raise RefusedError("damaged", first_line(error)) from None


def _regular(path: str) -> BinaryIO:
    """The opened file; a pipe is not opened, since that would wait for a writer."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise RefusedError("unreadable", "not a file")
    return open(path, "rb")


def _is_grey(image: ImageFile) -> bool:
    """Whether the file holds grey values (by its format, not by its pixels); refuses what has neither grey nor RGB values of 8 bits."""
    raw = str(image.tile[0].args) if image.tile else ""
    if image.mode.startswith(("I", "F")) or ";16" in raw:  # Pillow would drop the lower byte of a 16-bit PNG without a word
        raise RefusedError("not of 8 bits")
    if image.mode not in _GREY + _COLOUR:
        raise RefusedError("neither RGB nor grey", image.mode)
    if getattr(image, "n_frames", 1) > 1:
        raise RefusedError("of several pictures")
    return image.mode in _GREY


def _without_alpha(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image
    opaque = image.convert("RGBA")
    if opaque.getchannel("A").getextrema() != (255, 255):
        raise RefusedError("partly transparent")
    return opaque.convert("RGB")


@contextmanager
def _no_warnings() -> Iterator[None]:
    """Pillow warns of large images and odd metadata; sizes are checked by the header, and metadata is not used."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield

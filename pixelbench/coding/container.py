"""The file: a header of at most 256 bytes, coded labels where there are any, coded images. No torch.

| bytes | field |
| --- | --- |
| 8 | magic: 89 50 42 5A 0D 0A 1A 0A, so that a transfer as text is found |
| 2 | format version, 1 |
| 2 | length of the header |
| 1 | method: 1 incremental, 2 naive |
| 1 | precision of the tables in bits, 24 |
| 2 | threads |
| 7 x 4 | channels, height, width, levels, images, batch, classes (0 without labels) |
| 2 x 8 | bytes of the coded labels, of the coded images |
| 32 | SHA-256 of the weights' file, or of the weights without one |
| 32 | SHA-256 of the images and labels |
| 32 | SHA-256 of this file with zeros here |
| 1 + n | run key, its length before it; empty where the model is no run |
| 1 + n | version of torch, likewise |

Whole numbers are unsigned and little-endian, texts ASCII.
"""

import hashlib
import struct
from dataclasses import dataclass

import numpy as np

from pixelbench.coding.tables import PRECISION
from pixelbench.levels import MOST_LEVELS

VERSION = 1
MOST_HEADER = 256
_MAGIC = b"\x89PBZ\r\n\x1a\n"
_FIXED = struct.Struct("<8sHHBBH7I2Q32s32s32s")
_DIGEST = slice(_FIXED.size - 32, _FIXED.size)
_METHODS = ("incremental", "naive")


class FileFault(Exception):  # noqa: N818 (what is wrong with a file)
    """Why a file is of no use, as the end of a sentence that begins with its name."""


@dataclass(frozen=True)
class Header:
    """What a decoder must know besides the weights. Digests are 64 hex digits."""

    run_key: str
    shape: tuple[int, int, int]
    """(C, H, W)."""
    levels: int
    n: int
    batch: int
    threads: int
    method: str
    """`incremental` or `naive`."""
    weights: str
    """SHA-256 of the weights' file."""
    images: str
    """`images_digest` of what was coded."""
    torch: str
    classes: int = 0
    """Of the labels that are coded beside the images; 0 where there are none."""


@dataclass(frozen=True)
class Container:
    """A file's contents; `header_bytes` of it are no image."""

    header: Header
    header_bytes: int
    labels: bytes
    images: bytes


def pack(header: Header, images: bytes, labels: bytes = b"") -> bytes:
    """A file's bytes.

    Raises:
        ValueError: texts that are too long for a header of 256 bytes.
    """
    texts = b"".join(bytes([len(text)]) + text.encode("ascii") for text in (header.run_key, header.torch))
    length = _FIXED.size + len(texts)
    if length > MOST_HEADER:
        raise ValueError(f"a header has at most {MOST_HEADER} bytes, this would have {length}")
    numbers = (*header.shape, header.levels, header.n, header.batch, header.classes, len(labels), len(images))
    about = (_MAGIC, VERSION, length, 1 + _METHODS.index(header.method), PRECISION, header.threads)
    fixed = _FIXED.pack(*about, *numbers, bytes.fromhex(header.weights), bytes.fromhex(header.images), bytes(32))
    blob = bytearray(fixed + texts + labels + images)
    blob[_DIGEST] = hashlib.sha256(blob).digest()
    return bytes(blob)


def unpack(blob: bytes) -> Container:
    """The inverse of `pack`; nothing is decoded before the checksum was found right.

    Raises:
        FileFault: no such file, cut off, damaged, or of a newer version.
    """
    if blob[:8] != _MAGIC:
        raise FileFault("is not a file that `pixelbench compress` wrote")
    if len(blob) < _FIXED.size:
        raise FileFault(f"is cut off: its header has at least {_FIXED.size} bytes, and {len(blob)} are there")
    _, version, length, method, precision, threads, *numbers, weights, images, digest = _FIXED.unpack_from(blob)
    *shape, levels, n, batch, classes, label_bytes, image_bytes = numbers
    expected = length + label_bytes + image_bytes
    if version > VERSION:
        raise FileFault(f"has version {version} of the format, newer than the {VERSION} that is known here; update PixelBench")
    if len(blob) < expected:
        raise FileFault(f"is cut off, or its header is damaged: it says {expected:,} bytes, and {len(blob):,} are there")
    zeroed = bytearray(blob)
    zeroed[_DIGEST] = bytes(32)
    if hashlib.sha256(zeroed).digest() != digest:
        raise FileFault("is damaged: its SHA-256 is not that of its contents")
    known = version == VERSION and precision == PRECISION and 1 <= method <= len(_METHODS) and len(blob) == expected
    if not (known and _possible(shape, levels, n, batch, threads)):
        raise FileFault("has a header that this version cannot read")
    run_key, torch = _texts(blob[_FIXED.size : length])
    header = Header(
        run_key=run_key,
        shape=(shape[0], shape[1], shape[2]),
        levels=levels,
        n=n,
        batch=batch,
        threads=threads,
        method=_METHODS[method - 1],
        weights=weights.hex(),
        images=images.hex(),
        torch=torch,
        classes=classes,
    )
    return Container(header, length, blob[length : length + label_bytes], blob[length + label_bytes :])


def images_digest(images: np.ndarray, labels: np.ndarray | None) -> str:
    """SHA-256 of images (N, C, H, W) as 32-bit integers, little-endian and in C order, and of labels (N,) as 64-bit ones behind them."""
    digest = hashlib.sha256(images.astype("<i4", order="C").tobytes())
    if labels is not None:
        digest.update(labels.astype("<i8").tobytes())
    return digest.hexdigest()


def _possible(shape: list[int], levels: int, n: int, batch: int, threads: int) -> bool:
    return min(*shape, n, batch, threads) >= 1 and batch <= n and 2 <= levels <= MOST_LEVELS


def _texts(blob: bytes) -> tuple[str, str]:
    """Two texts, the length before each."""
    try:
        first = blob[1 : 1 + blob[0]].decode("ascii")
        rest = blob[1 + blob[0] :]
        second = rest[1 : 1 + rest[0]].decode("ascii")
    except (IndexError, UnicodeDecodeError):
        raise FileFault("has a header that this version cannot read") from None
    return first, second

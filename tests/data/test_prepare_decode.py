"""One image file to an array: what loses nothing is taken, what would lose something is refused."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelbench.data.prepare.decode import RefusedError, decode
from tests.support.image_files import noise, pixels

SHAPE = (3, 3, 4)


def test_modes_that_lose_nothing_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    image = noise("x")
    opaque = image.convert("RGBA")
    palette = image.quantize(5)
    for stored, expected in ((image, image), (opaque, image), (palette, palette.convert("RGB"))):
        stored.save(path)
        array, grey = decode(str(path), SHAPE)
        np.testing.assert_array_equal(array, np.asarray(expected).transpose(2, 0, 1))
        assert not grey
    noise("x", "LA").save(path)
    array, grey = decode(str(path), (1, 3, 4))
    np.testing.assert_array_equal(array, pixels("x", "L"))


def test_modes_that_would_lose_something_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    seen = noise("x", "RGBA")
    seen.putpixel((1, 1), (1, 2, 3, 254))
    palette = noise("x").quantize(5)
    cases: list[tuple[str, Callable[[], object]]] = [
        ("partly transparent", lambda: seen.save(path)),
        ("partly transparent", lambda: palette.save(path, transparency=palette.getpixel((0, 0)))),
        ("partly transparent", lambda: noise("x").save(path, transparency=noise("x").getpixel((0, 0)))),
        ("not of 8 bits", lambda: Image.fromarray(np.zeros((3, 4), np.uint16)).save(path)),
        ("not of 8 bits", lambda: path.write_bytes(sixteen_bit_rgb())),
        ("neither RGB nor grey", lambda: noise("x", "CMYK").save(path, format="JPEG")),
        ("of several pictures", lambda: noise("x").save(path, format="WEBP", save_all=True, append_images=[noise("y")])),
        ("damaged", lambda: noise("x").save(path, format="GIF")),
    ]
    for kind, save in cases:
        save()
        with pytest.raises(RefusedError) as caught:
            decode(str(path), SHAPE)
        assert caught.value.kind == kind


def sixteen_bit_rgb() -> bytes:
    """A PNG that Pillow opens as RGB, the lower bytes dropped."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header, rows = struct.pack(">IIBBBBB", 4, 3, 16, 2, 0, 0, 0), (b"\0" + bytes(24)) * 3
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")

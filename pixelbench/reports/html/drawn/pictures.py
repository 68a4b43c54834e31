"""The pictures of a page: each inside it once, shown whole or in part wherever a section asks for it."""

import base64
import hashlib
import struct
from dataclasses import dataclass
from pathlib import Path

from pixelbench.evaluation.grid_layout import find_layout

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
#: A page holds no more of pictures, which is about what a browser opens at once; those after it stay in their folders.
_MOST_BYTES = 48 << 20


@dataclass(frozen=True)
class Picture:
    """A picture as a place on the page shows it: `name` is its id in the page's store of pictures; the size is in its own units, for a PNG
    pixels. `drawing`: made of lines and areas in the colours of the page."""

    name: str
    width: float
    height: float
    alt: str
    drawing: bool = False

    @property
    def view(self) -> str:
        """The part that is shown, as SVG has it."""
        return f"0 0 {self.width:g} {self.height:g}"


@dataclass(frozen=True)
class Crop:
    """A part of a picture: some images of a grid in one row. `whole`: the picture."""

    whole: Picture
    left: int
    top: int
    width: int
    height: int
    alt: str

    @property
    def name(self) -> str:
        """The picture's id."""
        return self.whole.name

    @property
    def view(self) -> str:
        """As of `Picture`."""
        return f"{self.left} {self.top} {self.width} {self.height}"


class Pictures:
    """Collects what the page holds; the same bytes are held once. `left_out` counts the pictures that it has no room for."""

    def __init__(self) -> None:
        self._uris: dict[str, tuple[str, int, int]] = {}
        self._drawings: dict[str, object] = {}
        self._held_bytes = 0
        self.left_out = 0

    def add(self, data: bytes, alt: str) -> Picture | None:
        """The picture for one place on the page; None where `data` is no PNG, or the page is full."""
        size = _size(data)
        if size is None:
            return None
        name = f"picture-{hashlib.sha256(data).hexdigest()[:12]}"
        if name not in self._uris:
            if self._held_bytes + len(data) > _MOST_BYTES:
                self.left_out += 1
                return None
            self._held_bytes += len(data)
            self._uris[name] = (f"data:image/png;base64,{base64.b64encode(data).decode()}", *size)
        return Picture(name, *size, alt)

    def add_file(self, path: Path | None, alt: str) -> Picture | None:
        """Likewise of a file; None where there is none or it cannot be read: a page without a picture is better than none."""
        try:
            return None if path is None else self.add(path.read_bytes(), alt)
        except OSError:
            return None

    def add_drawing(self, drawn: object, key: str, size: tuple[float, float], alt: str) -> Picture:
        """A drawing that a template sets out; `key` is the same for the same drawing only."""
        name = f"drawing-{hashlib.sha256(key.encode()).hexdigest()[:12]}"
        self._drawings.setdefault(name, drawn)
        return Picture(name, *size, alt, drawing=True)

    @property
    def held(self) -> list[tuple[str, str, int, int]]:
        """Name, data URI, width and height of each."""
        return [(name, *kept) for name, kept in self._uris.items()]

    @property
    def drawings(self) -> list[tuple[str, object]]:
        """Name and contents of each drawing."""
        return list(self._drawings.items())


def row_of_images(picture: Picture | None, shape: tuple[int, int, int], blocks: int, block: int, count: int, alt: str) -> Crop | None:
    """The first images of a block of a sample picture; of one that is laid out in another way, all of it. None without a picture.

    Args:
        picture: a run's samples.
        shape: (C, H, W) of the images.
        blocks, block: how many grids it has, and which one is asked for: 0 has real images, 1 samples.
        count: so many images, or as many as a row has.
        alt: what is to be seen, for those who hear the page.
    """
    if picture is None:
        return None
    found = find_layout((round(picture.width), round(picture.height)), shape[1:], blocks)
    if found is None:
        return Crop(picture, 0, 0, round(picture.width), round(picture.height), alt)
    return Crop(picture, *found[block].first(count), alt)


def _size(data: bytes) -> tuple[int, int] | None:
    """Width and height as the PNG's first chunk gives them."""
    if len(data) < 33 or not data.startswith(_SIGNATURE) or data[12:16] != b"IHDR":
        return None
    width, height = struct.unpack(">II", data[16:24])
    return (width, height) if width and height else None

"""The pictures of a page: each PNG inside it once, as a data URI, shown wherever a section asks for it."""

import base64
import hashlib
import struct
from dataclasses import dataclass
from pathlib import Path

_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Picture:
    """A picture as a place on the page shows it: `name` is its id in the page's store of pictures; the size is in pixels."""

    name: str
    width: int
    height: int
    alt: str


class Pictures:
    """Collects what the page holds; the same bytes are held once."""

    def __init__(self) -> None:
        self._uris: dict[str, tuple[str, int, int]] = {}

    def add(self, data: bytes, alt: str) -> Picture | None:
        """The picture for one place on the page; None where `data` is no PNG."""
        size = _size(data)
        if size is None:
            return None
        name = f"picture-{hashlib.sha256(data).hexdigest()[:12]}"
        self._uris.setdefault(name, (f"data:image/png;base64,{base64.b64encode(data).decode()}", *size))
        return Picture(name, *size, alt)

    def add_file(self, path: Path | None, alt: str) -> Picture | None:
        """Likewise of a file; None where there is none or it cannot be read: a page without a picture is better than none."""
        try:
            return None if path is None else self.add(path.read_bytes(), alt)
        except OSError:
            return None

    @property
    def held(self) -> list[tuple[str, str, int, int]]:
        """Name, data URI, width and height of each."""
        return [(name, *kept) for name, kept in self._uris.items()]


def _size(data: bytes) -> tuple[int, int] | None:
    """Width and height as the PNG's first chunk gives them."""
    if len(data) < 33 or not data.startswith(_SIGNATURE) or data[12:16] != b"IHDR":
        return None
    width, height = struct.unpack(">II", data[16:24])
    return (width, height) if width and height else None

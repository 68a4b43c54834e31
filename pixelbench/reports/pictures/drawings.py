"""Pictures that matplotlib draws for reports, kept in `<store>/work/drawings`: what was drawn of the same values is not drawn again."""

import contextlib
import hashlib
import json
import struct
import zlib
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pixelbench.causality.render import map_text, picture
from pixelbench.files.atomic import write_bytes
from pixelbench.reports.pictures import plots

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
#: Bytes of a chunk around its data: its length and name, and its checksum.
_AROUND = 12


class Drawings:
    """The drawings of a store. A folder that cannot be read or written only costs time."""

    def __init__(self, store: Path) -> None:
        self._folder = store / "work" / "drawings"

    def png(self, values: Any, draw: Callable[[], bytes]) -> bytes:
        """What `draw` gives, or gave before for the same `values`, which JSON can hold, from the same code."""
        said = json.dumps([_code(), values], sort_keys=True, default=str)
        path = self._folder / f"{hashlib.sha256(said.encode()).hexdigest()[:32]}.png"
        with contextlib.suppress(OSError):
            if _whole(kept := path.read_bytes()):
                return kept
        drawn = draw()
        with contextlib.suppress(OSError):
            write_bytes(path, drawn)
        return drawn


@cache
def _code() -> str:
    """A digest of the modules that draw, and of matplotlib's version: other code draws again."""
    digest = hashlib.sha256(version("matplotlib").encode())
    for module in (picture, map_text, plots):
        digest.update(Path(module.__file__ or "").read_bytes())
    return digest.hexdigest()


def _whole(data: bytes) -> bool:
    """Whether each chunk of a PNG is there and has its checksum."""
    place, name = len(_SIGNATURE), b""
    if not data.startswith(_SIGNATURE):
        return False
    while place + _AROUND <= len(data):
        length, name = struct.unpack_from(">I4s", data, place)
        end = place + _AROUND + length
        if end > len(data) or zlib.crc32(data[place + 4 : end - 4]) != struct.unpack_from(">I", data, end - 4)[0]:
            return False
        place = end
    return name == b"IEND" and place == len(data)

"""Image sets in the idx format of MNIST, in torchvision's layout: four files in `DIR/<name>/raw`, as they are or as `.gz`."""

import gzip
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pixelbench.data.folder import VARIABLE, data_folder
from pixelbench.data.progress import Report
from pixelbench.data.remote import Remote
from pixelbench.data.whole import alone, said
from pixelbench.errors import UserError

SIDE = 28
#: Part → the file of its images and that of its labels.
PARTS = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
COUNTS = {"train": 60_000, "test": 10_000}
#: The idx magic number's last byte is the number of axes, the one before it the type (8: unsigned bytes).
_IMAGES, _LABELS = 0x0803, 0x0801


@dataclass(frozen=True)
class IdxSet:
    """A published set. `checksums`: file → MD5 of its `.gz` as published. `mirrors`: where these lie, tried in turn."""

    name: str
    mirrors: tuple[str, ...]
    checksums: dict[str, str]

    @property
    def folder(self) -> Path:
        return data_folder() / self.name / "raw"

    def missing(self, task: str) -> str | None:
        """What is missing and how to get it, as one sentence; None where all four files are there, each plain of its size or as `.gz`."""
        absent = self._absent()
        if not absent:
            return None
        return (
            f"Task '{task}' needs the files of {self.name}, and '{self.folder}' does not hold {', '.join(absent)}; get them with "
            f"`pixelbench fetch {task}`, or name the folder that has {self.name}/raw with --data DIR or {VARIABLE}=DIR."
        )

    def obtain(self, report: Report, *, skip_damaged: bool = False) -> None:
        """Downloads what is missing and unpacks it; `skip_damaged` has no meaning here."""
        from pixelbench.data.download import download  # not for planning: network and archives
        from pixelbench.data.unpack import gunzip

        with alone(self.folder, report):
            for name in self._absent():
                packed = self.folder / f"{name}.gz"
                remote = Remote(packed.name, tuple(f"{mirror}{packed.name}" for mirror in self.mirrors), self.checksums[name])
                download(remote, packed, report)
                gunzip(packed, self.folder / name)
                packed.unlink()

    def read(self, part: str) -> tuple[np.ndarray, np.ndarray]:
        """(N, 1, 28, 28) uint8 grey values 0 … 255, and (N,) int64 classes, of `train` or `test`.

        Raises:
            UserError: a file cannot be read, or is not of that format.
        """
        images, labels = PARTS[part]
        pixels = self._array(images, _IMAGES, (COUNTS[part], SIDE, SIDE))
        return pixels[:, None], self._array(labels, _LABELS, (COUNTS[part],)).astype(np.int64)

    def _array(self, name: str, magic: int, shape: tuple[int, ...]) -> np.ndarray:
        plain, packed = self.folder / name, self.folder / f"{name}.gz"
        path = plain if plain.is_file() else packed
        try:
            content = path.read_bytes()
            content = gzip.decompress(content) if path == packed else content
        except (OSError, EOFError, zlib.error) as error:
            raise UserError(f"'{path}' cannot be read ({said(error)}); put the published file in its place.") from None
        header = struct.pack(f">{1 + len(shape)}I", magic, *shape)
        if not content.startswith(header) or len(content) != len(header) + int(np.prod(shape)):
            size = "x".join(map(str, shape))
            raise UserError(f"'{path}' is not the idx file of {size} bytes that it should be; put the published file in its place.")
        return np.frombuffer(content, np.uint8, offset=len(header)).reshape(shape)

    def _absent(self) -> list[str]:
        return [name for part in PARTS for name in PARTS[part] if not self._is_there(part, name)]

    def _is_there(self, part: str, name: str) -> bool:
        plain = self.folder / name
        images = name == PARTS[part][0]
        size = (16 + COUNTS[part] * SIDE**2) if images else (8 + COUNTS[part])
        return (plain.is_file() and plain.stat().st_size == size) or (not plain.exists() and (self.folder / f"{name}.gz").is_file())

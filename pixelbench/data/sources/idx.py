"""Image sets in the idx format of MNIST, in torchvision's layout: four files in `DIR/<name>/raw`, as they are or as `.gz`."""

import gzip
import math
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pixelbench.data.download.progress import ReportStep
from pixelbench.data.download.remote import Remote
from pixelbench.data.folder import VARIABLE, data_folder
from pixelbench.data.whole import alone, md5_of, said
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
        """The missing files and how to get them, as one sentence; None where all four files are there, each plain of its size or as `.gz`.

        Files that are there and are others are said to be: a set of other images, or one of another size.
        """
        absent = self._absent()
        if not absent:
            return None
        others = [f"its {name} {other}" for name in absent if (other := _other(self.folder / name))]
        lacking = [name for name in absent if not (self.folder / name).is_file()]
        faults = [f"does not hold {', '.join(lacking)}"] if lacking else []
        return (
            f"Task '{task}' needs the files of {self.name}, and '{self.folder}' {', '.join([*faults, *others])}; get them with "
            f"`pixelbench fetch {task}`, or name the folder that has {self.name}/raw with --data DIR or {VARIABLE}=DIR."
        )

    def obtain(self, report: ReportStep, *, skip_damaged: bool = False, allow_overlap: bool = False) -> None:
        """Download what is missing and unpack it; the options of image folders have no meaning here."""
        from pixelbench.data.download.files import download  # not for planning: network and archives
        from pixelbench.data.download.unpack import gunzip

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
        """The contents of the first good one of the plain file and the `.gz`; a `.gz` that is the published one comes first."""
        packed = self.folder / f"{name}.gz"
        paths = [path for path in (self.folder / name, packed) if path.is_file()]
        if len(paths) > 1 and _is_published(packed, self.checksums[name]):
            paths.reverse()
        faults = []
        for path in paths or [packed]:
            try:
                return _read(path, magic, shape)
            except UserError as error:
                faults.append(error)
        raise faults[0]

    def _absent(self) -> list[str]:
        return [name for part in PARTS for name in PARTS[part] if not self._is_there(part, name)]

    def _is_there(self, part: str, name: str) -> bool:
        plain = self.folder / name
        images = name == PARTS[part][0]
        size = (16 + COUNTS[part] * SIDE**2) if images else (8 + COUNTS[part])
        if plain.is_file() and plain.stat().st_size == size:
            return True
        packed = self.folder / f"{name}.gz"
        return _is_published(packed, self.checksums[name]) if plain.exists() else packed.is_file()


def _read(path: Path, magic: int, shape: tuple[int, ...]) -> np.ndarray:
    try:
        content = path.read_bytes()
        content = gzip.decompress(content) if path.suffix == ".gz" else content
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"'{path}' cannot be read ({said(error)}); put the published file in its place.") from None
    header = struct.pack(f">{1 + len(shape)}I", magic, *shape)
    if not content.startswith(header) or len(content) != len(header) + int(np.prod(shape)):
        fault = f"is not the idx file of {_size(shape)} bytes that it should be: it {_described(content[:16], len(content))}"
        raise UserError(f"'{path}' {fault}; put the published file in its place.")
    return np.frombuffer(content, np.uint8, offset=len(header)).reshape(shape)


def _is_published(packed: Path, checksum: str) -> bool:
    try:
        return md5_of(packed) == checksum
    except OSError:
        return False


def _other(path: Path) -> str | None:
    """A remark on a plain file of another size; None where there is none."""
    try:
        with path.open("rb") as file:
            return _described(file.read(16), path.stat().st_size)
    except OSError:
        return None


def _described(header: bytes, length: int) -> str:
    """`holds 60000x32x32 bytes`, by the header of an idx file of that length, or why it is none."""
    axes = header[3] if len(header) == 16 and header[:2] == b"\0\0" else 0
    if not 1 <= axes <= 3:
        return f"is no idx file ({length:,} bytes)"
    shape = struct.unpack(f">{axes}I", header[4 : 4 + 4 * axes])
    whole = 4 + 4 * axes + math.prod(shape)
    return f"holds {_size(shape)} bytes" if length == whole else f"is damaged: {length:,} of {whole:,} bytes"


def _size(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))

"""Small folders of images for tests."""

import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from pixelbench.data.prepare.listing import look
from pixelbench.data.sources.folder_task import _shape


def noise(name: str, mode: str = "RGB", size: tuple[int, int] = (4, 3)) -> Image.Image:
    """An image (width, height) of random values that its name decides."""
    width, height = size
    values = np.random.default_rng(zlib.crc32(name.encode())).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values).convert(mode)


def pixels(name: str, mode: str = "RGB", size: tuple[int, int] = (4, 3)) -> np.ndarray:
    """(C, H, W) of the same."""
    return np.asarray(noise(name, mode, size)).reshape(size[1], size[0], -1).transpose(2, 0, 1)


def write(folder: Path, *names: str, mode: str = "RGB", size: tuple[int, int] = (4, 3)) -> None:
    """An image of noise at each of these paths below the folder; the process has not looked at it yet."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        noise(name, mode, size).save(path)
    forget()


def numbered(split: str, numbers: Iterable[int]) -> list[str]:
    """Paths such as `train/03.png`."""
    return [f"{split}/{number:02}.png" for number in numbers]


def usual(folder: Path, train: int = 10, valid: int = 3, size: tuple[int, int] = (4, 3)) -> Path:
    """A folder with so many images of that (width, height)."""
    write(folder, *numbered("train", range(train)), *numbered("valid", range(valid)), size=size)
    return folder


def forget() -> None:
    """As a new process: what was looked at once is looked at again."""
    look.cache_clear()
    _shape.cache_clear()

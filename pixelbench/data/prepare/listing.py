"""A folder of images in ImageNet's layout: which files are in it, and one digest of their names, sizes and times.

`train/` and `valid/`, and `test/` if there is one, hold the images themselves or in sub-directories of any name, one level deep. Hidden
files and names without an image's extension are passed over and counted.
"""

import hashlib
import os
import stat
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

from pixelbench.errors import UserError, first_line, nearest

EXTENSIONS = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
#: Names that are passed over and said.
NAMED = 10
SPLITS = ("train", "valid", "test")
LAYOUT = (
    "train/ and valid/ (test/ if you have one), each with the images in it or in sub-directories of any name, one level deep, "
    f"as {', '.join(EXTENSIONS)}"
)


class Found(NamedTuple):
    """A file with an image's name: its path below the folder with `/` between the parts, bytes, and time of change in nanoseconds.

    What cannot be opened as a file (a broken link, a directory, a pipe) has -1 bytes; whoever reads it finds out.
    """

    path: str
    size: int
    modified: int

    @property
    def folder(self) -> str:
        """`train`, `valid` or `test`."""
        return self.path.partition("/")[0]

    @property
    def stamp(self) -> bytes:
        """The bytes that the listing's digest is taken of."""
        return f"{self.size} {self.modified} ".encode() + os.fsencode(self.path)


@dataclass(frozen=True)
class Contents:
    """`digest`: SHA-256 of the stamps of all images, 64 hex digits. `files`: images in train, valid, test.

    `ignored`: how many other names there are, and `ignored_names`: the first of them.
    """

    digest: str
    files: dict[str, int]
    ignored: int
    ignored_names: tuple[str, ...] = ()


def survey(folder: Path, each: Callable[[Found], None] = lambda found: None) -> Contents:
    """Walk through the folder without opening a file. `each` is given every image, sorted by the parts of its path within its split.

    Raises:
        UserError: the layout is not the one above, or there are too few images; the sentence says what is expected.
    """
    digest, files, ignored, names = hashlib.sha256(), Counter[str](), 0, list[str]()
    splits = _split_folders(folder)
    for split in splits:
        for found in _walk(folder, split):
            if isinstance(found, str):
                ignored += 1
                names += [printable(found)] if len(names) < NAMED else []
                continue
            files[split] += 1
            digest.update(found.stamp + b"\0")
            each(found)
        if not files[split]:
            raise UserError(f"'{folder / split}' holds no image; expected are {LAYOUT}.")
    if "test" not in splits and files["train"] < 2:
        raise UserError(f"'{folder / 'train'}' holds one image only; validation images are taken out of it, so it needs two or more.")
    return Contents(digest.hexdigest(), dict(files), ignored, tuple(names))


@cache
def look(folder: Path) -> Contents:
    """As `survey`, once a process: planning asks several times, and a million files take seconds. `look.cache_clear()` forgets."""
    return survey(folder)


def printable(path: str) -> str:
    """A file's name on one line, whatever bytes it is made of."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)


def _split_folders(folder: Path) -> list[str]:
    """Which of train, valid and test are there; the first two must be."""
    if not os.path.exists(folder):
        raise UserError(f"There is no folder '{folder}'; expected is one with {LAYOUT}.")
    if not os.path.isdir(folder):
        raise UserError(f"'{folder}' is a file, not a folder with {LAYOUT}.")
    for split in SPLITS[:2]:
        if not os.path.isdir(folder / split):
            near = nearest(split, set(_names(folder)) - set(SPLITS))
            hint = f" (is '{near}' it? Rename it)" if near else ""
            raise UserError(f"'{folder}' has no {split}/{hint}; expected are {LAYOUT}.")
    return [split for split in SPLITS if os.path.isdir(folder / split)]


def _walk(folder: Path, inside: str, deep: bool = False) -> Iterator[Found | str]:
    """Every image below `inside`, and the path of each name passed over. Only names are held: a million of them are about 100 MB."""
    for name in _names(folder / inside):
        path = f"{inside}/{name}"
        if name.startswith("."):
            yield path
        elif name.lower().endswith(EXTENSIONS):
            yield _stamped(folder, path)
        elif not os.path.isdir(folder / path):
            yield path
        elif deep:
            raise UserError(f"'{printable(str(folder / path))}' is nested too deep; expected are {LAYOUT}.")
        else:
            yield from _walk(folder, path, deep=True)


def _names(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError as error:
        raise UserError(
            f"'{printable(str(folder))}' cannot be read ({error.strerror or first_line(error)}); fix its permissions."
        ) from None


def _stamped(folder: Path, path: str) -> Found:
    try:
        status = os.stat(f"{folder}/{path}")
    except OSError:
        return Found(path, -1, 0)
    return Found(path, status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else Found(path, -1, 0)

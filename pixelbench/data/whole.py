"""One process at a time in a folder of data, and what the file system says in a sentence."""

import errno
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pixelbench.data.download.progress import DownloadStep, ReportStep
from pixelbench.errors import UserError, first_line

if TYPE_CHECKING:
    from filelock import FileLock

LOCK = ".pixelbench.lock"
#: Seconds between two looks at a lock that another process holds.
LOOK = 0.5


@contextmanager
def alone(folder: Path, report: ReportStep | None = None) -> Iterator[None]:
    """Make `folder` and hold its lock against other processes; the kernel frees it when its holder ends, however it ends.

    May be nested, so that looking at what is missing, downloading, unpacking and removing the archive can be one step for everybody else.
    `report` is told while another process holds it. The lock's file stays: removing it would let a third process lock a new file of the
    same name while the old one is still held.

    Raises:
        UserError: the folder cannot be made or written.
    """
    from filelock import FileLock  # not for planning

    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder.resolve() / LOCK, is_singleton=True)
        while not _acquired(lock):
            if report:
                report(DownloadStep("waiting for another process that is at work there", 0, None, "bytes"))
    try:
        yield
    finally:
        lock.release()


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an error of the file system into a sentence about `path`.

    Raises:
        UserError: no room, no right, or something in the way.
    """
    try:
        yield
    except OSError as error:
        other = "name another data folder with --data DIR"
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise UserError(f"There is no room for '{path}' ({said(error)}); free some, or {other}.") from None
        raise UserError(f"'{path}' cannot be written ({said(error)}); fix its folder, or {other}.") from None


def md5_of(path: Path) -> str:
    """The MD5 of a file, as the publishers of data sets state it, read a block at a time."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def said(error: BaseException) -> str:
    """An error's message, without the file name that the sentence around it holds already."""
    return getattr(error, "strerror", None) or first_line(error)


def _acquired(lock: "FileLock") -> bool:
    from filelock import Timeout

    try:
        lock.acquire(timeout=LOOK)
    except Timeout:
        return False
    return True

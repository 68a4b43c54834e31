"""What a folder can really do, for `pixelbench doctor`: tried, never asked for, and nothing is left behind."""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pixelbench.errors import UserError
from pixelbench.files.writable import ensure_writable

_MOUNTS = Path("/proc/self/mounts")
_TRIED = 1 << 20


@dataclass(frozen=True)
class FolderState:
    """A folder as it was found."""

    folder: Path
    exists: bool
    problem: str | None
    """The sentence on what cannot be done in it; None where files can be written, replaced and locked."""
    free_bytes: int | None
    """For this user; None where nobody can tell."""
    file_system: str | None
    """As the kernel calls it, such as `ext4` or `nfs4`; None where it does not say."""


def examine(folder: Path) -> FolderState:
    """Write, replace and lock files in `folder`, or in a folder of a moment's where it does not exist yet but could be made."""
    there = existing(folder)
    return FolderState(folder.absolute(), there == folder.absolute(), _problem(folder.absolute(), there), _free(there), file_system(there))


def existing(folder: Path) -> Path:
    """The folder, or the nearest above it that there is."""
    return next(path for path in (folder.absolute(), *folder.absolute().parents) if os.path.exists(path))


def file_system(folder: Path) -> str | None:
    """The type of the file system that a folder is on: that of the longest mount point above it."""
    try:
        lines = _MOUNTS.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return None
    mounts = [(_plain(fields[1]), fields[2]) for line in lines if len(fields := line.split()) > 2]
    whole = folder.resolve()
    # of two on one mount point the later covers the earlier
    found = max(((len(point), place, kind) for place, (point, kind) in enumerate(mounts) if whole.is_relative_to(point)), default=None)
    return None if found is None else found[2]


def _problem(folder: Path, there: Path) -> str | None:
    if folder == there:
        return _tried(folder)
    if not there.is_dir():
        return f"cannot be made in '{there}', which is a file"
    try:
        with _for_a_moment(there) as trial:
            return _tried(trial)
    except OSError as error:
        return f"cannot be made in '{there}' ({error.strerror})"


@contextlib.contextmanager
def _for_a_moment(parent: Path) -> Iterator[Path]:
    trial = Path(tempfile.mkdtemp(prefix=".pixelbench-doctor-", dir=parent))
    try:
        yield trial
    finally:
        shutil.rmtree(trial, ignore_errors=True)


def _tried(folder: Path) -> str | None:
    try:
        ensure_writable(folder, _TRIED)
        return _locking(folder)
    except UserError as error:
        return str(error)


def _locking(folder: Path) -> str | None:
    """Two runs at once share a store by locks: a second lock must be refused while the first is held."""
    with tempfile.NamedTemporaryFile(prefix=".probe.", suffix=".tmp", dir=folder) as first, open(first.name, "rb+") as second:
        try:
            fcntl.flock(first, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            return f"its file system cannot lock files ({error.strerror}); choose another with --results DIR"
        try:
            fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
    return "its file system gives one lock to two at once; choose another with --results DIR"


def _free(folder: Path) -> int | None:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def _plain(text: str) -> str:
    r"""A mount point as it is, which the kernel writes with `\040` for a space."""
    return text.encode("latin-1", "surrogateescape").decode("unicode_escape") if "\\" in text else text

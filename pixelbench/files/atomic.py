"""Files that are either whole or absent, whatever happens while they are written."""

import contextlib
import json
import os
import secrets
from pathlib import Path
from typing import Any

from pixelbench.files.disk import to_disk


class CannotWrite(OSError):  # noqa: N818 (a kind of OSError)
    """A file of the store cannot be written: `filename` is the one that was to be there, `errno` and `strerror` say why."""


def write_bytes(path: Path, data: bytes, *, before: Path | None = None) -> None:
    """Replace `path` by `data` in one step that survives a crash: temporary file in the same folder, fsync, rename, fsync of the folder.

    The folder is created where it is missing. On any error the temporary file is removed and what was there before is untouched.

    Args:
        path: the file.
        data: its bytes.
        before: what was at `path` is kept there, instead of what was there.

    Raises:
        CannotWrite: no room, no right, no folder.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_new(temporary, data)
        if before is not None and path.exists():
            _keep_as(path, before)
        _rename(temporary, path)
    except OSError as error:
        _remove(temporary)
        raise CannotWrite(error.errno, error.strerror, str(path)) from error
    except BaseException:
        _remove(temporary)
        raise


def write_changed(path: Path, data: bytes) -> None:
    """As `write_bytes`; a file that holds these bytes already is left as it is."""
    with contextlib.suppress(OSError):
        if path.stat().st_size == len(data) and path.read_bytes() == data:
            return
    write_bytes(path, data)


def put_in_place(finished: Path, target: Path) -> None:
    """Give a file that somebody has written its name in one step that survives a crash. Both lie in one folder.

    Raises:
        OSError: something is in the way.
    """
    to_disk(finished)
    _rename(finished, target)


def write_text(path: Path, text: str) -> None:
    """As `write_bytes`, in UTF-8."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """As `write_bytes`: sorted keys, a line each, so that versions can be compared line by line.

    Raises:
        ValueError: `value` holds NaN or an infinity, which JSON does not have.
    """
    write_text(path, json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def sweep_temporaries(folder: Path) -> None:
    """Remove the temporary files that a killed process left in `folder` and below. Only whoever holds the run's lock may."""
    for path in folder.rglob(".*.tmp"):
        path.unlink(missing_ok=True)


def _rename(finished: Path, target: Path) -> None:
    os.replace(finished, target)
    if os.name == "posix":  # elsewhere a folder cannot be opened
        to_disk(target.parent)  # the new name too: without it a power cut can bring the old one back


def _keep_as(path: Path, before: Path) -> None:
    """Give a file a second name, so that it is under its own until the next one takes it; where files cannot have two, the other alone."""
    second = before.with_name(f".{before.name}.{secrets.token_hex(6)}.tmp")
    try:
        os.link(path, second)
    except OSError:
        os.replace(path, before)
        return
    try:
        os.replace(second, before)
    finally:
        _remove(second)


def _write_new(path: Path, data: bytes) -> None:
    """Write a file that is not there yet, down to the disk."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        left = memoryview(data)
        while left:
            left = left[os.write(descriptor, left) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(temporary: Path) -> None:
    with contextlib.suppress(OSError):
        temporary.unlink(missing_ok=True)
